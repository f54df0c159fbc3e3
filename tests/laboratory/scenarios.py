"""The table of known failures: what each must be called was written down before any threshold of a verdict was set.

A failure counts only if it costs: its score lies below its healthy twin's in every repetition. Doses stand from the mildest to the
strongest; where the mildest costs nothing, the next is tried. One set of doses is for setting thresholds, the others for judging them.
"""

from __future__ import annotations

from typing import Final

from scenario import Scenario
from unit_runs import Setting


def _units(loss: str = "contrastive", **options: object) -> Setting:
    return Setting(loss=loss, **options)  # type: ignore[arg-type]


PLAIN = _units()
SLOW: Final = {"training.epochs": 12}
PAIRS = _units(feed="pairs", rules=SLOW)
TRIPLET = _units("triplet")
WARM = _units("triplet", miner="hard", params={"miner.warmup": 0.5})
NPAIR = _units("npair")
LEVEL: Final = {"training.schedule": "constant", "training.epochs": 10, "training.steps_per_epoch": 10}
CONSTANT = _units(rules=LEVEL, params={"optimiser.lr": 2e-3})
LONG: Final = {"training.schedule": "plateau", "training.epochs": 50, "training.steps_per_epoch": 2, "training.validate_every": 10}
STILL: Final = {"augment.rotate": 0.0, "augment.scale": [1.0, 1.0], "augment.translate": 0.0, "augment.shear": 0.0}
FEW: Final = {**STILL, **LEVEL, "training.epochs": 12, "training.steps_per_epoch": 25, "dataset.options.fault": "few"}
WRONG: Final = {**STILL, "training.schedule": "constant", "training.epochs": 16, "training.steps_per_epoch": 25}
HEART: Final = {**STILL, "training.epochs": 12, "dataset.options.fault": "few", "dataset.options.amount": 3.0}
DEEP: Final = {"model.backbone": "deep", "training.epochs": 8}


def _options(**values: object) -> dict[str, object]:
    return {f"dataset.options.{name}": value for name, value in values.items()}


def _pace(steps: int) -> dict[str, object]:
    """A hundred steps, cut into epochs of so many."""
    return {"training.epochs": 100 // steps, "training.steps_per_epoch": steps, "training.validate_every": 20 // steps}


def _ending(name: str, amount: float = 1.0) -> dict[str, object]:
    return {"model.options.ending": name, "model.options.amount": amount}


UNITS = (
    Scenario(
        name="margin-of-thousandths",
        what="the margin of contrastive loss is .003: negatives are let go as soon as they are apart at all",
        verdicts=("collapsed",),
        findings=("margin-too-small",),
        doses=(0.003, 0.001),
        failing=lambda dose: _units(params={"loss.neg_margin": dose}),
        twin=PLAIN,
    ),
    Scenario(
        name="margin-of-a-hundredth",
        what="the same at .01, where it still learns next to nothing",
        verdicts=("collapsed", "ok"),
        findings=("margin-too-small",),
        doses=(0.01, 0.03),
        failing=lambda dose: _units(params={"loss.neg_margin": dose}),
        twin=PLAIN,
    ),
    Scenario(
        name="one-means-different",
        what="the loss takes 1 for different, and few images a class are learnt by heart: positives end up further apart than negatives",
        verdicts=("label-mixup",),
        doses=(1.0, 0.5),
        failing=lambda dose: _units("swapped-contrastive", rules=HEART, params={"loss.margin": dose}),
        twin=_units(rules=HEART),
    ),
    Scenario(
        name="one-means-different-of-many",
        what="the same with all images, which cannot be learnt by heart: pulled together by most pairs, everything ends up alike",
        verdicts=("label-mixup", "collapsed"),
        doses=(1.0, 0.5),
        failing=lambda dose: _units("swapped-contrastive", params={"loss.margin": dose}),
        twin=PLAIN,
    ),
    Scenario(
        name="one-branch-detached",
        what="the right branch of every pair is detached",
        verdicts=("ok",),
        findings=("one-sided",),
        doses=(1.0,),
        failing=lambda dose: _units("one-sided-contrastive", feed="pairs", rules=SLOW, params={"loss.margin": dose}),
        twin=PAIRS,
        costs=False,
    ),
    Scenario(
        name="loss-of-a-leaf",
        what="the loss is computed of a leaf of its own making: backward runs, nothing arrives",
        verdicts=("frozen",),
        failing=lambda _: _units("leaf-contrastive"),
        twin=PLAIN,
    ),
    Scenario(
        name="trunk-detached",
        what="the trunk's features are detached below a head that trains, though the trunk is meant to train",
        verdicts=("frozen",),
        failing=lambda _: _units(rules=_ending("detached")),
        twin=PLAIN,
    ),
    Scenario(
        name="plateau-schedule-too-soon",
        what="the rate is cut to three tenths whenever three epochs of one or two steps bring nothing",
        verdicts=("under-trained", "vanishing"),
        doses=(2.0, 1.0),
        failing=lambda dose: _units(rules={**LONG, **_pace(int(dose))}, params={"optimiser.lr": 2e-3}),
        twin=_units(rules={**LONG, "training.schedule": "constant"}, params={"optimiser.lr": 2e-3}),
    ),
    Scenario(
        name="rate-a-thousandth",
        what="the learning rate is a thousandth of what trains",
        verdicts=("under-trained", "vanishing"),
        doses=(1e-3, 1e-4, 1e-2),
        failing=lambda dose: _units(rules=LEVEL, params={"optimiser.lr": 2e-3 * dose}),
        twin=CONSTANT,
    ),
    Scenario(
        name="rate-too-high",
        what="the learning rate is a hundred times what trains",
        verdicts=("exploding", "diverged", "collapsed"),
        doses=(100.0, 1000.0, 30.0),
        failing=lambda dose: _units(rules=LEVEL, params={"optimiser.lr": 2e-3 * dose}),
        twin=CONSTANT,
    ),
    Scenario(
        name="triplets-all-easy",
        what="the miner leaves the triplets that cost nothing, and no other",
        verdicts=("starved",),
        doses=(0.2, 0.5),
        failing=lambda dose: _units("triplet", miner="triplet-margin-easy", params={"miner.margin": dose}),
        twin=TRIPLET,
    ),
    Scenario(
        name="margin-below-zero",
        what="the margin of the triplet loss is below 0, which a network that embeds everything alike satisfies",
        verdicts=("starved",),
        doses=(-0.5, -0.2, -1.0),
        failing=lambda dose: _units("triplet", params={"loss.margin": dose}),
        twin=TRIPLET,
    ),
    Scenario(
        name="hardest-from-scratch",
        what="batch-hard mining from the first step",
        verdicts=("collapsed", "ok"),
        findings=("plateau",),
        doses=(0.1, 0.5),
        failing=lambda dose: _units("triplet", miner="hard", params={"miner.warmup": 0.0, "loss.margin": dose}),
        twin=WARM,
    ),
    Scenario(
        name="hardest-on-noisy-labels",
        what="batch-hard mining on labels of which a share is wrong: what is hardest is what is mislabelled",
        verdicts=("collapsed", "no-signal"),
        findings=("plateau",),
        doses=(0.3, 0.6),
        failing=lambda dose: _units("triplet", miner="hard", rules=_options(fault="noisy", amount=dose), params={"miner.warmup": 0.1}),
        twin=WARM,
    ),
    Scenario(
        name="one-pair-repeated",
        what="N-pair loss whose batches hold the first pair of each class, always the same, four times over",
        verdicts=("batch-unfit",),
        failing=lambda _: _units("npair", rules={"training.sampler": "same-pair"}),
        twin=NPAIR,
    ),
    Scenario(
        name="duplicate-positives",
        what="all items of a class in a batch are one item again and again: positives are at distance 0",
        verdicts=("batch-unfit",),
        failing=lambda _: _units(rules={"training.sampler": "duplicates"}),
        twin=PLAIN,
    ),
    Scenario(
        name="one-class-per-batch",
        what="each batch holds one class: there is no negative",
        verdicts=("batch-unfit",),
        failing=lambda _: _units(rules={"training.sampler": "one-class"}),
        twin=PLAIN,
    ),
    Scenario(
        name="dead-rectifiers",
        what="the biases of the last rectified layer are so low that its units are 0 for whatever comes",
        verdicts=("collapsed", "frozen"),
        findings=("dead-units",),
        doses=(100.0, 10.0, 3.0),
        failing=lambda dose: _units(rules=_ending("dead", dose)),
        twin=_units(rules=_ending("dead", 0.0)),
    ),
    Scenario(
        name="decay-to-zero",
        what="weight decay pulls the weights to 0 faster than the loss moves them",
        verdicts=("collapsed",),
        findings=("dead-units",),
        doses=(1.0, 10.0, 100.0),
        failing=lambda dose: _units(backbone="plain-conv", params={"optimiser.weight_decay": dose}),
        twin=_units(backbone="plain-conv"),
    ),
    Scenario(
        name="unnormalised-angular",
        what="angular loss of embeddings as they come, whose lengths it multiplies",
        verdicts=("ok", "exploding", "collapsed", "diverged"),
        findings=("scale-mismatch",),
        doses=(1.0, 30.0, 1000.0),
        failing=lambda dose: _units("raw-angular", rules=_ending("times", dose)),
        twin=_units("angular"),
    ),
    Scenario(
        name="long-embeddings-sphereface",
        what="SphereFace of features that are multiplied by a number: its logits are as long as embeddings",
        verdicts=("ok", "exploding", "under-trained"),
        findings=("scale-mismatch",),
        doses=(30.0, 1000.0),
        failing=lambda dose: _units("sphereface", rules=_ending("times", dose)),
        twin=_units("sphereface"),
    ),
    Scenario(
        name="unnormalised-triplet",
        what="a triplet loss written by hand of embeddings as they come: its margin is nothing beside their distances",
        verdicts=("ok", "starved"),
        findings=("scale-mismatch",),
        doses=(1.0, 30.0, 1000.0),
        failing=lambda dose: _units("raw-triplet", rules=_ending("times", dose)),
        twin=_units("plain-triplet"),
    ),
    Scenario(
        name="temperature-of-a-ten-thousandth",
        what="the temperature of NT-Xent is 1e-4: of all negatives the nearest alone counts",
        verdicts=("ok", "exploding", "collapsed"),
        findings=("scale-mismatch",),
        doses=(1e-4, 1e-5),
        failing=lambda dose: _units("ntxent", params={"loss.temperature": dose}),
        twin=_units("ntxent"),
    ),
    Scenario(
        name="overflow-in-half-precision",
        what="powers of cosines by a temperature in half precision, which holds nothing above 65,504",
        verdicts=("diverged",),
        doses=(0.05, 0.08),
        failing=lambda dose: _units("half-precision", params={"loss.temperature": dose}),
        twin=_units("supcon"),
    ),
    Scenario(
        name="root-of-a-self-pair",
        what="a square root written by hand over pairs of an item with itself: its slope at 0 is not finite",
        verdicts=("diverged",),
        failing=lambda _: _units("hand-written-root"),
        twin=_units("hand-written-root", params={"loss.epsilon": 1e-6}),
    ),
    Scenario(
        name="one-dimension",
        what="embeddings of one number, which at unit length is 1 or -1",
        verdicts=("ok", "frozen", "collapsed"),
        findings=("low-dimension",),
        doses=(1.0, 2.0),
        failing=lambda dose: _units(rules={"model.embedding_size": int(dose)}),
        twin=PLAIN,
    ),
    Scenario(
        name="constant-inputs",
        what="every image is one grey, but for noise of one level",
        verdicts=("no-signal",),
        failing=lambda _: _units(rules=_options(fault="constant")),
        twin=PLAIN,
    ),
    Scenario(
        name="shuffled-labels",
        what="labels have changed places: which items share a class says nothing",
        verdicts=("no-signal",),
        failing=lambda _: _units(rules=_options(fault="shuffled")),
        twin=PLAIN,
    ),
    Scenario(
        name="frozen-trunk",
        what="the trunk is not meant to train, and the head begins at random",
        verdicts=("ok",),
        failing=lambda _: _units(rules=_ending("frozen")),
        twin=PLAIN,
        costs=False,
    ),
    Scenario(
        name="margin-out-of-reach",
        what="the margin of contrastive loss is 10, five times the largest distance on the sphere",
        verdicts=("ok",),
        findings=("margin-unreachable",),
        doses=(10.0, 3.0),
        failing=lambda dose: _units(params={"loss.neg_margin": dose}),
        twin=PLAIN,
        costs=False,
    ),
    Scenario(
        name="far-beyond-the-margin",
        what="contrastive loss of embeddings a thousand times as long as its margin: positives pull, no negative costs",
        verdicts=("ok",),
        findings=("scale-mismatch",),
        doses=(1000.0, 100.0),
        failing=lambda dose: _units("raw-contrastive", rules=_ending("times", dose)),
        twin=PLAIN,
        costs=False,
    ),
    Scenario(
        name="sigmoids-on-sigmoids",
        what="eight fully connected layers behind sigmoids: what arrives at the first is next to nothing",
        verdicts=("vanishing", "collapsed"),
        doses=(8.0, 12.0),
        failing=lambda dose: _units(rules={**DEEP, "model.options.layers": int(dose)}, params={"optimiser.lr": 1e-3}),
        twin=_units(rules={**DEEP, "model.options.kind": "relu", "model.options.layers": 3}, params={"optimiser.lr": 1e-3}),
    ),
    Scenario(
        name="wrong-labels-by-heart",
        what="a share of the labels is wrong, no image is ever moved, and training goes on until they are learnt by heart",
        verdicts=("overfitted",),
        doses=(0.35, 0.5),
        failing=lambda dose: _units("supcon", rules={**WRONG, "dataset.options.fault": "noisy", "dataset.options.amount": dose}),
        twin=_units("supcon", rules=WRONG),
    ),
    Scenario(
        name="learnt-by-heart",
        what="few images a class, never moved, many epochs at a high rate: training items part wholly, and others gain nothing from it",
        verdicts=("overfitted", "ok"),
        doses=(3.0, 2.0),
        failing=lambda dose: _units(rules={**FEW, "dataset.options.amount": dose}, params={"optimiser.lr": 1e-2}),
        twin=CONSTANT,
    ),
)

OBJECTS = (
    Scenario(
        name="swapped-labels", what="the data says 1 for different, the loss takes 1 for same", verdicts=("label-mixup",), doses=(1.0, 0.9)
    ),
    Scenario(
        name="unlisted-proxies",
        what="the proxies of the loss stand in no optimiser; the dose is what they have in common when they are drawn",
        verdicts=("frozen",),
        doses=(0.0, 0.5),
    ),
    Scenario(
        name="unregistered-proxies",
        what="the proxies of the loss are no Parameter; the dose is what they have in common when they are drawn",
        verdicts=("frozen",),
        doses=(0.0, 0.5),
    ),
    Scenario(name="no-gradient", what="the model is called under no_grad", verdicts=("frozen",)),
    Scenario(
        name="two-networks",
        what="each branch has a network of its own, though the items of both are of one kind",
        verdicts=("ok",),
        findings=("unshared",),
    ),
    Scenario(
        name="training-mode",
        what="BatchNorm is judged in training mode",
        verdicts=("ok",),
        findings=("train-mode",),
        doses=(16.0, 4.0),
    ),
    Scenario(
        name="same-draw",
        what="both views of an item get one draw of augmentation",
        verdicts=("ok",),
        findings=("same-draw",),
        doses=(0.0, 0.1),
    ),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in (*UNITS, *OBJECTS)}
