"""What a reader must know of a table, in sentences: captions, legend, flags, protocols."""

from __future__ import annotations

from siambench.board.own import own_texts
from siambench.board.scores import DRAWS, grouping
from siambench.board.table import BELOW_VALIDATION, Table, pairs_text
from siambench.board.values import number
from siambench.board.verdicts import verdicts_text
from siambench.wording import in_markdown_code

RANK_CAPTION = (
    "Rank: the ranks that tests of all pairs of full rows over study means, with moderated variances and Holm correction (family-wise "
    "error 5 %), leave open."
)

GROUP = "methods that are not significantly worse than the first of their group"

NOT_OVER_CLASSES = "It is not about the choice of test classes."

PROVEN = (
    "In {primary}, by the tests that the ranks come from. “all below” and “…” go by the order of the table. What is not told apart may "
    "still differ, by less than these studies can show. Proven is a difference of the methods, tuned and trained again, over {studies} "
    "independent studies, on these test {classes}: whether it holds on others the tests do not say."
)

TUNING = (
    "Best fold-mean of {primary} on validation classes after so many trials, the first of them the declared default; then what was "
    "selected, its score on validation classes and beside it that of its final models on test classes, which are others and may be harder "
    "or easier. Every trial: `siambench show study {track} METHOD`."
)

MOVED = (
    "Which parameters the order of a row's trials in {primary} on validation classes follows, each alone, by a curve that may rise, "
    "fall or turn once: the share of the variance of ranks within studies that it explains, less what it would by chance; the p-value of "
    "a permutation test within studies, Holm-corrected over the row's parameters; and where the curve is best on the scale that was "
    "searched. Only trials that were drawn without a look at the results of others count{raced}; one that failed is the worst of its "
    "study. What cannot be told may still matter, by less than these trials can show; and all of it is of this space: in a part of it "
    "shares are others."
)

RACED = ", by their score on the first fold, which all of them have"

READING_SPREAD = "Behind ± stands how far that may be off: half the width of the 95 % interval over independent tunings."

READING_MORE = (
    "A flag marks what to know of a row before it is quoted. Each row unfolds to its parameters, packages and units, and to the command "
    "that makes it again."
)

PROTOCOLS = {
    "retrain": "the selected parameters on all training classes, stopped at the selected epoch",
    "reality-check": "the models of the folds, scored one by one and averaged; `concatenated:` scores are of their embeddings joined",
}

APPROXIMATE_TEXT = "≈ marks estimates, as of neighbours that a fast search may miss: no row is ranked by them."

BASELINE_TEXTS = {
    "raw": "the input itself (of images, the pixels), without a network",
    "untrained": "the backbone before training",
    "pretrained": "the features of the pretrained weights that training starts from",
}

FLAGS = {
    "closed-set": "training and test share their classes; never comparable with class-disjoint rows",
    "edited-space": "a parameter was fixed by hand instead of tuned, or tuned in a part of its space, or the sampler chosen",
    "row": "another row has the same name, with other components, another space or other fixed parameters",
    "long-budget": "more studies, trials or repetitions than the track's budget: not ranked, for other rows had less",
    "short-budget": "fewer studies, trials or repetitions than the track's budget: not ranked",
    "mixed-versions": "the same row was also made with other versions of libraries, which is not shown",
    "unverified": "records of an older layout are among its own, whose outcomes no digest vouches for",
    "failed-trials": "so many trials raised or diverged; they spent budget",
    "failed-repetitions": "so many final models raised or diverged, or had no trial to be made of; each counts as the untrained network "
    "of its study and repetition",
    BELOW_VALIDATION: "the test score lies more than three robust standard deviations below the line that the full rows' test scores "
    "follow on their validation scores",
    "space": "tuned in another space that its components bring, of this name",
    "init": "training started from a model of another exam, which may know more than this one's training classes",
    "local": "a component from a file; the row is never shipped",
    "on-bound": "the selected value lies within 1 % of a bound of its space (`show study` names those within 2 %)",
    "revision": "made by older code for training or scoring",
}


RANKED_LOCAL = "a component from a file; the rank is provisional and the row is never shipped"


def flag_text(flag: str, *, ranked: bool) -> str:
    """What a flag without its details means, of a row that has a rank, or has none."""
    return RANKED_LOCAL if flag == "local" and ranked else FLAGS[flag]


def flag_texts(table: Table) -> dict[str, str]:
    """The flags that occur and what they mean, sorted."""
    marked = {flag: [line for line in table.lines if flag in map(stem, line.row.flags)] for flag in flags_of(table)}
    return {flag: flag_text(flag, ranked=any(line.rank is not None for line in lines)) for flag, lines in marked.items()}


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
    about = _over_classes(table, classes=classes)
    found = _scores(table)
    if about == NOT_OVER_CLASSES and found:
        found[-1] = f"{found[-1]} {about}"
    else:
        found.append(about)
    found += [RANK_CAPTION] if table.ranked else []
    found += own_texts(table)
    if table.closed_set:
        found.insert(0, "Closed-set: every row was tested on classes it was trained on; class-disjoint scores are another matter.")
    found += [
        told for told in (_unseen(table), _difference(table), _to_baseline(table), detectable_text(table), spread_text(table)) if told
    ]
    if any(line.row.method.baseline is None and line.row.scores for line in table.lines):
        found.append(_protocol(table))
    if any(map(table.is_approximate, table.metrics)):
        found.append(APPROXIMATE_TEXT)
    judged = judged_text(table)
    return [*found, judged] if judged else found


def reading(table: Table) -> tuple[str, ...]:
    """How to read a table, five lines; of one without rows none."""
    if not table.lines:
        return ()
    primary, budget = table.track.metrics.primary, table.track.budget
    way = "the higher the better" if table.direction == "max" else "the lower the better"
    where = "" if table.closed_set else " on classes that nobody trained on"
    baselines = [name for name in BASELINE_TEXTS if any(line.row.method.baseline == name for line in table.lines)]
    below = f"The last rows ({', '.join(baselines)}) are" if baselines else "There is no row of"
    ranked = (
        "A rank of 2–5 means that the tests leave each of these ranks open; rows of one group are not told apart from the first of it, and "
        "the order within it may be luck."
        if table.ranked
        else f"No row has a rank: that takes two rows or more with {budget.studies} studies, {budget.trials} trials each."
    )
    methods = [line.row for line in table.lines if line.row.method.baseline is None]
    alike = all(row.is_full for row in methods)
    budgets = "steps and budget of tuning" if alike else "and steps; rows without a rank had another budget of tuning than the track's"
    return (
        f"Each row is a method: a loss and what goes with it. All sat the same exam, with the same data{',' if alike else ''} {budgets}.",
        f"Rows are ordered by {primary}{where}, {way}. {READING_SPREAD}",
        ranked,
        f"{below} baselines, for which nothing is trained: a method that is not above them has learnt nothing that helps here.",
        READING_MORE,
    )


def bold(table: Table) -> tuple[str, tuple[int, ...]]:
    """By which rule a score may be set in bold, and the places of the rows whose primary score may: of one at most."""
    primary, studies = table.track.metrics.primary, min((line.row.studies for line in table.ranked), default=0)
    best = tuple(place for place, line in enumerate(table.lines) if line.rank == (1, 1))
    rule = (
        f"Bold: {primary} of the method that is better than every other ranked one by tests of all pairs over means of {studies} studies "
        "(moderated variances, Holm, family-wise error 5 %)"
    )
    return (f"{rule}." if best else f"{rule}; there is none here." if table.ranked else "Nothing is bold: no row is ranked."), best


def proven(table: Table) -> str:
    """What stands above the list of what is proven: over what."""
    studies = min((line.row.studies for line in table.ranked), default=0)
    over = grouping(table.track)
    classes = f"classes and groups of them (by {over})" if over else "classes"
    return PROVEN.format(primary=table.track.metrics.primary, studies=studies, classes=classes)


def _scores(table: Table) -> list[str]:
    """What mean and interval are over, as far as rows show it; a paragraph each."""
    methods = [line.row for line in table.lines if line.row.method.baseline is None and line.row.scores]
    several, one = any(row.studies > 1 for row in methods), any(row.studies == 1 for row in methods)
    parts = []
    if several or not methods:
        parts.append(
            "Mean ± half-width of the 95 % t-interval over studies, independent tunings of which each counts by the mean of its final "
            "models: what tuning and training leave to chance is in it."
        )
    if one:
        who = "Of a row with one study: mean" if several else "Mean"
        text = f"{who} ± half-width of the 95 % t-interval over repetitions: of this tuning, and it says nothing of the next."
        single = any(row.studies == 1 and row.repetitions == 1 for row in methods)
        parts.append(f"{text} One final model has no ±: nothing tells how far another one would lie." if single else text)
    return parts


def _over_classes(table: Table, *, classes: bool) -> str:
    primary = table.track.metrics.primary
    scores = [line.row.scores[primary] for line in table.lines if primary in line.row.scores]
    grouped = next((score.groups95 for score in scores if score.groups95 is not None and classes), None)
    if grouped is not None:
        return (
            f"{primary}, mean over each {grouped.over}: the {grouped.n} groups of test classes count equally, each with the mean over its "
            f"queries, ± half-width of the 95 % t-interval over groups: it is about the choice of {grouped.over}, and not about tuning."
        )
    if classes and any(score.by_jackknife for score in scores):
        return f"{primary}, 95 % over classes: jackknife over the test classes: it is about the choice of these, and not about tuning."
    if classes:
        return (
            f"{primary}, 95 % over classes: percentile bootstrap ({DRAWS:,} draws) over the test classes, each with all its queries and "
            "its mean over the final models, the gallery as it was: it is about the choice of test classes, one by one; where they come in "
            "groups (scripts, alphabets) it says nothing of the choice of groups, which moves scores more. It is not about tuning."
        )
    return NOT_OVER_CLASSES


def _unseen(table: Table) -> str:
    if not table.unseen:
        return ""
    return (
        f"Of {', '.join(map(in_markdown_code, table.unseen))} your own results are shown, which are not full and so not ranked; what ships "
        "with siambench stays in the tests unseen, so that no other rank moves."
    )


def _difference(table: Table) -> str:
    """What a difference is to, and what its interval promises."""
    told = [line.difference for line in table.lines if line.difference is not None]
    if not told:
        return ""
    parts = [f"Δ: the row minus {in_markdown_code(told[0].to)}, ± half-width of its 95 % interval, of this pair alone."]
    reference = next((line.row for line in table.lines if line.row.name == told[0].to), None)
    is_partial = (reference is not None and not reference.is_full) or any(line.difference and not line.row.is_full for line in table.lines)
    if is_partial and table.spread is not None and any(one.over == "studies" and one.half_width is not None for one in told):
        parts.append(
            "A row that is not full is taken to spread over studies as the table does: simulated, such intervals cover 95 to 98 % on "
            "average over rows like the table's, and as few as 63 % for the noisiest of them."
        )
    if any(one.half_width is None for one in told):
        parts.append(
            "Without ± nothing tells how far off it may be: one of the two has one study, whose next tuning may score otherwise, and the "
            "table's spread over studies stands in only for a row with the track's trials and repetitions, beside four full rows or more."
        )
    if any(one.over == "repetitions" and one.half_width is not None for one in told):
        parts.append("Between two rows of one study each it is over repetitions: of these two tunings, and it says nothing of the next.")
    return " ".join(parts)


def _to_baseline(table: Table) -> str:
    """What a difference to a baseline over test classes says; nothing where there is none."""
    told = [line.to_baseline for line in table.lines if line.to_baseline is not None]
    if not told:
        return ""
    return (
        f"Δ to {in_markdown_code(told[0].to)}, over classes: the row minus the best baseline, ± half-width of the 95 % interval of the "
        "jackknife of that difference over the test classes: where it excludes 0, other classes of the kind would show the same sign."
    )


def detectable_text(table: Table) -> str:
    """How large a difference has to be to be seen, or nothing."""
    found = table.detectable
    if found is None:
        return ""
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return (
        f"With {found.studies} studies and {pairs}, a true difference of {number(found.difference)} in {table.track.metrics.primary} "
        f"between two methods that spread over studies as the median pair does is found with probability {100 * found.power:.0f} % at the "
        "strictest step of Holm's procedure; a smaller one may be there and not be seen."
    )


def spread_text(table: Table) -> str:
    """How far study means lie apart, or nothing; it decides nothing."""
    found = table.spread
    if found is None:
        return ""
    equal = "" if found.brown_forsythe is None else f" Brown–Forsythe's test of equal spreads: p = {found.brown_forsythe:.2g}."
    return f"Standard deviation over studies of all ranked rows together: {number(found.sd, 4)}.{equal} Both are told, and decide nothing."


def judged_text(table: Table) -> str:
    """Which trials and final models have a verdict other than ``ok``, row by row, or nothing."""
    parts = []
    for line in table.lines:
        trials = verdicts_text(line.row.verdicts, "trials", of=sum(tuning.counted for tuning in line.row.tunings))
        models = verdicts_text(line.row.judged, "final models", of=sum(line.row.judged.values()))
        if trials or models:
            parts.append(f"{in_markdown_code(line.row.name)}: {'; '.join(one for one in (trials, models) if one)}.")
    return f"Verdicts other than ok (`siambench show study`). {' '.join(parts)}" if parts else ""


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
    parts = [f"`group`: {GROUP}."] if table.ranked else []
    parts += ["`dim`: number of tuned parameters.", "`test opened`: distinct units of the method that saw the test part."]
    parts += [f"`{baseline}`: {BASELINE_TEXTS[baseline]}." for baseline in baselines]
    parts += [f"`{flag}`: {text}." for flag, text in flag_texts(table).items()]
    return " ".join(parts)
