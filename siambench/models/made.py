"""What a unit has trained, as the file of a model: described, its thresholds found, and read back before anybody relies on it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from siambench.errors import DataError, MetricError
from siambench.evaluation.embedding import Concatenated, embed
from siambench.identity import seed_of
from siambench.machine import own_version, processor
from siambench.models.document import Given, Interval, ModelDocument, Network, OperatingPoint, Rights, Used
from siambench.models.file import write_model
from siambench.models.items import given_of
from siambench.models.network import built, check_probe, embedded, probe_items
from siambench.models.operating import Items as EmbeddedItems
from siambench.models.operating import operating_points
from siambench.spec import CONCATENATED
from siambench.stats import class_bootstrap, jackknife

if TYPE_CHECKING:
    from siambench.components.component import Component
    from siambench.interfaces import Done
    from siambench.spec import Exam, Unit
    from siambench.tracks.parts import Items

_DRAWS = 2_000


@dataclass(frozen=True)
class Trained:
    """What a final unit has trained, and what it was scored by.

    Args:
        unit: as it was planned, with the content of files where its options name any.
        exam: that it was run for.
        models: its models, one or under the Reality Check's protocol one per fold; of the baseline ``pretrained`` trunks without a head.
        test: the part that they were scored on.
        outcome: their scores.
        components: of the unit, by role: what is installed here.
        device: where they are.
    """

    unit: Unit
    exam: Exam
    models: Sequence[nn.Module]
    test: Items
    outcome: Done
    components: Mapping[str, Component]
    device: torch.device

    @property
    def network(self) -> nn.Module:
        """What embeds: the model, or several side by side."""
        return self.models[0] if len(self.models) == 1 else Concatenated(self.models)


def write_trained(trained: Trained, path: Path) -> str:
    """Write the file of a model, read it back, and give its SHA-256.

    Raises:
        SiambenchError: if the model cannot be kept, in one sentence.
        OSError: if the file cannot be written.
    """
    network, unit = trained.network, trained.unit
    state = network.state_dict()
    strange = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
    if strange is not None:
        raise DataError(f"the state of the network holds {strange}, which is no tensor")
    given = given_of(trained.test.dataset, trained.components["dataset"], unit.data.options)
    probe = embedded(network, probe_items(given).to(trained.device)).cpu()
    described = _network(trained, int(probe.shape[1]))
    backbone = trained.components["backbone"]
    # What no reader could build again, or would build otherwise, is told now, and not to whoever needs it.
    again = built(described, given, backbone, {name: value.detach().cpu() for name, value in state.items()})
    check_probe(again, given, probe, told=f"the backbone {backbone.name} of {backbone.provenance} is more than its state and its options")
    points, reason = _points(trained)
    return write_model(path, _document(trained, given, described, (points, reason)), state, probe)


def _network(trained: Trained, dimensions: int) -> Network:
    assert trained.unit.model is not None
    entry = trained.components["backbone"].entry
    return Network(
        model=trained.unit.model,
        scratch=dict(entry.scratch),
        head=trained.unit.method.baseline != "pretrained",
        side_by_side=len(trained.models),
        dimensions=dimensions,
    )


def _points(trained: Trained) -> tuple[tuple[OperatingPoint, ...], str]:
    """Thresholds on the test part; or none, and why."""
    test, scoring = trained.test, trained.unit.scoring
    embeddings = embed(trained.network, test.read, len(test), form=test.dataset.form, device=trained.device).cpu()
    asks = None if test.is_gallery is None else ~test.is_gallery
    try:
        seed = seed_of(trained.unit.data.fingerprint, "thresholds")
        return operating_points(EmbeddedItems(embeddings, test.labels, asks), distance=scoring.distance, seed=seed), ""
    except MetricError as error:
        return (), str(error)


def _document(trained: Trained, given: Given, network: Network, points: tuple[tuple[OperatingPoint, ...], str]) -> ModelDocument:
    unit, outcome = trained.unit, trained.outcome
    # Of several side by side the scores are those of the whole, and not the mean over each alone.
    prefix = CONCATENATED if network.side_by_side > 1 and any(name.startswith(CONCATENATED) for name in outcome.scores) else ""
    scores = {name.removeprefix(prefix): value for name, value in outcome.scores.items() if name.startswith(prefix)}
    return ModelDocument(
        schema=1,
        siambench=own_version() or "unknown",
        unit=unit.id,
        exam=trained.exam.id,
        track=unit.track,
        track_version=unit.track_version,
        row=unit.method.name,
        study=unit.study,
        repetition=unit.repetition,
        epochs=unit.stop_epoch,
        params=unit.params,
        network=network,
        given=given,
        distance=unit.scoring.distance,
        components={role: Used(source=one.source, told=one.told) for role, one in sorted(trained.components.items())},
        libraries=unit.libraries,
        machine=_machine(trained.device),
        data=unit.data,
        rights=_rights(trained),
        scores=scores,
        intervals={} if prefix else _intervals(outcome),
        directions={name: direction for name, direction in outcome.directions.items() if name in scores},
        seed=seed_of(unit.data.fingerprint, "pairs", "test"),
        operating_points=points[0],
        unpointed=points[1],
        started_from=unit.method.init,
    )


def _machine(device: torch.device) -> dict[str, str]:
    told = {"system": platform.system(), "processor": processor(), "device": str(device)}
    return told | ({"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {})


def _rights(trained: Trained) -> dict[str, Rights]:
    """Of the data, and of the weights where training did not start from random ones."""
    data, backbone = trained.components["dataset"].entry, trained.components["backbone"].entry
    found = {"data": Rights(source=data.source, licence=data.licence)}
    assert trained.unit.model is not None
    options: Mapping[str, Any] = {**backbone.defaults, **trained.unit.model.options}
    if any(options.get(name) != value for name, value in backbone.scratch.items()):
        found["weights"] = Rights(source=backbone.source, licence=backbone.licence)
    return found


def _intervals(outcome: Done) -> dict[str, Interval]:
    """95 % intervals over test classes of the scores that have any."""
    found = {}
    for name, values in outcome.per_class.items():
        if outcome.class_queries is None or len(values) != len(outcome.class_queries):
            continue
        known = [(value, count) for value, count in zip(values, outcome.class_queries, strict=True) if value is not None and count]
        if len(known) >= 2 and outcome.scores.get(name) is not None:
            ends = class_bootstrap([value for value, _ in known], [count for _, count in known], seed=0, draws=_DRAWS)
            found[name] = Interval(low=ends.low, high=ends.high, by="bootstrap")
    for name, left_out in outcome.jackknife.items():
        score, known_scores = outcome.scores.get(name), [value for value in left_out if value is not None]
        if score is None or len(known_scores) < len(left_out) or len(known_scores) < 2:
            continue
        width = jackknife(score, known_scores).half_width
        if width is not None:
            found[name] = Interval(low=score - width, high=score + width, by="jackknife")
    return found
