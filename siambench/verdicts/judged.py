"""Facts → what is said of them. Nothing is read, drawn or kept."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.interfaces import Diagnosis, Finding
from siambench.spaces import Choice, nearest
from siambench.spec import NO_MINER
from siambench.verdicts.facts import Facts
from siambench.verdicts.rules import FINDINGS, VERDICTS, Rule
from siambench.wording import quoted

OK = "ok"
"""The verdict where no other holds."""

_TIMES = {"{lower}": 0.1, "{higher}": 10.0}
_SAME = 0.05
"""A value no further from what it is than this share of it is no attempt."""

_SEVERITIES = ("fatal", "likely", "possible", "note")


def judged(facts: Facts) -> Diagnosis:
    """The first verdict that holds, else ``ok``, and all findings that do.

    Args:
        facts: of one training run.

    Returns:
        The finding of the verdict comes first, if there is one; the others by severity, then in the order of the rules.
    """
    verdict = next(((rule, told) for rule in VERDICTS if (told := rule.holds(facts)) is not None), None)
    first = () if verdict is None else (verdict[0].finding(verdict[1], _attempt(verdict[0], facts)),)
    others = [rule.finding(told, _attempt(rule, facts)) for rule in FINDINGS if (told := rule.holds(facts)) is not None]
    return Diagnosis(verdict=OK if verdict is None else verdict[0].name, findings=(*first, *sorted(others, key=_severity)))


def _severity(finding: Finding) -> int:
    return _SEVERITIES.index(finding.severity)


def _attempt(rule: Rule, facts: Facts) -> str:
    """The command of the first of a rule's attempts that goes with the method; none where no command trains it."""
    if not facts.asked:
        return ""
    words = next((found for attempt in rule.attempts if (found := _fitted(attempt, facts)) is not None), None)
    return "" if words is None else f"siambench run {' '.join(map(quoted, facts.asked))} {words}"


def _fitted(attempt: str, facts: Facts) -> str | None:
    """An attempt as this method takes it: a parameter that it tunes, inside its space and another than it is; None where it does not."""
    option, _, rest = attempt.partition(" ")
    if option == "--miner":
        # A loss without margins has no tuples that cost nothing, and may take none of a miner's.
        takes = facts.fingerprint is not None and bool(facts.fingerprint.margins)
        return attempt if takes and facts.miner == NO_MINER and facts.feed == "classes" else None
    name, _, text = rest.partition("=")
    now, dimension = facts.params.get(name), facts.space.get(name)
    if dimension is None or isinstance(dimension, Choice) or now is None or isinstance(now, bool | str):
        return None
    wanted = _TIMES[text] * now if text in _TIMES else float(text)
    shown = f"{wanted:.3g}"
    if not dimension.contains(float(shown)):
        # What lies outside is refused: the bound is the furthest that can be tried.
        shown = repr(nearest(dimension, wanted))
    return None if abs(float(shown) - now) <= _SAME * abs(now) else f"{option} {name}={shown}"


def verdicts() -> tuple[str, ...]:
    """The names of all verdicts, in the order in which they are asked, ``ok`` last."""
    return (*(rule.name for rule in VERDICTS), OK)


def order_of(verdict: str) -> int:
    """The place of a verdict in that order; one of another version of siambench stands before ``ok``."""
    known = verdicts()
    return known.index(verdict) if verdict in known else len(known) - 1


def named_first(diagnoses: Sequence[Diagnosis]) -> Diagnosis | None:
    """Of several models of one trial or unit, one diagnosis: the verdict that comes first, the findings of all, each name once."""
    if not diagnoses:
        return None
    ordered = sorted(diagnoses, key=lambda one: (order_of(one.verdict), one.verdict == OK))
    findings = {finding.name: finding for one in reversed(ordered) for finding in reversed(one.findings)}
    first = [finding for finding in ordered[0].findings if finding.name == ordered[0].verdict]
    rest = [finding for name, finding in reversed(findings.items()) if name != ordered[0].verdict]
    return Diagnosis(verdict=ordered[0].verdict, findings=(*first, *sorted(rest, key=_severity)))
