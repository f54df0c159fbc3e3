"""Where data comes from: found or downloaded with a checksum, decoded once, augmented on whole batches."""
