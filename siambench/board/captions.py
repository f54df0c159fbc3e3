"""Table → cells, captions, legend and CSV: the words that a page and a terminal share."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence

from siambench.board.rows import DRAWS, Row
from siambench.board.table import Line, Table

MISSING = "—"

SHOWN_FIRST = ("map@r", "recall@1", "verification_accuracy", "one_shot_error")

RANK_CAPTION = (
    "Rank: the ranks that all-pairs paired t-tests over seeds with Holm correction (family-wise error 5 %) leave open. "
    "Group (in a terminal, between two rules): methods that are not significantly worse than the first of their group."
)

PROVEN = (
    "In {primary}, by the tests that the ranks come from. `all below` and `…` go by the order of the table. What is not told apart may "
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

ANCHOR_TEXTS = {
    "raw": "the input itself (of images, the pixels), without a network",
    "untrained": "the backbone before training",
    "pretrained": "the features of the pretrained weights that training starts from",
}

FLAGS = {
    "closed-set": "training and test share their classes; never comparable with class-disjoint rows",
    "edited-space": "a parameter was fixed by hand instead of tuned",
    "study": "another row has the same name: a study with other components, another space or other fixed parameters",
    "long-budget": "more trials or seeds than the track's budget: not comparable with rows that had less",
    "short-budget": "fewer trials or seeds than the track's budget",
    "failed-trials": "so many trials raised or diverged; they spent budget",
    "failed-seeds": "so many final models raised or diverged",
    "local": "a component from a file; the rank is provisional and the row is never shipped",
    "on-bound": "the selected value lies within 1 % of a bound of its space",
    "revision": "made by older code for training or scoring",
}


def number(value: float | None, digits: int = 3) -> str:
    """A score with fixed decimals, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}"


def cell(row: Row, metric: str) -> str:
    """``0.412 ± 0.006``, ``0.412`` at one seed, or a dash."""
    score = row.scores.get(metric)
    if score is None:
        return MISSING
    return number(score.mean) if score.ci95 is None else f"{number(score.mean)} ± {number(score.ci95)}"


def classes_cell(row: Row, metric: str) -> str:
    """``[0.281, 0.317]``, the interval over test classes, or a dash."""
    score = row.scores.get(metric)
    if score is None or score.classes95 is None:
        return MISSING
    return f"[{number(score.classes95[0])}, {number(score.classes95[1])}]"


def rank_cell(line: Line) -> str:
    """``2``, ``2–5``, or nothing for a row that is not ranked."""
    if line.rank is None:
        return ""
    low, high = line.rank
    return str(low) if low == high else f"{low}–{high}"


def difference_cell(line: Line) -> str:
    """``-0.031 ± 0.004``, or nothing."""
    if line.difference is None:
        return ""
    mean, half = line.difference
    return f"{mean:+.3f}" + ("" if half is None else f" ± {half:.3f}")


def value_cell(value: object) -> str:
    """A parameter with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def places_cell(table: Table, place: int, chosen: Collection[int]) -> str:
    """Some of the other ranked rows, in few words: ``all others``, ``all below``, ``a, c and all below``, ``a … d``.

    Args:
        table: the table.
        place: of the row that is spoken of, from 0; a run of neighbours goes on across it.
        chosen: places of the rows to name.
    """
    last = len(table.ranked) - 1
    if len(chosen) == last and last > 1:
        return "all others"
    runs: list[list[int]] = []
    for other in (p for p in range(last + 1) if p in chosen or p == place):
        if runs and other == runs[-1][-1] + 1:
            runs[-1].append(other)
        else:
            runs.append([other])
    parts = []
    for run in runs:
        named = [p for p in run if p != place]
        names = [f"`{table.lines[p].row.name}`" for p in named]
        if len(named) > 1 and named[-1] == last and run[0] == place:
            parts.append("all below")
        elif len(named) > 2 and named[-1] == last and place not in run:
            parts.append(f"{names[0]} and all below")
        else:
            parts += [f"{names[0]} … {names[-1]}"] if len(named) > 2 else names
    return ", ".join(parts) or MISSING


def main_metrics(table: Table) -> list[str]:
    """The primary metric, then those of the usual others that the track reports."""
    primary = table.track.metrics.primary
    return [primary, *(m for m in SHOWN_FIRST if m != primary and m in table.track.metrics.report)]


def has_classes(table: Table) -> bool:
    """Whether any row has an interval over test classes."""
    primary = table.track.metrics.primary
    return any(line.row.scores[primary].classes95 is not None for line in table.lines if primary in line.row.scores)


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
    if table.ranked:
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
    protocol = table.evaluation["protocol"]
    parts = [f"Final models: protocol `{protocol}`" + (f", {PROTOCOLS[protocol]}." if protocol in PROTOCOLS else ".")]
    if table.evaluation["distance"] != "cosine":
        parts.append(f"Distance: {table.evaluation['distance']}.")
    if table.evaluation["pairs"]:
        parts.append(f"Verification pairs: `{table.evaluation['pairs']}`.")
    return " ".join(parts)


def legend(table: Table) -> str:
    """What the columns, the anchors and the flags that occur mean."""
    methods = [line.row.method for line in table.lines]
    anchors = dict.fromkeys(method.loss for method in methods if method.is_anchor)
    parts = ["`dim`: number of tuned parameters.", "`test opened`: distinct units of the method that saw the test part."]
    parts += [f"`{anchor}`: {ANCHOR_TEXTS[anchor]}." for anchor in anchors]
    parts += [f"`{flag}`: {FLAGS[flag]}." for flag in flags_of(table)]
    return " ".join(parts)


def csv_of(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated values with plain line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def digits(value: float | None) -> str:
    """Twelve digits: the last ones of a double may differ between builds of the mathematical library."""
    return "" if value is None else f"{value:.12g}"


def csv_text(table: Table) -> str:
    """One line per row and every reported metric with twelve digits, for spreadsheets and scripts."""
    primary = table.track.metrics.primary
    columns = []
    for metric in table.metrics:
        columns += [metric, f"{metric}_ci95", f"{metric}_n"]
        columns += [f"{metric}_classes_low", f"{metric}_classes_high"] if metric == primary else []
    head = [
        *("method", "loss", "miner", "feed", "rank_low", "rank_high", "tie_group"),
        *columns,
        *("trials", "seeds", "dimension", "test_opened", "flags"),
    ]
    rows = []
    for line in table.lines:
        row = line.row
        values: list[object] = []
        for metric in table.metrics:
            score = row.scores.get(metric)
            values += ["", "", ""] if score is None else [digits(score.mean), digits(score.ci95), score.n]
            if metric == primary:
                low, high = (score.classes95 if score is not None else None) or (None, None)
                values += [digits(low), digits(high)]
        rank = line.rank or ("", "")
        group = "" if line.group is None else line.group
        names = [row.name, row.method.loss, row.method.miner, row.method.feed, *rank, group]
        rows.append([*names, *values, row.trials, row.seeds, row.dimension, row.opened, " ".join(row.flags)])
    return csv_of(head, rows)
