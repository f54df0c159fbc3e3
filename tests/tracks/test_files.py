import json
import math
import os

import pytest

from siambench.data.shipped import shipped
from siambench.errors import ConfigError, UnknownNameError
from siambench.testing import synthetic_track
from siambench.tracks.files import edit_track, load_comparison, load_track, parse_set, track_folder, track_names
from siambench.tracks.rules import Track

TRACK = """
schema = 1
name = "tiny"
version = "1.0"

[dataset]
name = "digits"
"""


def put(folder, content, name="track.toml"):
    """Write a file and its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


# ---- tracks


def test_a_track_needs_little(tmp_path):
    """A name, a version and a data set make a track; everything else has the defaults of the exam."""
    track = load_track(str(put(tmp_path, TRACK)))

    assert (track.name, track.version, track.dataset.name) == ("tiny", "1.0", "digits")
    assert track.split.rule == "class-halves"
    assert track.metrics.primary == "map@r"
    assert track.augment is None


def test_a_track_is_found_by_name_folder_and_file(tmp_path):
    """A shipped track has a name; any track can be named by its folder, its TOML file, or the JSON that a run leaves."""
    toml = put(tmp_path / "mine", TRACK)
    document = load_track(str(toml)).model_dump(by_alias=True, mode="json")
    written = put(tmp_path / "run", json.dumps(document), "track.json")

    for name in (toml, toml.parent, written, written.parent):
        assert load_track(str(name)).name == "tiny"
        assert track_folder(str(name)) in (toml.parent, written.parent)
    assert load_track("glyphs").name == "glyphs"


@pytest.mark.parametrize("name", track_names())
def test_shipped_tracks_hold(name):
    """Each shipped track loads, bears the name of its folder, and survives JSON."""
    track = load_track(name)

    assert name == track.name
    assert shipped("leaderboards") / name == track_folder(name)
    assert track == Track.model_validate(json.loads(json.dumps(track.model_dump(by_alias=True, mode="json"))))


@pytest.mark.parametrize("path", sorted(shipped("configs").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_comparisons_hold(path):
    """Each shipped comparison loads, by its bare name too, and names a track that exists."""
    comparison = load_comparison(path)

    assert comparison == load_comparison(path.name)
    assert comparison.track in track_names()


def test_an_unknown_track_gets_the_nearest():
    """A name that no track has is answered with the nearest and all there are."""
    with pytest.raises(UnknownNameError, match=r"unknown track 'glyph', did you mean 'glyphs'\?; installed: .*glyphs"):
        load_track("glyph")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[training]\nepoch = 3", r"unknown key 'training.epoch', did you mean 'training.epochs'\?; keys here: .*training.batch_size"),
        ("[space.lr]\nlow = 0.1\nhigh = 1.0\ndefalt = 0.5", r"unknown key 'space.lr.defalt', did you mean 'space.lr.default'\?"),
        ("[trainig]\nepochs = 3", r"unknown key 'trainig', did you mean 'training'\?; keys here: schema, name"),
        ("[augment]\nrotation = 3", r"unknown key 'augment.rotation', did you mean 'augment.rotate'\?"),
        ("[metrics]\nprimary = 'map@q'", "metrics: the primary metric 'map@q' must be among those reported"),
        ("[training]\nepochs = 0", "training.epochs: .* greater than or equal to 1, got 0"),
        ("[training]\nbatch_size = 'many'", "training.batch_size: .*integer.*, got 'many'"),
        ("[training]\noptimiser = 'a dam'", "training.optimiser: .* match pattern .*, got 'a dam'"),
        ("[training]\nschedule = 3", "training.schedule: .* valid string, got 3"),
        ("[training]\nprecision = 'fp16'", "training.precision: .*'fp32' or 'bf16'"),
        ("[split]\nrule = ['official']", "split.rule: .* valid string"),
        ("[augment.cutout]\nsize = [1, 2]", "augment.cutout.size: "),
        ("[training.optimiser_options]\nbeta = nan", "training.optimiser_options.beta: "),
        ("[split]\nfolds = 1", "split.folds: .*greater than or equal to 2, got 1"),
        ("[augment]\nscale = [1.2, 0.8]", r"augment.scale: scale must be \[low, high\] .*got \[1.2, 0.8\]"),
        ("[augment]\nscaling = [0.0, 0.8]", r"augment.scaling: scaling must be \[low, high\] .*got \[0.0, 0.8\]"),
        ("[augment]\ntime_warp = 1.0", "augment.time_warp: .*less than 1, got 1.0"),
        ("[augment]\njitter = -0.1", "augment.jitter: .*greater than or equal to 0, got -0.1"),
        ("[augment]\ndrop = 1.0", "augment.drop: .*less than 1, got 1.0"),
        ("[augment]\nswap = 1.5", "augment.swap: .*less than or equal to 1, got 1.5"),
        ("[space.lr]\nlow = 0.1\nhigh = 1.0\ndefault = 2.0", r"space.lr: default 2.0 lies outside \[0.1, 1.0\]"),
        ("[space.lr]\nlow = 1.0\nhigh = 0.1\ndefault = 0.5", "space.lr: .*low < high"),
        ("[space.lr]\nlow = 0.0\nhigh = 0.1\nlog = true\ndefault = 0.05", "space.lr: .*log scale needs low > 0"),
    ],
)
def test_what_does_not_hold_is_one_sentence(tmp_path, lines, message):
    """An unknown key is answered with the nearest one, a wrong value with what was given; always one line that names the file."""
    path = put(tmp_path, f"{TRACK}\n{lines}\n")

    with pytest.raises(ConfigError, match=message) as caught:
        load_track(str(path))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TRACK.replace("schema = 1", "schema = 2"), "schema: .*1"),
        (TRACK.replace('version = "1.0"', 'version = "1"'), "version: .*pattern"),
        (TRACK.replace('name = "tiny"', 'name = "Tiny track"'), "name: .*pattern"),
        (TRACK.replace('name = "digits"', ""), "the key 'dataset.name' is missing"),
        ("name =", "cannot be read as TOML"),
        ("\xe9", "cannot be read as TOML"),
    ],
)
def test_a_file_that_is_no_track_says_why(tmp_path, content, message):
    """Another schema, a bad name or version, a missing key and a file that is no TOML are errors with the reason."""
    with pytest.raises(ConfigError, match=message):
        load_track(str(put(tmp_path, content)))


def test_a_json_file_that_is_no_table_says_so(tmp_path):
    """A list, or half a document, is no track."""
    with pytest.raises(ConfigError, match="must hold a table"):
        load_track(str(put(tmp_path, "[1, 2]", "track.json")))
    with pytest.raises(ConfigError, match="cannot be read as JSON"):
        load_track(str(put(tmp_path, '{"schema": 1', "track.json")))


# ---- comparisons


def test_a_comparison_names_a_track_and_methods(tmp_path):
    """Methods are single ones or grids, and budgets and fixed parameters can be given."""
    path = put(
        tmp_path,
        'track = "glyphs"\ntrials = 3\n\n[[methods]]\nloss = ["triplet", "contrastive"]\nminer = "hard"\n\n'
        '[[methods]]\nloss = "contrastive"\nfeed = "pairs"\n\n[set]\n"loss.margin" = 0.3\n',
        "mine.toml",
    )
    comparison = load_comparison(path)

    assert comparison.trials == 3
    assert comparison.methods[0].loss == ["triplet", "contrastive"]
    assert comparison.methods[1].feed == "pairs"
    assert comparison.set == {"loss.margin": 0.3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('track = "glyphs"\n', "the key 'methods' is missing"),
        ("methods = []\n", "methods: .*at least 1"),
        ('[[methods]]\nlos = "triplet"\n', "unknown key 'methods.0.los', did you mean 'methods.loss'"),
        ('[[methods]]\nloss = "triplet"\nfeed = "pair"\n', "methods.0.feed: .*'classes', 'pairs', 'triplets' or 'views', got 'pair'"),
        ('trails = 3\n[[methods]]\nloss = "triplet"\n', "unknown key 'trails', did you mean 'trials'"),
    ],
)
def test_a_comparison_that_does_not_hold_is_one_sentence(tmp_path, content, message):
    """Unknown keys, missing methods and wrong feeds are errors with the place in the file."""
    path = put(tmp_path, content, "mine.toml")
    with pytest.raises(ConfigError, match=message) as caught:
        load_comparison(path)
    assert "\n" not in str(caught.value)


def test_a_comparison_that_is_not_there_is_named():
    """A file that neither exists nor ships is an error with its name."""
    with pytest.raises(ConfigError, match=r"no such file: nowhere\.toml"):
        load_comparison("nowhere.toml")


# ---- --set


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", 1),
        ("a=0.5", 0.5),
        ("a=1e-3", 1e-3),
        ("a=true", True),
        ("a='quoted'", "quoted"),
        ("a=plain text", "plain text"),
        ("a=b=c", "b=c"),
        ("a=", ""),
        ("a=[1, 2]", [1, 2]),
        ("a = 3", 3),
        ("a=2024-01-01", "2024-01-01"),
        ("a=1\nb=2", "1\nb=2"),
    ],
)
def test_values_are_toml_where_they_can_be(text, expected):
    """A value that parses as TOML is one, with its type; anything else is text, as it stands."""
    found = parse_set([text])

    assert {"a": expected} == found
    assert type(found["a"]) is type(expected)


def test_keys_keep_their_dots_and_the_last_one_wins():
    """Keys are dotted names; of two values for one key the last holds."""
    assert parse_set(("loss.margin=0.1", "training.epochs=2", "loss.margin=0.2")) == {"loss.margin": 0.2, "training.epochs": 2}


@pytest.mark.parametrize("text", ["loss.margin", "=3", " =3", ""])
def test_a_setting_needs_a_key_and_a_value(text):
    """Without a key or an equals sign the setting is refused, with what was given."""
    with pytest.raises(ConfigError, match="--set takes key=value, got"):
        parse_set([text])


@pytest.mark.parametrize("text", ["a=nan", "a=inf", "a=[1, nan]"])
def test_what_is_no_number_is_refused(text):
    """NaN and infinity are no values: no unit could carry them."""
    with pytest.raises(ConfigError, match="finite"):
        parse_set([text])


# ---- editing a track


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.epochs", 7),
        ("split.folds", 3),
        ("model.embedding_size", 4),
        ("model.options.width", 8),
        ("dataset.options.size", 16),
        ("space.lr.low", 2e-4),
        ("augment.rotate", 5.0),
        ("augment.jitter", 0.1),
    ],
)
def test_a_changed_rule_makes_another_exam(key, value):
    """A change to any rule renames the track to +edited, and changes that rule alone."""
    track = synthetic_track(augment={"shear": 3.0})
    edited, rest = edit_track(track, {key: value})
    before, after = (t.model_dump(by_alias=True, mode="json") for t in (track, edited))
    *sections, last = key.split(".")
    place = after
    for section in sections:
        place = place[section]

    assert value == place[last]
    assert edited.name == "synthetic+edited"
    assert rest == {}
    place.pop(last)
    inner = before
    for section in sections:
        inner = inner[section]
    inner.pop(last, None)
    assert {**before, "name": None} == {**after, "name": None}


def test_a_changed_budget_is_the_same_exam():
    """Trials and seeds change the budget, not the exam: the track keeps its name."""
    edited, rest = edit_track(synthetic_track(), {"budget.trials": 5, "budget.repetitions": 1})

    assert (edited.name, edited.budget.trials, edited.budget.repetitions) == ("synthetic", 5, 1)
    assert rest == {}


def test_another_reported_metric_is_the_same_exam():
    """What is reported beside the primary metric does not change the exam; the primary metric does."""
    edited, _ = edit_track(synthetic_track(), {"metrics.report": ["map@r", "nmi"]})
    assert ("synthetic", ("map@r", "nmi")) == (edited.name, edited.metrics.report)
    edited, _ = edit_track(synthetic_track(), {"metrics.primary": "recall@1"})
    assert "synthetic+edited" == edited.name


def test_an_edited_track_is_not_renamed_again():
    """A second change leaves the name as it is."""
    once, _ = edit_track(synthetic_track(), {"training.epochs": 7})
    twice, _ = edit_track(once, {"training.epochs": 8})

    assert twice.name == "synthetic+edited"


def test_parameters_of_methods_are_left_for_them():
    """What concerns no rule of the track is handed on: a method's own parameters."""
    track = synthetic_track()
    edited, rest = edit_track(track, {"loss.margin": 0.3, "optimiser.lr": 0.1, "miner.warmup": 0.2})

    assert track == edited
    assert rest == {"loss.margin": 0.3, "optimiser.lr": 0.1, "miner.warmup": 0.2}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epoch", 3, "did you mean 'training.epochs'"),
        ("training.epochs", 0, "greater than or equal to 1"),
        ("training.epochs.more", 1, "epochs is a value, not a section"),
        ("space.lr.default", 5.0, "lies outside"),
        ("split.rule", "two words", "split.rule"),
        ("augment.rotation", 3, "did you mean 'augment.rotate'"),
        ("space.rate.low", 0.1, "unknown key 'space.rate'"),
    ],
)
def test_a_rule_that_does_not_exist_is_one_sentence(key, value, message):
    """A key that no track has, or a value that does not hold, is an error that begins with --set."""
    with pytest.raises(ConfigError, match=message) as caught:
        edit_track(synthetic_track(), {key: value})
    assert str(caught.value).startswith("--set")


def test_the_track_itself_stays_as_it_is():
    """Editing gives a new track; the old one keeps its rules."""
    track = synthetic_track()
    before = track.model_dump()
    edit_track(track, {"model.options.width": 3, "training.epochs": 9})

    assert before == track.model_dump()
    assert not math.isnan(track.space.lr.default)


# ---- odd documents


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[training]\nepochs = true", "training.epochs: .*valid integer, got True"),
        ("[training]\nepochs = '2'", "training.epochs: .*valid integer, got '2'"),
        ("[training]\nepochs = 2.0", "training.epochs: .*valid integer, got 2.0"),
        ("[training]\nrotate_classes = 1", "training.rotate_classes: .*valid boolean, got 1"),
        ("[training]\nfeeds = ['veiws']", "a feed should be one of classes, pairs, triplets, views, got 'veiws', did you mean 'views'"),
        ("[training]\nfeeds = 'views'", "training.feeds: .*valid tuple, got 'views'"),
        ("[augment]\nrotate = true", "augment.rotate: .*valid number, got True"),
        ("[augment]\nrotate = nan", "augment.rotate: .*finite number, got nan"),
        ("[augment]\nscale = [true, 2]", "augment.scale.0: .*valid number, got True"),
        ("[augment]\njitter = inf", "augment.jitter: .*finite number"),
        ("[space.lr]\nlow = nan\nhigh = 1.0\ndefault = 0.5", "space.lr.low: .*finite number, got nan"),
        ("[metrics]\nreport = 'map@r'", "metrics.report: .*valid tuple, got 'map@r'"),
        ("[budget]\ntrials = 100001", "budget.trials: .*less than or equal to 100000, got 100001"),
        (f"[budget]\ntrials = {2**63}", "budget.trials: .*less than or equal to 100000"),
        (f"[training]\nbatch_size = {2**40}", "training.batch_size: .*less than or equal to 1000000"),
        ("[budget]\nrepetitions = 10001", "budget.repetitions: .*less than or equal to 10000"),
        (f"[dataset.options]\nsize = {2**63}", "dataset.options: size: whole numbers lie in"),
        ("[dataset.options]\nsize = inf", "dataset.options.size: .*finite number, got inf"),
        (f"[training]\nepochs = {'9' * 10_000}", "cannot be read as TOML: Exceeds the limit"),
        (f"[dataset.options]\nsize = {'[' * 5000}{']' * 5000}", "nests tables or lists more deeply than can be read"),
        (f"notes = '{'x' * (1 << 20)}'", "holds [0-9,]+ bytes, more than the 1,048,576 that are read"),
    ],
)
def test_values_of_another_kind_or_beyond_reason_are_refused(tmp_path, lines, message):
    """True is no number, text no number, nan nothing, and numbers, files and nesting have sane limits: always one sentence."""
    path = put(tmp_path, lines + TRACK if lines.startswith("notes") else f"{TRACK}\n{lines}\n")

    with pytest.raises(ConfigError, match=message) as caught:
        load_track(str(path))

    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("schema", ["true", "1.0", "'1'"])
def test_a_schema_is_a_whole_number(tmp_path, schema):
    """What only equals 1 is no schema."""
    with pytest.raises(ConfigError, match="schema: must be a whole number, got"):
        load_track(str(put(tmp_path, TRACK.replace("schema = 1", f"schema = {schema}"))))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "nests tables or lists more deeply"),
        ('{"schema": 1, "schema": 1}', "the key 'schema' comes twice"),
        ('{"schema": %s}' % ("1" * 10_000), "cannot be read as JSON: Exceeds the limit"),
        ('{"a": NaN}', "unknown key 'a'"),
        ("\x00", "cannot be read as JSON"),
    ],
)
def test_odd_json_is_one_sentence(tmp_path, content, message):
    """Depth, keys that come twice and numbers of thousands of digits are refused by file name."""
    with pytest.raises(ConfigError, match=message):
        load_track(str(put(tmp_path, content, "track.json")))


def test_a_whole_number_is_a_number(tmp_path):
    """Where a number may have a fraction, one without it is taken, in TOML and in JSON."""
    track = load_track(str(put(tmp_path, f"{TRACK}\n[augment]\nrotate = 10\nscale = [1, 2]\n")))

    assert (track.augment.rotate, track.augment.scale) == (10.0, (1.0, 2.0))


def test_what_is_no_file_is_refused_and_holds_nobody_up(tmp_path):
    """A folder, a pipe and a device are no comparison."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zeros.toml").symlink_to("/dev/zero")
    for name, message in (("pipe.toml", "is a pipe"), ("zeros.toml", "is a device"), (".", "is a folder")):
        with pytest.raises(ConfigError, match=message):
            load_comparison(tmp_path / name)


@pytest.mark.parametrize("text", ["9" * 10_000, "[" * 5000, f"{2**53}", "-9007199254740993"])
def test_values_on_the_command_line_have_limits_too(text):
    """A number of thousands of digits, deep nesting and numbers that documents would round are refused by their key."""
    with pytest.raises(ConfigError, match=r"--set training\.epochs: values are text, true, false, lists, or numbers up to"):
        parse_set([f"training.epochs={text}"])


def test_a_rule_that_stays_as_it_is_makes_no_other_exam():
    """A change to the value that a rule has leaves the track's name; true in the place of 1 is another value, and refused."""
    track = synthetic_track()

    assert edit_track(track, {"training.epochs": 2})[0] == track
    assert edit_track(track, {"training.epochs": 3})[0].name == "synthetic+edited"
    with pytest.raises(ConfigError, match=r"training\.epochs: .*integer"):
        edit_track(track, {"training.epochs": True})
