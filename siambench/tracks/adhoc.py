"""A track of its own for a data set or a backbone that no track names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.components.two_sided import OF_SIDE
from siambench.data.names import as_path, as_text
from siambench.interfaces import Dataset, Side
from siambench.spec import BETWEEN, REVERSED
from siambench.tracks.files import load_track
from siambench.tracks.rules import DEFAULT_METRICS, DatasetRules, MetricRules, ModelRules, SplitRules, Track

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.spaces import Value

_LARGE = 96
_LONGEST = 100
_WAY_BACK = (f"{REVERSED}recall@1", f"{REVERSED}map@r")


def adhoc_track(catalogue: Catalogue, dataset: str | None, backbone: str | None, options: Mapping[str, Value] | None = None) -> Track:
    """Default rules for a data set and a backbone; its rows stand beside no shipped ones.

    Args:
        catalogue: what is installed.
        dataset: a name, or ``folder:PATH``; None: that of the track ``glyphs``, with all its rules.
        backbone: a name; None: what suits the items: conv4 for small images, resnet18 for larger ones, cnn1d for series, mlp for
            other arrays, bag for tokens; of items of two sides one for each.
        options: of the data set, which its shape, its groups and its parts follow; None: its defaults.
    """
    if dataset is None:
        base = load_track("glyphs")
        rules = base.model.model_copy(update={"backbone": backbone, "options": {}}) if backbone else base.model
        if backbone:
            catalogue.get("backbones", backbone)
        title = f"{base.title or base.name}, {rules.backbone}"
        return base.model_copy(update={"name": f"{base.name}-{rules.backbone}", "version": "0.0", "title": title, "model": rules})
    # A document holds no bytes that are not UTF-8; the loader finds the path again.
    dataset = as_text(dataset)
    loaded = catalogue.dataset(dataset, options or {})
    chosen = backbone or _backbone(loaded)
    catalogue.get("backbones", chosen)
    sided = zip(chosen.split(BETWEEN), loaded.sides, OF_SIDE, strict=False) if loaded.sides else [(chosen, loaded, "")]
    own: dict[str, Any] = {
        f"{side}.blocks".removeprefix("."): max(1, min(4, int(math.log2(min(items.shape[1:]))) - 1))
        for name, items, side in sided
        if name.strip() == "conv4" and items.form == "images"
    }
    name = re.sub(r"[^a-z0-9._+-]+", "-", f"{_last_name(dataset)}-{chosen}".lower())
    return Track(
        # Names of files are of any length, those of folders of output are not.
        name=name.strip("-._+")[:_LONGEST].strip("-._+") or "data",
        version="0.0",
        title=f"{dataset.partition(':')[0]} with {chosen}, an ad-hoc track",
        dataset=DatasetRules(name=dataset, options=dict(options or {})),
        split=_split(loaded),
        model=ModelRules(backbone=chosen, options=own),
        metrics=MetricRules(report=(*DEFAULT_METRICS, *_WAY_BACK)) if loaded.sides else MetricRules(),
    )


def _last_name(dataset: str) -> str:
    """Of a data set at a path the last name of that, however the path is said; of any other its own."""
    kind, found, path = dataset.partition(":")
    return as_text(as_path(path).expanduser().resolve().name) or kind if found else dataset


def _backbone(dataset: Dataset | Side) -> str:
    if isinstance(dataset, Dataset) and dataset.sides:
        return BETWEEN.join(_backbone(side) for side in dataset.sides)
    if dataset.form == "tokens":
        return "bag"
    if dataset.form == "arrays":
        return "cnn1d" if len(dataset.shape) == 2 else "mlp"
    return "resnet18" if min(dataset.shape[1:]) > _LARGE else "conv4"


def _split(dataset: Dataset) -> SplitRules:
    if "fold" in dataset.class_attributes:
        return _by_fold(dataset)
    group = next(iter(dataset.class_attributes), None)
    if _is_official(dataset):
        return SplitRules(rule="official", group=group)
    return SplitRules(rule="by-group" if group else "class-halves", group=group)


def _is_official(dataset: Dataset) -> bool:
    """Whether it brings a split whose sides share no class: what other splits need a rule of their own for."""
    parts = set(dataset.parts)
    if not ({"trainval", "test"} <= parts or {"trainval", "query", "gallery"} <= parts):
        return False
    trained = dataset.labels[dataset.parts["trainval"]]
    tested = [dataset.labels[dataset.parts[name]] for name in ("test", "query", "gallery") if name in parts]
    return not np.isin(np.concatenate(tested), trained).any()


def _by_fold(dataset: Dataset) -> SplitRules:
    """Folds as the data set says them: the classes of each are a group of their own."""
    official = _is_official(dataset)
    folds = dataset.class_attributes["fold"]
    labels = dataset.labels[dataset.parts["trainval"]] if official else dataset.labels
    number = len({folds[label] for label in np.unique(labels)})
    return SplitRules(rule="official" if official else "class-halves", group="fold", folds=max(2, number))
