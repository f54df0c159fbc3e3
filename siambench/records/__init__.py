"""What units leave, and where: records, the folders they lie in, who works there, and how far that is."""
