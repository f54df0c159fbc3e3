"""The JSON documents of tables as types: what ``run --json`` and ``leaderboard --format json`` print, for schemas.

They are made in `siambench.board.view` and `siambench.board.across`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siambench.board.differences import Difference
from siambench.board.scores import Grouped, Over
from siambench.board.table import Detectable, Spread
from siambench.identity import Document
from siambench.spaces import Value

Way = Literal["max", "min"]


@dataclass(frozen=True)
class NamedTrack(Document):
    """A track.

    Args:
        name: its name; of one with edited rules with ``+edited`` behind it.
        version: Major.Minor.
    """

    name: str
    version: str


@dataclass(frozen=True)
class ExamDocument(Document):
    """What the rows have in common.

    Args:
        id: SHA-256 of the rest.
        version: of the track.
        data: fingerprint of the split.
        groups: digest of the classes' groups; null where folds follow none.
        model, training, augment, space, evaluation, metrics: the track's rules that move a score.
    """

    id: str
    version: str
    data: str
    groups: str | None
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    augment: Mapping[str, Any]
    space: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class OtherExam(Document):
    """An exam whose records lie beside those of the table.

    Args:
        id: of the exam.
        methods: of which there are units.
        units: how many.
        differs: the dotted keys in which it differs.
    """

    id: str
    methods: list[str]
    units: int
    differs: list[str]


@dataclass(frozen=True)
class MetricDocument(Document):
    """A metric that is reported.

    Args:
        name: of the metric.
        direction: which way is better.
        approximate: whether it is an estimate; there where it is.
    """

    name: str
    direction: Way
    approximate: Literal[True] = True


@dataclass(frozen=True)
class ScoreDocument(Document):
    """A score of a row.

    Args:
        mean: over the studies, each counted by the mean of its final models; of a row of one study over its repetitions.
        ci95: half-width of the 95 % t-interval; null at n = 1.
        n: how many values it is over.
        over: what mean and interval are over.
        classes95: the ends of the interval over test classes; null but for the primary metric.
        groups95: the score over groups of test classes; null but for the primary metric.
    """

    mean: float
    ci95: float | None
    n: int
    over: Over
    classes95: tuple[float, float] | None
    groups95: Grouped | None


@dataclass(frozen=True)
class SpentDocument(Document):
    """What units took.

    Args:
        units: how many.
        seconds: wall time, the sum over tune units and the median of final ones; null where no record tells.
        phases: likewise, by phase.
    """

    units: int
    seconds: float | None
    phases: Mapping[str, float | None]


@dataclass(frozen=True)
class CostsDocument(Document):
    """What a row took.

    Args:
        tuning: of the tune units that the row counts.
        final: of its final units.
        peak_memory_mb: the highest of all its units.
        devices: on which they ran.
    """

    tuning: SpentDocument
    final: SpentDocument
    peak_memory_mb: float | None
    devices: list[str]


@dataclass(frozen=True)
class VerdictsDocument(Document):
    """How many units of a row had each verdict.

    Args:
        trials: of its trials.
        final_models: of its final models.
    """

    trials: Mapping[str, int]
    final_models: Mapping[str, int]


@dataclass(frozen=True)
class RowDocument(Document):
    """A row of a table.

    Args:
        group: going down the table, a group ends before the first method that is significantly worse than its first.
        rank: the lowest and the highest rank that the tests leave open; null where the row is not ranked.
        method: its name, ``loss[:feed][+miner][@backbone]``.
        loss: its loss; of a baseline ``raw``, ``untrained`` or ``pretrained``.
        miner: its miner, or ``none``.
        feed: how its batches are formed.
        backbone: its network.
        distribution: what each component comes from, by its role.
        better_than: the methods that it is significantly better than.
        sd_over_studies: standard deviation of the study means of the primary metric.
        difference: the row minus the one that it is best compared with.
        difference_to_baseline: the row minus the best baseline, over test classes.
        params: the hyperparameters of the study that validated best.
        studies: independent tunings with scores.
        trials: the fewest that a study of the row has.
        repetitions: likewise, final models.
        seeds: the number of final models of all studies; an older word.
        dimension: how many parameters were tuned.
        test_opened: distinct units of the method that saw the test part.
        flags: what is special about the row.
        also_made_with: versions of libraries with which a row of its name was made too, and is not shown.
        shipped: whether it came with siambench.
        reason: why it has no scores.
        scores: by metric.
        costs: what it took.
        verdicts: null where none of its units was judged; there where those of any row were.
    """

    group: int | None
    rank: tuple[int, int] | None
    method: str
    loss: str
    miner: str
    feed: str
    backbone: str | None
    distribution: Mapping[str, str]
    better_than: list[str]
    sd_over_studies: float | None
    difference: Difference | None
    difference_to_baseline: Difference | None
    params: Mapping[str, Value]
    studies: int
    trials: int
    repetitions: int
    seeds: int
    dimension: int
    test_opened: int
    flags: list[str]
    also_made_with: list[str]
    shipped: bool
    reason: str | None
    scores: Mapping[str, ScoreDocument]
    costs: CostsDocument
    verdicts: VerdictsDocument | None = None


@dataclass(frozen=True)
class TableDocument(Document):
    """A leaderboard: ``siambench leaderboard TRACK --format json``, ``siambench run --json``.

    Args:
        schema: layout of the document.
        track: whose rows these are.
        exam: what the rows have in common; null without records.
        other_exams: those whose records lie beside it.
        primary: the metric that tuning watches and rows are ordered by.
        metrics: all that are reported.
        rows: best first, baselines last.
        minimum_detectable_difference: how large a true difference has to be to be found; null with fewer than two full rows or studies.
        spread_over_studies: how far study means of ranked rows lie apart; null likewise.
        unseen: the full shipped rows in whose place stands one of your own that is not full.
        units: how many are planned, done, cached, failed, lost; of a leaderboard, records.
        data: what the data set holds; of ``run`` alone.
    """

    schema: Literal[1]
    track: NamedTrack
    exam: ExamDocument | None
    other_exams: list[OtherExam]
    primary: str
    metrics: list[MetricDocument]
    rows: list[RowDocument]
    minimum_detectable_difference: Detectable | None
    spread_over_studies: Spread | None
    unseen: list[str]
    units: Mapping[str, int]
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class MeanRank(Document):
    """A rank over tracks.

    Args:
        mean: over the tracks.
        ci95: half-width of its 95 % t-interval; null for one track.
        n: how many tracks.
    """

    mean: float
    ci95: float | None
    n: int


@dataclass(frozen=True)
class OnTrack(Document):
    """A method on one track.

    Args:
        rank: among the methods that have a score on every track.
        score: in the primary metric of the track.
        flags: of its row there.
    """

    rank: float
    score: float
    flags: list[str]


@dataclass(frozen=True)
class RankedMethod(Document):
    """A method over tracks.

    Args:
        method: its name.
        mean_rank: over the tracks.
        tracks: on each of them, by name.
    """

    method: str
    mean_rank: MeanRank
    tracks: Mapping[str, OnTrack]


@dataclass(frozen=True)
class RankedOn(Document):
    """A track that methods are ranked on.

    Args:
        name: of the track.
        version: of the track.
        primary: its primary metric.
        direction: which way is better.
    """

    name: str
    version: str
    primary: str
    direction: Way


@dataclass(frozen=True)
class AcrossDocument(Document):
    """Mean ranks over tracks: ``siambench leaderboard TRACK TRACK… --format json``.

    Args:
        schema: layout of the document.
        tracks: over which.
        methods: those with a score on every track, best first.
        left_out: why others are not among them, by method.
    """

    schema: Literal[1]
    tracks: list[RankedOn]
    methods: list[RankedMethod]
    left_out: Mapping[str, str]
