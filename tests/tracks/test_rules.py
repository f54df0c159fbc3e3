import json

import pytest

from siambench.data.forms import AUGMENT_OF_FORM
from siambench.errors import ConfigError
from siambench.spaces import Float
from siambench.spec import FORMS, RECIPE, SplitSpec
from siambench.testing import synthetic_track
from siambench.tracks.rules import AugmentRules, Comparison, MetricRules, RangeRules, SpaceRules, SplitRules, Track
from siambench.tracks.training_rules import TrainingRules

A_VALUE = {
    "rotate": 5.0,
    "scale": (0.8, 1.2),
    "translate": 0.1,
    "shear": 3.0,
    "flip": True,
    "padding": "border",
    "crop": (0.16, 1.0),
    "crop_ratio": (0.5, 2.0),
    "jitter": 0.1,
    "scaling": (0.9, 1.1),
    "time_warp": 0.2,
    "drop": 0.1,
    "swap": 0.3,
}


def test_rules_are_frozen():
    """A track cannot be changed after it was read."""
    track = synthetic_track()
    with pytest.raises(ValueError, match="frozen"):
        track.name = "other"
    assert Comparison(methods=[{"loss": "triplet"}]).track == "glyphs"


def test_rules_survive_json():
    """What a track's rules are written as JSON reads back as the same rules, augmentation and space included."""
    track = synthetic_track(augment=A_VALUE, space={"lr": {"low": 0.01, "high": 0.1, "log": True, "default": 0.05}})

    assert track == Track.model_validate(json.loads(json.dumps(track.model_dump(by_alias=True, mode="json"))))


def test_how_data_is_cut_is_part_of_a_unit():
    """The rules of a split are the frozen value that units carry, field by field."""
    rules = SplitRules(rule="by-group", folds=3, group="script", test_fraction=0.25, acknowledged_duplicates=2)

    assert SplitSpec(rule="by-group", folds=3, group="script", test_fraction=0.25, acknowledged_duplicates=2) == rules.spec


def test_a_range_is_a_dimension():
    """A range of a track's space is a dimension of a search space, and its default lies within it."""
    assert Float(0.01, 0.1, log=True) == RangeRules(low=0.01, high=0.1, log=True, default=0.05).dimension
    with pytest.raises(ValueError, match=r"default 0\.5 lies outside \[0\.01, 0\.1\]"):
        RangeRules(low=0.01, high=0.1, default=0.5)


def test_the_primary_metric_is_reported():
    """A metric that rows are ordered by but nobody sees is refused."""
    assert MetricRules(primary="eer", report=("map@r", "eer")).primary == "eer"
    with pytest.raises(ValueError, match="primary metric 'eer' must be among those reported"):
        MetricRules(primary="eer", report=("map@r",))


# ---- augmentation


def test_every_rule_of_augmentation_is_for_one_form():
    """Each rule belongs to the items of exactly one form, and each form has rules."""
    names = [name for form in FORMS for name in AUGMENT_OF_FORM[form]]

    assert sorted(AugmentRules.model_fields) == sorted(names) == sorted(A_VALUE)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gets_its_own_rules(form):
    """Of the rules those for the form are handed on, with their values or defaults, as JSON holds them."""
    names = AUGMENT_OF_FORM[form]
    own = {name: A_VALUE[name] for name in names}
    found = AugmentRules(**own).of_form(form)

    assert json.loads(json.dumps(own)) == found
    assert set(names) - {"crop", "crop_ratio"} == set(AugmentRules().of_form(form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(A_VALUE))
def test_a_rule_for_another_form_is_refused(form, name):
    """A rule that would do nothing to the items is an error that says which items it is for; at its default it is none."""
    rules = AugmentRules(**{name: A_VALUE[name]}, **({"crop": A_VALUE["crop"]} if name == "crop_ratio" else {}))
    if name in AUGMENT_OF_FORM[form]:
        assert rules.of_form(form)[name] == json.loads(json.dumps(A_VALUE[name]))
        return
    owner = next(one for one in FORMS if name in AUGMENT_OF_FORM[one])
    with pytest.raises(ConfigError, match=f"^augment.{name.removesuffix('_ratio')} is for {owner}, the items of the data set are {form}$"):
        rules.of_form(form)
    default = AugmentRules.model_fields[name].default
    assert AugmentRules(**{name: default}).of_form(form) == AugmentRules().of_form(form)


def test_crops_are_told_of_tracks_alone_that_ask_for_them():
    """Rules without crops hold no word of them, so that exams and units from before there were crops are what they were."""
    assert not {"crop", "crop_ratio"} & set(AugmentRules(flip=True).model_dump(mode="json"))
    told = AugmentRules(crop=(0.16, 1.0)).of_form("images")
    assert ([0.16, 1.0], [3 / 4, 4 / 3]) == (told["crop"], told["crop_ratio"])


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"crop": [0.0, 1.0]}, r"crop must be \[low, high\] with 0 < low <= high <= 1, shares of an image's area, got \[0.0, 1.0\]"),
        ({"crop": [0.5, 0.4]}, r"crop must be \[low, high\]"),
        ({"crop": [0.5, 1.2]}, r"crop must be \[low, high\]"),
        ({"crop": 0.5}, "crop"),
        ({"crop": [0.5, 1.0], "crop_ratio": [0, 1]}, r"crop_ratio must be \[low, high\]"),
        ({"crop_ratio": [0.5, 2.0]}, r"crop_ratio is that of a crop: give crop = \[low, high\] too"),
    ],
)
def test_crops_that_cannot_be_are_refused(rules, told):
    """Areas lie in (0, 1], ratios above 0, both in order, and a ratio without a crop would do nothing."""
    with pytest.raises(ValueError, match=told):
        AugmentRules.model_validate(rules)


# ---- the recipe of training

A_RULE = {
    "search": "gp",
    "trained_stages": 2,
    "frozen_batchnorm": True,
    "trunk_rate": 0.1,
    "trunk_warmup": 1,
    "rate_warmup": 0.05,
    "decay_all": True,
    "clip_norm": 10.0,
    "ema": 0.999,
    "images_per_class": 2,
}


def test_rules_that_a_track_does_not_use_are_not_told():
    """An exam holds no word of a recipe or a search that its track does not set, so that exams from before are what they were."""
    plain = TrainingRules().model_dump(mode="json")
    assert not {*A_RULE, "optimiser_options", "schedule_options"} & set(plain)
    told = TrainingRules(schedule="cosine", **A_RULE).model_dump(mode="json")
    assert A_RULE == {name: told[name] for name in A_RULE}
    assert TrainingRules.model_validate(told).recipe.used == {name: value for name, value in A_RULE.items() if name in RECIPE}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"rate_warmup": 0.1}, "rate_warmup is for other schedules: one-cycle begins with a rise of its own"),
        ({"trunk_warmup": 4}, "trunk_warmup must be fewer epochs than all, 4: trained_stages = 0 keeps the trunk throughout"),
        (
            {"trained_stages": 0, "trunk_warmup": 1},
            "trunk_warmup is for a trunk that is trained, and with trained_stages = 0 none of it is",
        ),
        ({"trained_stages": 0, "trunk_rate": 0.1}, "trunk_rate is for a trunk that is trained"),
        ({"trained_stages": -1}, "trained_stages"),
        ({"ema": 1.0}, "ema"),
        ({"trunk_rate": 0.0}, "trunk_rate"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"search": "grid"}, "search"),
        ({"images_per_class": 1}, "images_per_class"),
        (
            {"images_per_class": 3},
            "must be a multiple of images_per_class and at least twice that, got images_per_class = 3",
        ),
        ({"images_per_class": 128}, "batch_size, 128, must be a multiple of images_per_class and at least twice that"),
    ],
)
def test_recipes_that_cannot_be_are_refused(rules, told):
    """What contradicts itself, or lies outside its range, is named."""
    with pytest.raises(ValueError, match=told):
        TrainingRules.model_validate(rules)


def test_a_number_in_the_place_of_a_range_is_one_value():
    """`lr = 1e-6` is a rate that is not tuned; what is no number and no range is refused."""
    rules = SpaceRules.model_validate({"lr": 1e-6, "weight_decay": 0})
    assert rules.lr.is_fixed
    assert (rules.lr.default, rules.weight_decay.default) == (1e-6, 0.0)
    assert not SpaceRules().lr.is_fixed
    for wrong in (True, "1e-6", {"low": 1.0, "high": 1.0, "default": 2.0}, {"low": 2.0, "high": 1.0, "default": 1.5}):
        with pytest.raises(ValueError, match="lr"):
            SpaceRules.model_validate({"lr": wrong})
    with pytest.raises(ValueError, match="a range is a table of low, high, default and log, and a number one value that is not tuned"):
        SpaceRules.model_validate({"lr": "fast"})
