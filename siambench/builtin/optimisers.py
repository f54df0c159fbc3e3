"""The optimisers, which training finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from typing import Any

from siambench.plugin import Lazy, OptimiserEntry, hookimpl


def rmsprop(groups: list[dict[str, Any]], alpha: float, momentum: float, eps: float) -> Any:
    """Steps by the gradient over the root of a running mean of its square; weight decay is added to the gradient."""
    # Named here: an entry with options is compared with its factory's signature, and a lazy one would be imported for that.
    return Lazy("siambench.training.optimiser:rmsprop")(groups, alpha, momentum, eps)


@hookimpl
def siambench_optimisers() -> dict[str, OptimiserEntry]:
    """Ways to take a step; all parameters in one kernel."""
    return {
        "adam": OptimiserEntry(
            Lazy("siambench.training.optimiser:adam"),
            source="Kingma, Ba, Adam: A Method for Stochastic Optimization, ICLR 2015; torch.optim.Adam",
        ),
        "adamw": OptimiserEntry(
            Lazy("siambench.training.optimiser:adamw"),
            source="Loshchilov, Hutter, Decoupled Weight Decay Regularization, ICLR 2019; torch.optim.AdamW",
        ),
        "rmsprop": OptimiserEntry(
            rmsprop,
            source="Tieleman, Hinton, Lecture 6.5: RMSProp, COURSERA: Neural Networks for Machine Learning, 2012; torch.optim.RMSprop",
            defaults={"alpha": 0.99, "momentum": 0.0, "eps": 1e-8},
        ),
        "sgd": OptimiserEntry(
            Lazy("siambench.training.optimiser:sgd"),
            source="Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013; torch.optim.SGD",
        ),
    }
