"""Thousands of damaged files, seeded: each ends as what it is or in one sentence; none in a traceback, a hang, or too much memory.

Run as a script it is one of the three campaigns, in a process whose memory is its own: ``python test_files.py images SEED NUMBER FOLDER``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

SECONDS = 20
MOST_MB = 2000

TRACK = """schema = 1
name = "fuzzed"
version = "1.0"
[dataset]
name = "digits"
[split]
rule = "class-halves"
folds = 2
test_fraction = 0.5
[model]
backbone = "mlp"
embedding_size = 8
[model.options]
width = 16
layers = 1
[training]
epochs = 2
steps_per_epoch = 3
batch_size = 16
rotate_classes = false
[augment]
rotate = 10.0
scale = [0.9, 1.1]
[budget]
trials = 2
studies = 1
repetitions = 1
[metrics]
primary = "map@r"
report = ["map@r", "recall@1"]
"""
COMPARISON = 'track = "{track}"\ntrials = 2\n[[methods]]\nloss = "triplet"\nminer = "hard"\n[set]\n"loss.margin" = 0.3\n'
ODD = (
    *("true", "false", '"2"', "nan", "inf", "-inf", "-1", "0", "1e400", "2.0", "[]", "{}", "[[[]]]", '""', "9" * 5000, str(2**63)),
    *("1", "3", "0.5", "2.5", '"zeros"', '"by-group"'),
    *("[" * 3000 + "]" * 3000, '"\\u0000"', '"../../x"', '"\\u202e"', "1979-05-27", "'''", "0x7fffffffffffffff", "[1, 2, 3]"),
)


class HangError(BaseException):
    """It took too long."""


@contextlib.contextmanager
def limited():
    """Raise where something takes longer than `SECONDS`."""

    def late(*_: object) -> None:
        raise HangError

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The same with something done to it: bytes changed, cut, doubled, filled, or numbers made large."""
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 5, 20))):
        place = dice.randrange(len(changed) or 1)
        what = dice.randrange(6)
        if what == 0 and changed:
            changed[place] ^= 1 << dice.randrange(8)
        elif what == 1:
            changed[place : place + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
        elif what == 2:
            del changed[place:]
        elif what == 3:
            del changed[place : place + dice.randrange(1, 64)]
        elif what == 4:
            changed[place:place] = changed[place : place + dice.randrange(1, 64)]
        else:
            changed[place : place + 8] = dice.randbytes(8)
    return bytes(changed)


def images(dice: random.Random, number: int, folder: Path) -> dict[str, int]:
    """Images of twelve formats."""
    import numpy as np
    from PIL import Image

    from siambench.data.images import decode, look
    from siambench.errors import DataError

    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    colour, grey = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    deep, real = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), Image.fromarray((pixels[..., 0] / 255).astype(np.float32))
    alpha = colour.convert("RGBA")
    alpha.putalpha(grey)
    bases = []
    for suffix, image, options in (
        *(("png", one, {}) for one in (colour, grey, deep, alpha, colour.quantize(16))),
        *(("tif", one, {}) for one in (colour, deep, real, colour.convert("CMYK"))),
        ("tif", colour, {"compression": "tiff_lzw"}),
        *((kind, colour, {}) for kind in ("jpg", "gif", "bmp", "webp", "ppm", "tga", "jp2", "pcx", "sgi", "avif", "ico", "dds", "qoi")),
    ):
        file = io.BytesIO()
        image.save(file, format=Image.registered_extensions()[f".{suffix}"], **options)
        bases.append((suffix, file.getvalue()))
    counts = {"read": 0, "refused": 0, "silent": 0, "wrong": 0}
    for _ in range(number):
        suffix, content = dice.choice(bases)
        path = folder / f"image.{suffix}"
        path.write_bytes(damaged(content, dice))
        try:
            with limited():
                look(path, colours=True)
                found = decode(path, size=None, mode="rgb")
        except DataError as error:
            counts["refused"] += 1
            counts["wrong"] += "\n" in str(error) or str(path) not in str(error)
            continue
        counts["read"] += 1
        counts["wrong"] += found.dtype != np.uint8 or found.ndim != 3 or len(found) != 3
        if suffix == "png" and path.read_bytes()[:4] == b"\x89PNG":
            # Of these every byte of a pixel is covered by a checksum: one that is read is one that is whole.
            path.write_bytes(content)
            counts["silent"] += not np.array_equal(found, decode(path, size=None, mode="rgb"))
    return counts


def ended(arguments: list[str]) -> tuple[int, str]:
    """The exit code of the command line, in this process, and what it said."""
    from siambench import cli

    out, err = io.StringIO(), io.StringIO()
    try:
        with limited(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(arguments)
    except SystemExit as error:
        return int(error.code or 0), err.getvalue()
    return -1, err.getvalue()


def commands(made, dice: random.Random, number: int) -> dict[str, int]:
    """Count how a command ends on made files."""
    counts = {"read": 0, "refused": 0, "internal": 0, "wrong": 0}
    for _ in range(number):
        code, said = ended(made(dice))
        counts["read"] += code in (0, 5)
        counts["refused"] += code == 4
        counts["internal"] += code not in (0, 4, 5)
        counts["wrong"] += code == 4 and (len(said.strip().splitlines()) != 1 or len(said) > 2000)
        if code not in (0, 4, 5):
            sys.stderr.write(said)
    return counts


def plan(dice: random.Random, number: int, folder: Path) -> dict[str, int]:
    """Tracks and comparisons: bytes changed, and values of other kinds in the place of those that are there."""

    def odd(text: str) -> bytes:
        if dice.random() < 0.4:
            return damaged(text.encode(), dice)
        lines = text.splitlines()
        for _ in range(dice.choice((1, 1, 2))):
            place = dice.randrange(len(lines))
            key, found, _ = lines[place].partition(" = ")
            if found:
                lines[place] = f"{key} = {dice.choice(ODD)}"
            else:
                lines.insert(place, dice.choice(lines))
        return "\n".join(lines).encode()

    def made(dice: random.Random) -> list[str]:
        comparison = COMPARISON.format(track=folder / "track.toml")
        whole = dice.random() < 0.5
        (folder / "track.toml").write_bytes(TRACK.encode() if whole else odd(TRACK))
        (folder / "x.toml").write_bytes(odd(comparison) if whole else comparison.encode())
        return ["run", str(folder / "x.toml"), "--plan", "--out", str(folder / "out")]

    return commands(made, dice, number)


def evaluate(dice: random.Random, number: int, folder: Path) -> dict[str, int]:
    """Embeddings and lists of pairs."""
    import numpy as np
    import torch
    from safetensors.torch import save_file

    values = np.random.default_rng(0)
    arrays = {"embeddings": values.normal(size=(12, 4)).astype("f4"), "labels": np.arange(12) // 3}
    np.savez(folder / "one.npz", **arrays)
    np.savez_compressed(folder / "two.npz", **arrays, names=np.array([f"a/{i}.jpg" for i in range(12)]))
    save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, folder / "three.safetensors")
    bases = [(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]
    lists = [b"left,right,same,fold\n0,1,1,0\n0,3,0,0\n4,5,1,1\n4,11,0,1\n", b"2 1\na 1 2\na 1 b 1\nb 1 2\nb 1 c 2\n"]
    whole = folder / "whole.npz"
    np.savez(whole, **arrays)

    def made(dice: random.Random) -> list[str]:
        if dice.random() < 0.3:
            (folder / "pairs.csv").write_bytes(damaged(dice.choice(lists), dice))
            return ["evaluate", str(whole), "--pairs", str(folder / "pairs.csv"), "--metrics", "roc_auc"]
        suffix, content = dice.choice(bases)
        (folder / f"made{suffix}").write_bytes(damaged(content, dice))
        return ["evaluate", str(folder / f"made{suffix}"), "--metrics", "recall@1,map@r"]

    return commands(made, dice, number)


def campaign(what: str, seed: int, number: int, folder: Path) -> dict[str, int]:
    """One campaign, with the memory that it took."""
    from siambench.machine import peak_memory_mb

    # As for users: what Pillow warns of is not an error.
    warnings.simplefilter("ignore")
    counts = {"images": images, "plan": plan, "evaluate": evaluate}[what](random.Random(seed), number, folder)
    return {**counts, "peak_mb": int(peak_memory_mb() or 0)}


@pytest.mark.slow
@pytest.mark.parametrize(("what", "number"), [("images", 6000), ("plan", 700), ("evaluate", 1500)])
def test_damaged_files_end_as_what_they_are_or_in_one_sentence(tmp_path, what, number):
    """No internal error, no hang, nothing damaged that is taken for whole where it can be known, no sentence without its file."""
    environ = {**os.environ, "SIAMBENCH_CACHE": str(tmp_path / "cache"), "SIAMBENCH_PLUGINS": ""}
    (tmp_path / "files").mkdir()
    command = [sys.executable, __file__, what, "1", str(number), str(tmp_path / "files")]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)

    assert 0 == done.returncode, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert number == counts["read"] + counts["refused"]
    assert counts["refused"] > number // 10
    assert {0} == {counts.get(name, 0) for name in ("silent", "wrong", "internal")}, (counts, done.stderr[-3000:])
    assert counts["peak_mb"] < MOST_MB


if __name__ == "__main__":
    sys.stdout.write(json.dumps(campaign(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))) + "\n")
