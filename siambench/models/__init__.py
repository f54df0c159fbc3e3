"""Models to take away: a file of weights that says what it is, read again as a module with its preprocessing, its thresholds, its card."""
