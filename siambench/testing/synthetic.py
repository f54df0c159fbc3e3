"""A made-up data set that is quickly learnt, and an exam on it that takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.components.two_sided import TwoSided
from siambench.interfaces import Dataset, Episodes, Side
from siambench.machine import libraries
from siambench.plugin import DatasetEntry
from siambench.spaces import Value
from siambench.spec import NO_MINER, SIDES, Drawn, Form, Method
from siambench.studies.plan import Resolved, StudyPlan, of_loss, study_plans
from siambench.tracks.exam import exam_of, groups_digest
from siambench.tracks.rules import Track
from siambench.tracks.split import cut

_PATTERN = 4
"""Classes differ in the brightness of a grid of 4 × 4 fields."""


def synthetic_dataset(
    *,
    form: Form = "images",
    classes: int = 8,
    images_per_class: int | Sequence[int] = 6,
    size: int = 8,
    channels: int = 1,
    groups: int = 0,
    official: bool = False,
    one_shot_runs: int = 0,
    noise: float = 24.0,
    seed: int = 0,
) -> Dataset:
    """Classes with a pattern of their own, items of it with noise; equal arguments give equal items.

    Args:
        form: what the items are: images [channels, size, size], arrays [channels, size] in units of one, tokens [size]; or ``"sides"``,
            an image and a text of each, ``picture`` and ``words``, which tell how bright its fields are.
        classes: K.
        images_per_class: items of every class, or one number per class.
        size: edge in pixels, moments of a series, or tokens, at least 4.
        channels: C.
        groups: if not 0, classes carry the attribute ``group``: so many runs of neighbouring classes, nearly equal in length.
        official: whether the data set brings the parts ``trainval`` (the first half of its classes) and ``test``.
        one_shot_runs: number of episodes ``one-shot``, each with one support image and one query of every class.
        noise: standard deviation of the noise, in grey levels of 255.
        seed: of patterns and noise.

    Raises:
        ValueError: if the numbers do not fit each other.
    """
    counts = [images_per_class] * classes if isinstance(images_per_class, int) else list(images_per_class)
    if len(counts) != classes or min(counts) < 1 or size < _PATTERN:
        raise ValueError(f"{classes} classes of size {size} cannot have {counts} images")
    if form not in ("images", SIDES):
        return _sequences(form, counts, size=size, channels=channels, groups=groups, official=official, noise=noise, seed=seed)
    generator = np.random.default_rng([seed, classes, size, channels])
    fields = generator.integers(0, 256, size=(classes, channels, _PATTERN, _PATTERN)).astype(np.float64)
    place = np.arange(size) * _PATTERN // size
    patterns = fields[:, :, place[:, None], place]

    def draw(labels: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        noisy = patterns[labels] + noise * generator.standard_normal((len(labels), channels, size, size))
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = noisy.round().clip(0, 255).astype(np.uint8)
        return pixels

    labels = np.repeat(np.arange(classes, dtype=np.int64), counts)
    images = draw(labels)
    ways = np.arange(classes)
    runs = [(draw(ways), generator.permutation(classes)) for _ in range(one_shot_runs)]
    queries = [draw(answer) for _, answer in runs]

    def episodes() -> Episodes:
        return Episodes(
            support=np.stack([support for support, _ in runs]),
            query=np.stack(queries),
            answer=np.stack([answer for _, answer in runs]).astype(np.int64),
        )

    names = [f"class-{c:03d}" for c in range(classes)]
    is_test = labels >= classes // 2
    made: dict[str, Any] = {
        "labels": labels,
        "class_names": names,
        "class_attributes": {"group": [f"group-{c * groups // classes}" for c in range(classes)]} if groups else {},
        "parts": {"trainval": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)} if official else {},
        "colour": "made up",
    }
    shape = (channels, size, size)
    if form == SIDES:
        words = _words(fields[:, 0], labels, generator)
        sides = (
            Side(name="picture", form="images", shape=shape, read=lambda indices: images[indices]),
            Side(name="words", form="tokens", shape=words.shape[1:], read=lambda indices: words[indices], vocabulary=_VOCABULARY + 1),
        )
        return Dataset.of_sides(sides, **made)
    return Dataset(**made, read=lambda indices: images[indices], shape=shape, episodes={"one-shot": episodes} if one_shot_runs else {})


_VOCABULARY = 64


def _words(
    fields: np.ndarray[Any, Any], labels: np.ndarray[Any, np.dtype[np.int64]], generator: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How bright each field of a pattern is, in four words for each place, of which some are left out: they can be told of any class.

    Args:
        fields: of the classes, [K, 4, 4] in 0 … 255.
        labels: of the items, [N].
        generator: draws what is left out.
    """
    levels = fields.reshape(len(fields), -1).astype(np.int64) // 64
    told = (1 + 4 * np.arange(levels.shape[1]) + levels)[labels]
    left_out = generator.random(told.shape) < 0.2
    left_out[:, 0] = False
    order = np.argsort(left_out, axis=1, kind="stable")
    return np.take_along_axis(np.where(left_out, 0, told), order, axis=1)


def _sequences(
    form: Form, counts: Sequence[int], *, size: int, channels: int, groups: int, official: bool, noise: float, seed: int
) -> Dataset:
    """Waves of a pitch of the class, or words of which some are the class's own."""
    classes = len(counts)
    generator = np.random.default_rng([seed, classes, size, channels, 1])
    labels = np.repeat(np.arange(classes, dtype=np.int64), counts)
    is_test = labels >= classes // 2
    common: dict[str, Any] = {
        "labels": labels,
        "class_names": [f"class-{c:03d}" for c in range(classes)],
        "class_attributes": {"group": [f"group-{c * groups // classes}" for c in range(classes)]} if groups else {},
        "parts": {"trainval": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)} if official else {},
        "form": form,
        "colour": "made up",
    }
    if form == "arrays":
        pitch = generator.uniform(0.5, 3.0, size=(classes, channels, 1))
        shift = generator.uniform(0, 0.3, size=(len(labels), 1, 1))
        waves = np.sin(2 * np.pi * (pitch[labels] * np.linspace(0, 1, size) + shift))
        arrays = (waves + noise / 255 * generator.standard_normal(waves.shape)).astype(np.float32)
        return Dataset(**common, read=lambda indices: arrays[indices], shape=(channels, size))
    own = generator.integers(1, _VOCABULARY, size=(classes, 3))
    words = own[labels[:, None], generator.integers(3, size=(len(labels), size))]
    strange = generator.random((len(labels), size)) < 0.3
    tokens = np.where(strange, generator.integers(1, _VOCABULARY, size=words.shape), words)
    length = generator.integers(size // 2, size + 1, size=(len(labels), 1))
    tokens = np.where(np.arange(size) < length, tokens, 0).astype(np.int64)
    return Dataset(**common, read=lambda indices: tokens[indices], shape=(size,), vocabulary=_VOCABULARY)


def synthetic_track(**changes: Any) -> Track:
    """A tiny exam on `synthetic_dataset`: 2 epochs of 3 steps, 2 folds, an MLP, 2 trials, 2 seeds.

    Args:
        changes: replace single rules, by section: ``training={"epochs": 1}``.
    """
    document: dict[str, Any] = {
        "schema": 1,
        "name": "synthetic",
        "version": "0.0",
        "dataset": {"name": "synthetic"},
        "split": {"rule": "class-halves", "folds": 2},
        "model": {"backbone": "mlp", "options": {"width": 16, "layers": 1}, "embedding_size": 8},
        "training": {"epochs": 2, "steps_per_epoch": 3, "batch_size": 8},
        "budget": {"studies": 1, "trials": 2, "repetitions": 2},
    }
    for section, values in changes.items():
        document[section] = {**document.get(section, {}), **values} if isinstance(values, Mapping) else values
    return Track.model_validate(document)


def synthetic_catalogue(**options: Any) -> Catalogue:
    """Everything that is installed, and the data set ``synthetic``: `synthetic_dataset` with these options."""
    entry = DatasetEntry(lambda: synthetic_dataset(**options), source="made up: see siambench.testing")
    dataset = Component("datasets", "synthetic", entry, Provenance("siambench.testing", "siambench", "0"))
    installed = Catalogue.load()
    return Catalogue((*installed.components(), dataset), installed.plugins)


def synthetic_study(
    method: Method,
    *,
    track: Track | None = None,
    catalogue: Catalogue | None = None,
    fixed: Mapping[str, Value] | None = None,
    augment: Mapping[str, Any] | None = None,
) -> StudyPlan:
    """The study of a method on a tiny exam; its ``tune_unit`` and ``final_unit`` give units that `siambench.training.loop.train` takes.

    Args:
        method: what is compared; its components come from the catalogue.
        track: the exam; None: `synthetic_track`.
        catalogue: where components and the track's data set come from; None: `synthetic_catalogue`.
        fixed: parameters to fix, as ``--set`` does.
        augment: augmentation rules; None: the track's, or none.
    """
    track = track or synthetic_track()
    catalogue = catalogue or synthetic_catalogue()
    loss = catalogue.get("losses", method.loss).with_options(of_loss(fixed or {}))
    miner = catalogue.get("miners", method.miner)
    backbone = catalogue.get("backbones", method.backbone or track.model.backbone)
    dataset = catalogue.dataset(track.dataset.name, track.dataset.options)
    split = cut(dataset, track.split.spec)
    forms = dict.fromkeys(side.form for side in dataset.sides) or (dataset.form,)
    rules = augment if augment is not None else {} if track.augment is None else track.augment.of_form(*forms)
    components = {"loss": loss.source, "backbone": backbone.source}
    components |= {role: part.source for role, part in backbone.roles.items()} if isinstance(backbone, TwoSided) else {}
    if method.miner != NO_MINER:
        components["miner"] = miner.source
    options = track.model.options if backbone.name == track.model.backbone else {}
    direction = catalogue.get("metrics", track.metrics.primary).entry.direction
    data = split.fingerprint, groups_digest(dataset, split, track.split.group)
    return study_plans(
        Resolved(
            method=method,
            loss=loss.entry,
            miner=miner.entry,
            backbone=backbone.entry,
            components=components,
            libraries=libraries(),
            track=track,
            exam=exam_of(track, data=data, augment=rules, direction=direction, pairs=Drawn()),
            dataset_options=track.dataset.options,
            model_options={**backbone.entry.defaults, **options},
            augment=rules,
            maximise=direction == "max",
            budget=track.budget,
            images=(len(split.trainval), tuple(len(training) for training, _ in split.folds)),
            fixed=fixed or {},
        )
    )[0]
