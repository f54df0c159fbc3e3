"""What is said of a training run: rules over rows of measures, as data, and one pure function that applies them. Light, without torch."""

from siambench.verdicts.facts import Facts, facts_of, looks_collapsed
from siambench.verdicts.judged import OK, judged, named_first, order_of, verdicts
from siambench.verdicts.rules import FINDINGS, RULES, STUDY_RULES, VERDICTS, Rule
from siambench.verdicts.studies import StudyFacts, judged_study

__all__ = [
    "FINDINGS",
    "OK",
    "RULES",
    "STUDY_RULES",
    "VERDICTS",
    "Facts",
    "Rule",
    "StudyFacts",
    "facts_of",
    "judged",
    "judged_study",
    "looks_collapsed",
    "named_first",
    "order_of",
    "verdicts",
]
