"""The scripts that drew the data set glyphs from free fonts, and its card. Run `python -m drawing_glyphs.make_glyphs` in `docs`."""
