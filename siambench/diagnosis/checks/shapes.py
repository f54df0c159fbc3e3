"""Whether a batch passes through model and loss at all: shapes, types of labels, a loss that is one finite number."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from siambench.diagnosis.given import Given
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import Subject
from siambench.errors import UsageError, text_of
from siambench.interfaces import Finding


def passes(subject: Subject, batches: list[Given], report: Report) -> tuple[Subject, list[Given]]:
    """Call model and loss once, and mend what would keep all other checks from being made.

    Args:
        subject: copies, which stay as they are.
        batches: at least one.
        report: what is found is added to it.

    Returns:
        Subject and batches to go on with: labels that the loss cannot take made numbers of its kind, a loss of many numbers averaged.

    Raises:
        UsageError: if the model or the loss raises, or gives nothing that can be looked at.
    """
    given, copy = batches[0], subject.fresh()
    embeddings = copy.embedded(given)
    _same_width(embeddings)
    found, batches = _called(copy, embeddings, batches, report)
    if isinstance(found, Tensor) and found.numel() > 1:
        report.add(_unreduced(found))
        return subject.averaged(), batches
    value = copy.value(embeddings, batches[0].target)
    if not isinstance(found, Tensor):
        report.add(_plain(found))
    elif not bool(torch.isfinite(value)):
        report.add(_not_finite(value, embeddings))
    _look_at_labels(subject, batches, float(value.detach()), report)
    return subject, batches


def _same_width(embeddings: tuple[Tensor, ...]) -> None:
    shapes = [list(each.shape) for each in embeddings]
    if any(shape != shapes[0] for shape in shapes):
        raise UsageError(f"the embeddings of the branches must be of one shape, got {' and '.join(map(str, shapes))}")


def _called(subject: Subject, embeddings: tuple[Tensor, ...], batches: list[Given], report: Report) -> tuple[object, list[Given]]:
    """What the loss gives; where it raises at the labels' type, what it gives of labels of another."""
    target = batches[0].target
    try:
        return subject.called(embeddings, target), batches
    except UsageError as error:
        if target is None or (batches[0].form == "labels" and target.dtype == torch.int64):
            raise
        dtype = torch.int64 if batches[0].form == "labels" else torch.float32
        try:
            found = subject.called(embeddings, target.to(dtype))
        except UsageError:
            raise error from None
        for name in ("batch-unfit", "label-dtype"):
            report.add(_label_type(name, target, dtype, error))
        return found, [each.with_target(None if each.target is None else each.target.to(dtype)) for each in batches]


def _label_type(name: str, target: Tensor, dtype: torch.dtype, error: UsageError) -> Finding:
    short = str(target.dtype).removeprefix("torch.")
    wanted = "float()" if dtype == torch.float32 else "long()"
    return Finding(
        name=name,
        severity="fatal",
        evidence=f"Labels are {short}, and with them {text_of(error, 110)}; with {str(dtype).removeprefix('torch.')} it does not.",
        remedy="Make the labels numbers before they reach the loss.",
        attempt=f"labels = labels.{wanted}",
    )


def _unreduced(found: Tensor) -> Finding:
    return Finding(
        name="frozen",
        severity="fatal",
        evidence=f"The loss has shape {list(found.shape)} and is no scalar: backward() raises, so that no parameter gets a gradient.",
        remedy="Reduce it to one number per batch.",
        attempt="loss = criterion(...).mean()",
    )


def _plain(found: object) -> Finding:
    return Finding(
        name="frozen",
        severity="fatal",
        evidence=f"The loss is a {type(found).__name__} ({found}), which carries no gradient: no parameter gets one.",
        remedy="Compute the loss with torch from the embeddings, without .item(), numpy or float().",
        attempt="return loss  # not loss.item()",
    )


def _not_finite(value: Tensor, embeddings: tuple[Tensor, ...]) -> Finding:
    finite = all(bool(torch.isfinite(each).all()) for each in embeddings)
    where = "though all embeddings are finite" if finite else "and embeddings are not finite either"
    return Finding(
        name="diverged",
        severity="fatal",
        evidence=f"The loss of the first batch is {float(value.detach())} before any step, {where}.",
        remedy="Look for a division by 0, a logarithm of 0 or an exponential of large numbers in the loss."
        if finite
        else "Look for weights or items that are not finite, and for a division by 0 in the model.",
        attempt="torch.autograd.set_detect_anomaly(True)",
    )


def _look_at_labels(subject: Subject, batches: list[Given], value: float, report: Report) -> None:
    """Labels [B, 1] beside distances [B] make a loss of B × B, which nobody is told of."""
    given = batches[0]
    if given.target is None or given.target.ndim == 1:
        return
    copy = subject.fresh()
    flat = dataclasses.replace(given, target=given.target.reshape(len(given)))
    try:
        other = float(copy.value(copy.embedded(flat), flat.target).detach())
    except UsageError:
        return
    again = subject.fresh()
    before = float(again.value(again.embedded(given), given.target).detach())
    if abs(other - before) > 1e-4 * max(abs(other), abs(before)):
        report.add(
            Finding(
                name="label-shape",
                severity="likely",
                evidence=f"With labels of shape {list(given.target.shape)} the loss is {value:.4g}, with [{len(given)}] it is {other:.4g}: "
                "each label meets the distances of all pairs.",
                remedy="Give the loss labels of the shape of the distances.",
                attempt="labels = labels.squeeze(1)",
            )
        )
