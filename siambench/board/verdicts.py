"""How many trials and final models have which verdict, counted and told. Of records without one nothing is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from siambench.verdicts import OK, order_of

if TYPE_CHECKING:
    from siambench.interfaces import Diagnosis

Counts = Mapping[str, int]
"""Verdict → how many have it, in the order in which verdicts are asked; only of what was judged."""


def counts_of(diagnoses: Iterable[Diagnosis | None]) -> Counts:
    """The verdicts among some diagnoses."""
    return _ordered(Counter(one.verdict for one in diagnoses if one is not None))


def summed(counts: Iterable[Counts]) -> Counts:
    """Several counts as one."""
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one)
    return _ordered(found)


def _ordered(counts: Mapping[str, int]) -> Counts:
    return dict(sorted(counts.items(), key=lambda one: (order_of(one[0]), one[0] == OK, one[0])))


def verdicts_text(counts: Counts, what: str, *, of: int) -> str:
    """``3 of 40 trials collapsed, 1 starved``; nothing where all that was judged is ``ok``.

    Args:
        counts: of verdicts.
        what: is counted, in the plural.
        of: how many there are, judged or not.
    """
    bad = [(verdict, number) for verdict, number in counts.items() if verdict != OK]
    if not bad:
        return ""
    judged = sum(counts.values())
    whole = f"{judged} {what}" if judged == of else f"{judged} judged {what}"
    (first, number), *others = bad
    return ", ".join([f"{number} of {whole} {first}", *(f"{other} {verdict}" for verdict, other in others)])
