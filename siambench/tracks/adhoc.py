"""A track of its own for a data set or a backbone that no track names."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from siambench.tracks.files import load_track
from siambench.tracks.rules import DatasetRules, ModelRules, SplitRules, Track

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.interfaces import Dataset

_LARGE = 96


def adhoc_track(catalogue: Catalogue, dataset: str | None, backbone: str | None) -> Track:
    """Default rules for a data set and a backbone; its rows stand beside no shipped ones.

    Args:
        catalogue: what is installed.
        dataset: a name, or ``folder:PATH``; None: that of the track ``glyphs``, with all its rules.
        backbone: a name; None: what suits the items: conv4 for small images, resnet18 for larger ones, cnn1d for series, mlp for
            other arrays, bag for tokens.
    """
    if dataset is None:
        base = load_track("glyphs")
        rules = base.model.model_copy(update={"backbone": backbone, "options": {}}) if backbone else base.model
        if backbone:
            catalogue.get("backbones", backbone)
        title = f"{base.title or base.name}, {rules.backbone}"
        return base.model_copy(update={"name": f"{base.name}-{rules.backbone}", "version": "0.0", "title": title, "model": rules})
    loaded = catalogue.dataset(dataset, {})
    chosen = backbone or _backbone(loaded)
    catalogue.get("backbones", chosen)
    options: dict[str, Any] = {}
    if chosen == "conv4" and loaded.form == "images":
        options["blocks"] = max(1, min(4, int(math.log2(min(loaded.shape[1:]))) - 1))
    name = re.sub(r"[^a-z0-9._+-]+", "-", f"{dataset.rstrip('/').rpartition('/')[2] if ':' in dataset else dataset}-{chosen}".lower())
    return Track(
        name=name.strip("-."),
        version="0.0",
        title=f"{dataset.partition(':')[0]} with {chosen}, an ad-hoc track",
        dataset=DatasetRules(name=dataset),
        split=_split(loaded),
        model=ModelRules(backbone=chosen, options=options),
    )


def _backbone(dataset: Dataset) -> str:
    if dataset.form == "tokens":
        return "bag"
    if dataset.form == "arrays":
        return "cnn1d" if len(dataset.shape) == 2 else "mlp"
    return "resnet18" if min(dataset.shape[1:]) > _LARGE else "conv4"


def _split(dataset: Dataset) -> SplitRules:
    group = next(iter(dataset.class_attributes), None)
    parts = set(dataset.parts)
    if {"trainval", "test"} <= parts or {"trainval", "query", "gallery"} <= parts:
        return SplitRules(rule="official", group=group)
    return SplitRules(rule="by-group" if group else "class-halves", group=group)
