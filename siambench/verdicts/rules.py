"""What is said of a training run, as data: each rule with its condition, its sentences, and where its thresholds are from.

Verdicts stand in the order in which they are asked: a unit has the first that holds. Findings stand beside it, any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from siambench.interfaces import Finding, Severity
from siambench.verdicts import conditions, signs
from siambench.verdicts import thresholds as at
from siambench.verdicts.conditions import Told
from siambench.verdicts.facts import Facts
from siambench.verdicts.thresholds import Threshold


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that may be said.

    Args:
        name: of the verdict or finding.
        severity: how sure it is that it costs.
        condition: when it holds, in words.
        evidence: the sentence with its numbers, a format of what ``holds`` gives.
        remedy: one sentence: what to do.
        attempts: what to add to the command that ran the method, the first that fits it; ``{lower}`` and ``{higher}`` are a tenth and ten
            times what the parameter is; what lies outside its space becomes its bound.
        holds: from facts to the numbers of the evidence, or None; of a study's rule nothing is asked.
        thresholds: that it compares with.
        source: where the condition itself is from, where a threshold does not say it.
    """

    name: str
    severity: Severity
    condition: str
    evidence: str
    remedy: str
    attempts: tuple[str, ...] = ()
    holds: Callable[[Facts], Told] = lambda _: None
    thresholds: tuple[Threshold, ...] = ()
    source: str = ""

    def finding(self, told: Mapping[str, object], attempt: str = "") -> Finding:
        """What is found, in sentences.

        Args:
            told: numbers of the evidence, by name.
            attempt: a command to try.
        """
        evidence = self.evidence.format(**told)
        return Finding(name=self.name, severity=self.severity, evidence=evidence, remedy=self.remedy, attempt=attempt)


_GAINED = "no score above the untrained network's (on validation where both are known, else the AUC of distances on the probe)"

VERDICTS: tuple[Rule, ...] = (
    Rule(
        name="diverged",
        severity="fatal",
        condition="training left the finite numbers",
        evidence="{what}",
        remedy="lower the learning rate, train in fp32, and look for a square root of 0 or a logarithm of 0 in the loss",
        attempts=("--set optimiser.lr={lower}",),
        holds=conditions.diverged,
        source="a fact: the loss or the embeddings were not finite",
    ),
    Rule(
        name="frozen",
        severity="fatal",
        condition=(
            "a part that is meant to be trained (trunk, head, projector, the loss's own parameters; not what the track keeps as it is) got "
            "no gradient in any measured step, or stands in no group of the optimiser; judged by gradients, not by movement, and not where "
            "no tuple costs"
        ),
        evidence="{what}",
        remedy="look for detach(), no_grad() or numpy between that part and the loss, and give the optimiser all parameters",
        holds=conditions.frozen,
        source="a fact: gradients and groups of the optimiser; weight decay moves what gets no gradient",
    ),
    Rule(
        name="batch-unfit",
        severity="likely",
        condition=(
            "of a loss that forms tuples: every batch is of one class, or, with one encoder, has no two items of one class, or is made of "
            "copies for the larger part"
        ),
        evidence="{what}",
        remedy="use a sampler that puts several different items of several classes into each batch",
        holds=conditions.batch_unfit,
        thresholds=(at.REPEATED,),
    ),
    Rule(
        name="label-mixup",
        severity="likely",
        condition=(
            "on the probe positives lie further apart than negatives, on average and by an AUC of distances clearly below chance, and "
            "training has made that so or worse"
        ),
        evidence=(
            "positives of training items lie {positive:.3g} apart and negatives {negative:.3g}: positives exceed them by {now:.0%}, before "
            "training by {before:.0%}"
        ),
        remedy="swap the labels: siambench and its losses take same = 1; many listings take 1 for different",
        holds=conditions.label_mixup,
        thresholds=(at.MIXED_UP, at.BELOW_CHANCE),
    ),
    Rule(
        name="no-signal",
        severity="likely",
        condition=(
            "all items of the probe are alike, or the untrained network tells them apart and yet the AUC of distances on the probe is that "
            "of chance before and after training, and between the items themselves"
        ),
        evidence="{what}",
        remedy="look at some items with their labels: inputs may be constant, or labels shuffled against them",
        holds=conditions.no_signal,
        thresholds=(at.INPUT_ALIKE, at.EQUAL_SPREAD, at.EVEN_AUC),
    ),
    Rule(
        name="starved",
        severity="likely",
        condition="of a loss that forms tuples: in most steps none of them costs, and yet the probe is not separated",
        evidence="in {idle:.0%} of the measured steps no tuple cost, and the AUC of distances on the probe is {auc:.3f}",
        remedy="use a larger margin, or a miner that finds harder tuples",
        attempts=("--miner semihard",),
        holds=conditions.starved,
        thresholds=(at.IDLE, at.SEPARATED),
    ),
    Rule(
        name="collapsed",
        severity="likely",
        condition=f"the probe's embeddings are alike, and there is {_GAINED}",
        evidence="all embeddings of the probe are alike (spread {spread:.1g}), and {score}",
        remedy="train without a hard miner for the first steps, with a larger margin or a lower learning rate",
        attempts=("--set miner.warmup=0.33", "--set optimiser.lr={lower}"),
        holds=conditions.collapsed,
        thresholds=(at.COLLAPSED_SPREAD, at.COLLAPSED_NORM, at.PROBE_GAIN),
    ),
    Rule(
        name="exploding",
        severity="likely",
        condition=(
            "steps are long beside the weights of every part of the network over the whole of training; or one is as long as a part's "
            f"weights nearly are, or the loss rises, and there is {_GAINED}"
        ),
        evidence="{what}, and {score}",
        remedy="lower the learning rate, or begin with a small one",
        attempts=("--set optimiser.lr={lower}",),
        holds=conditions.exploding,
        thresholds=(at.LONG_STEPS, at.UPDATE, at.LOSS_RISE, at.PROBE_GAIN),
    ),
    Rule(
        name="vanishing",
        severity="likely",
        condition=f"a part is reached by gradients next to nothing in every epoch, and there is {_GAINED}",
        evidence="the gradient of {part} was never longer than {norm:.1g}, and {score}",
        remedy="use a network with normalisation layers or shortcuts, and a loss whose value is not scaled down",
        holds=conditions.vanishing,
        thresholds=(at.TINY_GRADIENT, at.PROBE_GAIN),
    ),
    Rule(
        name="overfitted",
        severity="likely",
        condition="of at least three validations: over their last third the score falls while the probe, which is trained on, still rises",
        evidence=(
            "over the last third validation fell from {then:.3g} to {now:.3g} while the AUC of training items rose from {probe_then:.3f} "
            "to {probe_now:.3f}"
        ),
        remedy="stop earlier, augment more, or let weights decay more",
        holds=conditions.overfitted,
        thresholds=(at.VALIDATIONS, at.FALL),
    ),
    Rule(
        name="under-trained",
        severity="likely",
        condition=(
            "of at least three validations: twice the steps are known to raise the score by more than its standard deviation over "
            "repetitions, or all steps together change the network by next to nothing and the probe gains little, or the rate sinks long "
            "before training ends"
        ),
        evidence="{what}",
        remedy="train for more steps, or with a higher learning rate",
        attempts=("--set optimiser.lr={higher}",),
        holds=conditions.under_trained,
        thresholds=(at.VALIDATIONS, at.SHORT_PATH, at.CLEAR_GAIN, at.FEW_AT_RATE),
    ),
)
"""A unit has the first that holds, else ``ok``."""

FINDINGS: tuple[Rule, ...] = (
    Rule(
        name="plateau",
        severity="likely",
        condition="the loss stands at its value for equal embeddings, the probe's embeddings are nearly equal, and training still moves",
        evidence="the loss is {loss:.4g}, for equal embeddings it is {value:.4g}; cosines are {cosine:.5f} on average, and {gradient}",
        remedy="go on, it climbs slowly, or leave the miner out for the first third of the steps",
        attempts=("--set miner.warmup=0.33",),
        holds=signs.plateau,
        thresholds=(at.AT_PLATEAU, at.COLLAPSED_SPREAD),
    ),
    Rule(
        name="one-sided",
        severity="possible",
        condition="one branch of a pair or triplet gets no gradient in any measured step, another does",
        evidence="branch {branch} of {branches} got no gradient, branch {other} one of length {length:.2g}",
        remedy="drop the detach() of that branch, unless stop-gradient is what you want, as in SimSiam and BYOL",
        holds=signs.one_sided,
        source="a fact: gradients with respect to embeddings, by branch",
    ),
    Rule(
        name="unshared",
        severity="likely",
        condition="the branches of a pair go through networks that have no parameter in common",
        evidence="the two branches go through networks that have no parameter in common",
        remedy="call one network on both items, unless they are of two kinds",
        holds=signs.unshared,
        source="a fact: the parameters of both",
    ),
    Rule(
        name="same-draw",
        severity="likely",
        condition="both members of a pair get one draw of augmentation",
        evidence="the draws of augmentation of both members of a pair have a correlation of {correlation:.2f}",
        remedy="draw anew for each member: seed the generator once, not in each call",
        holds=signs.same_draw,
        thresholds=(at.SAME_DRAW,),
    ),
    Rule(
        name="margin-too-small",
        severity="likely",
        condition=(
            "a margin is a small part of the distance of unrelated embeddings, or for triplets not above 0; or no negative of the probe "
            "lies within it in any epoch, though the probe is not separated"
        ),
        evidence="{what}",
        remedy="use a larger margin: unrelated unit vectors lie 1.41 apart",
        holds=signs.margin_too_small,
        thresholds=(at.SMALL_NEGATIVE, at.SMALL_TRIPLET, at.UNVIOLATED, at.SEPARATED),
    ),
    Rule(
        name="margin-unreachable",
        severity="note",
        condition="of unit vectors: a margin beyond what one pair can reach, or the mean over the classes of a batch",
        evidence="{what}",
        remedy="a smaller margin lets go of pairs that are apart; training goes on with this one",
        holds=signs.margin_unreachable,
        source="geometry of the sphere: 2 for one pair, sqrt(2C / (C - 1)) for the mean over C classes, and their squares for squares",
    ),
    Rule(
        name="scale-mismatch",
        severity="likely",
        condition=(
            "a loss for unit vectors is given others, or similarities are multiplied by far too much or too little, or of embeddings with "
            "a length the loss begins far above its value for embeddings that say nothing, or distances and a margin lie a decade apart"
        ),
        evidence="{what}",
        remedy="normalise embeddings, or choose temperature, scale and margin for the distances that there are",
        holds=signs.scale_mismatch,
        thresholds=(at.SHARP, at.FLAT, at.ABOVE_CHANCE, at.OUT_OF_SCALE),
    ),
    Rule(
        name="train-mode",
        severity="likely",
        condition="the model is in training mode when it is judged, and its embeddings are others than in evaluation mode",
        evidence="the model is judged in training mode, in which embeddings differ by {apart:.0%} of their length",
        remedy="call model.eval() before you judge, and model.train() before you go on",
        holds=signs.train_mode,
        thresholds=(at.MODES_APART,),
    ),
    Rule(
        name="low-dimension",
        severity="possible",
        condition="embeddings lie along a line or in a plane, or have one dimension",
        evidence="{what}",
        remedy="use more dimensions",
        holds=signs.low_dimension,
        thresholds=(at.ONE_DIMENSION,),
    ),
    Rule(
        name="dead-units",
        severity="possible",
        condition="many units behind one rectifier are 0 for the whole probe",
        evidence="{share:.0%} of the units behind one rectifier are 0 for the whole probe{before}",
        remedy="lower the learning rate or the weight decay, or use a rectifier that leaks",
        holds=signs.dead_units,
        thresholds=(at.DEAD,),
    ),
)
"""Any number of them stand beside the verdict."""

STUDY_RULES: tuple[Rule, ...] = (
    Rule(
        name="on-bound",
        severity="possible",
        condition=(
            "the search, not the declared default, gave the selected value, and it lies at a bound of the space that is not the quantity's "
            "natural end (0, 1 of what is counted, the largest warm-up)"
        ),
        evidence="{parameter} = {value:.3g} lies within 2 % of {end:g}, a bound of its space [{low:g}, {high:g}]",
        remedy="search a wider space",
        thresholds=(at.NEAR_BOUND,),
    ),
)
"""Of a study, not of a unit."""

RULES = (*VERDICTS, *FINDINGS, *STUDY_RULES)
