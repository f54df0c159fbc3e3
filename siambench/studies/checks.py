"""What has to hold between a track's rules, components and data before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from siambench.components.two_sided import TwoBackbones
from siambench.errors import CombinationError, ConfigError, DataError, PluginError, UsageError, named, suggestion
from siambench.plugin import BackboneEntry, LossEntry, SamplerEntry
from siambench.spaces import Value, kind_of
from siambench.spec import BETWEEN, NO_MINER, REVERSED, FeedList, Method, Unit
from siambench.studies.methods import SAMPLER
from siambench.tracks.lists import read_rows
from siambench.tracks.parts import Parts
from siambench.tracks.rules import Track
from siambench.tracks.split import Split

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.components.component import Provenance
    from siambench.interfaces import Dataset, Side
    from siambench.plugin import MetricEntry

EVERY_PAIR = "all"
"""What a track's ``evaluation.pairs`` says where every pair counts."""


def check_over(track: Track, dataset: Dataset) -> None:
    """See that classes have the attribute whose groups intervals are to be taken over.

    Raises:
        ConfigError: if they do not.
    """
    asked, known = track.metrics.over, dataset.class_attributes
    if asked is not None and asked not in known:
        has = f"the classes of data set {track.dataset.name} have {', '.join(known) or 'no attribute'}"
        raise ConfigError(f"metrics.over: no attribute {asked!r}{suggestion(asked, known)}; {has}")


def check_form(method: Method, backbone: BackboneEntry, track: Track, dataset: Dataset) -> None:
    """See that a method's backbone takes the items of a data set.

    Raises:
        CombinationError: if it does not.
    """
    if dataset.sides:
        _check_encoders(method.backbone or track.model.backbone, backbone, track.dataset.name, dataset.sides)
    elif dataset.form not in backbone.takes:
        name, takes = method.backbone or track.model.backbone, " or ".join(backbone.takes)
        raise CombinationError(f"backbone {name!r} takes {takes}, the items of data set {track.dataset.name!r} are {dataset.form}")


def _check_encoders(name: str, backbone: BackboneEntry, called: str, sides: Sequence[Side]) -> None:
    told = f"the items of data set {called!r} have two sides, {' and '.join(f'{side.name} ({side.form})' for side in sides)}"
    if not isinstance(backbone, TwoBackbones):
        raise CombinationError(f"backbone {name!r} is one, and {told}: name two, such as 'conv4{BETWEEN}bag'")
    for own, entry, side in zip(name.split(BETWEEN), backbone.sides, sides, strict=True):
        if side.form not in entry.takes:
            raise CombinationError(f"backbone {own.strip()!r} of {name!r} takes {' or '.join(entry.takes)}, and {told}")


def check_sides(method: Method, loss: LossEntry, dataset: Dataset, called: str) -> None:
    """See that a method can be given the items of a data set: of two sides by a loss that takes both, fed by classes without a miner.

    Args:
        method: what is compared.
        loss: its entry.
        dataset: what is cut.
        called: its name.

    Raises:
        CombinationError: in one sentence, if it cannot.
    """
    if not dataset.sides:
        if loss.sides:
            raise CombinationError(f"loss {method.loss!r} takes both sides of an item, and those of data set {called!r} have one")
        return
    first, second = (side.name for side in dataset.sides)
    if not loss.sides:
        instead = f"across({method.loss}), or clip" if loss.takes != "none" else "clip, or across(…) around a loss that takes tuples"
        told = f"those of data set {called!r} have two, {first} and {second}"
        raise CombinationError(f"loss {method.loss!r} compares items of one side, and {told}: take {instead}")
    if method.fed != "classes" or method.listed is not None:
        raise CombinationError(f"items of two sides are fed by classes, and {method.name} is fed {method.fed}: each item is a pair already")
    if method.miner != NO_MINER:
        raise CombinationError(
            f"miners choose among items of one side, and those of data set {called!r} have two: leave out {method.miner}"
        )


def check_observers(observers: Sequence[str], catalogue: Catalogue) -> list[Provenance]:
    """See that observers can do their work here, by what they say themselves.

    Args:
        observers: ``NAME`` or ``NAME:argument`` of each.
        catalogue: what is installed.

    Returns:
        Where each comes from.

    Raises:
        UnknownNameError: if there is none of that name.
        UsageError: if one cannot, with its own sentence.
    """
    found = []
    for observer in observers:
        name, _, argument = observer.partition(":")
        component = catalogue.get("observers", name)
        try:
            reason: object = component.entry.unready(argument or None)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises, nothing has run yet
            reason = f"asked whether it can be used it raises {named(error)}"
        if reason is not None:
            raise UsageError(f"the observer {name} cannot be used here: {reason}")
        found.append(component.provenance)
    return found


def check_primary(track: Track, entry: MetricEntry, dataset: Dataset, split: Split) -> None:
    """Refuse a primary metric that a fold cannot have: found out by asking it of random embeddings of the right labels.

    Raises:
        ConfigError: with the metric's own reason.
    """
    if track.metrics.primary.startswith(REVERSED):
        raise ConfigError(f"metrics.primary: {track.metrics.primary} is the way back, which is reported beside the way that ranks")
    if entry.approximate:
        raise ConfigError(
            f"the metric {track.metrics.primary} is an estimate, by which no track can rank: make an exact one the primary metric, "
            "and report this one beside it"
        )
    if track.metrics.primary == "map@r":
        # Split rules see to it that there is something to retrieve, and torch need not be imported to say so.
        return
    from siambench.evaluation.scoring import applies

    primary, distance, group = track.metrics.primary, track.evaluation.distance, track.split.group
    if primary == "verification_accuracy" and track.evaluation.pairs == EVERY_PAIR:
        raise ConfigError("over all pairs there are no folds to choose a threshold on: verification_accuracy cannot be the primary metric")
    for fold in range(len(split.folds)):
        validation = Parts(dataset, split, kind="tune", fold=fold, opened=lambda: None, group=group).validation()
        reason = applies(primary, entry, validation, distance=distance)
        if reason is not None:
            raise ConfigError(f"the primary metric {primary} has no value on fold {fold}: {reason}")
    # Of the test part the labels alone are looked at, which planning has read for the split.
    test = Parts(dataset, split, kind="final", fold=None, opened=lambda: None, group=group).test()
    reason = None if entry.needs or track.evaluation.pairs else applies(primary, entry, test, distance=distance)
    if reason is not None:
        raise ConfigError(f"the primary metric {primary} has no value on the test part: {reason}")


def check_model_options(changes: Mapping[str, Value], methods: Sequence[Method], track: Track) -> None:
    """See that options of the track's backbone are changed only where a method uses that.

    Raises:
        ConfigError: if none does.
    """
    if any(method.backbone in (None, track.model.backbone) for method in methods):
        return
    for key in changes:
        if key.startswith("model.options."):
            raise ConfigError(f"--set {key} is for the track's backbone {track.model.backbone!r}, which no method here uses")


def sampler_asked(changes: dict[str, Value]) -> str | None:
    """The sampler that is asked for by ``--set training.sampler=NAME``, taken out of the changes: it is no rule of a track.

    Raises:
        ConfigError: if it is no name.
    """
    asked = changes.pop(SAMPLER, None)
    if asked is None or (isinstance(asked, str) and asked):
        return asked
    raise ConfigError(f"--set {SAMPLER}: it must be the name of a sampler, got {kind_of(asked)}: {str(asked)[:60]!r}")


def check_sampler(entry: SamplerEntry, template: Unit, dataset: Dataset, split: Split, lists: Mapping[str, tuple[FeedList, Path]]) -> None:
    """See that a sampler that is asked for can make the batches of every fold and of final models.

    Args:
        entry: of the sampler.
        template: a final unit of the method.
        dataset: the whole of it.
        split: how it is cut.
        lists: that methods are fed from, and where they are.

    Raises:
        ConfigError: with the sampler's own reason.
    """
    from siambench.training.drawing import draw_first

    rules, listed, group = template.training, template.method.listed, template.data.split.group
    assert rules is not None
    path = next((path for feed, path in lists.values() if feed == listed), None)
    rows = None if listed is None or path is None else read_rows(path, listed.feed, dataset)
    parts: list[tuple[Literal["tune", "final"], int | None]] = [("final", None), *(("tune", fold) for fold in range(len(split.folds)))]
    for kind, fold in parts:
        items = Parts(dataset, split, kind=kind, fold=fold, opened=lambda: None, group=group).training()
        if rows is not None:
            items = dataclasses.replace(items, rows=rows.within(items.indices))
        try:
            draw_first(entry, items, rules, template.method.fed, name=rules.sampler)
        except (DataError, PluginError) as error:
            where = "the training part" if fold is None else f"fold {fold}"
            raise ConfigError(f"--set {SAMPLER}={rules.sampler} makes no batches for {template.method.name} on {where}: {error}") from error
