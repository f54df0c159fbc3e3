"""Who broke what where: whatever a component raises or prints becomes one sentence."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from siambench.errors import PluginError, SiambenchError, said


def sentence(error: BaseException) -> str:
    """One line of what an error says, with its type where it is not siambench's own."""
    return said(error) if isinstance(error, SiambenchError) else f"it raises {said(error)}"


@contextlib.contextmanager
def told_where(where: str) -> Iterator[None]:
    """Let what is raised inside say where it happened: ``on a batch of one class: it raises IndexError: …``."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise PluginError(f"{where}: {sentence(error)}") from error


@contextlib.contextmanager
def nothing_printed() -> Iterator[None]:
    """Raise `PluginError` where something is written to stdout meanwhile."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        yield
    if written.getvalue():
        raise PluginError(f"it prints to stdout: {written.getvalue().strip()[:60]!r}")
