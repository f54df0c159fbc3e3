"""Losses of pytorch-metric-learning with its distances and reducers, and its regularisers added to any loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_metric_learning.losses
import torch
from pytorch_metric_learning import distances, reducers, regularizers
from torch import Tensor, nn

from siambench.interfaces import Mined

Options = Mapping[str, Any]


class SignalToNoise(distances.SNRDistance):  # type: ignore[misc]  # the library has no types
    """The library's ratio of variances, of an anchor that has none over 1: there that is no number, and nor is any gradient of the batch.

    Such are the empty places of a memory of earlier batches.
    """

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """Var(a - b) / var(a), fp [B, C]."""
        signal = query_emb.var(dim=1, keepdim=True)
        noise = (query_emb[:, None] - ref_emb).var(dim=2)
        return noise / torch.where(signal > 0, signal, 1.0)


def in_library(options: Options) -> bool:
    """Whether options are set that the library's form of a loss alone has."""
    return bool({"distance", "reducer"} & options.keys())


def library(name: str, options: Options, **params: Any) -> nn.Module:
    """A loss of the library with the distance, the reducer and the regulariser that are set.

    Args:
        name: of its class.
        options: those that are set.
        params: of the class, a distance and a reducer in the place of those set among them.
    """
    given = {"distance": distance(options), "reducer": reducer(options), **params}
    made = getattr(pytorch_metric_learning.losses, name)(**{key: value for key, value in given.items() if value is not None})
    return regularised(made, options)


def distance(options: Options, *, power: int = 1) -> nn.Module | None:
    """The library's distance of that name; None where none is set.

    Args:
        options: ``distance``, and ``p`` of ``lp``.
        power: of ``lp``.
    """
    name = options.get("distance")
    if name == "lp":
        return distances.LpDistance(p=options.get("p", 2.0), power=power)  # type: ignore[no-any-return]
    return {"cosine": distances.CosineSimilarity, "snr": SignalToNoise}[name]() if name is not None else None


def reducer(options: Options) -> nn.Module | None:
    """The library's reducer of that name; None where none is set.

    Args:
        options: ``reducer``, and ``low`` and ``high`` of ``threshold``.
    """
    name = options.get("reducer")
    if name == "threshold":
        return reducers.ThresholdReducer(low=options.get("low"), high=options.get("high"))  # type: ignore[no-any-return]
    known = {"mean": reducers.MeanReducer, "avg-non-zero": reducers.AvgNonZeroReducer, "per-anchor": reducers.PerAnchorReducer}
    return known[name]() if name is not None else None


class Regularised(nn.Module):
    """A loss plus weight times a regulariser of the embeddings as the loss sees them, or of vectors of the loss's own.

    Args:
        loss: any.
        regulariser: from rows fp [N, D] to a scalar.
        weight: of it.
        rows: gives the loss's own vectors, fp [N, D]; None: those of the embeddings.
    """

    def __init__(self, loss: nn.Module, regulariser: nn.Module, weight: float, rows: Callable[[nn.Module], Tensor] | None) -> None:
        super().__init__()
        self.loss, self.regulariser, self.weight = loss, regulariser, weight
        self.takes_empty_places = bool(getattr(loss, "takes_empty_places", False))
        self._rows = rows

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        value: Tensor = self.loss(embeddings, labels) if indices is None else self.loss(embeddings, labels, indices)
        made: Tensor = value + self.weight * self.regulariser(embeddings if self._rows is None else self._rows(self.loss))
        return made


def squared_norms(options: Options, weight: float) -> dict[str, Any]:
    """What npair has in the library's form: its penalty on squared norms, and inner products where no distance is set."""
    given: dict[str, Any] = {"embedding_regularizer": regularizers.LpRegularizer(p=2, power=2), "embedding_reg_weight": weight}
    return given if "distance" in options else {**given, "distance": distances.DotProductSimilarity(normalize_embeddings=False)}


def regularised(loss: nn.Module, options: Options, *, centers: tuple[int, int] | None = None) -> nn.Module:
    """The loss with the regulariser that is set, or as it is.

    Args:
        loss: with class vectors as its ``weight``, fp [D, N], or its ``proxies``, fp [N, D], where it is these that are regularised.
        options: ``regulariser`` and ``regulariser_weight``.
        centers: of ``sparse-centers``: how many classes, and vectors of each.
    """
    name = options.get("regulariser")
    if name is None:
        return loss
    if name == "sparse-centers":
        assert centers is not None
        made = regularizers.SparseCentersRegularizer(*centers)
    else:
        made = {
            "zero-mean": regularizers.ZeroMeanRegularizer,
            "lp": regularizers.LpRegularizer,
            "center-invariant": regularizers.CenterInvariantRegularizer,
            "regular-face": regularizers.RegularFaceRegularizer,
        }[name]()
    rows = None if name in ("zero-mean", "lp") else _class_vectors
    return Regularised(loss, made, options.get("regulariser_weight", 1.0), rows)


def _class_vectors(loss: nn.Module) -> Tensor:
    proxies = getattr(loss, "proxies", None)
    return proxies if isinstance(proxies, Tensor) else loss.weight.T  # type: ignore[return-value]
