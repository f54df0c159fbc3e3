"""First-party components. They are found by the same hooks as anybody's, and imported by nobody."""
