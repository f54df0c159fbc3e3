"""`siambench plot`: figures as files, by the command line."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made import several, studies, timed
from PIL import Image

from siambench.board.files import leaderboard
from siambench.board.pictures import KINDS
from siambench.interfaces import Epoch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(folder):
    return folder("made", timed(several()))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_becomes_a_file(siambench, made, tmp_path, suffix):
    """The file is there, the caption and the path are said on stderr, and stdout stays empty."""
    out = tmp_path / f"figure{suffix}"
    done = siambench("plot", "scores", str(made), "--out", str(out))
    assert (done.returncode, done.stdout) == (0, "")
    assert "Mean map@r of each row on test classes" in done.stderr
    assert f"wrote {out}" in done.stderr
    content = out.read_bytes()
    assert b"siambench plot" in content
    assert siambench("plot", "scores", str(made), "--out", str(out)).returncode == 0
    assert out.read_bytes() == content


def test_every_kind_is_listed_and_documented(siambench):
    """`--list` and docs/figures.md name each kind with the same line."""
    listed = siambench("plot", "--list").stdout
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert re.search(rf"^{name} +{re.escape(kind.about)}$", listed, re.MULTILINE)
        assert f"| `{name}` | {kind.about} |" in page


def test_the_page_shows_what_happens(siambench, tmp_path, monkeypatch):
    """The outputs in docs/figures.md are those of its commands, and its Python runs."""
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"```console\n\$ siambench (.*?)\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    for command, output in shown:
        assert siambench(*command.split()).stderr == output
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(block, {})
    assert (tmp_path / "validation.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot"], ["say which figure", "siambench plot --list"]),
        (["plot", "scroes", "--out", "a.png"], ["unknown figure 'scroes'", "did you mean 'scores'?"]),
        (["plot", "scores"], ["say where to write it", "--out scores.png"]),
        (["plot", "scores", "glyhps", "--out", "a.png"], ["did you mean 'glyphs'?"]),
        (["plot", "scores", "MADE", "--out", "a.gif"], ["a figure is written as .png, .svg, .pdf", "'a.gif'"]),
        (["plot", "scores", "MADE", "--out", "no/a.png"], ["there is no folder"]),
        (["plot", "scores", "MADE", "--out", "a.png", "--rows", "tripel"], ["unknown row 'tripel'", "did you mean 'triplet'?"]),
        (["plot", "epochs", "MADE", "--out", "a.png", "--from", "nowhere"], ["nowhere"]),
        (["plot", "groups", "MADE", "--out", "a.png"], ["come in no groups"]),
        (["plot", "losses", "nothing.json", "--out", "a.png"], ["nothing.json"]),
        (["plot", "scores", "nothing.json", "--out", "a.png"], ["is a figure of a table", "losses"]),
        (["plot", "scores", "MADE", "--out", "a.png", "--width", "7"], ["--width", "7"]),
        (["plot", "scores", "MADE", "--out", "a.png", "--theme", "pink"], ["--theme", "pink"]),
    ],
)
def test_what_cannot_be_is_one_sentence(siambench, made, tmp_path, monkeypatch, arguments, words):
    """Whatever is wrong with what is asked exits 4 with one line that names it, and writes no file."""
    monkeypatch.chdir(tmp_path)
    done = siambench(*[str(made) if one == "MADE" else one for one in arguments])
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert not list(tmp_path.glob("*.png"))


def test_rows_of_a_run_join(siambench, made, folder, tmp_path):
    """Rows of `--from` stand beside those of the track, and `--rows` chooses among both."""
    out = tmp_path / "a.svg"
    run = folder("made", studies("mine", [0.9, 0.91, 0.92]), within="out")
    done = siambench("plot", "scores", str(made), "--from", str(run), "--rows", "mine,supcon", "--out", str(out))
    assert done.returncode == 0, done.stderr
    drawn = out.read_text(encoding="utf-8")
    assert "<!-- mine -->" in drawn
    assert "<!-- supcon -->" in drawn
    assert "<!-- triplet -->" not in drawn


def test_one_record_can_be_drawn(siambench, folder, tmp_path):
    """The losses of one record are its own; a record that is damaged, and one whose curve is too short, are one sentence."""
    curve = tuple(Epoch(number, 2.0 / number, 1.0, None, {"map@r": 0.1 * number}) for number in (1, 2, 3))
    path = folder("made", studies("triplet", [0.5, 0.51, 0.52], outcome={"curve": curve}))
    table, _ = leaderboard(str(path))
    assert len(table.lines[0].row.material.losses) == 3
    finals = [record for record in sorted((path / "records").glob("*.json")) if json.loads(record.read_text())["unit"]["kind"] == "final"]
    out = tmp_path / "loss.png"
    done = siambench("plot", "losses", str(finals[0]), "--out", str(out), "--width", "300", "--dots", "60", "--theme", "dark", "--caption")
    assert done.returncode == 0, done.stderr
    image = Image.open(io.BytesIO(out.read_bytes())).convert("RGB")
    assert image.getpixel((0, 0)) == (0x14, 0x18, 0x1D)
    finals[1].write_text("{}")
    broken = siambench("plot", "losses", str(finals[1]), "--out", str(out))
    assert broken.returncode == 4
    assert finals[1].name in broken.stderr
    assert "--rows" in siambench("plot", "losses", str(finals[0]), "--rows", "triplet", "--out", str(out)).stderr


def test_python_draws_the_same_file(siambench, made, tmp_path):
    """`siambench.plot` gives the path of a file that is the command's, byte for byte."""
    import siambench as package

    path = package.plot("tuned", made, out=tmp_path / "a.pdf", rows="supcon")
    assert siambench("plot", "tuned", str(made), "--rows", "supcon", "--out", str(tmp_path / "b.pdf")).returncode == 0
    assert path.read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_letter_without_a_font_is_named(siambench, folder, tmp_path, monkeypatch):
    """Of a row whose name no font here has, one sentence on stderr says so, in Python a warning; matplotlib says nothing."""
    from matplotlib import font_manager

    import siambench as package

    own = [entry for entry in font_manager.fontManager.ttflist if entry.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    made = folder("made", studies("漢字", [0.9, 0.91, 0.92]))
    done = siambench("plot", "scores", str(made), "--out", str(tmp_path / "a.png"), "--dots", "60")
    assert done.returncode == 0, done.stderr
    caption, missing, wrote = done.stderr.splitlines()
    assert caption.startswith("Mean map@r")
    assert missing.startswith("no font here has 漢 (U+6F22), 字 (U+5B57), painted as boxes: install one that does")
    assert wrote.startswith("wrote")
    with pytest.warns(UserWarning, match=r"^no font here has 漢 \(U\+6F22\)") as told:
        package.plot("scores", made, out=tmp_path / "b.png")
    assert [Path(one.filename).name for one in told] == [Path(__file__).name]


def test_drawing_needs_no_torch(made, tmp_path):
    """A process that draws a figure imports neither torch nor pyplot, and chooses no window."""
    code = (
        "import sys\nfrom siambench import cli\n"
        f"try:\n    cli.main(['plot', 'proven', {str(made)!r}, '--out', {str(tmp_path / 'a.png')!r}])\n"
        "except SystemExit as error:\n"
        "    print(error.code, [name for name in ('torch', 'optuna', 'matplotlib.pyplot') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 []"
