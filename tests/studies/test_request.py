"""A request is resolved against what is installed, and all that can be wrong with it is found before anything runs."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import CombinationError, ConfigError, DataError, DataMissingError, EmptyPlanError, UnknownNameError, UsageError
from siambench.interfaces import OfficialPairs
from siambench.plugin import DatasetEntry
from siambench.spec import Drawn, Every, Listed
from siambench.studies.request import Request, prepare, repetitions_of
from siambench.testing import synthetic_catalogue, synthetic_dataset
from siambench.tracks.rules import BudgetRules, Comparison

TRACK = """
schema = 1
name = "tiny"
version = "1.0"
[dataset]
name = "synthetic"
[model]
backbone = "mlp"
embedding_size = 8
[model.options]
width = 16
layers = 1
[training]
epochs = 2
steps_per_epoch = 3
batch_size = 8
[budget]
trials = 2
studies = 1
repetitions = 3
"""


@pytest.fixture(scope="module")
def catalogue():
    """Everything installed, and the synthetic data set."""
    return synthetic_catalogue()


@pytest.fixture
def asked(tmp_path, catalogue):
    """Resolve a request on a tiny track, of which ``more`` are further lines of its file."""

    def make(*losses, more="", track=TRACK, catalogue=catalogue, **fields):
        (tmp_path / "track.toml").write_text(track + more)
        return prepare(Request(track=str(tmp_path / "track.toml"), losses=losses or ("triplet",), **fields), catalogue)

    return make


# ---- what comes of it


def test_a_grid_of_losses_and_miners_is_resolved(asked):
    """Every combination that makes sense is a study, the others are refused with a reason; baselines are there once for all."""
    prepared = asked("triplet", "arcface", miners=("none", "hard"))
    assert ["triplet", "triplet+hard", "arcface"] == [study.method.name for study in prepared.studies]
    assert ["arcface+hard"] == [refused.method.name for refused in prepared.refused]
    assert "forms no tuples" in prepared.refused[0].reason
    assert ["raw", *["untrained"] * 3] == [unit.method.name for unit in prepared.baselines]
    assert 3 * (2 * 2 + 3) + 1 + 3 == prepared.planned
    assert ("tiny", "max", {}) == (prepared.track.name, prepared.direction, prepared.local)


def test_one_combination_without_sense_is_an_error_and_so_are_many(asked):
    """Alone, its reason is the error; where all of a grid are refused there is nothing to run, and each reason is told."""
    with pytest.raises(CombinationError, match=r"^arcface forms no tuples that a miner could choose"):
        asked("arcface", miners=("hard",))
    with pytest.raises(EmptyPlanError, match=r"^nothing to run: arcface\+hard: .*; arcface\+semihard: "):
        asked("arcface", miners=("hard", "semihard"))


def test_another_budget_is_no_other_exam(asked):
    """Trials and seeds that are asked for, as flags or as changes, count for the studies; the track stays what it is."""
    plain = asked()
    for prepared in (asked(trials=5, repetitions=1), asked(changes={"budget.trials": 5, "budget.repetitions": 1})):
        assert (5, 1) == (prepared.studies[0].trials, prepared.studies[0].repetitions)
        assert (plain.track, plain.studies[0].row) == (prepared.track, prepared.studies[0].row)


def test_a_changed_rule_is_another_exam(asked):
    """A rule that is changed by hand is another track, with rows of its own, and a parameter that is fixed another row."""
    plain, edited, fixed = asked(), asked(changes={"training.epochs": 3}), asked(changes={"loss.margin": 0.3})
    assert ("tiny+edited", 3) == (edited.track.name, edited.studies[0].template.training.epochs)
    assert ("tiny", ("loss.margin",)) == (fixed.track.name, fixed.studies[0].edited)
    assert 3 == len({prepared.studies[0].row for prepared in (plain, edited, fixed)})


def test_components_of_a_unit_are_told_by_their_roles(asked):
    """A unit says where loss, miner, backbone, sampler, data set and metrics come from; a baseline only what it is made of."""
    prepared = asked(miners=("hard",))
    metrics = {role for role in prepared.studies[0].template.components if role.startswith("metric:")}
    assert {f"metric:{name}" for name in prepared.track.metrics.report} == metrics
    assert {"loss", "miner", "backbone", "sampler", "dataset", "primary", *metrics} == set(prepared.studies[0].template.components)
    raw, untrained, *_ = prepared.baselines
    assert {"dataset", "primary", *metrics} == set(raw.components)
    assert {"dataset", "backbone", "primary", *metrics} == set(untrained.components)


def test_a_folder_is_known_by_its_name(tmp_path, catalogue):
    """Where a folder of images lies is a fact of this machine: units carry its name, the context its path."""
    from PIL import Image

    for number in range(8):
        for item in range(3):
            path = tmp_path / "birds" / f"class-{number}" / f"{item}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number * 30 + item).save(path)
    prepared = prepare(Request(dataset=f"folder:{tmp_path / 'birds'}", losses=("triplet",)), catalogue)
    assert {"folder:birds": f"folder:{tmp_path / 'birds'}"} == prepared.local
    assert "folder:birds" == prepared.studies[0].template.data.dataset == prepared.track.dataset.name
    assert str(tmp_path) not in str(prepared.studies[0].template.to_json())


def test_a_loss_in_a_file_is_known_by_its_name(asked, tmp_path):
    """So is a loss in a file; two files of one name and class cannot both be meant."""
    text = "import torch\nclass Mine(torch.nn.Module):\n    def forward(self, embeddings, labels):\n        return embeddings.sum()\n"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(text)
    one, other = (f"{tmp_path / folder / 'mine.py'}:Mine" for folder in ("a", "b"))
    prepared = asked(one)
    assert ("mine.py:Mine", {"mine.py:Mine": one}) == (prepared.studies[0].method.loss, prepared.local)
    assert prepared.studies[0].template.is_local
    with pytest.raises(UsageError, match=r"two files give the name 'mine\.py:Mine': rename one of .*a/mine\.py:Mine and .*b/mine\.py:Mine"):
        asked(one, other)


# ---- what does not go together


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "name a loss with --loss, or a comparison file; `siambench list losses` lists all "),
        ({"comparison": "glyphs.toml", "losses": ("triplet",)}, "a comparison file says which track and methods to run"),
        ({"comparison": "glyphs.toml", "feed": "pairs"}, "a comparison file says which track and methods to run"),
        ({"losses": ("triplet",), "track": "glyphs", "dataset": "digits"}, "--track fixes the data set: give one of --track and --dataset"),
        ({"losses": ("tripple",)}, "unknown loss 'tripple', did you mean 'triplet'?"),
        ({"losses": ("triplet",), "miners": ("hrd",)}, "unknown miner 'hrd', did you mean 'hard'?"),
        ({"losses": ("triplet",), "observers": ("jsnl:x",)}, "unknown observer 'jsnl', did you mean 'jsonl'?"),
        (
            {"losses": ("triplet",), "observers": ("jsonl",)},
            "the observer jsonl cannot be used here: it needs the path of a file: --observe",
        ),
        (
            {"losses": ("triplet",), "feed": "quadruplets"},
            "a feed should be pairs=FILE, triplets=FILE, or one of 'classes', 'pairs', 'triplets' or 'views', got 'quadruplets', did ",
        ),
        ({"losses": ("triplet",), "feed": "views=x.csv"}, "a list is of pairs or triplets: pairs=FILE or triplets=FILE, got 'views=x.csv'"),
        ({"losses": ("triplet",), "feed": "triplets=gone.csv"}, "no such file: gone.csv; looked for"),
        ({"losses": ("triplet",), "feed": f"triplets={'a' * 5000}"}, f"{'a' * 200!r} cannot be read: File name too long"),
        ({"losses": ("triplet",), "feed": "triplets=~nobody-is-called-so/a.csv"}, "'~nobody-is-called-so/a.csv' cannot be read: "),
        ({"losses": ("triplet",), "feed": "triplets=a\0b"}, "no such file: a"),
        ({"losses": ("triplet",), "dataset": "digit"}, "unknown data set 'digit', did you mean 'digits'?"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(catalogue, fields, sentence):
    """Flags that contradict each other, and names that nothing bears, are refused before data is read."""
    with pytest.raises(UsageError) as refused:
        prepare(Request(**fields), catalogue)
    assert str(refused.value).startswith(sentence)


def test_an_option_of_a_backbone_that_nobody_uses_is_refused(asked):
    """Where every method brings a backbone of its own, the track's has no options to set."""
    assert 32 == asked(changes={"model.options.width": 32}).studies[0].template.model.options["width"]
    with pytest.raises(ConfigError, match=r"--set model\.options\.width is for the track's backbone 'mlp', which no method here uses"):
        asked(backbone="conv4", changes={"model.options.width": 32})
    with pytest.raises(ConfigError, match=r"backbone 'mlp' has no option 'widht', did you mean 'width'\?"):
        asked(changes={"model.options.widht": 32})


@pytest.mark.parametrize(("form", "backbone"), [("tokens", "mlp"), ("arrays", "conv4"), ("images", "bag")])
def test_a_backbone_that_does_not_take_the_items_is_refused(asked, form, backbone):
    """The sentence says what the backbone takes, and what the items are."""
    changed = None if backbone == "mlp" else backbone
    with pytest.raises(CombinationError, match=rf"^backbone '{backbone}' takes .*, the items of data set 'synthetic' are {form}$"):
        asked(backbone=changed, catalogue=synthetic_catalogue(form=form))


# ---- augmentation


def test_the_tracks_augmentation_counts_before_that_of_the_data(asked, catalogue):
    """A data set brings rules that suit its items; a track that has rules of its own is followed instead."""
    entry = DatasetEntry(synthetic_dataset, source="made up", augment={"flip": True, "rotate": 15.0})
    others = [one for one in catalogue.components() if one.name != "synthetic"]
    own = Catalogue((*others, Component("datasets", "synthetic", entry, Provenance("tests", "tests", "0"))), catalogue.plugins)
    assert {"flip": True, "rotate": 15.0} == {
        name: value for name, value in asked(catalogue=own).studies[0].template.training.augment.items() if name in ("flip", "rotate")
    }
    tracks = asked(more="[augment]\nrotate = 5.0\n", catalogue=own).studies[0].template.training.augment
    assert (False, 5.0) == (tracks["flip"], tracks["rotate"])


def test_augmentation_of_another_form_is_refused(asked):
    """Arrays are not turned, and images not jittered: the sentence names the rule and what the items are."""
    with pytest.raises(ConfigError, match=r"augment\.jitter is for arrays, the items of the data set are images"):
        asked(more="[augment]\njitter = 0.1\n")
    with pytest.raises(ConfigError, match=r"augment\.flip is for images, the items of the data set are arrays"):
        asked(more="[augment]\nflip = true\n", catalogue=synthetic_catalogue(form="arrays"))
    found = asked(more="[augment]\njitter = 0.1\n", catalogue=synthetic_catalogue(form="arrays")).studies[0].template.training.augment
    assert {"jitter": 0.1, "scaling": [1.0, 1.0], "time_warp": 0.0} == dict(found)


def test_augmentation_of_a_data_set_that_does_not_hold_names_it(asked, catalogue):
    """What a plugin's data set says wrongly of its augmentation is told with where it comes from."""
    entry = DatasetEntry(synthetic_dataset, source="made up", augment={"flipp": True})
    others = [one for one in catalogue.components() if one.name != "synthetic"]
    own = Catalogue((*others, Component("datasets", "synthetic", entry, Provenance("tests", "tests", "0"))), catalogue.plugins)
    with pytest.raises(ConfigError, match=r"the augmentation of data set 'synthetic' of tests 0 does not hold: "):
        asked(catalogue=own)


# ---- verification pairs and metrics


def test_verification_pairs_are_resolved(asked, tmp_path):
    """Drawn, every pair, or a list: by its name and the digest of its content, its path a fact of this machine."""
    listed = tmp_path / "pairs.txt"
    listed.write_text("left,right,same\n0,1,1\n0,20,0\n")
    assert Drawn() == asked().studies[0].template.scoring.pairs
    assert Every() == asked(more='[evaluation]\npairs = "all"\n').studies[0].template.scoring.pairs
    prepared = asked(more='[evaluation]\npairs = "pairs.txt"\n')
    assert Listed(hashlib.sha256(listed.read_bytes()).hexdigest()) == prepared.studies[0].template.scoring.pairs
    assert {"pairs": str(listed)} == prepared.local


def test_a_list_of_pairs_that_does_not_hold_is_refused(asked, tmp_path):
    """One that is nowhere, and one that contradicts the labels, are found out before anything runs."""
    with pytest.raises(DataMissingError, match=r"pairs\.txt"):
        asked(more='[evaluation]\npairs = "pairs.txt"\n')
    (tmp_path / "pairs.txt").write_text("left,right,same\n0,1,1\n2,3,0\n")
    with pytest.raises(DataError, match=r"pairs\.txt: .*2.*3"):
        asked(more='[evaluation]\npairs = "pairs.txt"\n')


def test_official_pairs_are_those_of_the_data_set(asked, tmp_path, monkeypatch):
    """They become a list in the cache, whose digest stands in the unit; of a data set that brings none it is said so."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"evaluation\.pairs = 'official': the data set brings no verification pairs of its own"):
        asked(more='[evaluation]\npairs = "official"\n')

    def paired(**options):
        made = synthetic_dataset(**options)
        items = np.flatnonzero(made.labels >= 4)[:12]
        same = made.labels[items[:-1]] == made.labels[items[1:]]
        pairs = OfficialPairs(left=items[:-1], right=items[1:], same=same, fold=np.arange(11) % 2)
        return dataclasses.replace(made, pairs=pairs)

    entry = DatasetEntry(paired, source="made up")
    catalogue = synthetic_catalogue()
    others = [one for one in catalogue.components() if one.name != "synthetic"]
    own = Catalogue((*others, Component("datasets", "synthetic", entry, Provenance("tests", "tests", "0"))), catalogue.plugins)
    prepared = asked(more='[evaluation]\npairs = "official"\n', catalogue=own)
    listed = Path(prepared.local["pairs"])

    assert listed.parent == tmp_path / "cache" / "pairs"
    assert Listed(hashlib.sha256(listed.read_bytes()).hexdigest()) == prepared.studies[0].template.scoring.pairs
    assert len(listed.read_text().splitlines()) == 12


def test_every_pair_needs_the_cosine(asked):
    """Counting every pair is done by cosines: another distance is refused."""
    with pytest.raises(ConfigError, match=r"evaluation\.pairs = 'all' counts cosines: it needs evaluation\.distance = 'cosine'"):
        asked(more='[evaluation]\npairs = "all"\ndistance = "euclidean"\n')


def test_a_primary_metric_without_a_value_is_refused(asked):
    """What has no value on a fold cannot be tuned by: the metric's own reason is told."""
    few = synthetic_catalogue(images_per_class=2)
    metrics = '[metrics]\nprimary = "verification_accuracy"\nreport = ["map@r", "verification_accuracy"]\n'
    with pytest.raises(ConfigError, match=r"^the primary metric verification_accuracy has no value on fold 0: "):
        asked(more=metrics, catalogue=few)
    with pytest.raises(ConfigError, match="over all pairs there are no folds to choose a threshold on"):
        asked(more=metrics + '[evaluation]\npairs = "all"\n')


def test_a_metric_that_the_data_cannot_have_is_refused(asked):
    """A metric over episodes needs a data set that brings them."""
    metrics = '[metrics]\nreport = ["map@r", "one_shot_error"]\n'
    with pytest.raises(ConfigError, match=r"the metric one_shot_error needs 'one-shot', which data set synthetic does not bring"):
        asked(more=metrics)
    assert asked(more=metrics, catalogue=synthetic_catalogue(one_shot_runs=2)).planned


def test_a_member_that_its_family_cannot_have_is_told_as_such(asked):
    """Of a number that is none the sentence says what it must be, not that the metric is unknown."""
    with pytest.raises(ConfigError, match=r"^eer@enrol-x: k must be a whole number of at least 1, got 'x'$"):
        asked(more='[metrics]\nreport = ["map@r", "eer@enrol-x"]\n')


def test_a_direction_is_that_of_the_primary_metric(asked):
    """Where less is better, tuning minimises."""
    prepared = asked(more='[metrics]\nprimary = "eer"\nreport = ["map@r", "eer"]\n', catalogue=synthetic_catalogue(classes=16))
    assert ("min", False) == (prepared.direction, prepared.studies[0].maximise)


def test_an_unknown_metric_is_refused(asked):
    """A typo in a metric gets the nearest name."""
    with pytest.raises(UnknownNameError, match=r"unknown metric 'recal@1'"):
        asked(more='[metrics]\nreport = ["map@r", "recal@1"]\n')


# ---- studies


ROUNDS = [("triplet", 0), ("contrastive", 0), ("triplet", 1), ("contrastive", 1), ("triplet", 2), ("contrastive", 2)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 1),
        ({"studies": 2}, 2),
        ({"studies": "all"}, 3),
        ({"studies": 5}, 5),
        ({"changes": {"budget.studies": 2}}, 2),
        ({"changes": {"budget.studies": 2}, "studies": 4}, 4),
    ],
)
def test_one_study_is_run_unless_more_are_asked_for(tmp_path, catalogue, fields, expected):
    """Of the track's three one comes first, so that a row is there soon; `all`, a number, and a changed budget ask for more."""
    (tmp_path / "track.toml").write_text(TRACK.replace("studies = 1", "studies = 3"))
    prepared = prepare(Request(track=str(tmp_path / "track.toml"), losses=("triplet",), **fields), catalogue)
    assert list(range(expected)) == [plan.study for plan in prepared.studies]
    assert 3 == prepared.track.budget.studies


def test_all_studies_are_those_of_the_track(tmp_path, catalogue):
    """They come round by round, each with all methods, so that a table stands after the first; untrained networks too."""
    (tmp_path / "track.toml").write_text(TRACK.replace("studies = 1", "studies = 3"))
    prepared = prepare(Request(track=str(tmp_path / "track.toml"), losses=("triplet", "contrastive"), studies="all"), catalogue)
    assert ROUNDS == [(plan.method.name, plan.study) for plan in prepared.studies]
    assert 2 == len({plan.row for plan in prepared.studies})
    assert [("raw", 0), *(("untrained", study) for study in range(3) for _ in range(3))] == [
        (unit.method.name, unit.study) for unit in prepared.baselines
    ]


def test_seeds_are_repetitions_for_one_more_version(asked, caplog):
    """In a track, a comparison, a changed rule and a request the older word is understood, with a word about it; not both."""
    found = asked(changes={"budget.seeds": 2})
    assert (2, True) == (found.studies[0].repetitions, "seeds is read as repetitions" in caplog.text)
    caplog.clear()
    assert (
        4
        == BudgetRules.model_validate({"seeds": 4}).repetitions
        == Comparison.model_validate({"methods": [{"loss": "x"}], "seeds": 4}).repetitions
    )
    assert 2 == caplog.text.count("seeds is read as repetitions")
    assert (7, 7, None) == (
        repetitions_of(None, 7, said="--seeds"),
        repetitions_of(7, None, said="--seeds"),
        repetitions_of(None, None, said=""),
    )
    with pytest.raises(UsageError, match="give one of the two"):
        repetitions_of(1, 1, said="--seeds")
    with pytest.raises(ConfigError, match="give one of the two"):
        asked(changes={"budget.seeds": 2, "budget.repetitions": 2})
    with pytest.raises(ValueError, match="give one of the two"):
        BudgetRules.model_validate({"seeds": 1, "repetitions": 1})


def test_a_track_may_admit_some_feeds_alone(asked):
    """Of a track's feeds the first is that of a loss without one; what is fed otherwise is refused; the rule is of the exam alone."""
    admits = '[training]\nfeeds = ["views"]'
    track = TRACK.replace("[training]", admits)
    plain, views = asked("ntxent", feed="views"), asked("ntxent", track=track)
    assert ["ntxent:views"] == [study.method.name for study in views.studies]
    assert plain.exam != views.exam
    assert ("feeds" in plain.exam.training, views.exam.training["feeds"]) == (False, ["views"])
    assert plain.studies[0].template.training == views.studies[0].template.training
    with pytest.raises(CombinationError, match=r"^triplet is fed classes, and the track tiny admits views alone \(training\.feeds\)$"):
        asked(track=track, feed="classes")
    with pytest.raises(CombinationError, match=r"arcface cannot be fed views"):
        asked("arcface", track=track)


def test_another_space_is_another_row(asked):
    """`--space` tunes in the space of that name, which the unit says; a loss without it is refused with those that it has."""
    plain, other = asked(), asked(space="reality-check")
    assert ("", "reality-check") == (plain.studies[0].template.space_name, other.studies[0].template.space_name)
    assert plain.studies[0].row != other.studies[0].row
    assert {"low": -0.2, "high": 2.0} == {end: other.studies[0].template.space["loss.margin"][end] for end in ("low", "high")}
    with pytest.raises(CombinationError, match=r"the loss angular has no space 'reality-check'; it has none beside its own"):
        asked("angular", space="reality-check")
    with pytest.raises(CombinationError, match=r"no space 'realty'; it has reality-check"):
        asked(space="realty")


def test_groups_that_classes_do_not_have_are_refused(asked):
    """`metrics.over` names an attribute of the classes; of one that they lack the data set's are told."""
    grouped = synthetic_catalogue(groups=4)
    with pytest.raises(ConfigError, match=r"metrics\.over: no attribute 'script'; the classes of data set synthetic have group$"):
        asked(changes={"metrics.over": "script"}, catalogue=grouped)
    assert asked(catalogue=grouped).exam.id == asked(changes={"metrics.over": "group"}, catalogue=grouped).exam.id


# ---- samplers


GROUPED = '[split]\nrule = "by-group"\ngroup = "group"\ntest_fraction = 0.5\n'


@pytest.fixture(scope="module")
def grouped():
    """Everything installed, and a synthetic data set of sixteen classes in eight groups."""
    return synthetic_catalogue(classes=16, groups=8)


@pytest.mark.parametrize("name", ["hierarchical", "by-group", "class-balanced"])
def test_another_sampler_is_a_row_of_its_own(asked, grouped, name):
    """A sampler that is asked for makes the row's batches, stands in its units with its code, and marks it as edited; the exam stays."""
    plain, other = (asked(more=GROUPED, catalogue=grouped, changes=changes) for changes in ({}, {"training.sampler": name}))
    study = other.studies[0]

    assert (name, "m-per-class") == (study.template.training.sampler, plain.studies[0].template.training.sampler)
    assert grouped.get("samplers", name).source == study.template.components["sampler"]
    assert (("training.sampler",), ()) == (study.edited, plain.studies[0].edited)
    assert ("training.sampler",) == study.tune_unit(0, 0, study.defaults).edited
    assert study.row != plain.studies[0].row
    assert (plain.exam, plain.track) == (other.exam, other.track)
    assert study.defaults == plain.studies[0].defaults


def test_a_method_s_own_sampler_is_no_edit(asked):
    """Where the sampler that is asked for makes a method's batches anyway, its row is what it was; in a grid others are edited."""
    plain, same = asked("triplet", "arcface"), asked("triplet", "arcface", changes={"training.sampler": "m-per-class"})

    assert plain.studies[0] == same.studies[0]
    assert [(), ("training.sampler",)] == [study.edited for study in same.studies]
    assert ["m-per-class"] * 2 == [study.template.training.sampler for study in same.studies]


@pytest.mark.parametrize(
    ("fields", "error", "sentence"),
    [
        ({"changes": {"training.sampler": "by-gruop"}}, UnknownNameError, "unknown sampler 'by-gruop', did you mean 'by-group'?"),
        ({"changes": {"training.sampler": 3}}, ConfigError, "training.sampler: it must be the name of a sampler, got a whole number: '3'"),
        ({"changes": {"training.sampler": ""}}, ConfigError, "it must be the name of a sampler"),
        (
            {"changes": {"training.sampler": "by-group"}},
            ConfigError,
            "--set training.sampler=by-group makes no batches for triplet on the training part: batches by group need classes that come in",
        ),
        (
            {"changes": {"training.sampler": "random"}, "feed": "triplets"},
            CombinationError,
            "fed triplets, triplet gets its batches from the feed, so training.sampler=random would have no effect",
        ),
    ],
)
def test_a_sampler_that_makes_no_batches_is_refused(asked, fields, error, sentence):
    """A name that is none, data without groups, and a feed that has a sampler of its own are told before anything runs."""
    with pytest.raises(error) as raised:
        asked(**fields)
    assert sentence in str(raised.value)


def test_a_fold_that_makes_no_batches_is_named(asked):
    """Folds have fewer groups than the whole training part: a sampler that lacks them in one says in which."""
    with pytest.raises(ConfigError, match=r"on fold 0: batches of 2 groups need classes of 2 groups, got 4 classes of 1 group$"):
        asked(more=GROUPED, catalogue=synthetic_catalogue(classes=16, groups=4), changes={"training.sampler": "hierarchical"})


def test_the_rows_of_a_list_may_be_drawn_otherwise(asked, tmp_path):
    """Of a list of pairs a sampler that is asked for draws rows, labelled by whether they are the same: as many genuine as impostors."""
    listed = tmp_path / "pairs.csv"
    rows = (f"{c * 6 + k},{c * 6 + k + 1},1\n{c * 6},{c * 6 + 6 + k},0\n" for c in (0, 2) for k in range(5))
    listed.write_text("left,right,same\n" + "".join(rows))
    feed = f"pairs={listed}"
    plain, other = (asked("contrastive", feed=feed, changes=changes) for changes in ({}, {"training.sampler": "class-balanced"}))

    assert ["random", "class-balanced"] == [one.studies[0].template.training.sampler for one in (plain, other)]
    assert plain.studies[0].row != other.studies[0].row
    assert {f"feed.{hashlib.sha256(listed.read_bytes()).hexdigest()[:8]}": str(listed)} == plain.local
    (kept,) = plain.lists
    assert (20, 20, (10, 10), 0) == (kept.rows, kept.final, kept.folds, kept.test)
