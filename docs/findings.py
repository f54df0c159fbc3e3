"""What the records of a track say beside its table: `python docs/findings.py glyphs`.

Tuning beside repetition, the default beside what was tuned, validation beside test, and what racing spared; as Markdown.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence

from scipy.stats import kendalltau, spearmanr

from siambench.board.files import leaderboard
from siambench.board.rows import Row
from siambench.stats import t_interval


def rows_of(track: str) -> list[Row]:
    """The full rows of a track, by its name or its folder, best first."""
    table, _ = leaderboard(track)
    return [line.row for line in table.lines if line.row.method.baseline is None and line.row.is_full]


def spreads(rows: Sequence[Row], primary: str) -> list[tuple[str, ...]]:
    """Of each row the standard deviation over study means, and that over the final models of a study (root mean square)."""
    found = []
    for row in rows:
        within = [statistics.variance(list(models.values())) for models in row.by_repetition[primary].values() if len(models) > 1]
        over = statistics.stdev(list(row.by_study[primary].values()))
        found.append((row.name, f"{over:.4f}", f"{math.sqrt(statistics.fmean(within)):.4f}" if within else "—"))
    return found


def gains(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Of each row the default and the selected setting on validation classes, the gain with its interval, how often the default won."""
    found = []
    for row in rows:
        pairs = [(one.default, one.selected.value, one.selected.number) for one in row.tunings if one.selected is not None]
        known = [(default, value, number) for default, value, number in pairs if default is not None and value is not None]
        mean, half_width = t_interval([value - default for default, value, _ in known])
        won = sum(number == 0 for *_, number in known)
        before, after = (statistics.fmean(one[place] for one in known) for place in (0, 1))
        found.append((row.name, f"{before:.3f}", f"{after:.3f}", f"{mean:+.3f} ± {half_width or 0:.3f}", f"{won} of {len(known)}"))
    return found


def main(track: str) -> None:
    """Print them."""
    rows = rows_of(track)
    primary = rows[0].tunings[0].primary
    table(("method", f"sd of {primary} over studies", "over the final models of a study"), spreads(rows, primary))
    table(("method", "default, validation", "selected", "gain", "the default was selected"), gains(rows))
    validation, test = [row.validation[1] or 0.0 for row in rows], [row.scores[primary].mean for row in rows]
    tau, rho = kendalltau(validation, test).statistic, spearmanr(validation, test).statistic
    say(f"validation against test over {len(rows)} rows: Kendall's tau {tau:.3f}, Spearman's rho {rho:.3f}\n")
    tunings = [one for row in rows for one in row.tunings]
    ran = sum(len(trial.folds) if trial.state != "pruned" else 1 for one in tunings for trial in one.trials)
    folds = max((len(trial.folds) for one in tunings for trial in one.trials), default=1)
    every = sum(len(one.trials) for one in tunings) * folds
    say(f"racing ran {ran} of {every} tune units: {100 * (1 - ran / every):.0f} % spared")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table."""
    say("\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]) + "\n")


def say(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1])
