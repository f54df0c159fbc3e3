"""What stands behind a row: commands that make it again, its studies, flags in words, packages and units."""

from __future__ import annotations

import dataclasses
import re
import shlex

import pytest
from made import LOCAL, SHIPPED, TRACK, final, several, studies, table_of, tuned

from siambench.board.captions import FLAGS
from siambench.board.details import asked, details_of
from siambench.board.view import view
from siambench.spec import FeedList, Method, Source


def detail_of(table, name):
    """What stands behind the row of that name: its commands by their titles, and its sections by theirs."""
    place = next(place for place, line in enumerate(table.lines) if line.row.name == name)
    found = details_of(table)[place]
    return {one.title: one.command for one in found.commands}, {section.title: section for section in found.sections}


def row_of(method, **changes):
    """The row of a method, and its table."""
    records = [dataclasses.replace(one, unit=dataclasses.replace(one.unit, method=method)) for one in studies("x", [0.3, 0.31], **changes)]
    table = table_of(records)
    return table, table.lines[0].row


def test_each_row_has_its_details_in_the_order_of_the_table():
    """There are as many as rows, baselines included, and a view makes them when it is first asked."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    assert len(table.lines) == len(details_of(table)) == len(view(table).details)
    assert view(table).details == details_of(table)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Method("triplet"), "--loss triplet"),
        (Method("triplet", miner="hard"), "--loss triplet --miner hard"),
        (Method("contrastive", feed="pairs", backbone="b d"), "--loss contrastive --feed pairs --backbone 'b d'"),
        (Method("./my file.py:Loss"), "--loss './my file.py:Loss'"),
    ],
)
def test_the_command_of_a_row_asks_for_its_method(method, words):
    """It names loss, miner, feed and backbone as `run` takes them, quoted for a shell, the studies that it has, and an empty folder."""
    table, row = row_of(method)
    assert f"siambench run --track made {words} --studies 2 --out again" == asked(table, row)


def test_the_command_of_a_row_asks_for_its_budget():
    """A full row is asked for by all studies; a smaller one by its own studies, trials and final models; a shipped one needs no folder."""
    for records, shipped, words in (
        (studies("x", [0.3, 0.31, 0.32]), True, "--studies all"),
        (studies("x", [0.3, 0.31, 0.32]), False, "--studies all --out again"),
        ([tuned("x", 0, f, [0.1, 0.2]) for f in range(2)] + [final("x", i, 0.3) for i in range(2)], False, "--studies 1 --trials 1 "),
    ):
        table = table_of(records, shipped=shipped)
        assert f"siambench run --track made --loss x {words}" in asked(table, table.lines[0].row)
    assert "--repetitions 2 --out again" in asked(table, table.lines[0].row)


def test_a_local_row_is_reproduced_with_its_file_by_whoever_has_it():
    """Both commands name the file by a path that works where it lies, and what they do says which folder and file they take."""
    records = studies("mine.py:Loss", [0.3, 0.31], components={"loss": LOCAL})
    table = dataclasses.replace(table_of(records), sources=("my runs",))
    commands, _ = detail_of(table, "mine.py:Loss")
    again = "siambench reproduce made mine.py:Loss --from 'my runs' --where mine.py:Loss=./mine.py"
    assert again == commands["Run its final units again and compare; it takes my runs and mine.py"]
    anew = "siambench run --track made --loss ./mine.py:Loss --studies 2 --out again"
    assert anew == commands["Tune and train it from the beginning; it takes mine.py"]
    assert "siambench leaderboard made --from again" == commands["See what that gave beside the others"]


def test_a_row_of_a_plugin_says_what_has_to_be_installed():
    """The distributions that its components come from stand with their versions behind what a command does."""
    soft = Source("soft", "siambench-soft", "6" * 64)
    commands, _ = detail_of(table_of(studies("soft", [0.3, 0.31], components={"loss": soft})), "soft")
    (installed,) = (title for title in commands if title.startswith("Tune and train"))
    assert re.fullmatch(r"Tune and train it from the beginning; it takes siambench-soft \S+ installed", installed)


def test_of_rows_of_one_name_the_key_says_which_is_meant():
    """Where another row has the name, the commands take the digits of the row's key, which mean it alone."""
    records = [*studies("x", [0.3, 0.31]), *studies("x", [0.4, 0.41], row="0123456789abcdef", edited=("loss.margin",))]
    commands = details_of(table_of(records))[0].commands
    assert "siambench reproduce made row:01234567" == commands[0].command


def test_narrowed_spaces_and_lists_are_asked_for():
    """A part of a space stands as a range or a choice, and a list of somebody's and a model to start from as files."""
    table, row = row_of(Method("triplet"), edited=("loss.margin",))
    assert "--space loss.margin=0.0..1.0 " in asked(table, row)
    choice = {"loss.kind": {"type": "choice", "options": ["a", "b"]}}
    table, row = row_of(Method("triplet"), edited=("loss.kind",), space=choice, params={"loss.kind": "a"})
    assert "'--space' 'loss.kind=a|b'".replace("'--space'", "--space") in asked(table, row)
    table, row = row_of(Method("triplet", feed=FeedList("triplets", "ab" * 32), init="cd" * 32))
    assert "--feed triplets=FILE --init FILE" in asked(table, row)


def test_a_row_with_fixed_parameters_or_another_space_is_asked_for_so():
    """What was fixed by hand, and the space that it was tuned in, stand in the command."""
    table, row = row_of(Method("triplet"), edited=("loss.margin",), space={}, space_name="reality-check")
    words = shlex.split(asked(table, row))
    assert "reality-check" == words[words.index("--space") + 1]
    assert "loss.margin=0.4" == words[words.index("--set") + 1]


def test_what_nobody_can_ask_for_has_no_such_command():
    """Of a baseline, and of a sampler chosen by hand, no command makes it anew; what ran can be repeated."""
    table, row = row_of(Method("triplet"), edited=("sampler",))
    assert asked(table, row) is None
    commands, _ = detail_of(table_of([final("raw", 0, 0.1)]), "raw")
    assert ["siambench reproduce made raw"] == list(commands.values())


def test_a_row_of_another_folder_is_reproduced_from_there():
    """The commands of a row that did not come with siambench name the folders that joined the table, those of a shipped one do not."""
    for shipped, more in ((False, " --from 'my runs'"), (True, "")):
        table = dataclasses.replace(table_of(studies("triplet", [0.3, 0.31]), shipped=shipped), sources=("my runs",))
        commands, _ = detail_of(table, "triplet")
        assert f"siambench reproduce made triplet{more}" in commands.values()
        assert f"siambench show study made triplet{more}" in commands.values()


def test_each_study_has_its_parameters():
    """Per study stand the trials, the default's and the selected score, that on test classes, and each parameter in a column of its own."""
    _, sections = detail_of(table_of(several()), "triplet")
    table = sections["Studies and their parameters"]
    assert ("study", "trials", "default", "selected", "test", "trial", "epoch", "loss.margin") == table.head
    assert [("0", "2", "0.200", "0.300", "0.500", "1", "2", "0.4"), ("1", "2", "0.200", "0.300", "0.510", "1", "2", "0.4")] == list(
        table.rows[:2]
    )


def test_flags_are_in_plain_words():
    """Each flag of the row stands with the sentence that says what it means."""
    _, sections = detail_of(table_of(studies("triplet", [0.3], revision=0)), "triplet")
    assert {("revision-0", FLAGS["revision"]), ("short-budget", FLAGS["short-budget"])} == set(sections["Flags"].rows)
    _, sections = detail_of(table_of(several()), "triplet")
    assert "Flags" not in sections


def test_components_stand_with_their_packages():
    """Each role has a name and what it comes from, and the libraries that computed stand with their versions."""
    _, sections = detail_of(table_of(studies("x", [0.3], components={"loss": LOCAL, "backbone": SHIPPED})), "x")
    rows = [("backbone", "conv4", "siambench 0.1.0"), ("loss", "x", "local 0"), ("library", "torch", "2.9")]
    assert rows == list(sections["Components and their packages"].rows)


def test_each_final_unit_stands_with_its_seeds_and_score():
    """A unit has its study, repetition, trial, score to six digits, seeds and id; one that failed has its error in place of a score."""
    failed = final("triplet", 1, 0, state="failed", trial=1, study=1)
    table = table_of([*studies("triplet", [0.3, 0.31], seeds={"weights": 7, "order": 9}), failed, final("untrained", 1, 0.1, study=1)])
    _, sections = detail_of(table, "triplet")
    units = sections["Units"]
    assert ("study", "repetition", "trial", "map@r", "seed of order", "seed of weights", "unit") == units.head
    finals = next(line.row for line in table.lines if line.row.name == "triplet").finals
    assert ("0", "0", "1", "0.300000", "9", "7", finals[0].id) == units.rows[0]
    assert "failed: it raised" == units.rows[2][3]
    assert failed.id == units.rows[2][-1]


def test_what_is_proven_of_a_row_and_what_it_lacks_are_sentences():
    """A ranked row says whom it is proven better than, and a row without a score why it has none."""
    _, sections = detail_of(table_of(several()), "supcon")
    assert ("Proven better than npair, arcface.",) == sections["In words"].lines
    broken = [tuned("broken", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    _, sections = detail_of(table_of(broken), "broken")
    assert "No score: every trial failed: it diverged." in sections["What is missing"].lines


def test_an_adhoc_reference_is_quoted():
    """A path with a space stands in quotes in every command."""
    table = dataclasses.replace(table_of(studies("triplet", [0.3])), reference="my runs/made-12", track=TRACK)
    commands, _ = detail_of(table, "triplet")
    assert all("'my runs/made-12'" in command for command in commands.values())
