"""What was meant by a name that nothing provides."""

import pytest

from siambench import cli
from siambench.components.meant import meant

KNOWN = {
    "datasets": ["csv", "digits", "folder", "npz", "safetensors", "ucr"],
    "losses": ["npair", "triplet"],
    "miners": ["hard", "semihard"],
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder and files of one's own, here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").mkdir()
    (tmp_path / "digit").mkdir()
    for name in ("mine.py", "list.CSV", "list.tsv", "features.npz", "other.txt"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("datasets", "people", ", did you mean 'folder:people'?"),
        ("datasets", "digit", ", did you mean 'folder:digit'?"),
        ("datasets", "list.CSV", ", did you mean 'csv:list.CSV'?"),
        ("datasets", "list.tsv", ", did you mean 'csv:list.tsv'?"),
        ("datasets", "features.npz", ", did you mean 'npz:features.npz'?"),
        ("datasets", "other.txt", ""),
        ("datasets", "gone.npz", ""),
        ("datasets", "fodler:people", ", did you mean 'folder:people'?"),
        ("datasets", "zzz:people", ""),
        ("datasets", "digts", ", did you mean 'digits'?"),
        ("losses", "mine.py", ", did you mean 'mine.py:CLASS', a class in that file?"),
        ("losses", "gone.py", ""),
        ("losses", "triplet+hard", ", did you mean --loss triplet --miner hard?"),
        ("losses", "tripet+hard", ", did you mean 'triplet'?"),
        ("losses", "tripet", ", did you mean 'triplet'?"),
        ("miners", "people", ""),
        ("miners", "hart", ", did you mean 'hard'?"),
    ],
)
def test_a_path_a_row_and_a_misspelt_kind_are_understood(own, kind, name, said):
    """What is here as a file or a folder is named as a data set or a loss is; a row's name as its loss and miner; else the nearest name."""
    assert said == meant(kind, name, KNOWN[kind])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--loss", "triplet", "--dataset", "people", "--plan"), "did you mean 'folder:people'?"),
        (("run", "--loss", "triplet+hard", "--plan"), "did you mean --loss triplet --miner hard?"),
    ],
)
def test_it_is_said_on_the_command_line(own, capsys, arguments, said):
    """One sentence, and exit code 4."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))

    assert ended.value.code == 4
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "csv", "npz", "safetensors", "sides", "ucr", "hf"])
def test_a_missing_path_of_any_data_set_names_the_nearest(tmp_path, monkeypatch, capsys, kind):
    """Whatever reads a file or folder of one's own says in one sentence, exit code 4, which path beside the missing one was meant."""
    if kind == "hf":
        pytest.importorskip("datasets", reason="Hugging Face's library is not installed")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").mkdir()
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--loss", "triplet", "--dataset", f"{kind}:poeple", "--plan"])

    said = capsys.readouterr().err.strip()
    assert ended.value.code == 4
    assert "did you mean 'people'?" in said
    assert len(said.splitlines()) == 1
