"""What can go wrong, as a tree.

    SiambenchError                      exit code
    ├── UsageError                      4   the command, a file or a name is wrong
    │   ├── UnknownNameError            4   no such component, track or row
    │   ├── DuplicateNameError          4   two plugins provide one name
    │   ├── ConfigError                 4   a TOML file or `--set` does not hold
    │   ├── CombinationError            4   a loss, miner and feed that do not fit
    │   ├── PluginError                 4   a plugin breaks its contract
    │   ├── DataMissingError            4   a file is not where it was looked for
    │   └── DataError                   4   data is there but cannot be examined on
    │       ├── LeakageError            4   training and test share a class or an image
    │       └── RecordError             4   a record, or a part of one, does not hold
    ├── WithheldError                   3   code asked for test data it must not see
    ├── MetricError                     3   a score would be wrong, not approximate
    ├── DivergedError                   0   a unit's training left the finite numbers: a result
    ├── LostError                       1   the environment took a unit: never a result
    ├── UnfinishedError                 1   a unit was lost, its study cannot end
    ├── InterruptedRunError             2   Ctrl-C
    ├── EmptyPlanError                  5   nothing to run
    ├── DifferenceError                 6   `--check` or `reproduce` found one
    ├── ContractError                   6   `check` found a contract that is not kept
    └── VerdictError                    6   `diagnose` came to a verdict other than ``ok``

Anything else that reaches the command line is a bug in siambench: exit code 3.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

EXIT_CODES = {
    0: "all units done or cached; a unit that *failed* (raised or diverged) is a result like any other",
    1: "a unit was *lost* (killed, out of memory or time): the same command tries again",
    2: "interrupted: the first Ctrl-C lets running units end, the second stops; finished units are kept",
    3: "internal error",
    4: "usage, an unknown name, missing data; of `doctor`: nothing can be run here",
    5: "nothing to run: every combination was refused",
    6: "`--check` or `reproduce` found a difference, `check` a broken contract, or `diagnose` a verdict other than `ok`",
}
"""What each code means with which the command line ends."""


class SiambenchError(Exception):
    """Base of every error that siambench raises on purpose; its text is one sentence for people."""

    exit_code = 3


class UsageError(SiambenchError):
    """What was asked for cannot be done as asked."""

    exit_code = 4


class UnknownNameError(UsageError):
    """A name that nothing provides.

    Args:
        what: the kind of thing that was looked for, e.g. ``"loss"``.
        name: what was asked for.
        known: the names that exist.
        failed: plugins that did not load, and might have provided it.
        lists: the command that lists them all, where there may be more than a sentence can hold.
        meant: what comes behind the name, ``", did you mean …?"``; None: the nearest of the names.
    """

    def __init__(
        self, what: str, name: str, known: Iterable[str], failed: Sequence[str] = (), *, lists: str = "", meant: str | None = None
    ) -> None:
        names = sorted(known)
        text = f"unknown {what} {name!r}{suggestion(name, names) if meant is None else meant}; installed: {some(name, names, lists=lists)}"
        if failed:
            text += f"; plugins that failed to load: {', '.join(failed)} (`siambench plugins --errors` says why)"
        super().__init__(text)


class DuplicateNameError(UsageError):
    """One name, two providers."""


class ConfigError(UsageError):
    """A configuration that does not hold."""


class CombinationError(UsageError):
    """Components that do not fit each other; the text is the reason shown in a grid."""


class PluginError(UsageError):
    """A plugin or a local file that does not keep the contract of its kind."""


class DataMissingError(UsageError):
    """A data file that is neither on this machine nor within reach."""


class DataError(UsageError):
    """Data that is there, but that no exam can be held on."""


class LeakageError(DataError):
    """Training, validation and test share a class or an image."""


class RecordError(DataError):
    """A record, or a part of one, with a key too many or too few, or a value of another type."""


class NothingToDrawError(UsageError):
    """A figure for which there is no data."""


class WithheldError(SiambenchError):
    """Something asked for items that are withheld from it."""


class MetricError(SiambenchError, ValueError):
    """Inputs for which a score would be wrong rather than approximate."""


class DivergedError(SiambenchError):
    """Training left the finite numbers; the unit has failed, which is a result."""

    exit_code = 0


class LostError(SiambenchError):
    """The environment took the unit: memory ran out, the data is gone. Never a result."""

    exit_code = 1


class UnfinishedError(SiambenchError):
    """At least one unit was lost to its environment; the same command tries again."""

    exit_code = 1


class InterruptedRunError(SiambenchError):
    """The user stopped the run; finished units are kept."""

    exit_code = 2


class EmptyPlanError(SiambenchError):
    """Every combination of the grid was refused, or the comparison names no method."""

    exit_code = 5


class DifferenceError(SiambenchError):
    """What was generated is not what is there."""

    exit_code = 6


class ContractError(SiambenchError):
    """A loss, a miner or a plugin was examined and breaks a contract of its kind."""

    exit_code = 6


class VerdictError(SiambenchError):
    """A training was looked at, and something is wrong with it."""

    exit_code = 6


def text_of(error: BaseException, most: int = 2000) -> str:
    """What an error says as one line that any file can hold, whatever its class does.

    Args:
        error: from anywhere.
        most: how many characters of it at most.
    """
    try:
        # Cut first: text may be as large as memory.
        text = str(error)[: 10 * most]
    except BaseException as other:  # noqa: BLE001  its ``__str__`` is somebody's code, which may raise anything
        text = f"it cannot say what it is: its __str__ raised {type(other).__name__}"
    # Half of a surrogate pair is no character, and no UTF-8.
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())[:most]


def named(error: BaseException, most: int = 2000) -> str:
    """``ValueError: what it says``, as one line that any file can hold; the class alone of one that says nothing."""
    text = text_of(error, most)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def left_by(error: BaseException) -> str:
    """``SystemExit: 0 in plugin.py, line 7``: what was raised, and the innermost place of it."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f" in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"{named(error)}{where}"


def suggestion(name: str, names: Iterable[str]) -> str:
    """``", did you mean 'triplet'?"`` for the nearest of ``names``, or nothing where none is near."""
    near = nearest(name, names)
    return "" if near is None else f", did you mean {near!r}?"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The nearest of ``names``, or None where none is near."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)), None)


MOST_NAMES = 12
"""So many names a sentence may list; of more it says the nearest, and where all are listed."""

_NEAREST = 3


def some(name: str, names: Iterable[str], *, lists: str = "") -> str:
    """The names that could have been meant: all of them where they are few, else the nearest and how many there are.

    Args:
        name: what was asked for.
        names: that exist.
        lists: the command that lists them all.
    """
    known = sorted(names)
    if len(known) <= MOST_NAMES:
        return ", ".join(known) or "none"
    near = ", ".join(difflib.get_close_matches(name, known, n=_NEAREST, cutoff=0.0))
    return f"{near}, … ({f'`{lists}` lists all {len(known)}' if lists else f'the nearest of {len(known)}'})"


def said(error: BaseException, *, longest: int = 400) -> str:
    """What somebody's error says, as one line that can be written anywhere: ``ValueError: no margin``, whatever its ``__str__`` does.

    Args:
        error: of siambench, which is its sentence alone, or of anybody.
        longest: letters after which it is cut.
    """
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  the text of an error is somebody's code, too
        text = ""
    if not isinstance(error, SiambenchError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= longest else f"{text[:longest]} …"
