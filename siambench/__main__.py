"""``python -m siambench``."""

from siambench.cli import main

if __name__ == "__main__":
    main()
