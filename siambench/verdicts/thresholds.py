"""The numbers that rules compare with, each with where it is from.

One that only training known failures and their healthy twins can measure is a first value, and says so: it is *provisional* until the
laboratory has measured it.
"""

from __future__ import annotations

from dataclasses import dataclass

_FIRST = "a first value, to be measured"
_LAB = "measured in the laboratory on glyphs, first doses"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A number that a rule compares with.

    Args:
        name: what it is of, in words.
        value: the number.
        source: where it is from.
        provisional: whether it is a first value that no measurement stands for yet.
    """

    name: str
    value: float
    source: str
    provisional: bool = False


COLLAPSED_SPREAD = Threshold(
    name="spread of embeddings that are alike",
    value=5e-3,
    source=(
        f"{_LAB}: failures that score no more than an untrained network lie at 5e-5 to .003, the plateau of batch-hard mining at 8e-4, "
        "batch-hard mining after a warm-up, healthy, at .009"
    ),
)
CLEAR_GAIN = Threshold(
    name="gain in AUC on the probe that speaks for itself",
    value=0.1,
    source=f"{_LAB}: the plateau of batch-hard mining gains .17 and more, what collapsed or hardly moved .05 at most",
)
COLLAPSED_NORM = Threshold(
    name="length of embeddings that have none",
    value=1e-12,
    source="below it `torch.nn.functional.normalize` no longer gives unit length: its eps",
)
EQUAL_SPREAD = Threshold(
    name="spread of embeddings that are equal but for rounding",
    value=1e-10,
    source="rounding in single precision leaves about the square of 6e-8, 4e-15; four decades of room above it",
)
PROBE_GAIN = Threshold(
    name="gain in AUC on the probe that counts as learning",
    value=0.05,
    source=f"{_LAB}: what learns nothing gains up to .044 by chance, what learns at all .055 and more",
)
MIXED_UP = Threshold(
    name="excess of positive over negative distances, relative",
    value=0.1,
    source=f"{_LAB}: labels the wrong way round end at .22 and more, noise without anything to tell apart at up to .045",
)
BELOW_CHANCE = Threshold(
    name="distance of an AUC below .5 that is no chance",
    value=0.1,
    source=f"{_LAB}: labels the wrong way round end at .12 to .32, noise without anything to tell apart at .42 and more",
)
INPUT_ALIKE = Threshold(
    name="spread of items that are alike",
    value=1e-4,
    source=f"{_LAB}: one grey but for noise of one level in 255 has 1.5e-5, characters have .65 to .71",
)
EVEN_AUC = Threshold(
    name="distance of an AUC from .5 that is none",
    value=0.05,
    source=f"{_LAB}: shuffled labels lie within .04 before training and .02 after it",
)
IDLE = Threshold(
    name="share of steps without an active tuple",
    value=0.9,
    source="set: below it training still gets a gradient in one step of ten",
)
SEPARATED = Threshold(
    name="AUC of a probe that is separated",
    value=0.99,
    source=f"{_LAB}: what starves ends at .65 and less, classes that are parted wholly at 1",
)
REPEATED = Threshold(
    name="share of a batch's items that stood in it already",
    value=0.5,
    source=f"{_LAB}: batches of copies have .7 and more, those of classes with three images .25",
)
UPDATE = Threshold(
    name="length of a step over that of the weights",
    value=0.1,
    source=f"{_LAB}: healthy units never exceed .06, in their first steps",
)
LOSS_RISE = Threshold(
    name="loss of the last epoch over that of the first",
    value=2.0,
    source="set: training that doubles what it minimises; in the laboratory nothing healthy rises by more than 1.2",
)
TINY_GRADIENT = Threshold(
    name="gradient norm of a part",
    value=1e-8,
    source="the eps of `torch.optim.Adam`: below it steps shrink with the gradient",
)
FALL = Threshold(
    name="fall of the validation over its last third, relative to the best",
    value=0.1,
    source=f"{_LAB}: wrong labels that are learnt by heart cost a fifth to two fifths of the best score, right ones nothing",
)
VALIDATIONS = Threshold(
    name="validations that a curve needs",
    value=3,
    source="set: with fewer there is no third to fall over",
)
SHORT_PATH = Threshold(
    name="length of all steps together over that of the weights, of the part that went furthest",
    value=0.15,
    source=f"{_LAB}: a rate of a thousandth reaches .004, what learns .46 and more",
)
FEW_AT_RATE = Threshold(
    name="mean learning rate over the largest",
    value=0.25,
    source=f"{_LAB}: a plateau schedule that decays too soon has .13 to .21, one-cycle .54, a level rate 1",
)
LONG_STEPS = Threshold(
    name="length of a step over that of the weights, mean of all epochs, of the part with the shortest",
    value=0.03,
    source=f"{_LAB}: a hundred times the rate gives .045 and more; of 263 units of the board of glyphs none has more than .025",
)
ABOVE_CHANCE = Threshold(
    name="loss of the first epoch over its value for embeddings that say nothing",
    value=2.0,
    source=f"{_LAB}: losses of embeddings that are too long begin at 3.1 to 1,400 times that value, those that train at 1.1 and less",
)
AT_PLATEAU = Threshold(
    name="distance of the loss from its value at equality, relative",
    value=0.1,
    source=f"{_LAB}: batch-hard mining from the first step ends 1 to 7 % above its margin, where cosines are .9993",
)
SMALL_NEGATIVE = Threshold(
    name="margin of negatives over the distance of unrelated embeddings",
    value=0.1,
    source=f"{_LAB}: margins of .03 and less, .02 of 1.41, cost; the smallest of the shipped spaces is 0.4, .28 of it",
)
SMALL_TRIPLET = Threshold(
    name="margin of triplets over the distance of unrelated embeddings",
    value=0.005,
    source=f"{_FIRST}: a third of the smallest margin in the shipped spaces, which is 0.02 of 1.41",
    provisional=True,
)
UNVIOLATED = Threshold(
    name="share of pairs within a margin that is none",
    value=0.01,
    source=f"{_LAB}: none of the pairs of embeddings a thousand times too long lies within the margin, of healthy ones a tenth",
)
SHARP = Threshold(
    name="what similarities are multiplied by: too sharp",
    value=1000.0,
    source="measured on glyphs: in a wider space six of twelve trials of ntxent were spent at temperatures up to .0009 or from 4 on",
)
FLAT = Threshold(
    name="what similarities are multiplied by: too flat",
    value=0.25,
    source="as before: a temperature of 4",
)
OUT_OF_SCALE = Threshold(
    name="distances over a margin, or the other way round",
    value=10.0,
    source=f"{_LAB}: a triplet loss of embeddings as they come has 25 to 29, of unit vectors 6",
)
ONE_DIMENSION = Threshold(
    name="effective rank of embeddings along a line",
    value=2.0,
    source=f"{_LAB}: 1 is a line, 2 a plane, on which embeddings of glyphs score less than untrained ones of 64 dimensions",
)
DEAD = Threshold(
    name="share of units that are 0 for the whole probe",
    value=0.5,
    source=f"{_LAB}: rectifiers that nothing passes have 1, decay that takes all .55 and more; a healthy layer may have half",
)
SAME_DRAW = Threshold(
    name="correlation of two draws of augmentation",
    value=0.95,
    source=f"{_LAB}: one draw for both members gives 1, with a tenth of another .99, a draw for each .22",
)
MODES_APART = Threshold(
    name="distance between the modes, over the length of an embedding",
    value=0.01,
    source=f"{_LAB}: a network with BatchNorm has 2.4, one without 0",
)
NEAR_BOUND = Threshold(
    name="distance from a bound of a space, on its scale",
    value=0.02,
    source="set: a fiftieth of the space",
)
