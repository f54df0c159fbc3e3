"""Facts → what is said of them. Nothing is read, drawn or kept."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.interfaces import Diagnosis, Finding
from siambench.spec import NO_MINER
from siambench.verdicts.facts import Facts
from siambench.verdicts.rules import FINDINGS, VERDICTS, Rule
from siambench.wording import quoted

OK = "ok"
"""The verdict where no other holds."""

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
    rate = facts.params.get("optimiser.lr")
    rates = {"lower": f"{0.1 * float(rate):.3g}", "higher": f"{10 * float(rate):.3g}"} if isinstance(rate, int | float) else {}
    fitting = (words for words in rule.attempts if _fits(words, facts))
    words = next(fitting, None)
    return "" if words is None else f"siambench run {' '.join(map(quoted, facts.asked))} {words.format(**rates)}"


def _fits(words: str, facts: Facts) -> bool:
    """Whether a method can be run with some more words: a parameter is one that it has, a miner one where there is none."""
    option, _, rest = words.partition(" ")
    if option == "--miner":
        return facts.miner == NO_MINER and facts.feed == "classes"
    return rest.partition("=")[0] in facts.params


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
