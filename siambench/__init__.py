"""siambench: the exam room of metric learning.

The public names are imported when they are first used, so that ``import siambench`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siambench.api import diagnose, evaluate, leaderboard, plot, run
    from siambench.models.loaded import load_model

__version__ = "0.1.0"

__all__ = ["__version__", "diagnose", "evaluate", "leaderboard", "load_model", "plot", "run"]


def __getattr__(name: str) -> Any:
    if name in ("diagnose", "evaluate", "leaderboard", "plot", "run"):
        from siambench import api

        return getattr(api, name)
    if name == "load_model":
        from siambench.models.loaded import load_model

        return load_model
    raise AttributeError(f"module 'siambench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
