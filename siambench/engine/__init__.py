"""Where units run. An engine is handed the function to execute and knows nothing of what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Finished:
    """How one submitted call ended.

    Args:
        key: as it was submitted.
        value: what the function returned; None if it was lost.
        reason: why it was lost; None if it was not.
    """

    key: str
    value: Any
    reason: str | None


class Engine(Protocol):
    """Runs calls of one function somewhere and reports each exactly once, in any order."""

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call. The arguments and the result must survive pickling: no memory is shared."""
        ...

    def wait(self, seconds: float) -> list[Finished]:
        """The calls that ended since the last wait; blocks up to ``seconds`` for the first."""
        ...

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; their keys."""
        ...

    def close(self, *, now: bool) -> None:
        """End the workers: after their current call, or ``now``."""
        ...

    def describe(self) -> str:
        """For people: what this engine is, e.g. ``local, 2 workers``."""
        ...
