"""What is said of the models that a unit trained. It stands beside the outcome, and may be wrong without anything else being so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from siambench.plugin import Fingerprint, LossEntry
from siambench.verdicts import OK, facts_of, judged, looks_collapsed, named_first

if TYPE_CHECKING:
    from siambench.interfaces import Diagnosis, Measures, Outcome
    from siambench.spec import Unit


def diagnosis_of(
    unit: Unit,
    entry: LossEntry,
    measured: Sequence[Sequence[Measures]],
    outcome: Outcome,
    *,
    untrained: Callable[[], float | None],
    num_classes: int,
) -> Diagnosis | None:
    """What is said of a unit: of several fold-models the verdict that comes first.

    Args:
        unit: that was run.
        entry: of its loss, its options set.
        measured: the rows of each model, as far as it was trained.
        outcome: of the unit, which this changes nothing of.
        untrained: gives the primary metric of the untrained network on the validation part; asked where embeddings look alike.
        num_classes: that it trained on.

    Returns:
        None where nothing was measured and training did not leave the finite numbers: then there is nothing to judge by.
    """
    known = [rows for rows in measured if rows]
    if not known and outcome.ended == "ok":
        return None
    told = entry.fingerprint or (Fingerprint(forms_tuples=True) if entry.takes != "none" else None)
    found = []
    for rows in known or [()]:
        score = untrained() if unit.kind == "tune" and looks_collapsed(rows) else None
        facts = facts_of(
            *(unit, rows, outcome), fingerprint=told, wants_unit_length=entry.normalise, untrained=score, num_classes=num_classes
        )
        found.append(judged(facts))
    whole = named_first(found)
    # Of what raised, without a reason that a rule knows, nothing is said: it did not end well.
    return None if whole is None or (outcome.ended != "ok" and whole.verdict == OK) else whole
