"""`siambench check` as a plugin author meets it: plugins that must not be loaded here are examined in processes of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from shared import plugin_folder

from siambench.components.catalogue import Catalogue
from siambench.testing.contracts import CONTRACTS, cases, check_component
from siambench.testing.contracts.examine import as_used

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
BUILTIN = CATALOGUE.components()
DEEPER = {
    "convnext_small": "convnext_tiny",
    "densenet169": "densenet121",
    "densenet201": "densenet121",
    "efficientnet_b1": "efficientnet_b0",
    "efficientnet_b2": "efficientnet_b0",
    "regnet_y_1_6gf": "regnet_y_400mf",
    "resnet101": "resnet50",
    "resnet152": "resnet50",
    "resnet34": "resnet18",
    "resnext50_32x4d": "resnet50",
    "swin_s": "swin_t",
    "vgg16_bn": "vgg11_bn",
    "vgg19": "vgg16",
    "vit_b_32": "vit_b_16",
    "wide_resnet50_2": "resnet50",
}
"""Networks that are another one in layers, channels, groups or patches alone: together their examination takes longer than all the rest."""
TUTORIAL = (Path(__file__).parents[2] / "docs" / "your_loss.md").read_text(encoding="utf-8")

LOSSES = """
import torch


class Talks(torch.nn.Module):
    def forward(self, embeddings, labels):
        print("a loss that talks")
        return embeddings.square().mean() + (embeddings[:, 0] * torch.arange(len(embeddings))).mean()


class Paints(torch.nn.Module):
    def forward(self, embeddings, labels):
        raise ValueError("\\x1b[2J\\x9bred " + 40 * "and much more ")
"""

BROKEN = 'return {"one": LossEntry(lambda: 1, source="made up")}'
BACKBONE = 'return {"flat": BackboneEntry(lambda: None, source="made up")}'


@pytest.fixture
def losses(tmp_path):
    """A file of two losses, each broken in its own way."""
    path = tmp_path / "losses.py"
    path.write_text(LOSSES, encoding="utf-8")
    return path


def all_hold(outcomes, examined):
    """Each contract of each of these built-in components is passed, or skipped with a reason that holds for it."""
    found: dict[str, dict[str, str]] = {}
    for component, contract, state in outcomes:
        found.setdefault(component, {})[contract] = state

    assert [] == [outcome for outcome in outcomes if "failed" == outcome[2]]
    # A loss that is made of another one is examined around one; an engine may need a cluster.
    assert {"plugin:siambench", *(f"{one.kind}:{one.name}" for one in examined)} == {name.partition("(")[0] for name in found}
    for name, states in found.items():
        kind = name.partition(":")[0]
        assert [contract.name for contract in CONTRACTS[kind]] == list(states) or {"skipped"} == set(states.values()), name
    # Order is no matter but for roles within a class, views, and what draws; only `none` is not examined at all.
    ordered = {"losses:npair", "losses:vicreg", "losses:barlow-twins"}
    drawing = {"losses:elasticface", "miners:distance-weighted", "miners:offline-semihard", "miners:uniform-histogram"}
    assert {*ordered, *drawing, "miners:none"} == {name for name, states in found.items() if "skipped" == states.get("permutation")}
    of_training = [name for name in found if name.startswith(("losses:", "miners:"))]
    assert ["miners:none"] == [name for name in of_training if {"skipped"} == set(found[name].values())]
    owning = {f"losses:{one.name}" for one in examined if one.kind == "losses" and one.entry.own_parameters}
    assert owning == {name for name in of_training if "passed" == found[name].get("own-parameters")}


@pytest.mark.slow
def test_what_ships_passes():
    """Of what ships every component keeps its contracts but for deeper networks, each like a smaller one that is examined here."""
    examined = [one for one in BUILTIN if one.kind != "backbones" or one.name not in DEEPER]
    assert {*DEEPER, *DEEPER.values()} <= {one.name for one in BUILTIN if one.kind == "backbones"}
    assert not {*DEEPER} & {*DEEPER.values()}
    whole = [case.examine() for case in cases("siambench", CATALOGUE) if case.name == "plugin:siambench"]
    outcomes = [*whole, *(outcome for one in examined for outcome in check_component(as_used(one, CATALOGUE)))]

    all_hold([(outcome.component, outcome.contract, outcome.state) for outcome in outcomes], examined)


@pytest.mark.long
def test_the_command_examines_all_that_ships(siambench):
    """`check siambench` exits 0, and its document has every contract of every built-in component, deeper networks too."""
    done = siambench("check", "siambench", "--json")
    document = json.loads(done.stdout)

    assert 0 == done.returncode, done.stderr
    assert 0 == document["counts"]["failed"]
    all_hold([(outcome["component"], outcome["contract"], outcome["state"]) for outcome in document["outcomes"]], BUILTIN)


def test_a_loss_that_is_not_finite_is_told_of_what_finds_the_reason(siambench, tmp_path):
    """Where a loss gives no number, the sentence ends with the command that looks for why; other broken contracts have no such end."""
    forward = "def forward(self, embeddings, labels):\n        return (embeddings / (embeddings.sum() - embeddings.sum())).mean()"
    (tmp_path / "my losses.py").write_text(f"import torch\n\n\nclass Divides(torch.nn.Module):\n    {forward}\n")
    done = siambench("check", "./my losses.py:Divides")

    assert 6 == done.returncode
    assert done.stderr.endswith(" scalar; siambench diagnose --loss './my losses.py:Divides' looks for the reason\n"), done.stderr


def test_each_contract_is_shown(siambench):
    """`check NAME` shows each contract of a component within 100 columns, counts on stderr, and exits 0."""
    done = siambench("check", "losses", "triplet")
    blocks = {name: lines.splitlines() for name, lines in re.findall(r"^(\S+)\n((?:  .*\n)+)", done.stdout, flags=re.MULTILINE)}

    assert 0 == done.returncode, done.stderr
    assert re.search(r"^[1-9]\d* passed, 0 failed, [1-9]\d* skipped$", done.stderr, flags=re.MULTILINE)
    assert {"losses:triplet"} == set(blocks)
    assert [contract.name for contract in CONTRACTS["losses"]] == [line.split()[0] for line in blocks["losses:triplet"]]
    assert 100 >= max(map(len, done.stdout.splitlines()))


def test_the_tutorials_loss_passes(siambench, tmp_path):
    """The loss in a file of docs/your_loss.md breaks no contract; light-import is skipped, for a file may import torch."""
    block = next(b for b in re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL) if "class MyLoss" in b)
    (tmp_path / "mine.py").write_text(block)
    done = siambench("check", "./mine.py:MyLoss")

    assert 0 == done.returncode, done.stderr
    assert re.search(r"light-import +skipped +a file may import torch", done.stdout)


def test_a_broken_contract_exits_6_and_the_document_is_whole(siambench, losses):
    """With --json stdout is one document, whatever the loss prints; each failed contract has its reason; the exit code is 6."""
    done = siambench("check", "./losses.py:Talks", "--json")
    document = json.loads(done.stdout)
    found = {outcome["contract"]: outcome for outcome in document["outcomes"]}

    assert 6 == done.returncode
    assert (1, "./losses.py:Talks") == (document["schema"], document["target"])
    assert {"permutation", "quiet"} == {name for name, outcome in found.items() if outcome["state"] == "failed"}
    assert "'a loss that talks" in found["quiet"]["reason"]
    assert found["scalar"] == {"component": "losses:losses.py:Talks", "contract": "scalar", "state": "passed", "reason": None}
    assert document["counts"] == {s: sum(o["state"] == s for o in document["outcomes"]) for s in ("passed", "failed", "skipped")}
    assert (
        "siambench: ./losses.py:Talks breaks its contracts: losses:losses.py:Talks permutation, losses:losses.py:Talks quiet" in done.stderr
    )


RAISING = """
import torch


class Raises(torch.nn.Module):
    def forward(self, embeddings, labels):
        return self.term(embeddings)

    def term(self, embeddings):
        weights = torch.ones(3)
        return embeddings @ weights


class Begins(torch.nn.Module):
    def __init__(self):
        raise KeyError("margin")

    def forward(self, embeddings, labels):
        return embeddings.mean()
"""


def test_a_loss_that_raises_is_told_with_the_line_of_its_file(siambench, tmp_path):
    """The innermost line of the user's file stands before what it raises; --traceback shows the way there."""
    (tmp_path / "mine.py").write_text(RAISING, encoding="utf-8")
    done = siambench("check", "./mine.py:Raises")
    assert 6 == done.returncode
    assert "failed   mine.py:11: " in done.stdout
    assert "; --traceback shows what was raised" in done.stderr
    assert "Traceback" not in done.stderr
    shown = siambench("check", "./mine.py:Raises", "--traceback")
    assert 6 == shown.returncode
    assert 'mine.py", line 11' in shown.stderr
    document = json.loads(siambench("check", "./mine.py:Raises", "--json").stdout)
    assert "mine.py:11" in {outcome.get("place") for outcome in document["outcomes"] if outcome["state"] == "failed"}
    assert not any("place" in outcome for outcome in document["outcomes"] if outcome["state"] != "failed")


def test_a_loss_that_cannot_be_built_is_told_with_its_line(siambench, tmp_path):
    """What a class raises when it is made, and a file when it is imported, is one sentence with the line, and exit code 4."""
    (tmp_path / "mine.py").write_text(RAISING, encoding="utf-8")
    (tmp_path / "other.py").write_text("import torch\n\nmargin = 1 / 0\n", encoding="utf-8")
    made, imported = siambench("check", "./mine.py:Begins"), siambench("check", "./other.py:Begins")
    assert (4, 4) == (made.returncode, imported.returncode)
    assert "cannot be built with its defaults: KeyError: 'margin' (line 16; --traceback shows more)" in made.stderr
    assert "cannot be imported: ZeroDivisionError: division by zero (line 3; --traceback shows more)" in imported.stderr


def test_what_is_skipped_for_one_reason_is_one_line(siambench, tmp_path):
    """Where a loss raises in all it is asked, the contracts that follow are one line with their number and the reason."""
    (tmp_path / "mine.py").write_text(RAISING, encoding="utf-8")
    done = siambench("check", "./mine.py:Raises")
    skipped = [line for line in done.stdout.splitlines() if " skipped " in line]
    number = int(re.search(r"(\d+) skipped$", done.stderr, flags=re.MULTILINE)[1])
    assert len(skipped) <= 2 < number
    assert any(f"{number - len(skipped) + 1} contracts" in line for line in skipped), done.stdout


def test_what_a_component_raises_is_shown_within_the_table(siambench, losses):
    """A long error text with control codes is wrapped to 100 columns with the codes spelt out, and no traceback is shown."""
    done = siambench("check", "./losses.py:Paints")

    assert 6 == done.returncode
    assert r"it raises ValueError: \x1b[2J\x9bred and much more" in " ".join(done.stdout.split())
    assert [] == [code for code in ("\x1b", "\x9b", "Traceback") if code in done.stdout + done.stderr]
    assert 100 >= max(map(len, done.stdout.splitlines()))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "siamese",
            [
                "unknown plugin or component 'siamese', did you mean 'siambench'?",
                "plugins that failed to load: broken (`siambench plugins --errors` says why)",
            ],
        ),
        ("loss siamese", ["unknown loss 'siamese'"]),
        ("tracker siamese", ["unknown kind 'tracker'"]),
        ("loss triplet hard", ["a name, or a kind and a name, got 3 words: loss triplet hard"]),
        ("./losses.py:Speaks", ["'Speaks'", "Talks"]),
        ("broken", ["plugin 'broken' of broken 1.0 failed to load: NameError: name 'nothing' is not defined"]),
    ],
)
def test_what_cannot_be_examined_exits_4(siambench, losses, tmp_path, target, words):
    """An unknown name or kind, a class that is not there and a plugin that failed each get one sentence and exit 4."""
    env = {"SIAMBENCH_PLUGINS": ""}
    if "broken" in "".join(words):
        env = {"PYTHONPATH": str(plugin_folder(tmp_path, "broken", "", "return nothing")), "SIAMBENCH_PLUGINS": "broken"}
    done = siambench("check", *target.split(), env=env)

    assert (4, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.slow
def test_each_kind_of_a_plugin_is_examined(siambench, tmp_path):
    """A plugin of backbones alone has its import and its backbones examined, and one of nothing is told so; both are found by name."""
    place = plugin_folder(tmp_path, "trunks", "", BACKBONE, hook="backbones")
    done = siambench("check", "trunks", env={"PYTHONPATH": str(place), "SIAMBENCH_PLUGINS": "trunks"})

    assert 6 == done.returncode
    assert re.match(r"plugin:trunks\n  light-import +passed\nbackbones:flat\n  leaves-the-process-alone +passed\n", done.stdout)
    assert "breaks its contracts: backbones:flat features\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "components"),
    [
        (("random",), ["samplers:random"]),
        (("sampler", "random"), ["samplers:random"]),
        (("samplers", "random"), ["samplers:random"]),
        (("multi-similarity",), ["losses:multi-similarity", "miners:multi-similarity"]),
        (("miner", "multi-similarity"), ["miners:multi-similarity"]),
        (("recall@4",), ["metrics:recall@k"]),
        (("format", "table"), ["formats:table"]),
    ],
)
def test_a_component_is_found_by_its_name(siambench, arguments, components):
    """`check NAME` examines the components of that name, of whatever kind, and `check KIND NAME` that of one kind; no plugin as a whole."""
    done = siambench("check", *arguments, "--json")
    document = json.loads(done.stdout)

    assert 0 == done.returncode, done.stderr
    assert components == list(dict.fromkeys(outcome["component"] for outcome in document["outcomes"]))
    assert " ".join(arguments) == document["target"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["siambench-soft", "Siambench_Soft"])
def test_a_plugin_is_found_by_its_distribution(siambench, tmp_path, name):
    """A plugin that is called otherwise than its package is examined by the name of either, however that is spelt."""
    place = plugin_folder(tmp_path, "soft", "", "return {}")
    metadata = place / "made_soft-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Name: soft", "Name: siambench-soft"))
    env = {"PYTHONPATH": str(place), "SIAMBENCH_PLUGINS": "soft"}
    done = siambench("check", name, env=env)

    assert (0, "plugin:soft\n  light-import  passed\n") == (done.returncode, done.stdout), done.stderr


@pytest.mark.slow
def test_an_installed_plugin_that_is_heavy_and_broken_fails_both(siambench, tmp_path):
    """A plugin whose module imports torch and whose factory gives no module exits 6 and names both contracts."""
    place = plugin_folder(tmp_path, "heavy", "import torch", BROKEN)
    done = siambench("check", "heavy", env={"PYTHONPATH": str(place), "SIAMBENCH_PLUGINS": "heavy"})

    assert 6 == done.returncode
    assert "siambench: heavy breaks its contracts: plugin:heavy light-import, losses:one scalar\n" in done.stderr


def test_the_help_imports_no_torch(siambench_process):
    """`check --help` says what it takes and how it exits, and comes out without torch."""
    done = siambench_process("check", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})

    assert "./FILE.py:NAME" in done.stdout
    assert "Exits 6" in done.stdout
    assert "siambench.commands.terminal" in done.stderr
    assert not re.search(r"\| +torch\b", done.stderr)


def test_a_component_that_ends_its_process_is_not_silence(siambench, tmp_path):
    """`os._exit(0)` in a loss is a broken contract, exit 6 in words; it would have been no word, and success."""
    head = "import os\nimport torch\n\n\nclass Leaves(torch.nn.Module):\n"
    text = f"{head}    def forward(self, embeddings, labels, indices=None):\n        os._exit(0)\n"
    (tmp_path / "leaves.py").write_text(text)
    done = siambench("check", "./leaves.py:Leaves", cwd=tmp_path)
    assert 6 == done.returncode, done.stderr
    assert "os._exit(0) was called" in done.stdout
