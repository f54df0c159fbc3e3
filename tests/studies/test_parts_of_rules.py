"""Augmentations, optimisers, schedules and split rules of plugins: what they are in an exam and a unit, and that a run uses them."""

from __future__ import annotations

import itertools
import json

import pytest
from shared import TINY_TRACK, exam_folder, plugin_folder

from siambench.components.catalogue import Catalogue
from siambench.errors import ConfigError, UnknownNameError, UsageError
from siambench.execution.places import foreign, is_read_ahead
from siambench.records.record import read
from siambench.records.selection import is_annealed
from siambench.spec import Context
from siambench.studies.request import Request, prepare
from siambench.tracks.exam import departures
from siambench.tracks.files import load_track

NUMBER = itertools.count()
HOOKS = """return {"halved": OptimiserEntry(build, source="made for a test", defaults={"share": 0.5})}


def build(groups, share):
    from torch.optim import SGD

    return SGD([{**group, "lr": group["lr"] * share} for group in groups])


def falling(power):
    return lambda progress: (1 - progress) ** power + 1e-3


def level():
    return lambda progress: 0.5


def blank(first):
    def change(items, generator):
        from torch import rand

        return items * (rand(len(items), generator=generator) > first).view(-1, 1, 1, 1)

    return change


def odd(classes, folds):
    trained = classes[::2]
    return classes[1::2], [trained[number::folds] for number in range(folds)]


@hookimpl
def siambench_schedules():
    return {
        "falling": ScheduleEntry(falling, source="made for a test", defaults={"power": 2.0}, anneals=True),
        "level": ScheduleEntry(level, source="made for a test"),
    }


@hookimpl
def siambench_augmentations():
    return {
        "blank": AugmentationEntry(blank, source="made for a test", defaults={"first": 0.2}),
        "of-texts": AugmentationEntry(blank, source="made for a test", defaults={"first": 0.2}, takes=("tokens",)),
    }


@hookimpl
def siambench_split_rules():
    return {"odd": SplitRuleEntry(odd, source="made for a test")}
"""
ROLES = {"optimiser", "schedule", "augmentation:blank", "split-rule"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A plugin with one of each, on the path and let in; its name."""
    name = f"ruled{next(NUMBER)}"
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(plugin_folder(site, name, "", HOOKS, hook="optimisers"))
    monkeypatch.setenv("SIAMBENCH_PLUGINS", name)
    return name


@pytest.fixture
def tiny(tmp_path):
    """Writes a tiny track, one with further lines in its sections, and gives its path."""

    def write(training="", further=""):
        path = tmp_path / f"tiny{next(NUMBER)}.toml"
        path.write_text(TINY_TRACK.replace("epochs = 2\n", f"epochs = 2\n{training}\n") + further)
        return str(path)

    return write


WHOLE = (
    'optimiser = "halved"\nschedule = "falling"\nschedule_options = { power = 3 }',
    '[augment]\nrotate = 5\n[augment.blank]\nfirst = 0.1\n[split]\nrule = "odd"\n',
)


def prepared(track, **changes):
    return prepare(Request(track=track, losses=("contrastive",), changes=changes), Catalogue.load())


def test_what_ships_is_no_part_of_a_unit(tiny):
    """Built-in optimisers, schedules and split rules have no role, no parameter and no key: identities are what they always were."""
    unit = prepared(tiny()).studies[0].template
    document = json.loads(json.dumps(unit.to_json()))

    assert not any(role in ROLES for role in unit.components)
    assert [name for name in unit.space if name.startswith(("optimiser.", "schedule."))] == ["optimiser.lr", "optimiser.weight_decay"]
    assert not any(name.endswith("_options") for name in document["training"])
    assert not any(name.endswith("_options") for name in prepared(tiny()).exam.training)


def test_a_plugins_have_roles_and_resolved_options(plugin, tiny):
    """Each has its role with the plugin's distribution, which workers import; options are parameters of the unit and part of the exam."""
    found = prepared(tiny(*WHOLE))
    plan = found.studies[0]
    unit = plan.tune_unit(0, 0, plan.defaults)

    assert {role: unit.components[role].distribution for role in ROLES} == dict.fromkeys(ROLES, plugin)
    assert (plugin,) == foreign(unit, Context())
    assert {"optimiser.share": 0.5, "schedule.power": 3.0, "schedule.anneals": True}.items() <= unit.params.items()
    assert {"first": 0.1} == unit.training.augment["blank"]
    assert ("halved", {"share": 0.5}) == (found.exam.training["optimiser"], found.exam.training["optimiser_options"])
    assert {"power": 3.0} == found.exam.training["schedule_options"]
    # Baselines see the cut, and nothing of training.
    for baseline in found.baselines:
        assert {"split-rule"} == ROLES & set(baseline.components)
        assert not is_read_ahead(baseline)


def test_an_exam_follows_a_track_that_leaves_options_to_their_defaults(plugin, tiny):
    """A track that says some options departs in no key from the exam with all; one that says another value departs in that alone."""
    found = prepared(tiny(*WHOLE))
    other = load_track(tiny(WHOLE[0].replace("power = 3", "power = 2"), WHOLE[1]))
    without = load_track(tiny(WHOLE[0], WHOLE[1].replace("[augment.blank]\nfirst = 0.1\n", "")))

    assert [] == departures(found.track, found.exam)
    assert ["training.schedule_options.power"] == departures(other, found.exam)
    assert ["augment.blank.first"] == departures(without, found.exam)


def test_options_are_fixed_as_any_parameter_is(plugin, tiny):
    """`--set optimiser.share=0.25` fixes it and marks the row; another option of it gives another row."""
    track = tiny(*WHOLE)
    fixed = prepared(track, **{"optimiser.share": 0.25}).studies[0]

    assert ("optimiser.share",) == fixed.edited
    assert 0.25 == fixed.defaults["optimiser.share"]
    assert fixed.row != prepared(track).studies[0].row
    with pytest.raises(ConfigError, match="whether a schedule anneals is said by its entry"):
        prepared(track, **{"schedule.anneals": False})


def test_a_schedule_that_anneals_is_validated_once(plugin, tiny):
    """Under it a trial counts by its last epoch, and early stopping is refused; under another every epoch is validated."""
    annealed = prepared(tiny('schedule = "falling"')).studies[0]
    level = prepared(tiny('schedule = "level"')).studies[0]

    assert (True, 2) == (annealed.is_annealed, annealed.template.training.validate_every)
    assert is_annealed("falling", annealed.tune_unit(0, 0, annealed.defaults).params)
    assert (False, 1) == (level.is_annealed, level.template.training.validate_every)
    assert not is_annealed("level", level.tune_unit(0, 0, level.defaults).params)
    with pytest.raises(ConfigError, match="under falling the last epoch decides"):
        prepared(tiny('schedule = "falling"\nearly_stopping = 2'))


@pytest.mark.parametrize(
    ("training", "further", "error", "message"),
    [
        ('optimiser = "adamm"', "", UnknownNameError, r"unknown optimiser 'adamm', did you mean 'adam'\?"),
        ('schedule = "cosin"', "", UnknownNameError, r"unknown schedule 'cosin', did you mean 'cosine'\?"),
        ("", '[split]\nrule = "random"\n', UnknownNameError, "unknown split rule 'random'"),
        ("", "[augment.cut]\nsize = 3\n", UnknownNameError, r"unknown augmentation 'cut', did you mean 'cutout'\?"),
        ("", "[augment.cutout]\nsizes = 3\n", ConfigError, r"augmentation 'cutout' has no option 'sizes', did you mean 'size'\?"),
        ("", "[augment.cutout]\nsize = 3.5\n", ConfigError, "the option size must be a whole number"),
        ("", "[augment.cutout]\nsize = 0\n", ConfigError, "augment.cutout.size must be at least 1 pixel, got 0"),
        ("", "[augment.colour-jitter]\nhue = 0.7\n", ConfigError, "augment.colour-jitter.hue must lie in 0 … 0.5, got 0.7"),
        (
            'optimiser = "rmsprop"\noptimiser_options = { alpha = -2.0 }',
            "",
            ConfigError,
            "training.optimiser_options of rmsprop: Invalid alpha value: -2.0",
        ),
        ("optimiser_options = { beta = 0.9 }", "", ConfigError, "optimiser 'adam' has no option 'beta'; options: none"),
        ("schedule_options = { power = 1 }", "", ConfigError, "schedule 'one-cycle' has no option 'power'; options: none"),
        ("", "[augment.of-texts]\nfirst = 0.3\n", ConfigError, "augment.of-texts is for tokens, the items of the data set are images"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(plugin, tiny, training, further, error, message):
    """A name that nothing provides, an option that there is not or of another kind, items of another form: one sentence, exit 4."""
    with pytest.raises(error, match=message) as caught:
        prepared(tiny(training, further))
    assert isinstance(caught.value, UsageError)
    assert 4 == caught.value.exit_code


def test_a_run_uses_them(plugin, tiny, siambench, tmp_path):
    """With all four the units are done in workers that import the plugin; the rates, the cut and the items are the plugin's."""
    done = siambench(
        *("run", "--track", tiny(*WHOLE), "--loss", "contrastive", "--trials", 1, "--repetitions", 1, "--jobs", 1, "--out", "out", "--json")
    )
    assert 0 == done.returncode, done.stderr
    assert "0 failed · 0 lost" in done.stderr
    records = [read(path) for path in (exam_folder(tmp_path / "out") / "records").glob("*.json")]
    trained = [record for record in records if record.unit.training is not None]
    assert trained
    for record in trained:
        assert ROLES <= set(record.unit.components)
        assert any(plugin in told for told in record.telemetry["components"].values())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("optimisers", '{"adam": OptimiserEntry(lambda groups: None, source="ours")}'),
        ("schedules", '{"one-cycle": ScheduleEntry(lambda: None, source="ours")}'),
        ("split_rules", '{"by-group": SplitRuleEntry(lambda classes: None, source="ours")}'),
        ("augmentations", '{"cutout": AugmentationEntry(lambda: None, source="ours")}'),
        ("augmentations", '{"rotate": AugmentationEntry(lambda: None, source="ours")}'),
        ("split_rules", '{"official": SplitRuleEntry(lambda classes: None, source="ours")}'),
        ("split_rules", '{"closed-set": SplitRuleEntry(lambda classes: None, source="ours")}'),
        ("optimisers", '{"mine": OptimiserEntry(lambda groups, lr: None, source="ours", defaults={"lr": 1.0})}'),
        ("schedules", '{"mine": ScheduleEntry(lambda steps: None, source="ours", defaults={"steps": 1})}'),
        ("augmentations", '{"mine": AugmentationEntry(lambda: None, source="ours", takes=("videos",))}'),
    ],
)
def test_names_and_options_that_are_siambenchs_are_refused_at_load(tmp_path, monkeypatch, kind, body):
    """A plugin whose entry bears a name, or an option, that a track or siambench uses itself does not load, and says which."""
    name = f"taking{next(NUMBER)}"
    monkeypatch.syspath_prepend(plugin_folder(tmp_path, name, "", f"return {body}", hook=kind))
    (status,) = [one for one in Catalogue.load({"SIAMBENCH_PLUGINS": name}).plugins if one.plugin == name]

    assert () == status.components
    assert any(
        words in status.error for words in ("ships with siambench", "means something to siambench", "gives it itself", "takes must be")
    )
