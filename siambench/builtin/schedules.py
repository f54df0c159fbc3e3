"""The schedules, which training finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.plugin import Lazy, ScheduleEntry, hookimpl


@hookimpl
def siambench_schedules() -> dict[str, ScheduleEntry]:
    """Ways for the learning rate to change with the steps."""
    return {
        "constant": ScheduleEntry(Lazy("siambench.training.optimiser:constant"), source="siambench; no schedule at all"),
        "cosine": ScheduleEntry(
            Lazy("siambench.training.optimiser:cosine"),
            source="Loshchilov, Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017, without restarts",
            anneals=True,
        ),
        "one-cycle": ScheduleEntry(
            Lazy("siambench.training.optimiser:one_cycle"),
            source="Smith, Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2019",
            anneals=True,
        ),
        "plateau": ScheduleEntry(
            Lazy("siambench.training.optimiser:plateau"),
            source="PyTorch's ReduceLROnPlateau, torch.optim.lr_scheduler",
        ),
    }
