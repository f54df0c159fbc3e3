"""Thousands of damaged records: each is refused in one sentence, or says of unit and outcome what it said before."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made import TRACK, studies, with_classes

from siambench.errors import RecordError, UsageError
from siambench.identity import canonical, to_json
from siambench.machine import peak_memory_mb
from siambench.records.record import Record, write

BYTES, VALUES, FOLDERS = 3_000, 1_500, 60
LARGEST = 2048
"""MiB of memory that all of it may take at most."""

PIECES = (
    *("null", "true", "-1", "1e400", "NaN", '"\\ud800"', "[]", "{}", "9" * 400, '"', "}", "[[[[", "\x00", "ü"),
    *("0.5", '"id"', ":", ",", "\\"),
)


def records() -> list[Record]:
    """Of two rows, one with scores of classes: tuned and final, all with a digest of their outcome."""
    per_seed, queries = [[0.1, 0.9, 0.4], [0.2, 0.8, 0.4], [0.3, 0.7, 0.4]], [5, 20, 3]
    return [*studies("npair", [0.1, 0.12, 0.11]), *with_classes("triplet", per_seed, queries)]


def bent(text: bytes, chance: random.Random) -> bytes:
    """The text with one thing done to it: a byte changed, a piece left out, doubled or put in, an end cut off."""
    place, end = chance.randrange(len(text)), chance.randrange(1, 40)
    what = chance.randrange(6)
    if what == 0:
        return text[:place] + bytes([chance.randrange(256)]) + text[place + 1 :]
    if what == 1:
        return text[:place] + text[place + end :]
    if what == 2:
        return text[:place] + text[place : place + end] + text[place:]
    if what == 3:
        return text[:place] + chance.choice(PIECES).encode() + text[place + end :]
    if what == 4:
        return text[:place]
    # A digit becomes another: what a disk, or a hand, changes without breaking the form.
    digits = [spot for spot, byte in enumerate(text) if 48 <= byte <= 57]
    spot = chance.choice(digits or [place])
    return text[:spot] + str(chance.randrange(10)).encode() + text[spot + 1 :]


def leaves(document: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The places of all values that are no containers."""
    if isinstance(document, dict):
        return [place for key, value in document.items() for place in leaves(value, (*path, key))]
    if isinstance(document, list):
        return [place for key, value in enumerate(document) for place in leaves(value, (*path, key))]
    return [path]


def put(document: object, place: tuple[object, ...], value: object) -> None:
    *above, last = place
    for key in above:
        document = document[key]  # type: ignore[index]
    document[last] = value  # type: ignore[index]


def same(before: Record, text: bytes | str) -> bool:
    """Whether a text is refused in one sentence, or holds the unit and the outcome that were written."""
    try:
        after = Record.from_json(text, where="x.json")
    except RecordError as error:
        return "\n" not in str(error) and len(str(error)) < 3000
    return after.unit == before.unit and canonical(to_json(after.outcome)) == canonical(to_json(before.outcome))


def damaged_bytes() -> dict[str, Any]:
    """Texts that were bent and taken for what they were, of `BYTES` tried, and the most MiB of memory that this process ever held."""
    chance, known = random.Random(20261125), records()
    texts = [(canonical(one.to_json()) + "\n").encode() for one in known]
    wrong = []
    for _ in range(BYTES):
        number = chance.randrange(len(known))
        text = bent(texts[number], chance)
        if not same(known[number], text):
            wrong.append(repr(text))
    return {"wrong": wrong, "memory": peak_memory_mb()}


@pytest.mark.slow
def test_no_damaged_byte_changes_a_result():
    """A record whose text was bent anywhere is refused, or the part that was bent is one that vouches for nothing."""
    # In a process of its own: the peak of this one is that of all tests that it ran before.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert [] == found["wrong"]
    assert found["memory"] < LARGEST


@pytest.mark.slow
def test_no_value_of_another_kind_changes_a_result():
    """Any value of unit or outcome replaced by one of another kind, or by a neighbour, with the id left as it was, is refused."""
    chance, known = random.Random(7), records()
    odd = (None, True, -1, 0, 1, 0.5, 1e308, 2**63, 10**400, "", "x", "\u202e", [], {}, [[]], {"a": 1})
    for _ in range(VALUES):
        before = chance.choice(known)
        document = json.loads(canonical(before.to_json()))
        place = chance.choice([one for one in leaves(document) if one[0] in ("unit", "outcome", "schema", "id", "outcome_digest")])
        put(document, place, chance.choice(odd))
        assert same(before, json.dumps(document)), place


@pytest.mark.slow
def test_damaged_folders_give_tables_of_what_is_left(tmp_path):
    """`leaderboard` of a folder, and `--from` it, ends with what the intact records give, names the others, and never with an error."""
    from siambench.board import files

    chance, known = random.Random(3), records()
    home = tmp_path / "made"
    for record in known:
        write(home / "records", record)
    (home / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    whole = {line.row.name: line.row.by_study for line in files.leaderboard(str(home))[0].lines}
    for number in range(FOLDERS):
        folder = tmp_path / f"bent-{number}"
        victims = set(chance.sample(range(len(known)), chance.randrange(1, 5)))
        for place, record in enumerate(known):
            path = write(folder / "records", record)
            if place in victims:
                path.write_bytes(bent(path.read_bytes(), chance))
        rules = TRACK.model_dump_json(by_alias=True).encode()
        (folder / "track.json").write_bytes(rules)
        (folder / "test-openings.jsonl").write_bytes(bent(b'{"unit": "x", "method": "triplet"}\n' * 5, chance))
        (folder / "budgets.json").write_bytes(bent(b'{"row-triplet": [4, 3]}', chance))
        table, found = files.leaderboard(str(folder))
        assert set(found.damaged) <= {folder / "records" / f"{known[place].id}.json" for place in victims}
        for line in table.lines:
            for metric, values in line.row.by_study.items():
                assert all(whole[line.row.name][metric][study] == value for study, value in values.items())
        joined, _ = files.leaderboard(str(home), [folder])
        assert whole == {line.row.name: line.row.by_study for line in joined.lines}
        _bend_the_rules(folder, rules, chance)


def _bend_the_rules(folder: Path, rules: bytes, chance: random.Random) -> None:
    from siambench.board import files

    (folder / "track.json").write_bytes(bent(rules, chance))
    told = ""
    try:
        files.leaderboard(str(folder))
    except UsageError as error:
        told = str(error)
    assert "\n" not in told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(damaged_bytes()))
