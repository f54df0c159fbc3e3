"""Rows of measures made by hand: a healthy run, of which a test changes what it is about."""

from __future__ import annotations

import dataclasses

from siambench.interfaces import Measures, PartMeasures, Quantiles
from siambench.plugin import Fingerprint, Margin
from siambench.verdicts import Facts


def quantiles(mean):
    """Around a mean."""
    return Quantiles(mean=mean, low=0.8 * mean, high=1.2 * mean)


def part(**changed):
    """One part that trains."""
    given = {"parameters": 6, "unreached": 0, "unlisted": 0, "gradient_norm": 0.3, "update_ratio": 1e-2, "rate": 1e-3}
    return PartMeasures(**{**given, **changed})


def row(epoch, **changed):
    """One row: before the first step, or after an epoch of six measured steps in which classes part."""
    share = epoch / 6
    given = {
        "epoch": epoch,
        "steps": 6 if epoch else 0,
        "loss": 0.9 - 0.6 * share if epoch else None,
        "parts": {"trunk": part(), "head": part(parameters=2)} if epoch else {},
        "branches": (0.02,) if epoch else (),
        "active": 0.9 if epoch else None,
        "idle": 0.0 if epoch else None,
        "classes": 32.0 if epoch else None,
        "repeated": 0.0 if epoch else None,
        "positive": quantiles(1.0 - 0.6 * share),
        "negative": quantiles(1.1 + 0.2 * share),
        "auc": 0.65 + 0.3 * share,
        "spread": 0.5,
        "effective_rank": 20.0,
        "norms": quantiles(3.0),
        "moved": 0.3 if epoch else None,
        "dead_units": 0.05,
        "input_spread": None if epoch else 0.4,
        "input_auc": None,
    }
    return Measures(**{**given, **changed})


def healthy(**changed):
    """Six epochs of a run in which classes part."""
    return tuple(row(epoch) if epoch == 0 else row(epoch, **changed) for epoch in range(7))


TRIPLET = Fingerprint(
    forms_tuples=True, margins=(Margin("margin", "triplet"),), at_equality=lambda params, classes, items: params["margin"], plateau=True
)
CONTRASTIVE = Fingerprint(forms_tuples=True, margins=(Margin("pos_margin", "positive"), Margin("neg_margin", "negative")))
CLASSES = Fingerprint(forms_tuples=False, scale="scale")


def facts(rows=None, **changed):
    """The facts of a healthy run of a triplet loss, some of them changed."""
    given = {
        "rows": healthy() if rows is None else rows,
        "validation": (0.2, 0.3, 0.4),
        "loss": "triplet",
        "params": {"loss.margin": 0.1, "optimiser.lr": 1e-3},
        "fingerprint": TRIPLET,
        "embedding_size": 64,
        "batch_size": 128,
        "at_equality": 0.1,
        "asked": ("--loss", "triplet"),
    }
    return Facts(**{**given, **changed})


def last(rows, **changed):
    """The rows, the last of them changed."""
    return (*rows[:-1], dataclasses.replace(rows[-1], **changed))


def each(rows, **changed):
    """The rows, all but the first of them changed."""
    return (rows[0], *(dataclasses.replace(one, **changed) for one in rows[1:]))
