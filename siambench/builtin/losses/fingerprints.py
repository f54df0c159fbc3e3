"""What siambench's own losses say of themselves, by which a training run is judged: margins, scales, and values at equality.

Each value is the loss's own formula with all distances 0 and all cosines 1, of C classes with m items each; the tests call the losses.
Margins are told where a pair or triplet costs beyond a distance and costs nothing before it; those of softmax are none of these.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from siambench.plugin import Fingerprint, LossEntry, Margin, Value

Params = Mapping[str, Value]


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _contrastive(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  the mean of what costs is one of equal costs
    return max(0.0, -float(params["pos_margin"])) + max(0.0, float(params["neg_margin"]))


def _triplet(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  as before
    return max(0.0, float(params["margin"]))


def _npair(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  one pair of each class
    return math.log(classes) + float(params["l2_weight"])


def _ntxent(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  equal logits, whatever they are divided by
    return math.log(1 + (classes - 1) * items)


def _supcon(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  as before
    return math.log(classes * items - 1)


def _multi_similarity(params: Params, classes: int, items: int) -> float:
    alpha, beta, above = float(params["alpha"]), float(params["beta"]), 1 - float(params["base"])
    positives = _softplus(math.log(items - 1) - alpha * above) / alpha
    return positives + _softplus(math.log((classes - 1) * items) + beta * above) / beta


def _margin(params: Params, classes: int, items: int) -> float:
    near = max(0.0, float(params["margin"]) - float(params["beta"]))
    far = max(0.0, float(params["margin"]) + float(params["beta"]))
    positives, negatives = items - 1, (classes - 1) * items
    return (positives * near + negatives * far) / max(1, positives * (near > 0) + negatives * (far > 0))


def _lifted(params: Params, classes: int, items: int) -> float:
    cost = float(params["neg_margin"]) - float(params["pos_margin"]) + math.log(2 * (classes - 1) * items)
    return max(0.0, cost) ** 2 / 2


def _generalised_lifted(params: Params, classes: int, items: int) -> float:
    cost = float(params["neg_margin"]) - float(params["pos_margin"]) + math.log(items - 1) + math.log((classes - 1) * items)
    return max(0.0, cost)


def _circle(params: Params, classes: int, items: int) -> float:
    margin, gamma = float(params["margin"]), float(params["gamma"])
    near = math.log(items - 1) - gamma * max(0.0, margin) * margin
    return _softplus(near + math.log((classes - 1) * items) + gamma * max(0.0, 1 + margin) * (1 - margin))


def _tuplet_margin(params: Params, classes: int, items: int) -> float:
    scale, nearer = float(params["scale"]), math.cos(math.radians(float(params["margin"])))
    return _softplus(math.log((classes - 1) * items) + scale * (1 - nearer))


def _angular(params: Params, classes: int, items: int) -> float:
    square = math.tan(math.radians(float(params["alpha"]))) ** 2
    return _softplus(math.log((classes - 1) * items) + 6 * square - 2)


def _nca(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  each neighbour is as likely
    return math.log((classes * items - 1) / (items - 1))


def _instance(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  as before
    return math.log(classes)


def _ranked_list(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  weighted means of equal costs
    margin, imbalance = float(params["margin"]), float(params["imbalance"])
    return (1 - imbalance) * max(0.0, margin / 2 - 1) + imbalance * (1 + margin / 2)


def _fastap(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  all in the first bin
    return 1 - (items - 1) / (classes * items - 1)


def _smooth_ap(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  each comparison is one half
    return 1 - (1 + (items - 1) / 2) / (1 + (classes * items - 1) / 2)


def _pnp(params: Params, classes: int, items: int) -> float | None:
    if params["variant"] != "Dq":
        return None
    return 1 - math.pow(1 + (classes - 1) * items / 2, -float(params["alpha"]))


def _clip(params: Params, classes: int, items: int) -> float:  # noqa: ARG001  equal logits, whatever they are divided by
    return math.log(1 + (classes - 1) * items)


_TEMPERATURE = "temperature"

_OF_TUPLES: Mapping[str, Fingerprint] = {
    "contrastive": Fingerprint(
        forms_tuples=True,
        margins=(Margin("pos_margin", "positive"), Margin("neg_margin", "negative")),
        at_equality=_contrastive,
        plateau=True,
    ),
    "triplet": Fingerprint(forms_tuples=True, margins=(Margin("margin", "triplet"),), at_equality=_triplet, plateau=True),
    "npair": Fingerprint(forms_tuples=True, at_equality=_npair, plateau=True),
    "angular": Fingerprint(forms_tuples=True, at_equality=_angular),
    "ntxent": Fingerprint(forms_tuples=True, temperature=_TEMPERATURE, at_equality=_ntxent, plateau=True),
    "supcon": Fingerprint(forms_tuples=True, temperature=_TEMPERATURE, at_equality=_supcon, plateau=True),
    "multi-similarity": Fingerprint(forms_tuples=True, at_equality=_multi_similarity, plateau=True),
    "margin": Fingerprint(forms_tuples=True, at_equality=_margin, plateau=True),
    "lifted": Fingerprint(forms_tuples=True, at_equality=_lifted),
    "gen-lifted": Fingerprint(forms_tuples=True, at_equality=_generalised_lifted),
    "circle": Fingerprint(forms_tuples=True, scale="gamma", at_equality=_circle),
    "tuplet-margin": Fingerprint(forms_tuples=True, scale="scale", at_equality=_tuplet_margin),
    "nca": Fingerprint(forms_tuples=True, scale="softmax_scale", at_equality=_nca),
    "instance": Fingerprint(forms_tuples=True, scale="gamma", at_equality=_instance),
    "ranked-list": Fingerprint(forms_tuples=True, at_equality=_ranked_list),
    "fastap": Fingerprint(forms_tuples=True, at_equality=_fastap, plateau=True),
    "smooth-ap": Fingerprint(forms_tuples=True, at_equality=_smooth_ap),
    "pnp": Fingerprint(forms_tuples=True, at_equality=_pnp),
    "dcl": Fingerprint(forms_tuples=True, temperature=_TEMPERATURE),
    "dclw": Fingerprint(forms_tuples=True, temperature=_TEMPERATURE),
    "angle": Fingerprint(forms_tuples=True, scale="scale"),
    "cosent": Fingerprint(forms_tuples=True, scale="scale"),
    "sigmoid": Fingerprint(forms_tuples=True, scale="scale"),
    "hyperbolic": Fingerprint(forms_tuples=True),
    "clip": Fingerprint(forms_tuples=True, temperature=_TEMPERATURE, at_equality=_clip),
}

_MORE_OF_TUPLES = (
    *("contextual", "histogram", "intra-pair-variance", "margin-learned", "recall-at-k", "roadmap", "snr-contrastive"),
    *("threshold-consistent-margin", "verification-head"),
)

_OF_CLASSES: Mapping[str, Fingerprint] = {
    "arcface": Fingerprint(forms_tuples=False, scale="scale"),
    "cosface": Fingerprint(forms_tuples=False, scale="scale"),
    "subcenter-arcface": Fingerprint(forms_tuples=False, scale="scale"),
    "normalised-softmax": Fingerprint(forms_tuples=False, temperature=_TEMPERATURE),
    "proxy-anchor": Fingerprint(forms_tuples=False, scale="alpha"),
    "proxy-nca": Fingerprint(forms_tuples=False, scale="softmax_scale"),
    "proxy-nca-pp": Fingerprint(forms_tuples=False, scale="scale"),
    "soft-triple": Fingerprint(forms_tuples=False, scale="la"),
    "elasticface": Fingerprint(forms_tuples=False, scale="scale"),
    "uniface": Fingerprint(forms_tuples=False, scale="scale"),
    "sphereface": Fingerprint(forms_tuples=False, scale="scale"),
    "large-margin-softmax": Fingerprint(forms_tuples=False, scale="scale"),
}

_MORE_WITHOUT_TUPLES = ("adaface", "barlow-twins", "happier", "hist", "magface", "manifold", "p2sgrad", "vicreg")
"""Of classes and proxies, or of the dimensions of two views. Where cosines are made inside, of embeddings with a length, none is told."""

BY_NAME: Mapping[str, Fingerprint] = {
    **_OF_TUPLES,
    **_OF_CLASSES,
    **{name: Fingerprint(forms_tuples=True) for name in _MORE_OF_TUPLES},
    **{name: Fingerprint(forms_tuples=False) for name in _MORE_WITHOUT_TUPLES},
}
"""Of every loss but those that wrap another, whose fingerprint is the other's."""


def with_fingerprint(name: str, entry: LossEntry) -> LossEntry:
    """The entry of a loss with its fingerprint; with options set the loss is another, of which no more is told than what it is made of."""
    known = BY_NAME.get(name)
    if known is None:
        return entry
    plain, change = Fingerprint(forms_tuples=known.forms_tuples), entry.with_set
    if change is None:
        return dataclasses.replace(entry, fingerprint=known)

    def with_set(given: LossEntry, options: Params) -> LossEntry:
        return dataclasses.replace(change(given, options), fingerprint=plain)

    return dataclasses.replace(entry, fingerprint=known, with_set=with_set)
