"""The laboratory holds: its table is whole, and its failures cost. What siambench calls them `laboratory.py` prints.

Here every scenario is trained once on glyphs, at its first dose. `laboratory.py` does the whole: repetitions, both data sets, all doses.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import gradients
import healthy
import pytest
import results
from laboratory import Kept, Pair, Run, doses_of, judged_again, main, pair_of, row_of, run_unit
from object_runs import BUILT
from scenario import FINDINGS, VERDICTS, Scenario
from scenarios import OBJECTS, SCENARIOS, UNITS
from unit_runs import Setting, check_data, unit_of

README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
KEPT = Kept(None)
"""A twin that several scenarios share is trained once."""


def paired(name, **given):
    """A scenario's failure and twin on glyphs, at its first dose, once."""
    scenario = SCENARIOS[name]
    return pair_of(scenario, scenario.doses[0], data="glyphs", repetitions=1, kept=given.get("kept", KEPT))


def test_the_table_names_at_least_24_failures():
    """Names are distinct, every verdict and finding is one that there is, and each of them but for `ok` is that of some scenario."""
    assert len(SCENARIOS) == len(UNITS) + len(OBJECTS)
    assert len(SCENARIOS) >= 24
    for scenario in SCENARIOS.values():
        assert scenario.verdicts
        assert {*scenario.verdicts} <= {*VERDICTS}
        assert {*scenario.findings} <= {*FINDINGS}
        assert len({*scenario.doses}) == len(scenario.doses) >= 1
        assert scenario.is_unit == (scenario.twin is not None) == (scenario.name not in BUILT)
    assert {*VERDICTS} == {verdict for scenario in SCENARIOS.values() for verdict in scenario.verdicts}
    assert {*FINDINGS} == {finding for scenario in SCENARIOS.values() for finding in scenario.findings}


@pytest.mark.parametrize("scenario", UNITS, ids=lambda scenario: scenario.name)
def test_a_failure_and_its_twin_are_two_units_of_one_exam(scenario):
    """Every dose can be planned, is another unit than its twin, and has the twin's seeds where it has the twin's data."""
    twin, _ = unit_of(scenario.twin, data="glyphs", repetition=0)
    for dose in scenario.doses:
        failing, _ = unit_of(scenario.failing(dose), data="glyphs", repetition=0)
        assert failing.id != twin.id
        assert (failing.data.fingerprint == twin.data.fingerprint) == (failing.seeds == twin.seeds)


def test_repetitions_have_seeds_of_their_own():
    """The second repetition of a setting is another unit with other seeds, and equal settings give one unit."""
    first, _ = unit_of(Setting(), data="glyphs", repetition=0)
    again, _ = unit_of(Setting(), data="glyphs", repetition=0)
    second, _ = unit_of(Setting(), data="glyphs", repetition=1)
    assert first.id == again.id != second.id
    assert not {*first.seeds.values()} & {*second.seeds.values()}


def test_a_parameter_that_no_method_has_is_named():
    """A scenario that sets a parameter that its loss has not would train its twin: it is refused."""
    with pytest.raises(ValueError, match=r"contrastive has no parameter loss\.margin"):
        unit_of(Setting(params={"loss.margin": 1.0}), data="glyphs", repetition=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_failure_costs(name):
    """The failure scores below its healthy twin, unless it need not; both are finite scores in [0, 1]."""
    pair = paired(name)
    assert all(0.0 <= run.score <= 1.0 for run in (*pair.failing, *pair.healthy))
    assert pair.healthy[0].ended == "ok", pair.healthy[0].error
    assert pair.costs or not pair.scenario.costs


@pytest.mark.slow
def test_failures_have_their_names_and_twins_none():
    """Of the first doses on glyphs at least 95 % are called what the table says, with their findings, and no twin anything but `ok`."""
    pairs = [paired(name) for name in SCENARIOS]
    wrong = {pair.scenario.name: (pair.failing[0].verdict, pair.failing[0].findings) for pair in pairs if not pair.right}
    alarms = {pair.scenario.name: pair.healthy[0].verdict for pair in pairs if pair.false_alarms}

    assert len(wrong) <= 0.05 * len(pairs), wrong
    assert not alarms


def made(**fields):
    """A scenario, and a pair of it of made-up runs."""
    scenario = Scenario(name="made", what="made up", verdicts=("starved", "frozen"), findings=("plateau",))
    return Pair(scenario=scenario, dose=1.0, **fields)


def test_a_failure_that_once_beats_its_twin_does_not_cost():
    """`below` counts repetitions, each beside the twin of its own number; a tie is not below."""
    twins = (Run(score=0.3), Run(score=0.2), Run(score=0.25))
    assert made(failing=(Run(score=0.1), Run(score=0.1), Run(score=0.2)), healthy=twins).costs
    pair = made(failing=(Run(score=0.1), Run(score=0.2), Run(score=0.29)), healthy=twins)
    assert (1, False) == (pair.below, pair.costs)


def test_a_name_is_right_with_one_of_the_verdicts_and_all_of_the_findings():
    """A verdict of the table without its finding is wrong, as is a finding without the verdict; what was not judged is neither."""
    right = Run(score=0.1, verdict="frozen", findings=("dead-units", "plateau"))
    bare, other = Run(score=0.1, verdict="starved"), Run(score=0.1, verdict="ok", findings=("plateau",))
    pair = made(failing=(right, bare, other), healthy=(Run(score=0.2, verdict="ok"),) * 2 + (Run(score=0.2, verdict="frozen"),))
    assert (1, 1) == (pair.right, pair.false_alarms)
    unjudged = made(failing=(right, Run(score=0.1)), healthy=(Run(score=0.2),) * 2)
    assert unjudged.right is None
    assert unjudged.false_alarms is None
    assert "not judged yet" in row_of(unjudged)


def test_today_s_rules_are_asked_of_a_unit_that_is_kept(tmp_path, monkeypatch):
    """A unit's rows, read back from its folder and judged again, get the verdict and findings that they had; each is asked once."""
    setting = Setting(loss="triplet", miner="triplet-margin-easy", rules={"training.epochs": 2, "training.steps_per_epoch": 3})
    kept = Kept(tmp_path)
    run = kept.once("one", lambda: run_unit(setting, data="glyphs", repetition=0))
    assert run.verdict is not None
    again = Kept(tmp_path)
    calls = []

    def judge(found):
        calls.append(found)
        return judged_again(dataclasses.replace(found, verdict="forgotten", findings=()), setting, data="glyphs", repetition=0)

    again.judge_again("one", judge)
    again.judge_again("one", judge)
    again.judge_again("another", judge)
    found = again.once("one", lambda: None)
    assert (found.verdict, tuple(found.findings), found.score) == (run.verdict, run.findings, run.score)
    assert len(calls) == 1
    with pytest.raises(KeyError, match="another"):
        Kept(tmp_path, only=True).once("another", lambda: None)


def test_the_results_tell_rights_alarms_and_confusions():
    """Of two scenarios over two repetitions: shares, what each was called, findings, and what was harmless and so not counted."""
    twins = (Run(score=0.3, verdict="ok"), Run(score=0.3, verdict="frozen"))
    right, bare = Run(score=0.1, verdict="frozen", findings=("plateau",)), Run(score=0.1, verdict="starved")
    wrong = Run(score=0.1, verdict="ok")
    pairs = [made(failing=(right, bare), healthy=twins), made(failing=(right, wrong), healthy=twins)]
    harmless = made(failing=(right, Run(score=0.4, verdict="ok")), healthy=twins)

    line = results.summary("some", [*pairs, harmless])
    assert line.startswith("| some | 2 of 3 | 3 of 4, 75.0% [19.4%, 99.4%] | 2 of 4, 50.0% [")
    assert line.endswith("| 1 of 2, 50.0% [1.3%, 98.7%] |")
    assert "| must be | frozen | ok | starved |\n|---|---|---|---|\n| starved or frozen | 2 | 1 | 1 |" in results.confusion(
        [*pairs, harmless]
    )
    assert "| plateau | 2 of 4 |" in results.findings(pairs)
    page = results.page([("first", pairs), ("other", [*pairs, harmless])], "| healthy |", "")
    assert "Harmless, and so not counted: made at 1 on other." in page
    assert "Not measured yet." in page


def test_what_was_trained_is_not_trained_again(tmp_path, capsys, monkeypatch):
    """The command prints one line a scenario, keeps what it trained in its folder, and a second call reads it there."""
    calls = []

    def once(name, **given):
        calls.append(name)
        return Run(score=0.5, verdict="ok") if given["healthy"] else Run(score=0.1, verdict="ok", findings=("unshared",))

    monkeypatch.setattr("laboratory.run_objects", once)
    arguments = ["--only", "two-networks", "--repetitions", "2", "--out", str(tmp_path)]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert "| two-networks | 1 | 0.100 | 0.500 | 2 of 2 | ok (unshared) | ok | unshared | ok |" in first
    assert "2 of 2 failures have their name; 0 alarms on twins" in first
    assert main(arguments) == 0
    assert first == capsys.readouterr().out
    assert len(calls) == 4
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert {0.1, 0.5} == {json.loads(line)["score"] for line in lines}


def test_missing_data_is_said(monkeypatch, tmp_path):
    """Without Omniglot its scenarios end with a sentence that says what to set, and glyphs needs nothing."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="set SIAMBENCH_DATA"):
        check_data("omniglot")
    check_data("glyphs")


def test_there_are_300_healthy_units_and_ten_of_each_kind():
    """The plan holds more than 300 units, at least ten of each of the kinds, all of them distinct."""
    assert healthy.planned() >= healthy.LEAST
    named = [(setting.key, number) for kind in healthy.KINDS for setting, number in kind.settings()]
    assert all(sum(1 for _ in kind.settings()) >= healthy.OF_EACH for kind in healthy.KINDS)
    assert len({*named}) == len(named) == healthy.planned()


@pytest.mark.parametrize("kind", healthy.KINDS, ids=lambda kind: kind.name)
def test_healthy_units_of_each_kind_train(kind):
    """What a kind is made of is found, and trains: one unit of its first method, for two steps."""
    setting, _ = next(kind.settings())
    short = dataclasses.replace(setting, rules={**setting.rules, "training.epochs": 1, "training.steps_per_epoch": 2})
    run = run_unit(short, data="glyphs", repetition=0)
    assert (run.ended, run.error) == ("ok", None)
    assert run.verdict is not None


def test_healthy_units_are_chosen_by_score_alone():
    """A unit counts above the floor and within a fifth of its method's best; verdicts change nothing of it."""
    scores = {"a": [0.5, 0.41, 0.39, 0.05], "b": [0.08, 0.07]}
    assert {"a": [True, True, False, False], "b": [False, False]} == healthy.counted(scores, floor=0.1)
    assert 0.02 + 3 * 0.01 == pytest.approx(healthy.floor_of([0.01, 0.02, 0.03]))


def test_the_table_of_healthy_units_counts_alarms_of_those_that_count():
    """An alarm on a unit that does not count is none; what was not judged is not among those judged."""
    kind, other = healthy.KINDS[0].name, healthy.KINDS[1].name
    untrained = [(healthy.UNTRAINED.name, "x", Run(score=score)) for score in (0.01, 0.02, 0.03)]
    runs = [(kind, "m", Run(score=0.5, verdict="ok")), (kind, "m", Run(score=0.1, verdict="starved")), (kind, "n", Run(score=0.2))]
    runs += [(other, "m", Run(score=0.3, verdict="frozen"))]
    found = healthy.table([*untrained, *runs])
    assert f"| {kind} | 3 | 2 | 1 | 0 | – |" in found
    assert f"| {other} | 1 | 1 | 1 | 1 | frozen |" in found
    assert "| all | 4 | 3 | 2 | 1 | |" in found


def test_the_results_name_every_scenario_as_the_table_does():
    """Each dose of each scenario has one line on each of the four sets, which says what it must be called."""
    page = results.PAGE.read_text(encoding="utf-8")
    sections = {part.splitlines()[0]: part for part in page.partition("## Every scenario")[2].split("\n### ")[1:]}
    assert len(sections) == len(results.SETS)
    for (data, doses), section in zip(results.SETS, sections.values(), strict=True):
        lines = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
        told = [(line[0].removeprefix("| "), float(line[1]), line[6], line[7]) for line in lines]
        chosen = [(scenario, dose) for scenario in SCENARIOS.values() if data in scenario.on for dose in doses_of(scenario, doses)]
        must = [(one.name, dose, " or ".join(one.verdicts), ", ".join(one.findings) or "–") for one, dose in chosen]
        assert told == must


def test_the_results_hold_what_was_promised():
    """Of the sets that thresholds never saw, at least 95 % have their verdicts; no twin and no healthy unit has an alarm."""
    page = results.PAGE.read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith("| **all but the first**"))
    _, verdicts, _, alarms = (cell.strip() for cell in line.strip("|").split("|")[1:])
    right, number = (int(word.rstrip(",")) for word in verdicts.split()[:3:2])
    assert right >= 0.95 * number
    assert alarms.startswith("0 of ")
    healthy_line = next(line for line in page.splitlines() if line.startswith("| all |"))
    trained, counted, judged, false = (int(cell) for cell in healthy_line.strip("|").split("|")[1:5])
    assert trained == healthy.planned()
    assert judged == counted >= healthy.LEAST
    assert false == 0


def test_the_readme_holds_the_table_of_gradients():
    """The figures of the table are those that the command prints, but for what rounding leaves of 0."""

    def cells(text):
        return [[cell if index == 0 else float(cell) for index, cell in enumerate(line.strip("| ").split(" | "))] for line in text]

    printed = gradients.table().splitlines()[2:]
    told = [line for line in README.splitlines() if line.split(" | ")[0].removeprefix("| ") in gradients.DISTANCES]
    assert len(printed) == len(told) == len(gradients.DISTANCES)
    for one, other in zip(cells(printed), cells(told), strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], rel=0.01, abs=1e-12, nan_ok=True)


def test_the_readme_tells_the_number_of_healthy_units():
    """It is that of the plan, and so is the number of kinds."""
    assert [(str(healthy.planned()), str(len(healthy.KINDS)))] == re.findall(r"(\d+) healthy units of (\d+) kinds", README)


def test_the_readme_has_a_line_for_every_script():
    """Each script of the folder but the one that they share stands in the table."""
    scripts = {path.name for path in (Path(__file__).parent / "scripts").glob("*.py")} - {"letters.py"}
    assert scripts == {*re.findall(r"^\| `(\w+\.py)`", README, re.MULTILINE)}
    assert len(scripts) == 6
