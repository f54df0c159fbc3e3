"""Glyphs, the embedded data set: its one file, its card, and the scripts that made it."""
