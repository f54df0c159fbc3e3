"""What a reader must know of a table, in sentences: captions, legend, flags, protocols."""

from __future__ import annotations

from siambench.board.rows import DRAWS
from siambench.board.table import Table, pairs_text
from siambench.board.values import number

RANK_CAPTION = (
    "Rank: the ranks that all-pairs paired t-tests over seeds with Holm correction (family-wise error 5 %) leave open. "
    "Group (in a terminal, between two rules): methods that are not significantly worse than the first of their group."
)

PROVEN = (
    "In {primary}, by the tests that the ranks come from. “all below” and “…” go by the order of the table. What is not told apart may "
    "still differ, by less than these seeds can show. Proven is a difference of the tuned settings on these test classes; another search "
    "might settle on others."
)

TUNING = (
    "Best fold-mean of {primary} on validation classes after so many trials, the first of them the declared default, and what was "
    "selected. Every trial: `siambench show study {track} METHOD`."
)

PROTOCOLS = {
    "retrain": "the selected parameters on all training classes, stopped at the selected epoch",
    "reality-check": "the models of the folds, scored one by one and averaged; `concatenated:` scores are of their embeddings joined",
}

BASELINE_TEXTS = {
    "raw": "the input itself (of images, the pixels), without a network",
    "untrained": "the backbone before training",
    "pretrained": "the features of the pretrained weights that training starts from",
}

FLAGS = {
    "closed-set": "training and test share their classes; never comparable with class-disjoint rows",
    "edited-space": "a parameter was fixed by hand instead of tuned",
    "row": "another row has the same name, with other components, another space or other fixed parameters",
    "long-budget": "more trials or seeds than the track's budget: not ranked, for it is not comparable with rows that had less",
    "short-budget": "fewer trials or seeds than the track's budget: not ranked",
    "mixed-versions": "the same row was also made with other versions of libraries, which is not shown",
    "unverified": "records of an older layout are among its own, whose outcomes no digest vouches for",
    "failed-trials": "so many trials raised or diverged; they spent budget",
    "failed-seeds": "so many final models raised or diverged: not ranked",
    "local": "a component from a file; the rank is provisional and the row is never shipped",
    "on-bound": "the selected value lies within 1 % of a bound of its space",
    "revision": "made by older code for training or scoring",
}


def flags_of(table: Table) -> list[str]:
    """The flags that occur, without their details, sorted."""
    return sorted({stem(flag) for line in table.lines for flag in line.row.flags})


def stem(flag: str) -> str:
    """``on-bound`` of ``on-bound:loss.margin``."""
    return "revision" if flag.startswith("revision-") else flag.split(":", 1)[0]


def title_of(table: Table) -> str:
    """The track's title; of a closed-set table it says so."""
    title = table.track.title or table.track.name
    return f"{title} (closed-set)" if table.closed_set and "closed-set" not in title.lower() else title


def captions(table: Table, *, classes: bool) -> list[str]:
    """What a reader must know of the figures, a paragraph each.

    Args:
        table: the table.
        classes: whether the interval over test classes is shown.
    """
    primary = table.track.metrics.primary
    score = "Mean ± half-width of the 95 % t-interval over seeds: it is about the randomness of training at the tuned setting"
    if classes:
        score += (
            f". {primary}, 95 % over classes: percentile bootstrap ({DRAWS:,} draws) over the test classes, each with all its queries and "
            "its mean over the seeds, the gallery as it was: it is about the choice of test classes, one by one; where they come in groups "
            "(scripts, alphabets) it says nothing of the choice of groups, which moves scores more. Neither is about tuning."
        )
    else:
        score += ", not about tuning, and not about the choice of test classes."
    found = [f"{score} {RANK_CAPTION}"]
    if table.closed_set:
        found.insert(0, "Closed-set: every row was tested on classes it was trained on; class-disjoint scores are another matter.")
    detectable = detectable_text(table)
    if detectable:
        found.append(detectable)
    if any(line.row.method.baseline is None and line.row.scores for line in table.lines):
        found.append(_protocol(table))
    return found


def detectable_text(table: Table) -> str:
    """How large a difference has to be to be seen, or nothing."""
    found = table.detectable
    if found is None:
        return ""
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return (
        f"With {found.seeds} seeds and {pairs}, between two methods whose differences spread over seeds as those of the median pair do, a "
        f"true difference of {number(found.difference)} in {table.track.metrics.primary} is found with probability "
        f"{100 * found.power:.0f} % at the strictest step of Holm's procedure; a smaller one may be there and not be seen."
    )


def _protocol(table: Table) -> str:
    scoring = table.scoring
    assert scoring is not None
    parts = [f"Final models: protocol `{scoring.protocol}`, {PROTOCOLS[scoring.protocol]}."]
    if scoring.distance != "cosine":
        parts.append(f"Distance: {scoring.distance}.")
    if pairs_text(table.track, scoring.pairs):
        parts.append(f"Verification pairs: `{pairs_text(table.track, scoring.pairs)}`.")
    return " ".join(parts)


def legend(table: Table) -> str:
    """What the columns, the baselines and the flags that occur mean."""
    known = (line.row.method.baseline for line in table.lines)
    baselines = dict.fromkeys(baseline for baseline in known if baseline is not None)
    parts = ["`dim`: number of tuned parameters.", "`test opened`: distinct units of the method that saw the test part."]
    parts += [f"`{baseline}`: {BASELINE_TEXTS[baseline]}." for baseline in baselines]
    parts += [f"`{flag}`: {FLAGS[flag]}." for flag in flags_of(table)]
    return " ".join(parts)
