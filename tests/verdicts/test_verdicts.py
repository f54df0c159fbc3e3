"""The verdicts, on rows made by hand: when each holds, and what must not be taken for it."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
import torch
from measured import CLASSES, CONTRASTIVE, each, facts, healthy, last, part, quantiles, row

from siambench.plugin import Fingerprint
from siambench.spaces import Choice, Float
from siambench.verdicts import OK, VERDICTS, judged, named_first, order_of, verdicts
from siambench.verdicts.thresholds import COLLAPSED_NORM, TINY_GRADIENT

ALIKE = {"spread": 1e-5, "auc": 0.6, "moved": 1e-4}


def verdict(rows=None, **changed):
    return judged(facts(rows, **changed)).verdict


def test_the_verdicts_are_asked_in_the_order_of_the_issue():
    """The eleven verdicts stand in their order, `ok` last."""
    assert verdicts() == (
        *("diverged", "frozen", "batch-unfit", "label-mixup", "no-signal", "starved", "collapsed", "exploding", "vanishing"),
        *("overfitted", "under-trained", "ok"),
    )


def test_a_healthy_run_is_ok():
    """Of a run in which classes part and validation rises, nothing is said."""
    found = judged(facts())

    assert (found.verdict, found.findings) == (OK, ())


def test_where_nothing_is_known_nothing_holds():
    """Without rows, validations or a fingerprint no rule holds; nor where every measure of a row is missing."""
    bare = tuple(row(epoch, **dict.fromkeys(NULLABLE), parts={}, branches=()) for epoch in range(4))

    assert judged(facts((), fingerprint=None, at_equality=None, validation=(), params={})).verdict == OK
    assert judged(facts(each(bare, loss=0.5), fingerprint=None, validation=(), at_equality=None, params={})).findings == ()


NULLABLE = (
    "active",
    "idle",
    "classes",
    "repeated",
    "positive",
    "negative",
    "auc",
    "spread",
    "effective_rank",
    "norms",
    "moved",
    "dead_units",
    "input_spread",
    "input_auc",
)


def test_diverged_is_told_by_how_the_run_ended_and_by_rows_that_are_not_finite():
    """A run that left the finite numbers is `diverged`, with its error as evidence; so is one whose last loss or embedding is none."""
    ended = judged(facts((), ended="diverged", error="the loss became nan at step 3 of the epoch"))

    assert ended.verdict == "diverged"
    assert ended.findings[0].evidence == "the loss became nan at step 3 of the epoch"
    assert ended.findings[0].severity == "fatal"
    assert verdict(last(healthy(), loss=None)) == "diverged"
    assert verdict(last(healthy(), finite=False)) == "diverged"
    assert verdict((), ended="raised", error="ValueError: a shape") == OK


@pytest.mark.parametrize("name", ["trunk", "head", "loss", "loss.proxies"])
def test_a_part_without_a_gradient_in_every_row_is_frozen(name):
    """A part none of whose tensors got a gradient is `frozen`, whichever it is, and the evidence names it."""
    rows = each(healthy(), parts={"trunk": part(), "head": part(), name: part(parameters=3, unreached=3, gradient_norm=None)})
    found = judged(facts(rows))

    assert found.verdict == "frozen"
    assert "none of the 3 tensors of " in found.findings[0].evidence
    assert "36 measured steps" in found.findings[0].evidence


def test_a_part_in_no_optimiser_is_frozen():
    """Proxies that get a gradient and stand in no group of the optimiser are `frozen`."""
    rows = each(healthy(), parts={"trunk": part(), "loss": part(parameters=1, unlisted=1, update_ratio=0.0, rate=None)})
    found = judged(facts(rows, fingerprint=CLASSES))

    assert found.verdict == "frozen"
    assert "of the 1 tensor of the loss none stands in a group" in found.findings[0].evidence


def test_frozen_is_judged_by_gradient_not_by_movement():
    """Adam with decay moves what gets no gradient: it is frozen; a rate of 0 moves nothing of what gets one: it is not."""
    decayed = each(healthy(), parts={"trunk": part(unreached=6, gradient_norm=None, update_ratio=1e-3), "head": part()})
    still = each(healthy(auc=0.7), parts={"trunk": part(update_ratio=0.0, rate=0.0), "head": part(update_ratio=0.0, rate=0.0)})

    assert verdict(decayed) == "frozen"
    assert verdict(still) == "under-trained"


def test_what_the_unit_does_not_mean_to_train_is_never_frozen():
    """A frozen trunk or BatchNorm is no part, or one of no tensors; a bias whose gradients cancel is a tensor, not a part."""
    no_part = each(healthy(), parts={"head": part(parameters=2, unreached=1)})
    of_nothing = each(healthy(), parts={"trunk": part(parameters=0, gradient_norm=None, update_ratio=None), "head": part()})

    assert verdict(no_part) == OK
    assert verdict(of_nothing) == OK


def test_warm_up_steps_and_a_schedule_s_last_steps_freeze_nothing():
    """A part without a gradient in some epochs alone is not frozen, be they the first or the last."""
    silent = {"trunk": part(unreached=6, gradient_norm=None), "head": part()}
    rows = healthy()

    assert verdict((rows[0], dataclasses.replace(rows[1], parts=silent), *rows[2:])) == OK
    assert verdict(last(rows, parts=silent)) == OK


def test_a_loss_without_a_gradient_is_frozen():
    """A unit that raised because its value depends on nothing that is trained is `frozen`, whoever says it."""
    for error in ("PluginError: loss 'x' returned a value without a gradient", "RuntimeError: element 0 of tensors does not require grad"):
        assert verdict((), ended="raised", error=error) == "frozen"
    assert verdict((), unregistered=("proxies",)) == "frozen"


def test_where_no_tuple_costs_nothing_is_frozen():
    """No gradient and a loss of 0, as every tuple is easy, freeze no part; with a loss that costs, or one that always teaches, they do."""
    silent = {name: part(unreached=6, gradient_norm=None) for name in ("trunk", "head")}
    rows = each(healthy(auc=0.999), parts=silent, idle=1.0, active=0.0, loss=0.0)

    assert verdict(rows) == OK
    assert verdict(rows, fingerprint=None) == OK
    assert verdict(rows, fingerprint=CLASSES) == "frozen"
    assert verdict(each(rows, loss=0.1)) == "frozen"


def test_a_loss_whose_own_parameters_are_none_is_frozen():
    """Proxies that a loss says it has, and keeps as a plain tensor, stand among no parameters: `frozen`, and the evidence names them."""
    found = judged(facts(each(healthy(), parts={"trunk": part(), "loss.proxies": part(parameters=0, gradient_norm=None)})))

    assert found.verdict == "frozen"
    assert "the loss's proxies" in found.findings[0].evidence


def test_batches_that_form_no_tuple_are_unfit():
    """One class in each batch, one item of each class, or copies for positives: `batch-unfit` for a loss that forms tuples alone."""
    for changed in ({"classes": 1.0}, {"classes": 128.0}, {"repeated": 0.75}):
        rows = each(healthy(), **changed)
        assert verdict(rows) == "batch-unfit", changed
        assert verdict(rows, fingerprint=CLASSES) == OK, changed
        assert verdict(rows, fingerprint=None) == OK, changed
    assert verdict(each(healthy(), repeated=0.3)) == OK
    # Two images of a class for four places: half of them, not the larger part.
    assert verdict(each(healthy(), repeated=0.5)) == OK
    assert verdict(each(healthy(), classes=1.0)[:3] + healthy()[3:]) == OK
    # Labels of views and of pairs are another thing than classes by four.
    assert verdict(each(healthy(), classes=128.0), feed="views") == OK
    # Of two encoders an item's sides are each other's positive.
    assert verdict(each(healthy(), classes=128.0), backbone="conv4|gated-bag") == OK
    assert verdict(each(healthy(), classes=1.0), backbone="conv4|gated-bag") == "batch-unfit"


def test_positives_further_apart_than_negatives_and_more_so_than_before_are_a_mix_up():
    """`label-mixup` needs both: positives beyond negatives, and training that made it so."""
    swapped = each(healthy(), positive=quantiles(1.3), negative=quantiles(0.5), auc=0.1)
    found = judged(facts(swapped))
    always = (dataclasses.replace(swapped[0], positive=quantiles(1.4), negative=quantiles(0.5), auc=0.1), *swapped[1:])

    assert found.verdict == "label-mixup"
    assert "1.3 apart and negatives 0.5" in found.findings[0].evidence
    assert verdict(always) != "label-mixup"
    assert verdict(each(healthy(), positive=quantiles(1.005), negative=quantiles(1.0), auc=0.499)) != "label-mixup"
    # An AUC that is chance's but for the choice of the probe says nothing: so end items that are all alike.
    assert verdict(each(healthy(), positive=quantiles(1.05), negative=quantiles(1.0), auc=0.42)) != "label-mixup"


def test_a_validation_below_the_untrained_network_is_no_mix_up():
    """A rate that is a thousand times too low gives a score below untrained: that says nothing of the labels."""
    rows = each(healthy(), auc=0.66, positive=quantiles(1.0), negative=quantiles(1.1))

    assert verdict(rows, validation=(0.1, 0.1, 0.1), untrained=0.2) != "label-mixup"


def test_constant_inputs_and_shuffled_labels_are_no_signal():
    """Items that are all one, or an AUC of chance both before and after: `no-signal`; chance in one of them alone is not."""
    rows = healthy()
    constant = (dataclasses.replace(rows[0], input_spread=1e-5), *rows[1:])
    chance = (dataclasses.replace(rows[0], auc=0.51), *each(rows, auc=0.48)[1:])

    assert verdict(constant) == "no-signal"
    assert verdict(chance) == "no-signal"
    assert verdict((dataclasses.replace(rows[0], auc=0.51), *rows[1:])) == OK
    # Items of one class are nearer than others, and the network does not see it: embeddings of one number do not.
    assert verdict((dataclasses.replace(chance[0], input_auc=0.7), *chance[1:]), validation=()) != "no-signal"
    assert verdict((dataclasses.replace(chance[0], input_auc=0.53), *chance[1:])) == "no-signal"
    assert verdict(each(rows, auc=0.48), validation=()) != "no-signal"
    # An untrained network makes near-equal embeddings of different items.
    assert verdict((dataclasses.replace(rows[0], spread=1e-6), *rows[1:])) == OK


def test_a_network_that_hides_what_items_say_is_not_taken_for_labels_that_say_nothing():
    """All embeddings one, before and after, of items that differ: the network has `collapsed`, and the labels may say what they like."""
    rows = each((dataclasses.replace(healthy()[0], auc=0.5, spread=0.0), *healthy()[1:]), auc=0.5, spread=0.0)

    assert verdict(rows, validation=()) == "collapsed"
    assert verdict((dataclasses.replace(rows[0], input_spread=None), *rows[1:]), validation=()) == "collapsed"
    assert verdict((dataclasses.replace(rows[0], input_spread=0.0), *rows[1:]), validation=()) == "no-signal"
    # Scores of embeddings that are equal are those of the order in which ties are taken: no gain.
    assert verdict(rows, validation=(0.3, 0.3, 0.3), untrained=0.1) == "collapsed"


def test_starved_needs_tuples_and_a_probe_that_is_not_separated():
    """No active tuple in nine steps of ten is `starved` where classes are not apart, `ok` where they are, and no matter without tuples."""
    idle = each(healthy(auc=0.7), idle=0.95)

    assert verdict(idle) == "starved"
    # Embeddings of one number get no gradient of a loss that costs all the same.
    assert verdict(each(healthy(auc=0.7), idle=1.0, loss=1.0)) != "starved"
    assert verdict(each(healthy(auc=0.7), idle=1.0, loss=0.0)) == "starved"
    assert verdict(each(healthy(auc=0.995), idle=1.0)) == OK
    assert verdict(idle, fingerprint=CLASSES) == OK
    assert verdict(idle, fingerprint=None) == OK
    assert verdict(each(healthy(auc=0.7), idle=0.85)) == OK


def test_the_share_of_idle_steps_is_weighed_by_steps():
    """Two epochs of 1 and 9 measured steps with idle shares 0 and 1 are idle in 90 % of the steps."""
    rows = healthy(auc=0.7)
    two = (rows[0], dataclasses.replace(rows[1], steps=1, idle=0.0), dataclasses.replace(rows[2], steps=9, idle=1.0, loss=0.0))

    assert verdict(two, validation=()) == "starved"
    assert verdict((two[0], dataclasses.replace(two[1], steps=2), two[2]), validation=()) == OK


def test_contrastive_beyond_its_margin_is_not_starved():
    """Positives still pull where every negative is beyond the margin: no verdict, and a finding that tells both shares."""
    rows = each(healthy(auc=0.7), violated={"pos_margin": 1.0, "neg_margin": 0.0}, idle=0.0)
    given = {
        "fingerprint": CONTRASTIVE,
        "params": {"loss.pos_margin": 0.0, "loss.neg_margin": 1.0},
        "normalised": False,
        "loss": "contrastive",
    }
    found = judged(facts(rows, **given))

    assert found.verdict == OK
    assert [one.name for one in found.findings] == ["margin-too-small"]
    assert "0% of the probe's negatives lie within it, while 100% of the positives still cost" in found.findings[0].evidence


def test_collapsed_needs_equal_embeddings_and_no_score_above_untrained():
    """Equal embeddings alone are no collapse: validation above the untrained network's says so, or the AUC where it is not known."""
    rows = each(healthy(), **ALIKE)

    assert verdict(rows, validation=(0.1, 0.11, 0.1), untrained=0.12) == "collapsed"
    assert verdict(rows, validation=(0.1, 0.13, 0.1), untrained=0.12) == OK
    assert verdict(rows, validation=()) == "collapsed"
    assert verdict(each(healthy(), spread=1e-5, auc=0.8), validation=()) == OK
    assert verdict(each(healthy(), spread=0.1, auc=0.6), validation=()) != "collapsed"
    # Of embeddings without length a spread is nothing.
    assert verdict(each(healthy(), spread=None, norms=quantiles(0.0), auc=0.5), validation=()) == "collapsed"


def test_batch_hard_that_learns_on_its_plateau_is_no_collapse_but_a_finding():
    """Embeddings nearly equal, the loss at its margin, and a score above untrained: verdict `ok`, finding `plateau`."""
    rows = each(healthy(), **{**ALIKE, "loss": 0.1003})
    found = judged(facts(rows, validation=(0.2, 0.22, 0.25), untrained=0.12))

    assert found.verdict == OK
    assert [one.name for one in found.findings] == ["plateau"]


def test_one_long_step_explodes_where_it_costs_and_long_steps_throughout_in_any_case():
    """One epoch of long steps, or a loss that doubles, are `exploding` only where nothing is gained; long steps in all epochs always."""
    long = {"trunk": part(update_ratio=0.15), "head": part()}
    rows = (*healthy(auc=0.6)[:1], dataclasses.replace(healthy(auc=0.6)[1], parts=long), *healthy(auc=0.6)[2:])
    risen = tuple(dataclasses.replace(one, loss=0.1 * 3**one.epoch) if one.epoch else one for one in healthy(auc=0.6))

    assert verdict(rows, validation=()) == "exploding"
    assert verdict(risen, validation=()) == "exploding"
    assert verdict(rows, validation=(0.2, 0.3, 0.4), untrained=0.1) == OK
    throughout = judged(facts(each(healthy(), parts={"trunk": part(update_ratio=0.04), "head": part(update_ratio=0.08)})))
    assert throughout.verdict == "exploding"
    assert "over all epochs a step changed each part of the network by 4.0% of its length and more" in throughout.findings[0].evidence
    # Weight decay makes a head short, and steps long beside it, at no cost; so it is where the head alone trains.
    assert verdict(each(healthy(), parts={"trunk": part(update_ratio=0.02), "head": part(update_ratio=0.07)})) == OK
    assert verdict(each(healthy(), parts={"head": part(update_ratio=0.07)})) == OK
    assert verdict(each(healthy(), parts={"trunk": part(update_ratio=0.07), "head": part(update_ratio=None)})) == OK
    # Proxies are no part of the network: how short they are drawn is the loss's own affair.
    assert verdict(each(healthy(), parts={"trunk": part(), "loss.proxies": part(update_ratio=0.5)})) == OK


def test_vanishing_is_a_reached_part_with_next_to_no_gradient():
    """A trunk with a gradient of 1e-10 in every epoch and nothing gained is `vanishing`; in one epoch alone it is not."""
    tiny = {"trunk": part(gradient_norm=1e-10), "head": part()}
    rows = each(healthy(auc=0.65), parts=tiny)

    assert verdict(rows, validation=()) == "vanishing"
    assert verdict((*rows[:-1], dataclasses.replace(rows[-1], parts={"trunk": part(), "head": part()})), validation=()) == OK
    assert verdict(each(healthy(), parts=tiny)) == OK


def test_overfitted_needs_three_validations_that_fall_while_the_probe_rises():
    """A fall over the last third with a rising probe is `overfitted`; with two validations, a falling probe or a small fall it is not."""
    falling = (0.2, 0.3, 0.4, 0.4, 0.36, 0.3)

    assert verdict(validation=falling) == "overfitted"
    assert verdict(validation=(0.4, 0.3)) == OK
    assert verdict(validation=(0.2, 0.3, 0.4, 0.4, 0.395, 0.39)) == OK
    assert verdict(validation=(0.4, 0.3, 0.3, 0.3, 0.3, 0.31)) == OK
    assert verdict(last(healthy(), auc=0.7), validation=falling) == OK
    assert verdict(validation=(0.2, 0.3, None, 0.4, 0.36, 0.3)) == OK


def test_a_score_that_is_better_low_is_judged_with_its_sign_changed():
    """Errors that rise over the last third are validations that fall: -0.2, -0.2, -0.3."""
    assert verdict(validation=(-0.3, -0.2, -0.2, -0.2, -0.25, -0.3)) == "overfitted"
    assert verdict(validation=(-0.3, -0.2, -0.2, -0.2, -0.18, -0.15)) == OK


def test_under_trained_is_judged_with_three_validations_alone():
    """Weights that go nowhere in all steps together are `under-trained`; not with two validations, nor where the last epochs alone rest."""
    still = each(healthy(auc=0.7), parts={"trunk": part(update_ratio=1e-5), "head": part(update_ratio=1e-4)})

    found = judged(facts(still, validation=(0.12, 0.12, 0.12)))
    assert found.verdict == "under-trained"
    assert "no part of the network by more than 0.0036 of its length" in found.findings[0].evidence
    assert verdict(still, validation=(0.12, 0.12)) == OK
    assert verdict((*healthy()[:4], *still[4:])) == OK
    # Statistics of BatchNorm move embeddings in an epoch in which no weight moves.
    assert verdict(each(still, moved=1.2)) == "under-trained"
    # The steps of a unit are those of its epochs, of which some are measured.
    assert verdict(still, steps=6 * 10_000) == OK
    # Weights of another task need not go far: where classes part, they have gone far enough.
    assert verdict(each(still, auc=0.8)) == OK
    # Proxies that move are no network that does; of a part that is not measured nothing is known.
    moving = {"trunk": part(update_ratio=1e-5), "loss": part()}
    assert verdict(each(healthy(auc=0.7), parts=moving)) == "under-trained"
    assert verdict(each(healthy(auc=0.7), parts={"trunk": part(update_ratio=None)})) == OK


def test_a_rate_that_sinks_long_before_the_end_is_under_trained():
    """A rate cut to a tenth after each of six epochs leaves steps worth 19 % of a level rate's; halved each time, 33 %, it is let be."""

    def sinking(by):
        return tuple(
            one if one.epoch == 0 else dataclasses.replace(one, parts={"trunk": part(rate=1e-3 * by**one.epoch)}) for one in healthy()
        )

    found = judged(facts(sinking(0.1)))
    assert found.verdict == "under-trained"
    assert "36 steps are worth 7 at the full rate" in found.findings[0].evidence
    assert verdict(sinking(0.5)) == OK
    assert verdict(sinking(0.1), validation=(0.1, 0.2)) == OK


def test_under_trained_is_also_what_twice_the_steps_would_improve():
    """Where both are known, a gain of twice the steps beyond the spread between repetitions is `under-trained`, a smaller one is not."""
    assert verdict(gain_of_twice=0.05, repetition_sd=0.01) == "under-trained"
    assert verdict(gain_of_twice=0.005, repetition_sd=0.01) == OK
    assert verdict(gain_of_twice=0.05) == OK


def test_the_first_verdict_that_holds_is_told():
    """Of a run that is mixed up and collapsed and overfitted at once the first is told, and findings beside it."""
    rows = each(healthy(), **{**ALIKE, "loss": 0.1003, "positive": quantiles(0.01), "negative": quantiles(0.005), "auc": 0.1})
    found = judged(facts(rows, validation=(0.4, 0.3, 0.1), untrained=0.5))

    assert found.verdict == "label-mixup"
    assert [one.name for one in found.findings] == ["label-mixup", "plateau"]


def test_an_attempt_is_a_command_that_the_method_takes():
    """The first attempt that goes with the method is told: a warm-up where it has one, else a lower rate; none without a command."""
    rows = each(healthy(), **ALIKE)
    space = {"optimiser.lr": Float(3e-4, 3e-2, log=True), "miner.warmup": Float(0.0, 0.5)}

    def attempt(miner="none", **changed):
        params = {"loss.margin": 0.1, "optimiser.lr": 1e-2} | ({"miner.warmup": 0.0} if miner == "hard" else {})
        given = {"miner": miner, "params": params, "space": space, "validation": ()}
        return judged(facts(rows, **{**given, **changed})).findings[0].attempt

    assert attempt("hard", asked=("--loss", "triplet", "--miner", "hard")) == (
        "siambench run --loss triplet --miner hard --set miner.warmup=0.33"
    )
    assert attempt() == "siambench run --loss triplet --set optimiser.lr=0.001"
    assert attempt(asked=("--loss", "xbm(triplet)")) == "siambench run --loss 'xbm(triplet)' --set optimiser.lr=0.001"
    assert attempt(asked=()) == ""


def test_an_attempt_stays_inside_the_space():
    """A value outside of the space, which would be refused, becomes its bound; where that is the value already, or none is known, none."""
    rows = each(healthy(), **ALIKE)

    def attempt(rate, **space):
        given = {"params": {"loss.margin": 0.1, "optimiser.lr": rate}, "space": space, "validation": ()}
        return judged(facts(rows, **given)).findings[0].attempt

    bounds = {"optimiser.lr": Float(0.00034567, 3e-2, log=True)}
    assert attempt(1e-3, **bounds) == "siambench run --loss triplet --set optimiser.lr=0.00034567"
    assert attempt(0.00035, **bounds) == ""
    assert attempt(1e-3) == ""
    assert attempt(1e-3, **{"optimiser.lr": Choice(1e-3, 1e-2)}) == ""


def test_a_miner_is_an_attempt_where_the_loss_takes_one():
    """Of a loss with margins, fed by classes and without a miner, harder tuples are an attempt; elsewhere they are none."""
    rows = each(healthy(auc=0.7), idle=1.0, loss=0.0)

    assert judged(facts(rows)).findings[0].attempt == "siambench run --loss triplet --miner semihard"
    assert judged(facts(rows, miner="hard")).findings[0].attempt == ""
    assert judged(facts(rows, feed="triplets")).findings[0].attempt == ""
    assert judged(facts(rows, fingerprint=Fingerprint(forms_tuples=True))).findings[0].attempt == ""


def test_of_several_models_the_first_verdict_counts_and_each_finding_once():
    """Of three diagnoses the verdict that is asked first is told, its finding first; the others' findings stand once each."""
    collapsed = judged(facts(each(healthy(), **{**ALIKE, "loss": 0.1003}), validation=()))
    dead = judged(facts(each(healthy(), dead_units=0.9)))
    both = named_first([dead, collapsed, dead])

    assert named_first([]) is None
    assert both.verdict == "collapsed"
    assert [one.name for one in both.findings] == ["collapsed", "plateau", "dead-units"]
    assert named_first([judged(facts()), judged(facts())]).verdict == OK
    assert order_of("diverged") < order_of("collapsed") < order_of("a-later-one") == order_of(OK)


def test_judging_is_pure():
    """Twice the same facts give the same diagnosis, and a fingerprint that nobody knows of changes nothing."""
    given = facts(each(healthy(), **ALIKE), validation=())

    assert judged(given) == judged(given)
    assert judged(dataclasses.replace(given, fingerprint=Fingerprint(forms_tuples=True))).verdict == "collapsed"


def test_each_rule_says_where_its_numbers_are_from():
    """Each verdict has a condition, a remedy, and thresholds with sources, or a source of its own."""
    for rule in VERDICTS:
        assert rule.condition
        assert rule.remedy
        assert rule.source or rule.thresholds
        assert all(threshold.source for threshold in rule.thresholds)


def test_thresholds_that_are_torch_s_are_torch_s():
    """The length below which nothing is normalised and the gradient below which Adam's steps shrink are torch's own defaults."""
    assert inspect.signature(torch.nn.functional.normalize).parameters["eps"].default == COLLAPSED_NORM.value
    assert inspect.signature(torch.optim.Adam).parameters["eps"].default == TINY_GRADIENT.value
