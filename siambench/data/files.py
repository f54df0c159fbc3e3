"""Files that several people read. Free of heavy imports: leaderboards use it too."""

from __future__ import annotations

import os
from pathlib import Path


def share(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of a new file: a folder may be shared."""
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
