"""The split rules that say which classes are tested, which tracks find without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.plugin import Lazy, SplitRuleEntry, hookimpl


@hookimpl
def siambench_split_rules() -> dict[str, SplitRuleEntry]:
    """Ways to choose the classes of the test; folds follow groups, or the order of the classes."""
    return {
        "class-halves": SplitRuleEntry(
            Lazy("siambench.tracks.split_rules:class_halves"),
            source="Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016, section 5",
        ),
        "class-fraction": SplitRuleEntry(
            Lazy("siambench.tracks.split_rules:class_fraction"), source="siambench; class-halves with another share"
        ),
        "by-group": SplitRuleEntry(
            Lazy("siambench.tracks.split_rules:by_group"),
            source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning through probabilistic program induction, Science 2015",
        ),
    }
