"""How often training is measured: a wish of the environment, no rule of an exam and no part of a unit."""

from __future__ import annotations

import os

from siambench.errors import UsageError, suggestion

MEASURES = "SIAMBENCH_MEASURES"
"""Says at which steps training is measured: ``off``: at none; N: at every N-th of an epoch, and at its last."""

EVERY = 10
"""Where the environment says nothing. What is measured changes no outcome, and at this costs a hundredth of a step's time."""

_OFF = "off"


def measured_every() -> int | None:
    """At every how many steps of an epoch training is measured; None: it is not measured at all.

    Raises:
        UsageError: if the environment says neither ``off`` nor a whole number from 1.
    """
    said = os.environ.get(MEASURES, "").strip()
    if said in ("", _OFF):
        return EVERY if not said else None
    # No int() of anything: it takes underscores, signs, and digits of every script.
    if not (said.isascii() and said.isdigit() and int(said[:10]) > 0):
        hint = suggestion(said.lower(), [_OFF])
        raise UsageError(f"the environment variable {MEASURES} must be {_OFF} or a whole number from 1, got {said[:40]!r}{hint}")
    return int(said[:10])
