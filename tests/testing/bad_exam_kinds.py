"""Augmentations, optimisers, schedules and split rules: sound ones, and for each of their contracts some that break it and nothing else."""

from __future__ import annotations

import random

import numpy as np
import torch
from bad_kinds import HERE, SOURCE, SPOILT, TALKS, spoiling, talking

from siambench.components.component import Component
from siambench.errors import DataError
from siambench.plugin import AugmentationEntry, OptimiserEntry, ScheduleEntry, SplitRuleEntry

ENTRIES = {
    "augmentations": AugmentationEntry,
    "optimisers": OptimiserEntry,
    "schedules": ScheduleEntry,
    "split_rules": SplitRuleEntry,
}


def made(kind, build, name="made", **options):
    """A component of that kind around a factory, from no installed plugin."""
    return Component(kind, name, ENTRIES[kind](build, source=SOURCE, **options), HERE)


# ---- augmentations


def darker(items, generator):
    """Each item by a factor of its own."""
    factor = torch.rand(len(items), generator=generator)
    return items * factor.view(-1, *[1] * (items.ndim - 1))


def swapped(tokens, generator):
    """The first two tokens change places, in half of the texts."""
    chosen = torch.rand((len(tokens), 1), generator=generator) < 0.5
    whole = (tokens[:, :2] != 0).all(dim=1, keepdim=True)
    found = tokens.clone()
    found[:, :2] = torch.where(chosen & whole, tokens[:, :2].flip(1), tokens[:, :2])
    return found


def augmentation(change=lambda found, items, generator: found, call=darker, **options):
    return made("augmentations", lambda: lambda items, generator: change(call(items, generator), items, generator), **options)


def noisy(found, items, generator):
    return (found + random.SystemRandom().random() * 1e-3).clamp(0, 1)


def normalised(found, items, generator):
    return (found / found.max()).clamp(0, 1)


def alike(found, items, generator):
    return items * torch.rand(1, generator=generator)


def seeded_itself():
    own = torch.Generator().manual_seed(3)
    return lambda items, generator: darker(items, own)


def drawn_by_all(found, items, generator):
    return items * torch.rand(len(items)).view(-1, 1, 1, 1)


def holed(found, items, generator):
    found = found.clone()
    found[:, 1] = 0
    return found


AUGMENTATIONS = [augmentation(), augmentation(call=darker, takes=("images", "arrays")), augmentation(call=swapped, takes=("tokens",))]
BAD_AUGMENTATIONS = [
    (*SPOILT, augmentation(lambda found, *_: spoiling(found))),
    ("items", "must be something to call, got int", made("augmentations", lambda: 3)),
    ("items", "on 12 images: augmentation 'examined' must give float32", augmentation(lambda found, *_: found[:-1])),
    ("items", "must give float32 [12, 3, 20, 28] on cpu, as it was given, got float64", augmentation(lambda found, *_: found.double())),
    ("items", "must give a tensor, got list", augmentation(lambda found, *_: found.tolist())),
    ("items", "it gives pixels outside [0, 1]", augmentation(lambda found, *_: found * 3)),
    ("items", "not finite", augmentation(lambda found, *_: found / (found > 2))),
    ("items", "on 1 images: augmentation 'examined' raised IndexError", augmentation(lambda found, *_: found + 0 * found[1])),
    ("items", "padding in the middle", augmentation(holed, call=swapped, takes=("tokens",))),
    ("changes", "it leaves images as they are", augmentation(lambda found, items, _: items + 0 * found)),
    ("seeds", "two runs with the same seed gave different items", augmentation(noisy)),
    ("seeds", "another seed gave the same items", made("augmentations", seeded_itself)),
    ("own-generator", "it draws from the global generator of torch", augmentation(lambda found, *_: found + 0 * torch.rand(1))),
    ("independent", "depends on the others in its batch", augmentation(normalised)),
    ("independent", "are changed alike", augmentation(alike)),
    ("inputs-kept", "items", augmentation(lambda found, items, _: items.copy_(found))),
    (*TALKS, augmentation(lambda found, *_: talking(found))),
]

# ---- optimisers


class Descent(torch.optim.Optimizer):
    """Plain gradient descent, and what may be done to a step."""

    def __init__(self, groups, change=lambda step, group, parameter: step, *, after=lambda optimiser: None):
        super().__init__(groups, {})
        self.change, self.after = change, after

    @torch.no_grad()
    def step(self, closure=None):
        """Go down."""
        for group in self.param_groups:
            for parameter in group["params"]:
                step = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad + group["weight_decay"] * parameter
                if parameter.grad is None and not getattr(self, "shakes", False):
                    continue
                parameter.sub_(self.change(group["lr"] * step, group, parameter))
        self.after(self)


def optimiser(change=lambda step, group, parameter: step, **options):
    return made("optimisers", lambda groups: Descent(groups, change, **options))


class Shaking(Descent):
    """Moves what has no gradient too."""

    shakes = True

    def __init__(self, groups):
        super().__init__(groups, lambda step, group, parameter: step + 1e-3 * (parameter.grad is None) * group["lr"])


class Deaf(Descent):
    """Keeps the rates that it began with."""

    def __init__(self, groups):
        super().__init__(groups)
        self.rates = [group["lr"] for group in groups]

    def step(self, closure=None):
        """Go down at the first rates."""
        now = [group["lr"] for group in self.param_groups]
        for group, rate in zip(self.param_groups, self.rates, strict=True):
            group["lr"] = rate
        super().step()
        for group, rate in zip(self.param_groups, now, strict=True):
            group["lr"] = rate


class Joint(Descent):
    """Divides by the length of all gradients together."""

    def step(self, closure=None):
        """Go down by as much whatever the gradients."""
        all_of_them = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        length = torch.cat([gradient.flatten() for gradient in all_of_them]).norm()
        self.change = lambda step, group, parameter: step / length
        super().step()


def without_vectors(groups):
    return Descent([{**group, "params": [p for p in group["params"] if p.ndim > 1]} for group in groups[:1]])


def decay_for_all(groups):
    most = max(group["weight_decay"] for group in groups)
    return Descent([{**group, "weight_decay": most} for group in groups])


def decay_for_none(groups):
    return Descent([{**group, "weight_decay": 0.0} for group in groups])


OPTIMISERS = [
    optimiser(),
    made("optimisers", lambda groups, momentum: torch.optim.SGD(groups, momentum=momentum), defaults={"momentum": 0.5}),
]
BAD_OPTIMISERS = [
    (*SPOILT, optimiser(after=spoiling)),
    ("steps", "must be a torch.optim.Optimizer, got list", made("optimisers", lambda groups: groups)),
    ("steps", "must be of the parameters that it is given: of 5 it has 2", made("optimisers", without_vectors)),
    ("steps", "has not moved", optimiser(lambda step, group, parameter: step * (parameter.ndim > 1))),
    ("steps", "a parameter is not finite", optimiser(lambda step, group, parameter: step / 0)),
    ("descends", "on a sum of squares it goes from", optimiser(lambda step, group, parameter: -step * 0.1)),
    ("without-gradient", "it moves a parameter that has no gradient", made("optimisers", Shaking)),
    ("rates", "after a schedule has set their rate to 0", made("optimisers", Deaf)),
    ("rates", "of a group whose rate is 0", optimiser(lambda step, group, parameter: step + 1e-4 * parameter.grad * (group["lr"] == 0))),
    ("decay", "makes no difference", made("optimisers", decay_for_none)),
    ("decay", "of a group that has none", made("optimisers", decay_for_all)),
    ("apart", "goes another way where there are others beside it", made("optimisers", Joint)),
    ("determinism", "two runs gave different parameters", optimiser(lambda step, *_: step * (1 + 1e-3 * random.SystemRandom().random()))),
    (*TALKS, optimiser(after=talking)),
]

# ---- schedules


def falling(progress):
    return 1.01 - progress


def schedule(change=lambda factor: factor, *, anneals=True, factor=falling):
    return made("schedules", lambda: lambda progress: change(factor(progress)), anneals=anneals)


def of_the_first_group(optimiser, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimiser, [lambda step: 1.01 - min(step, steps - 1) / steps, lambda step: 1.0])


SCHEDULES = [
    schedule(),
    schedule(anneals=False, factor=lambda progress: 0.5),
    made("schedules", lambda optimiser: torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.99)),
]
BAD_SCHEDULES = [
    (*SPOILT, schedule(spoiling)),
    ("factors", "must give a finite factor above 0, got 0 at progress 0", schedule(factor=lambda progress: progress)),
    ("factors", "must give a finite factor above 0, got nan", schedule(lambda factor: factor * float("nan"))),
    ("factors", "must be a function of progress or a torch scheduler, got float", made("schedules", lambda: 0.5)),
    ("factors", "over 1 steps: it raises ZeroDivisionError", made("schedules", lambda steps: lambda progress: 1 / (steps - 1))),
    ("groups", "groups must change alike", made("schedules", of_the_first_group, anneals=True)),
    ("anneals", "it says that it anneals, and the last rate is 1 of the highest", schedule(factor=lambda progress: 0.5)),
    ("anneals", "it anneals, and does not say so", schedule(anneals=False)),
    ("determinism", "two runs had different rates", schedule(lambda factor: factor * (1 + 1e-8 * random.SystemRandom().random()))),
    ("determinism", "it draws from the global generator of torch", schedule(lambda factor: factor + 0 * float(torch.rand(1)))),
    (*TALKS, schedule(talking)),
]

# ---- split rules


def split_rule(change=lambda test, folds: (test, folds)):
    """Every other class is test; the others are dealt to the folds."""

    def build(classes, folds):
        return change(classes[1::2], [classes[::2][number::folds] for number in range(folds)])

    return made("split_rules", build)


def drawn_classes(classes):
    return np.random.default_rng().permutation(classes)[::2], None


def halves_that_write(classes):
    classes += 0
    test = classes[len(classes) // 2 :].copy()
    classes[:] = 0
    return test, None


def not_for_few(classes):
    return (classes[1::2], None) if classes[3] else None


def refusing_few(classes):
    if len(classes) < 10:
        raise DataError("ten classes are needed")
    return classes[1::2], None


SPLIT_RULES = [split_rule(), split_rule(lambda test, folds: (test.tolist(), None)), made("split_rules", refusing_few)]
BAD_SPLIT_RULES = [
    (*SPOILT, split_rule(lambda *found: spoiling(found))),
    ("cuts", "of 24 classes with 2 folds: split rule 'made' must give (test, folds), got ndarray", split_rule(lambda test, folds: test)),
    ("cuts", "the test leaves 0 classes on one side", split_rule(lambda test, folds: ([], None))),
    ("cuts", "fold 0 holds 1, which is none of the 12 classes", split_rule(lambda test, folds: (test, [test, *folds[1:]]))),
    ("cuts", "class 0 is held out in two folds", split_rule(lambda test, folds: (test, [folds[0], np.append(folds[1], 0), *folds[2:]]))),
    ("cuts", "is held out in no fold", split_rule(lambda test, folds: (test, [folds[0][1:], *folds[1:]]))),
    ("cuts", "must give 2 folds, got 3", split_rule(lambda test, folds: (test, [*folds, []]))),
    ("cuts", "holds a class twice", split_rule(lambda test, folds: ([*test, test[0]], folds))),
    ("cuts", "must be a list of classes, whole numbers, got float64", split_rule(lambda test, folds: (test / 2, folds))),
    ("cuts", "raised TypeError", split_rule(lambda test, folds: test + None)),
    ("few-classes", "of 1 classes in 1 groups: split rule 'made' raised IndexError", made("split_rules", not_for_few)),
    ("determinism", "the same classes were cut in two ways", made("split_rules", drawn_classes)),
    ("determinism", "it draws from the global generator of numpy", split_rule(lambda *found: (found, np.random.random())[0])),  # noqa: NPY002
    ("inputs-kept", "classes", made("split_rules", halves_that_write)),
    (*TALKS, split_rule(lambda *found: talking(found))),
]

GOOD = {"augmentations": AUGMENTATIONS, "optimisers": OPTIMISERS, "schedules": SCHEDULES, "split_rules": SPLIT_RULES}
BAD = {
    "augmentations": BAD_AUGMENTATIONS,
    "optimisers": BAD_OPTIMISERS,
    "schedules": BAD_SCHEDULES,
    "split_rules": BAD_SPLIT_RULES,
}
