"""What the checks of a diagnosis find, put into order: one verdict, and the findings beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from siambench.interfaces import Diagnosis, Finding, Severity
from siambench.verdicts import FINDINGS as RULES_OF_FINDINGS
from siambench.verdicts import OK
from siambench.verdicts import VERDICTS as RULES_OF_VERDICTS

BESIDE: Final = (
    "self-pair",
    "label-dtype",
    "label-shape",
    "unlisted",
    "no-fit",
    "learning-rate",
    "half-precision",
    "measured",
)
"""What only objects at hand can show; it stands beside the findings of `siambench.verdicts`."""

_VERDICTS: Final = tuple(rule.name for rule in RULES_OF_VERDICTS)
_ORDER: Final = (*(rule.name for rule in RULES_OF_FINDINGS), *BESIDE)

_SEVERITIES: Final[tuple[Severity, ...]] = ("fatal", "likely", "possible", "note")


class Report:
    """What was found so far."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._numbers: list[str] = []
        self._skipped: list[str] = []

    def add(self, finding: Finding | None) -> None:
        """Take a finding; of one name the surer counts, and of two alike the first."""
        if finding is None:
            return
        known = next((each for each in self.findings if each.name == finding.name), None)
        if known is not None and _SEVERITIES.index(known.severity) <= _SEVERITIES.index(finding.severity):
            return
        self.findings = [each for each in self.findings if each is not known] + [_in_sentences(finding)]

    def measured(self, text: str) -> None:
        """Take a number that is worth knowing whatever it says."""
        self._numbers.append(text)

    def skipped(self, text: str) -> None:
        """Take a check that could not be made, and why."""
        self._skipped.append(text)

    def has(self, *names: str) -> bool:
        """Whether a finding of one of these names is there."""
        return any(finding.name in names for finding in self.findings)

    @property
    def diagnosis(self) -> Diagnosis:
        """The verdict, and the findings in order of likelihood."""
        return diagnosed(self.findings, numbers=self._numbers, skipped=self._skipped)


def diagnosed(findings: Sequence[Finding], *, numbers: Sequence[str] = (), skipped: Sequence[str] = ()) -> Diagnosis:
    """The verdict that findings come to.

    Args:
        findings: those named after a verdict say that it holds.
        numbers: that are told in a note.
        skipped: checks that could not be made; told there too.
    """
    holds = {finding.name: finding for finding in findings}
    verdict = next((name for name in _VERDICTS if name in holds), OK)
    beside = [finding for finding in findings if finding.name not in _VERDICTS]
    beside.sort(key=lambda finding: (_SEVERITIES.index(finding.severity), _ORDER.index(finding.name)))
    first = [holds[verdict]] if verdict in holds else []
    # A verdict that is told by what else it shows is told once.
    beside = [finding for finding in beside if all(finding.evidence != known.evidence for known in first)]
    return Diagnosis(verdict=verdict, findings=(*first, *beside, *_note(numbers, skipped)))


def _note(numbers: Sequence[str], skipped: Sequence[str]) -> list[Finding]:
    if not numbers and not skipped:
        return []
    told = "; ".join(numbers) or "Nothing was measured"
    left = f"; not looked at: {', '.join(skipped)}" if skipped else ""
    text = f"{told[0].upper()}{told[1:]}{left}."
    return [Finding(name="measured", severity="note", evidence=text, remedy="Nothing needs to be done about these numbers.")]


def _in_sentences(finding: Finding) -> Finding:
    """The same with sentences that begin and end as such: rules leave that to where they are shown."""
    return dataclasses.replace(finding, evidence=_sentence(finding.evidence), remedy=_sentence(finding.remedy))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else text
