"""The optimisers, which training finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.plugin import Lazy, OptimiserEntry, hookimpl


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
            Lazy("siambench.training.optimiser:rmsprop", accepted=("groups", "alpha", "momentum", "eps")),
            source="Tieleman, Hinton, Lecture 6.5: RMSProp, COURSERA: Neural Networks for Machine Learning, 2012; torch.optim.RMSprop",
            defaults={"alpha": 0.99, "momentum": 0.0, "eps": 1e-8},
        ),
        "sgd": OptimiserEntry(
            Lazy("siambench.training.optimiser:sgd"),
            source="Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013; torch.optim.SGD",
        ),
    }
