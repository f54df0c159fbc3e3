"""The checks, each a function that looks at one thing: evidence with numbers, a remedy, a line to try."""
