"""A comparison becomes studies and units: the grid, spaces, identities, seeds and baselines, without anything run."""

from __future__ import annotations

import dataclasses
import json

import pytest
from shared import exam_of

from siambench.components.catalogue import Catalogue
from siambench.errors import ConfigError
from siambench.plugin import BackboneEntry, LossEntry
from siambench.spaces import Float, dimension_to_json
from siambench.spec import PAIRS_SAMPLER, TRIPLETS_SAMPLER, VIEWS_SAMPLER, Drawn, Every, Listed, Method, ModelSpec, Source, Unit
from siambench.studies import plan as planning
from siambench.studies.baselines import baselines_of
from siambench.studies.methods import methods_of, refusal
from siambench.studies.plan import STREAMS, WARMUP, Resolved, check_fixed, study_plans
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track
from siambench.tracks.rules import BudgetRules, MethodRules


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Everything installed, and the synthetic data set."""
    return synthetic_catalogue()


def study_of(catalogue, method="triplet", miner="none", feed="classes", backbone=None, fixed=None, **changes):
    """A study on the tiny exam."""
    track = synthetic_track(**changes)
    return synthetic_study(Method(method, miner, feed, backbone), track=track, catalogue=catalogue, fixed=fixed)


def one_plan(found):
    """The first study of a method."""
    return study_plans(found)[0]


def baselines_of_one(study):
    """The baselines beside one study."""
    return list(baselines_of([study]))


def tune(study, trial=0, fold=0, **params):
    """A tune unit with the defaults or other parameters."""
    return study.tune_unit(trial, fold, {**study.defaults, **params})


def final(study):
    """The first final unit of the first trial at its defaults, after one epoch."""
    return study.final_unit(0, 1, study.defaults, 0)


# ---- the grid


def test_a_grid_is_every_combination_once_in_order():
    """Lists of losses and miners form a grid; a method named twice stands once, where it came first."""
    rules = [
        MethodRules(loss=["triplet", "contrastive"], miner=["none", "hard"]),
        MethodRules(loss="contrastive", feed="pairs"),
        MethodRules(loss="contrastive", miner="hard"),
        MethodRules(loss="triplet", backbone="mlp"),
    ]

    assert [method.name for method in methods_of(rules)] == [
        "triplet",
        "triplet+hard",
        "contrastive",
        "contrastive+hard",
        "contrastive:pairs",
        "triplet@mlp",
    ]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Method("triplet", "hard"), None),
        (Method("contrastive", feed="pairs"), None),
        (Method("proxy-anchor"), None),
        (Method("arcface", "hard"), "arcface forms no tuples that a miner could choose, so hard would have no effect"),
        (Method("triplet", feed="pairs"), "triplet cannot be fed pairs: it takes classes or triplets or views"),
        (Method("triplet", feed="triplets"), None),
        (Method("supcon", feed="views"), None),
        (Method("triplet", "semihard", feed="views"), None),
        (Method("contrastive", "hard", feed="pairs"), "fed pairs, contrastive gets its tuples from the feed"),
        (Method("triplet", "hard", feed="triplets"), "fed triplets, triplet gets its tuples from the feed, so hard would have no effect"),
        (Method("arcface", feed="views"), "arcface cannot be fed views: it takes classes"),
        (Method("supcon", feed="triplets"), "supcon cannot be fed triplets: it takes classes or views"),
        (Method("triplet", "offline-hard"), None),
        (Method("triplet", "offline-hard", feed="triplets"), "fed triplets, triplet gets its tuples from the feed"),
        (
            Method("triplet", "offline-hard", feed="views"),
            "offline-hard chooses among the classes of the whole training set, so with it triplet is fed classes alone",
        ),
        (Method("arcface", "offline-semihard"), "arcface forms no tuples that a miner could choose, so offline-semihard would have no"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(catalogue, method, reason):
    """A miner without effect and a feed that a loss does not take are refused, and the reason says why."""
    found = refusal(method, catalogue.get("losses", method.loss).entry, catalogue.get("miners", method.miner).entry)

    assert found is None if reason is None else found.startswith(reason)


# ---- spaces


def test_every_method_tunes_the_trunk(catalogue):
    """The space is the track's learning rate and weight decay, and what loss and miner bring, by flat names."""
    study = study_of(catalogue, "triplet", "semihard")

    assert set(study.space) == {"optimiser.lr", "optimiser.weight_decay", "loss.margin", "miner.margin"}
    assert study.defaults == {"optimiser.lr": 3e-3, "optimiser.weight_decay": 1e-4, "loss.margin": 0.1, "miner.margin": 0.2}
    assert study.space["loss.margin"] == Float(0.02, 0.7, log=True)
    assert study.template.space == {name: dimension_to_json(dimension) for name, dimension in sorted(study.space.items())}


def test_a_loss_with_parameters_has_their_learning_rate_tuned(catalogue):
    """Proxies' learning rate is a dimension of its own, from the track."""
    assert study_of(catalogue, "arcface").space["loss.lr"] == Float(1e-3, 1.0, log=True)
    assert study_of(catalogue, "arcface").defaults["loss.lr"] == 1e-2
    assert "loss.lr" not in study_of(catalogue, "triplet").space


def test_a_miner_that_needs_it_has_its_warm_up_tuned(catalogue):
    """The warm-up of a hard miner is a dimension in [0, 0.5], its default the entry's; a miner without need has none."""
    study = study_of(catalogue, "triplet", "hard")

    assert study.space["miner.warmup"] == WARMUP == Float(0.0, 0.5)
    assert study.defaults["miner.warmup"] == 0.33
    assert "miner.warmup" not in study_of(catalogue, "triplet", "semihard").space


def test_a_fixed_parameter_leaves_the_space(catalogue):
    """What the user fixes is not searched, has the fixed value in every trial, and marks the study as edited."""
    study = study_of(catalogue, fixed={"loss.margin": 0.7, "miner.warmup": 0.2})

    assert "loss.margin" not in study.space
    assert study.defaults["loss.margin"] == 0.7
    assert study.edited == ("loss.margin",)
    assert study.template.edited == ("loss.margin",)
    assert tune(study).params["loss.margin"] == 0.7


def test_a_fixed_value_must_lie_in_its_space(catalogue):
    """A value outside the space is an error with both."""
    with pytest.raises(ConfigError, match=r"--set loss\.margin=3\.0 lies outside its space Float\(low=0\.02, high=0\.7, log=True"):
        study_of(catalogue, fixed={"loss.margin": 3.0})
    with pytest.raises(ConfigError, match="lies outside"):
        study_of(catalogue, fixed={"loss.margin": "wide"})


def test_with_nothing_to_search_one_trial_is_enough(catalogue):
    """If every parameter is fixed, all trials would be the same: there is one."""
    fixed = {"loss.margin": 0.1, "optimiser.lr": 1e-3, "optimiser.weight_decay": 1e-4}
    assert study_of(catalogue, fixed=fixed).trials == 1
    assert study_of(catalogue).trials == 2


def test_an_unknown_parameter_gets_the_nearest(catalogue):
    """A fixed parameter that no method has is an error with the nearest; one that any method has is fine."""
    studies = [study_of(catalogue, "triplet"), study_of(catalogue, "supcon")]
    check_fixed({"loss.margin": 0.1, "loss.temperature": 0.2}, studies)
    with pytest.raises(ConfigError, match=r"no method here has a parameter 'loss\.margn', did you mean 'loss\.margin'\?; parameters: "):
        check_fixed({"loss.margn": 0.1}, studies)


# ---- units


def test_a_tune_unit_knows_its_trial_and_nothing_of_the_test(catalogue):
    """A tune unit has trial and fold, no epoch to stop at, and computes the primary metric alone."""
    unit = tune(study_of(catalogue), trial=3, fold=1)

    assert (unit.kind, unit.trial, unit.fold, unit.repetition, unit.stop_epoch) == ("tune", 3, 1, 0, None)
    assert unit.scoring.metrics == ("map@r",)


def test_a_final_unit_knows_when_to_stop(catalogue):
    """A final unit has the selected trial and epoch, a repetition, no fold, and reports every metric of the track."""
    study = study_of(catalogue)
    unit = study.final_unit(2, 1, study.defaults, 4)

    assert (unit.kind, unit.trial, unit.fold, unit.repetition, unit.stop_epoch) == ("final", 2, None, 4, 1)
    assert unit.scoring.metrics == synthetic_track().metrics.report


def test_units_survive_json(catalogue):
    """Units of every kind are read back from JSON with the same identity."""
    study = study_of(catalogue, "arcface")
    for unit in (tune(study), study.final_unit(0, 1, study.defaults, 0), *baselines_of_one(study)):
        assert unit.id == Unit.from_json(json.dumps(unit.to_json())).id


def test_the_layout_of_batches_is_the_losss_own(catalogue):
    """Images per class, sampler and normalisation are those that the loss asks for; other feeds have samplers of their own."""
    keys = ("sampler", "images_per_class", "normalise")
    for method, feed, expected in (
        ("triplet", "classes", ("m-per-class", 4, True)),
        ("npair", "classes", ("m-per-class", 2, False)),
        ("arcface", "classes", ("random", 4, True)),
        ("contrastive", "pairs", (PAIRS_SAMPLER, 4, True)),
        ("triplet", "triplets", (TRIPLETS_SAMPLER, 4, True)),
        ("supcon", "views", (VIEWS_SAMPLER, 4, True)),
    ):
        training = tune(study_of(catalogue, method, feed=feed)).training
        assert expected == tuple(getattr(training, key) for key in keys)


@pytest.mark.parametrize(
    ("loss", "own", "asked"), [("supcon", 4, 2), ("npair", 2, 4), ("sum(triplet,npair)", 4, 2), ("arcface", 4, 2), ("clip", 1, 1)]
)
def test_a_track_may_say_how_many_images_of_a_class_a_batch_holds(catalogue, loss, own, asked):
    """`training.images_per_class` is every loss's whose batches hold several of one; without it a track and a unit say what they said."""
    rules = {"batch_size": 8, "images_per_class": max(asked, 2)}
    plain, other = study_of(catalogue, loss, training={"batch_size": 8}).template, study_of(catalogue, loss, training=rules).template

    assert (plain.training.images_per_class, other.training.images_per_class) == (own, asked)
    assert plain.to_json()["training"] == {**other.to_json()["training"], "images_per_class": own}


def test_the_budget_is_the_same_for_all_methods(catalogue):
    """Steps, batch size, folds, trials and seeds do not depend on the method."""
    found = set()
    fed = [("triplet", "classes"), ("npair", "classes"), ("arcface", "classes"), ("contrastive", "pairs"), ("triplet", "triplets")]
    for method, feed in fed:
        study = study_of(catalogue, method, feed=feed)
        training = study.template.training
        length = training.epochs, study.steps, training.steps_per_epoch, training.batch_size
        found.add((study.trials, study.repetitions, study.folds, *length))

    # A final model has twice the images of a fold.
    assert found == {(2, 2, 2, 2, 3, 6, 8)}


def test_another_backbone_does_not_get_the_tracks_options(catalogue):
    """Options of the track's own backbone are not handed to another one, which has its defaults."""
    assert tune(study_of(catalogue)).model.options == {"width": 16, "layers": 1, "dropout": 0.0}
    other = tune(study_of(catalogue, backbone="koch2015")).model
    assert other == ModelSpec(backbone="koch2015", options={"dropout": 0.0}, embedding_size=8)


def test_order_of_parameters_changes_nothing(catalogue):
    """The same parameters in another order are the same unit."""
    study = study_of(catalogue)
    assert study.tune_unit(0, 0, study.defaults).id == study.tune_unit(0, 0, dict(reversed(study.defaults.items()))).id


# ---- seeds


def test_seeds_do_not_depend_on_the_method(catalogue):
    """Two methods have the same seeds, unit by unit; so has one method with other parameters, in every trial."""
    triplet, supcon = study_of(catalogue, "triplet"), study_of(catalogue, "supcon", "multi-similarity")
    for fold in (0, 1):
        assert tune(triplet, 0, fold).seeds == tune(supcon, 5, fold).seeds
    assert triplet.final_unit(0, 1, {}, 3).seeds == supcon.final_unit(1, 2, {}, 3).seeds


def test_seeds_depend_on_all_else(catalogue):
    """Folds, repetitions, kinds of units, data and tracks have seeds of their own, and so has each stream."""
    study = study_of(catalogue)
    units = [
        tune(study, 0, 0),
        tune(study, 0, 1),
        *(study.final_unit(0, 1, {}, repetition) for repetition in range(3)),
        tune(study_of(catalogue, name="other")),
        tune(study_of(synthetic_catalogue(seed=1))),
    ]

    assert set(units[0].seeds) == set(STREAMS)
    assert len({seed for unit in units for seed in unit.seeds.values()}) == len(units) * len(STREAMS)
    assert all(0 <= seed < 2**63 for unit in units for seed in unit.seeds.values())


def test_an_edited_track_keeps_its_seeds(catalogue):
    """Changing a rule by hand leaves the seeds of the track as they are."""
    assert tune(study_of(catalogue)).seeds == tune(study_of(catalogue, name="synthetic+edited")).seeds


# ---- identity of a row


def test_a_row_follows_its_rules(catalogue):
    """Method, fixed values, rules, data, components and defaults each give another row; so nothing wrong is ever resumed."""
    loss = catalogue.get("losses", "triplet")
    studies = {
        "reference": study_of(catalogue),
        "method": study_of(catalogue, "supcon"),
        "miner": study_of(catalogue, miner="hard"),
        "fixed": study_of(catalogue, fixed={"loss.margin": 0.1}),
        "other fixed": study_of(catalogue, fixed={"loss.margin": 0.2}),
        "training": study_of(catalogue, training={"epochs": 3}),
        "space": study_of(catalogue, space={"lr": {"low": 1e-4, "high": 1e-2, "log": True, "default": 3e-3}}),
        "default": study_of(catalogue, space={"lr": {"low": 1e-4, "high": 1e-1, "log": True, "default": 4e-3}}),
        "data": study_of(synthetic_catalogue(noise=3.0)),
        "metrics": study_of(catalogue, metrics={"primary": "recall@1"}),
        "version": study_of(catalogue, version="0.1"),
    }
    newer = dataclasses.replace(loss, entry=dataclasses.replace(loss.entry, build=lambda margin: margin))
    others = [component for component in catalogue.components() if component is not loss]
    studies["component"] = study_of(Catalogue((*others, newer), catalogue.plugins))

    assert len({study.row for study in studies.values()}) == len(studies)


def test_a_row_does_not_follow_its_budget(catalogue):
    """More trials or seeds go on with the same study: its first trials are those it had."""
    small, large = study_of(catalogue), study_of(catalogue, budget={"studies": 1, "trials": 50, "repetitions": 9})

    assert small.row == large.row
    assert tune(small).id == tune(large).id


def test_a_reported_metric_is_no_part_of_tuning(catalogue):
    """One more reported metric, of another distribution too, leaves row and tune units as they are and makes final ones anew."""
    few = study_of(catalogue, metrics={"report": ["map@r"]})
    more = study_of(catalogue, metrics={"report": ["map@r", "eer", "eer@enrol-2", "fine_tune@1", "recall@1-dim-2", "map@r-noise"]})
    local = resolved(catalogue)
    foreign = dataclasses.replace(local, components={**local.components, "metric:else": Source("else", "else", "1" * 64)})

    assert few.row == more.row
    assert tune(few).id == tune(more).id
    assert final(few).id != final(more).id
    assert ("map@r",) == tune(more).scoring.metrics
    first, second = one_plan(local), one_plan(foreign)
    assert (first.row, tune(first).id) == (second.row, tune(second).id)
    assert final(first).id != final(second).id


# ---- baselines


def test_baselines_are_made_once_per_track(catalogue):
    """The raw input is one unit, the untrained backbone one per seed; none depends on the method it was planned beside."""
    first = baselines_of_one(study_of(catalogue, "triplet"))
    second = baselines_of_one(study_of(catalogue, "arcface", fixed={"loss.margin": 10.0}))

    assert [unit.method.name for unit in first] == ["raw", "untrained", "untrained"]
    assert [unit.repetition for unit in first] == [0, 0, 1]
    assert [unit.id for unit in first] == [unit.id for unit in second]
    assert first[1].seeds != first[2].seeds


def test_baselines_follow_the_harness_and_the_backbone(catalogue, monkeypatch):
    """A newer harness runs the baselines anew, and another backbone has an untrained row of its own, but the same raw one."""
    first = baselines_of_one(study_of(catalogue))
    monkeypatch.setattr(planning, "TRAINING_REVISION", 99)
    newer = baselines_of_one(study_of(catalogue))
    monkeypatch.undo()
    other = baselines_of_one(study_of(catalogue, backbone="koch2015"))

    assert {unit.id for unit in first}.isdisjoint(unit.id for unit in newer)
    assert first[0].id == other[0].id
    assert other[1].method.name == "untrained@koch2015"
    assert first[1].id != other[1].id


def test_baselines_start_from_the_weights_that_training_starts_from(catalogue):
    """The untrained row's seeds are those of the final models, repetition by repetition."""
    study = study_of(catalogue)
    untrained = baselines_of_one(study)[1:]

    assert [unit.seeds for unit in untrained] == [study.final_unit(0, 1, study.defaults, r).seeds for r in (0, 1)]


def test_entries_without_a_space_are_tuned_too(catalogue):
    """A loss without parameters still has the trunk's two dimensions, so that it is tuned as others are."""
    loss = catalogue.get("losses", "triplet")
    plain = dataclasses.replace(loss, entry=LossEntry(lambda: None, source="made up"))
    others = [component for component in catalogue.components() if component is not loss]

    assert set(study_of(Catalogue((*others, plain), catalogue.plugins)).space) == {"optimiser.lr", "optimiser.weight_decay"}


def with_weights(catalogue, default):
    """The catalogue with a backbone `mlp` that can start from pretrained weights, and does by this default."""
    mlp = catalogue.get("backbones", "mlp")
    entry = BackboneEntry(
        lambda input_shape, width, layers, dropout, weights: None,
        defaults={**mlp.entry.defaults, "weights": default},
        scratch={"weights": "none"},
        source="made up for tests",
    )
    others = [component for component in catalogue.components() if component is not mlp]
    return Catalogue((*others, dataclasses.replace(mlp, entry=entry)), catalogue.plugins)


def test_pretrained_is_a_baseline_where_training_starts_from_pretrained_weights(catalogue):
    """The baseline `pretrained` is one unit with the track's weights, and `untrained` then starts from none."""
    units = baselines_of_one(study_of(with_weights(catalogue, "imagenet")))

    assert [unit.method.name for unit in units] == ["raw", "untrained", "untrained", "pretrained"]
    assert [unit.model.options["weights"] for unit in units[1:]] == ["none", "none", "imagenet"]


def test_pretrained_is_no_baseline_where_training_starts_from_nothing(catalogue):
    """A backbone that could have weights, but starts without, has no pretrained row."""
    units = baselines_of_one(study_of(with_weights(catalogue, "none")))

    assert {unit.method.name for unit in units} == {"raw", "untrained"}


def test_every_builtin_backbone_with_weights_says_how_it_starts_without():
    """A built-in backbone with an option for weights names the value under which it has none."""
    components = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components("backbones")
    found = {component.name: dict(component.entry.scratch) for component in components if "weights" in component.entry.defaults}

    assert {"resnet18", "resnet50", "bn-inception"} < set(found)
    assert all(scratch == {"weights": "none"} for scratch in found.values())


def test_the_rules_of_scoring_are_part_of_a_unit(catalogue):
    """Another distance or protocol gives other studies and units; an untrained network follows the protocol too."""
    plain, euclid = study_of(catalogue), study_of(catalogue, evaluation={"distance": "euclidean"})
    reality = study_of(catalogue, evaluation={"protocol": "reality-check"})

    assert len({study.row for study in (plain, euclid, reality)}) == 3
    scoring = plain.template.scoring
    assert (scoring.distance, scoring.protocol, scoring.pairs, scoring.maximise) == ("cosine", "retrain", Drawn(), True)
    assert baselines_of_one(plain)[0] == baselines_of_one(reality)[0]
    assert {"reality-check"} == {unit.scoring.protocol for unit in baselines_of_one(reality)[1:]}
    assert {unit.id for unit in baselines_of_one(plain)}.isdisjoint(unit.id for unit in baselines_of_one(euclid))


def resolved(catalogue, **changes):
    """A method on the tiny exam, looked up."""
    plan, track = study_of(catalogue), synthetic_track()
    fields = {
        "method": plan.method,
        "loss": catalogue.get("losses", "triplet").entry,
        "miner": catalogue.get("miners", "none").entry,
        "backbone": catalogue.get("backbones", "mlp").entry,
        "components": plan.template.components,
        "track": track,
        "libraries": {"torch": "2.9"},
        "exam": exam_of(plan.template),
        "dataset_options": {},
        "model_options": plan.template.model.options,
        "augment": {},
        "budget": track.budget,
        "images": (40, (20, 20)),
        "maximise": True,
    }
    return Resolved(**{**fields, **changes})


def test_all_that_a_method_is_resolved_to_is_part_of_its_row(catalogue):
    """Verification pairs (drawn, every, a list by its digest), direction, augmentation and options of the data each give another row."""
    plain = one_plan(resolved(catalogue))
    changes = [
        {"pairs": Every()},
        {"pairs": Listed("a" * 64)},
        {"pairs": Listed("b" * 64)},
        {"maximise": False},
        {"augment": {"flip": True}},
        {"dataset_options": {"size": 3}},
        {"exam": exam_of(plain.template, data="0" * 64)},
        {"exam": exam_of(plain.template, groups="0" * 64)},
        {"model_options": {"width": 8, "layers": 1, "dropout": 0.0}},
    ]
    studies = [plain, *(one_plan(resolved(catalogue, **change)) for change in changes)]

    assert plain.row == study_of(catalogue).row
    assert len({study.row for study in studies}) == len({tune(study).id for study in studies}) == len(studies)
    assert [study.maximise for study in studies].count(False) == 1


def test_a_request_replaces_the_budget_of_the_track(catalogue):
    """Studies, trials and repetitions that are asked for count, and the row stays what it is."""
    studies = study_plans(resolved(catalogue, budget=BudgetRules(studies=4, trials=7, repetitions=3)))

    assert [(number, 7, 3, 2) for number in range(4)] == [(one.study, one.trials, one.repetitions, one.folds) for one in studies]
    assert {study_of(catalogue).row} == {one.row for one in studies}


def test_studies_differ_in_their_random_numbers_alone(catalogue):
    """Two studies of a method have other seeds in every stream, for trials and for final models, and nothing else of their own."""
    one, other = study_plans(resolved(catalogue, budget=BudgetRules(studies=2, trials=7, repetitions=3)))
    for ours, theirs in ((tune(one), tune(other)), (final(one), final(other))):
        assert not set(ours.seeds.values()) & set(theirs.seeds.values())
        assert ours.id != theirs.id
        assert ours == dataclasses.replace(theirs, study=0, seeds=ours.seeds)


@pytest.mark.parametrize(("images", "expected"), [((40, (20, 20)), 6), ((50, (20, 30)), 6), ((41, (20, 20)), 6), ((44, (18, 18)), 7)])
def test_a_final_model_sees_each_image_as_often_as_a_trial_did(catalogue, images, expected):
    """Its steps per epoch are the track's, times its images by the mean of the folds'; a trial takes the track's."""
    steps = {"steps_per_epoch": 3}
    plan = one_plan(resolved(catalogue, track=synthetic_track(training=steps), images=images))
    assert 3 == tune(plan).training.steps_per_epoch
    assert expected == final(plan).training.steps_per_epoch == round(3 * images[0] / (sum(images[1]) / len(images[1])))
    assert tune(plan).training.epochs == final(plan).training.epochs


def test_fold_models_take_their_steps_from_their_own_images(catalogue):
    """Under the Reality Check's protocol a unit holds the steps of a trial: how many images each model has, the worker knows."""
    track = synthetic_track(evaluation={"protocol": "reality-check"}, training={"steps_per_epoch": 3})
    assert 3 == final(one_plan(resolved(catalogue, track=track, images=(60, (20, 30))))).training.steps_per_epoch


@pytest.mark.parametrize(("schedule", "asked", "expected"), [("one-cycle", 0, 6), ("cosine", 2, 2), ("constant", 0, 1), ("plateau", 9, 6)])
def test_a_trial_is_validated_where_it_decides(catalogue, schedule, asked, expected):
    """Where the rate runs out after the last epoch alone, elsewhere after each, unless the track says after how many."""
    track = synthetic_track(training={"schedule": schedule, "epochs": 6, "validate_every": asked})
    assert expected == tune(one_plan(resolved(catalogue, track=track))).training.validate_every


@pytest.mark.parametrize(
    ("trials", "folds", "expected"), [(12, 2, 12 + 3 + 2 + 2), (8, 4, 8 + 9 + 6), (5, 2, 5 + 3 + 1), (2, 3, 6), (1, 2, 2)]
)
def test_the_most_units_that_racing_trials_come_to(catalogue, trials, folds, expected):
    """All of a batch run one fold, the best two and the default the others."""
    plan = dataclasses.replace(study_of(catalogue), trials=trials, folds=folds)
    assert expected == plan.tune_units
    assert trials * folds == dataclasses.replace(plan, racing=False).tune_units


def test_the_versions_of_spaces_are_part_of_a_unit(catalogue):
    """Raising the version of a loss's space gives another study; the miner's stands beside it where there is one."""
    loss = catalogue.get("losses", "triplet")
    newer = dataclasses.replace(loss, entry=dataclasses.replace(loss.entry, space_version=3))
    others = [component for component in catalogue.components() if component is not loss]

    assert study_of(catalogue, miner="hard").template.space_versions == {"loss": 2, "miner": 1}
    assert study_of(Catalogue((*others, newer), catalogue.plugins)).template.space_versions == {"loss": 3}
    assert study_of(catalogue).row != study_of(Catalogue((*others, newer), catalogue.plugins)).row


def test_a_fixed_value_is_of_the_kind_of_its_default(catalogue):
    """Text and true are no numbers, and a whole number where there may be a fraction makes the row that the same with one makes."""
    for value in (True, "0.5", [0.5]):
        with pytest.raises(ConfigError, match=r"--set loss\.margin"):
            study_of(catalogue, fixed={"loss.margin": value})
    whole, real = (
        study_of(catalogue, "contrastive", fixed={"loss.neg_margin": 1}),
        study_of(catalogue, "contrastive", fixed={"loss.neg_margin": 1.0}),
    )
    assert whole.row == real.row
    assert type(whole.defaults["loss.neg_margin"]) is float


# ---- options of a loss, and rates of groups


def test_a_row_without_options_is_what_it_was(catalogue):
    """Nothing of them stands in its units; one with an option set to what it is without is the same row."""
    plain, neutral = study_of(catalogue), study_of(catalogue, fixed={"loss.swap": False, "loss.p": 2, "loss.low": "none"})
    assert plain.row == neutral.row
    assert tune(plain).id == tune(neutral).id
    assert () == neutral.edited
    document = json.dumps(tune(plain).to_json())
    assert not any(f'"loss.{option}"' in document for option in catalogue.get("losses", "triplet").entry.options)


def test_a_row_with_options_is_another_row_and_says_so(catalogue):
    """They stand in its parameters and mark it as edited; its loss has the digest of the code that makes it; 3 and 3.0 are one."""
    plain, swapped = study_of(catalogue), study_of(catalogue, fixed={"loss.swap": True})
    assert plain.row != swapped.row
    assert ("loss.swap",) == swapped.edited
    assert True is tune(swapped).params["loss.swap"]
    assert "loss.swap" not in swapped.space
    assert plain.template.components["loss"] != swapped.template.components["loss"]
    one, same = (study_of(catalogue, fixed={"loss.distance": "lp", "loss.p": p}) for p in (3, 3.0))
    assert one.row == same.row
    assert one.row != study_of(catalogue, fixed={"loss.distance": "lp", "loss.p": 4.0}).row


def test_an_option_with_a_space_of_its_own_is_searched_there(catalogue):
    """Squared distances have margins twice as large, in the unit's space and in its default."""
    plain, squared = study_of(catalogue), study_of(catalogue, fixed={"loss.squared": True})
    assert 2 * plain.defaults["loss.margin"] == squared.defaults["loss.margin"]
    assert squared.template.space["loss.margin"]["high"] == 2 * plain.template.space["loss.margin"]["high"]
    assert 0.3 == study_of(catalogue, fixed={"loss.squared": True, "loss.margin": 0.3}).defaults["loss.margin"]


def test_an_unknown_option_is_named_with_the_nearest(catalogue):
    """A slip in the name of an option is one sentence, whatever else is fixed; of many names the nearest are listed."""
    study = study_of(catalogue, fixed={"loss.swap": True})
    check_fixed({"loss.swap": True, "loss.soft": False}, [study])
    with pytest.raises(ConfigError) as refused:
        check_fixed({"loss.swp": True}, [study])
    assert "no method here has a parameter 'loss.swp', did you mean 'loss.swap'?; parameters: loss.swap, " in str(refused.value)
    assert "the nearest of" in str(refused.value)


def test_groups_of_parameters_are_tuned_each_in_the_track_s_range(catalogue):
    """A loss that names groups has a rate of each in the space and no rate of all; one that says true has the one."""
    entry = dataclasses.replace(catalogue.get("losses", "proxy-anchor").entry, own_parameters=("proxies", "temperature"))
    whole = study_of(catalogue, "proxy-anchor")
    found = one_plan(resolved(catalogue, method=Method("proxy-anchor"), loss=entry))
    assert {"loss.lr.proxies", "loss.lr.temperature"} == {name for name in found.space if name.startswith("loss.lr")}
    assert {"loss.lr"} == {name for name in whole.space if name.startswith("loss.lr")}
    assert whole.space["loss.lr"] == found.space["loss.lr.proxies"] == found.space["loss.lr.temperature"]
    assert whole.defaults["loss.lr"] == found.defaults["loss.lr.proxies"]


def test_how_often_a_training_set_is_mined_is_a_parameter(catalogue):
    """A miner of the whole training set brings `miner.every`, fixed unless the user says another number; one of batches does not."""
    study = study_of(catalogue, "triplet", "offline-semihard")
    edited = study_of(catalogue, "triplet", "offline-semihard", fixed={"miner.every": 3})

    assert set(study.space) == {"optimiser.lr", "optimiser.weight_decay", "loss.margin", "miner.margin"}
    assert study.defaults["miner.every"] == 1
    assert edited.defaults["miner.every"] == 3
    assert edited.edited == ("miner.every",)
    assert edited.row != study.row
    assert "miner.every" not in study_of(catalogue, "triplet", "semihard").defaults
    assert "miner.warmup" in study_of(catalogue, "triplet", "offline-hard").space
    with pytest.raises(ConfigError, match=r"--set miner\.every: it is a number of epochs, at least 1, got 0"):
        study_of(catalogue, "triplet", "offline-semihard", fixed={"miner.every": 0})
    with pytest.raises(ConfigError, match=r"--set miner\.every: it must be a whole number"):
        study_of(catalogue, "triplet", "offline-semihard", fixed={"miner.every": 1.5})


def test_a_chunk_is_a_parameter_of_a_loss_that_has_one(catalogue):
    """A loss in chunks has the size of a chunk among its parameters, which is not tuned; a chunk of no item is refused."""
    study = study_of(catalogue, "gradcache(triplet)", fixed={"loss.chunk": 16})

    assert "loss.triplet.margin" in study.space
    assert not {"loss.chunk", "loss.per_chunk_batchnorm"} & set(study.space)
    assert study.defaults["loss.chunk"] == 16
    assert study.defaults["loss.per_chunk_batchnorm"] is False
    with pytest.raises(ConfigError, match=r"--set loss\.chunk: it is a number of items, at least 1, got -1"):
        study_of(catalogue, "gradcache(triplet)", fixed={"loss.chunk": -1})
    with pytest.raises(ConfigError, match=r"--set loss\.per_chunk_batchnorm: it must be true or false"):
        study_of(catalogue, "gradcache(triplet)", fixed={"loss.per_chunk_batchnorm": 1})
