"""Who broke what where: whatever a component raises or prints becomes one sentence."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from siambench.components.component import Component
from siambench.errors import PluginError, SiambenchError, said

_BUILTIN = "siambench.builtin"
_MOST_SHOWN = 20_000
"""Letters of a traceback: an error may say as much as memory holds."""


@dataclass(frozen=True)
class Origin:
    """Where in a component's own code something was raised.

    Args:
        place: ``mine.py:12``, of the innermost line of the component's own; the file from the working folder where it is below it.
        trace: the traceback from the component's own code on.
    """

    place: str
    trace: str


def origin(error: BaseException, component: Component) -> Origin | None:
    """Where the error, or what it stands for, was raised; None where no line of the component's own had a part."""
    own = _own_code(component)
    cause: BaseException | None = error
    seen: set[int] = set()
    found: Origin | None = None
    while own is not None and cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        begin, innermost = None, None
        trace: TracebackType | None = cause.__traceback__
        while trace is not None:
            path = Path(trace.tb_frame.f_code.co_filename)
            if path == own or own in path.parents:
                begin, innermost = begin or trace, (path, trace.tb_lineno)
            trace = trace.tb_next
        if begin is not None and innermost is not None:
            text = "".join(traceback.format_exception(type(cause), cause, begin, chain=False))
            found = Origin(f"{_from_here(innermost[0])}:{innermost[1]}", text[:_MOST_SHOWN])
        # What was raised first is nearest to the reason.
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return found


def _own_code(component: Component) -> Path | None:
    """The file of a component in a file, else the folder of its package, or the module where that is all there is."""
    if component.path is not None:
        return Path(component.path)
    inside = component.module == _BUILTIN or component.module.startswith(f"{_BUILTIN}.")
    module = sys.modules.get(_BUILTIN if inside else component.module.partition(".")[0])
    file = getattr(module, "__file__", None)
    if not component.module or file is None:
        return None
    return Path(file).parent if hasattr(module, "__path__") else Path(file)


def _from_here(path: Path) -> str:
    try:
        return str(path.relative_to(Path(os.path.realpath(Path.cwd()))))
    except (ValueError, OSError):
        return str(path)


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
