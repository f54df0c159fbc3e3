from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from siambench.components.component import Provenance
from siambench.errors import RecordError
from siambench.identity import canonical, from_json, to_json
from siambench.spaces import Float, dimension_to_json
from siambench.spec import (
    API,
    BASELINES,
    FEEDS,
    FIXED_BASELINES,
    FORMS,
    NO_MINER,
    RESERVED,
    SIDES,
    TRAINING_REVISION,
    Context,
    DataSpec,
    Drawn,
    Every,
    Feed,
    FeedList,
    Form,
    Listed,
    Method,
    ModelSpec,
    Recipe,
    ScoringSpec,
    Source,
    SplitSpec,
    TrainingSpec,
    Unit,
    feed_asked,
)

SPLIT = SplitSpec(rule="official", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0)
DATA = DataSpec(dataset="synthetic", options={"size": 8}, split=SPLIT, fingerprint="f" * 64, groups="a" * 64)
MODEL = ModelSpec(backbone="mlp", options={}, embedding_size=8)
TRAINING = TrainingSpec(
    epochs=1,
    steps_per_epoch=3,
    batch_size=8,
    optimiser="adamw",
    schedule="cosine",
    precision="fp32",
    validate_every=2,
    early_stopping=0,
    rotate_classes=False,
    sampler="m-per-class",
    images_per_class=4,
    normalise=True,
    augment={"scale": [0.9, 1.1]},
)
SCORING = ScoringSpec(primary="map@r", maximise=True, metrics=("map@r",), distance="cosine", protocol="retrain", pairs=Drawn())


def tiny_unit(**changes):
    """A unit with every field set by hand."""
    fields = {
        "kind": "tune",
        "track": "tiny",
        "track_version": "1.0",
        "method": Method("triplet", "hard"),
        "row": "row",
        "study": 0,
        "trial": 3,
        "fold": 1,
        "repetition": 0,
        "stop_epoch": None,
        "data": DATA,
        "model": MODEL,
        "training": TRAINING,
        "scoring": SCORING,
        "params": {"loss.margin": 0.1, "optimiser.lr": 1e-3},
        "space": {"loss.margin": dimension_to_json(Float(-0.2, 2.0))},
        "space_name": "",
        "space_versions": {"loss": 1, "miner": 1},
        "edited": ("optimiser.lr",),
        "components": {"loss": Source("siambench", "siambench", "1" * 64)},
        "libraries": {"torch": "2.9"},
        "seeds": {"weights": 1, "order": 2},
        "api": 1,
        "revision": 1,
    }
    return Unit(**{**fields, **changes})


def another(value):
    """A value of the same type, of each type that a part of a unit has."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "more")
    if isinstance(value, str):
        return f"{value}-other"
    return {**value, "other": 1} if isinstance(value, dict) else "other"


def test_the_identity_of_a_unit_is_stable():
    """The id of a fixed unit of schema 5, committed here: a change to the canonical form would orphan every record there is."""
    assert tiny_unit().id == "13f8235b0cb9887e5858501d830f4e8d51e62b3b723193e5b9ee737562d8a42a"


def test_the_identity_is_that_of_the_canonical_json():
    """The id is the SHA-256 of the document with sorted keys and no spaces, and does not follow the order of keys."""
    unit = tiny_unit()
    text = json.dumps(unit.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert hashlib.sha256(text.encode()).hexdigest() == unit.id
    backwards = tiny_unit(params=dict(reversed(unit.params.items())), seeds=dict(reversed(unit.seeds.items())))
    assert unit.id == backwards.id


def test_every_field_counts_for_the_identity():
    """A change to any one field gives another id."""
    changes = {
        "kind": "final",
        "track": "other",
        "track_version": "1.1",
        "method": Method("triplet", "hard", backbone="mlp"),
        "row": "other",
        "study": 1,
        "trial": 4,
        "fold": 0,
        "repetition": 1,
        "stop_epoch": 1,
        "data": dataclasses.replace(DATA, dataset="other"),
        "model": None,
        "training": None,
        "scoring": dataclasses.replace(SCORING, distance="euclidean"),
        "params": {"loss.margin": 0.1, "optimiser.lr": 1e-3 + 1e-18},
        "space": {},
        "space_name": "",
        "space_versions": {"loss": 2, "miner": 1},
        "edited": (),
        "components": {},
        "libraries": {},
        "seeds": {},
        "api": 2,
        "revision": 2,
    }
    assert set(changes) == set(tiny_unit().to_json())
    assert len({tiny_unit().id, *(tiny_unit(**{name: value}).id for name, value in changes.items())}) == 24


@pytest.mark.parametrize(("part", "value"), [("data", DATA), ("model", MODEL), ("training", TRAINING), ("scoring", SCORING)])
def test_every_field_of_a_part_counts_for_the_identity(part, value):
    """A change to any one field of the data, the model, the training and the scoring gives another id."""
    names = [field.name for field in dataclasses.fields(value)]
    changed = {
        name: dataclasses.replace(
            value, **{name: dataclasses.replace(SPLIT, folds=3) if name == "split" else another(getattr(value, name))}
        )
        for name in names
        # A recipe has its own test: it is silent of what it does not use.
        if name not in ("pairs", "recipe")
    }
    ids = {tiny_unit().id, *(tiny_unit(**{part: one}).id for one in changed.values())}

    assert len(ids) == 1 + len(changed)


RECIPE = Recipe(
    trained_stages=2, frozen_batchnorm=True, trunk_rate=0.1, trunk_warmup=1, rate_warmup=0.05, decay_all=True, clip_norm=10.0, ema=0.999
)


def test_a_recipe_is_told_where_it_is_used_and_counts_for_the_identity():
    """A unit without one is silent of it; of a recipe what is used stands there, each rule makes another unit, and all is read back."""
    assert "recipe" not in tiny_unit().to_json()["training"]
    used = tiny_unit(training=dataclasses.replace(TRAINING, recipe=Recipe(frozen_batchnorm=True, trained_stages=0)))
    assert used.to_json()["training"]["recipe"] == {"frozen_batchnorm": True, "trained_stages": 0}
    ids = {tiny_unit().id}
    for field in dataclasses.fields(RECIPE):
        one = Recipe(**{field.name: getattr(RECIPE, field.name)})
        ids.add(tiny_unit(training=dataclasses.replace(TRAINING, recipe=one)).id)
    assert len(ids) == 1 + len(dataclasses.fields(RECIPE))
    whole = tiny_unit(training=dataclasses.replace(TRAINING, recipe=RECIPE))
    assert Unit.from_json(json.dumps(whole.to_json())) == whole


def test_every_field_of_the_split_and_each_sort_of_pairs_counts_for_the_identity():
    """A change to any rule of the split, other verification pairs, and another list of them give another id."""
    splits = [dataclasses.replace(SPLIT, **{field.name: another(getattr(SPLIT, field.name))}) for field in dataclasses.fields(SPLIT)]
    pairs = [Every(), Listed("0" * 64), Listed("1" * 64)]
    units = [tiny_unit(data=dataclasses.replace(DATA, split=split)) for split in splits]
    units += [tiny_unit(scoring=dataclasses.replace(SCORING, pairs=one)) for one in pairs]

    assert len({tiny_unit().id, *(unit.id for unit in units)}) == 1 + 5 + 3


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Source)])
def test_where_a_component_comes_from_counts_for_the_identity(field):
    """The plugin, the distribution, its version and the digest of its source each make another unit."""
    where = Source("siambench", "siambench", "1" * 64)
    changed = dataclasses.replace(where, **{field: another(getattr(where, field))})

    assert tiny_unit(components={"loss": changed}).id != tiny_unit(components={"loss": where}).id


UNITS = {
    "tune": tiny_unit(),
    "final": tiny_unit(kind="final", fold=None, stop_epoch=4, scoring=dataclasses.replace(SCORING, pairs=Listed("0" * 64))),
    "raw": tiny_unit(
        kind="final",
        method=Method("raw"),
        row="baseline-raw",
        trial=None,
        fold=None,
        model=None,
        training=None,
        scoring=dataclasses.replace(SCORING, pairs=Every()),
    ),
}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_survives_json(name):
    """Written as JSON text and read back, a unit is the same value with the same id: of tuning, a final one, a baseline."""
    unit = UNITS[name]
    again = Unit.from_json(json.dumps(unit.to_json()))

    assert unit == again
    assert unit.id == again.id
    assert json.dumps(unit.to_json()) == json.dumps(again.to_json())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda document: document.pop("row"), "the key 'row' is missing"),
        (lambda document: document.update(rwo=document.pop("row")), "unknown key 'rwo', did you mean 'row'?"),
        (lambda document: document["training"].update(epoch=3), "unknown key 'training.epoch'"),
        (lambda document: document.update(trial="3"), "trial: input should be a valid integer"),
        (lambda document: document["scoring"].update(pairs={"kind": "some"}), "scoring.pairs"),
        (lambda document: document.update(method="triplet"), "method: "),
    ],
)
def test_what_is_no_unit_is_refused_in_one_sentence(change, sentence):
    """A missing, misspelt or unknown key and a value of another type are a RecordError that names the place."""
    document = tiny_unit().to_json()
    change(document)

    with pytest.raises(RecordError) as caught:
        Unit.from_json(json.dumps(document))
    assert str(caught.value).startswith(f"unit: {sentence}")


def test_the_revision_is_that_of_the_code():
    """A unit carries the training revision and the version of the plugins' contract of the code that plans it."""
    from siambench.testing import synthetic_study

    template = synthetic_study(Method("triplet")).template
    assert (template.revision, template.api) == (TRAINING_REVISION, API)


def test_labels_are_for_people():
    """A unit is called by its method and trial and fold, or its repetition; the number of an independent tuning is named too."""
    assert tiny_unit().label == "triplet+hard trial 3 fold 1"
    assert tiny_unit(kind="final", repetition=2).label == "triplet+hard repetition 2"
    assert tiny_unit(study=1).label == "triplet+hard study 1 trial 3 fold 1"
    assert tiny_unit(kind="final", repetition=2, study=1).label == "triplet+hard study 1 repetition 2"


def test_a_unit_knows_its_space_and_each_parts_parameters():
    """The space of a unit is given back as dimensions, the hyperparameters of a part without its name, and the steps of all epochs."""
    unit = tiny_unit()

    assert unit.dimensions == {"loss.margin": Float(-0.2, 2.0)}
    assert (unit.own("loss"), unit.own("optimiser"), unit.own("miner")) == ({"margin": 0.1}, {"lr": 1e-3}, {})
    assert dataclasses.replace(TRAINING, epochs=4).steps == 12


def test_a_component_in_a_file_makes_a_unit_local():
    """A unit is local where one of its components is a file that nobody else has."""
    installed = Source("soft", "siambench-soft", "a" * 64)
    file = Source("mine.py", "local", "b" * 64)

    assert (installed.is_local, file.is_local) == (False, True)
    assert not tiny_unit(components={"loss": installed}).is_local
    assert tiny_unit(components={"miner": installed, "loss": file}).is_local


def test_where_a_component_comes_from_is_told_in_few_words():
    """Distribution and version, and of a source that can change sixteen digits of its digest."""
    assert str(Provenance("soft", "siambench-soft", "1.0")) == "siambench-soft 1.0"


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (Method("triplet"), "triplet"),
        (Method("triplet", "hard"), "triplet+hard"),
        (Method("contrastive", feed="pairs"), "contrastive:pairs"),
        (Method("triplet", "hard", "classes", "mlp"), "triplet+hard@mlp"),
        (Method("triplet", feed=FeedList("triplets", "1a2b3c4d5e" + "0" * 54), backbone="mlp"), "triplet:triplets=1a2b3c4d@mlp"),
    ],
)
def test_methods_are_named_by_their_parts(method, name):
    """A method's name leaves out what is none or fixed by the track."""
    assert name == method.name
    assert method.baseline is None


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_baseline_is_a_method_of_its_name(baseline):
    """What nothing is trained for is known by its name, whatever its backbone."""
    assert Method(baseline).baseline == baseline
    assert Method(baseline, backbone="mlp").baseline == baseline


def test_names_that_mean_something_are_reserved():
    """The baselines and the miner that stands for none are no names of components; the fixed baselines are among the baselines."""
    assert set(RESERVED) == {*BASELINES, NO_MINER}
    assert set(FIXED_BASELINES) < set(BASELINES)


def test_the_lists_of_feeds_and_forms_are_those_of_their_types():
    """What is checked at run time is what the types say."""
    from typing import get_args

    assert get_args(Feed) == FEEDS
    assert get_args(Form) == (*FORMS, SIDES)


def test_a_feed_from_a_list_is_read_back():
    """A method that is fed from a list is written with the list's digest, and known by what its rows are; others as they always were."""
    method = Method("contrastive", feed=FeedList("pairs", "ab" * 32))
    document = {"loss": "contrastive", "miner": "none", "feed": {"feed": "pairs", "digest": "ab" * 32}, "backbone": None}

    assert document == to_json(method)
    assert method == from_json(Method, canonical(document), where="method")
    assert ("pairs", method.feed, "feed.abababab") == (method.fed, method.listed, method.listed.place)
    assert ("pairs", None) == (Method("contrastive", feed="pairs").fed, Method("contrastive", feed="pairs").listed)
    assert "pairs" == to_json(Method("contrastive", feed="pairs"))["feed"]
    for feed, sentence in (
        ("pears", "method: feed: input should be 'classes', 'pairs', 'triplets' or 'views'"),
        ({"feed": "pairs", "digest": "ab", "path": "/x"}, "method: unknown key 'feed.path'"),
    ):
        with pytest.raises(RecordError, match=f"^{sentence}"):
            from_json(Method, canonical({**document, "feed": feed}), where="method")


@pytest.mark.parametrize(
    ("text", "found"),
    [("pairs", ("pairs", None)), ("triplets=a=b.csv", ("triplets", "a=b.csv")), ("pairs=~/x y", ("pairs", "~/x y"))],
)
def test_a_feed_may_name_a_file(text, found):
    """What stands behind the first sign of equality is the file that lists the rows."""
    assert found == feed_asked(text)


def test_a_context_is_empty_by_default():
    """Without a context a unit writes nothing, knows no local names, and is told to nobody."""
    assert Context() == Context(records=None, openings=None, running=None, local={}, search={}, exact=True, observers=())
