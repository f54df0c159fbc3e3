"""The facts of a unit: what rules may read of it, from its specification, its rows and its outcome."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest
from made import SCORING, TRAINING, done, unit
from measured import TRIPLET, each, healthy, quantiles

from siambench.interfaces import Epoch, Failed
from siambench.plugin import Fingerprint
from siambench.spaces import Float
from siambench.spec import FeedList, Method
from siambench.verdicts import facts_of, looks_collapsed

ROWS = healthy()[:3]


def outcome(*scores, metric="map@r"):
    """One that was validated after each epoch, or not where there is no score."""
    curve = [
        Epoch(number, 0.5, None, None, None if score == "no" else {"recall@1": 0.9, metric: score})
        for number, score in enumerate(scores, 1)
    ]
    return done(curve=tuple(curve))


def tuned(**changes):
    """A tune unit of a triplet loss with a miner and a warm-up of half of its six steps."""
    params = {"loss.margin": 0.3, "miner.warmup": 0.5, "optimiser.lr": 0.01}
    return dataclasses.replace(unit(kind="tune", fold=0, params=params, **changes), method=Method("triplet", "hard"))


def test_what_a_unit_says_of_itself():
    """Steps, warm-up, names, parameters and spaces are the unit's; the batch's value at equality is that of its layout."""
    found = facts_of(tuned(), ROWS, outcome(0.1, 0.3), fingerprint=TRIPLET, wants_unit_length=True)

    assert (found.planned_steps, found.steps, found.warmup_steps) == (6, 6, 3)
    assert (found.loss, found.miner, found.feed, found.backbone, found.embedding_size) == ("triplet", "hard", "classes", "conv4", 8)
    assert (found.schedule, found.normalised, found.wants_unit_length, found.batch_size) == ("constant", True, True, 16)
    assert found.validation == (0.1, 0.3)
    assert found.params["loss.margin"] == found.at_equality == 0.3
    assert found.space == {"loss.margin": Float(0.0, 1.0)}
    assert found.asked == ("--loss", "triplet", "--miner", "hard")
    assert found.rows == ROWS


def test_a_metric_that_is_better_low_changes_its_sign():
    """Of an error that falls the facts rise, the untrained network's too; a validation without a value is None."""
    scoring = dataclasses.replace(SCORING, primary="eer", maximise=False)
    found = facts_of(tuned(scoring=scoring), ROWS, outcome(0.4, "no", None, 0.2, metric="eer"), fingerprint=None, untrained=0.5)

    assert found.untrained == -0.5
    assert found.validation == (-0.4, None, -0.2)
    plain = facts_of(tuned(), ROWS, outcome(0.4, "no", None, 0.2), fingerprint=None)
    assert plain.validation == (0.4, None, 0.2)
    assert plain.known == (0.4, 0.2)


def test_the_value_at_equality_is_that_of_batches_by_class_alone():
    """It is asked with classes and items; of batches at random, of one item a class, or where it cannot be told, it is not known."""
    shape = Fingerprint(forms_tuples=True, at_equality=lambda params, classes, items: 100 * classes + items)

    def told(fingerprint, **changes):
        rules = dataclasses.replace(TRAINING, **changes)
        return facts_of(tuned(training=rules), ROWS, outcome(), fingerprint=fingerprint).at_equality

    assert told(shape) == 404
    assert told(shape, sampler="random") is None
    assert told(shape, images_per_class=1) is None
    assert told(shape, batch_size=4) is None
    assert told(Fingerprint(forms_tuples=True, at_equality=lambda params, *_: params["no such"])) is None
    assert told(Fingerprint(forms_tuples=True)) is None
    assert told(None) is None


def test_a_unit_that_failed_is_told_so():
    """How it ended and why is the outcome's; validations that it had not are none."""
    found = facts_of(tuned(), (), Failed(error="the loss became nan", ended="diverged"), fingerprint=None)

    assert (found.ended, found.error, found.validation, found.steps) == ("diverged", "the loss became nan", (), 0)


def test_a_method_from_a_list_has_no_command():
    """Where the list lies is a fact of the machine: no command can be told."""
    listed = dataclasses.replace(tuned(), method=Method("triplet", feed=FeedList("triplets", "1" * 64)))

    assert facts_of(listed, ROWS, outcome(), fingerprint=None).asked == ()


def test_rows_look_collapsed_by_their_last():
    """Spread below the threshold, or no length, in the last row; none in the first, in no row, or in one that is not finite."""
    assert looks_collapsed(each(healthy(), spread=1e-6, auc=0.6))
    assert looks_collapsed(each(healthy(), spread=None, norms=quantiles(0.0), auc=None))
    assert not looks_collapsed(each(healthy(), spread=1e-6, auc=0.6, finite=False))
    assert not looks_collapsed((each(healthy(), spread=1e-6, auc=0.6)[1], healthy()[6]))
    assert not looks_collapsed(())
    # Where the probe's classes have clearly parted, no score of the untrained network is worth its time.
    assert not looks_collapsed(each(healthy(), spread=1e-6, auc=0.8))
    assert looks_collapsed(each(healthy(), spread=1e-6, auc=0.74))


def test_chance_is_the_value_at_equality_or_that_of_a_softmax_over_classes():
    """Of a loss of tuples chance is its value at equality; of a softmax, the logarithm of the number of classes; of others not known."""
    unit = tuned()

    def chance(fingerprint, **given):
        return facts_of(unit, ROWS, outcome(), fingerprint=fingerprint, **given).at_chance

    assert chance(Fingerprint(forms_tuples=True, at_equality=lambda *_: 0.3), num_classes=50) == 0.3
    assert chance(Fingerprint(forms_tuples=False, scale="scale"), num_classes=50) == math.log(50)
    assert chance(Fingerprint(forms_tuples=False, temperature="t"), num_classes=50) == math.log(50)
    assert chance(Fingerprint(forms_tuples=False, scale="scale")) is None
    assert chance(Fingerprint(forms_tuples=False), num_classes=50) is None
    assert chance(None, num_classes=50) is None


@pytest.mark.parametrize("module", ["siambench.verdicts", "siambench.board.verdicts"])
def test_judging_is_light(module):
    """Neither torch nor pluggy nor Optuna comes in with it: a table is made, and a run looked at, without them."""
    code = f"import {module}, sys; print([name for name in ('torch', 'pluggy', 'optuna') if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
