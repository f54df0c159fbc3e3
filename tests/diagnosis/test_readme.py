"""What the README shows of `diagnose` is what comes out."""

from __future__ import annotations

import re
from pathlib import Path

from siambench.diagnosis.report import BESIDE
from siambench.verdicts import FINDINGS, VERDICTS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "diagnose.md").read_text(encoding="utf-8")
KNOWN = {"ok", *(rule.name for rule in (*VERDICTS, *FINDINGS)), *BESIDE}


def test_the_readmes_swapped_labels_are_found_as_it_prints(capsys):
    """The README's contrastive loss with swapped labels, run as it stands there, gives the verdict and the findings that stand below it."""
    blocks = re.finditer(r"```python\n((?:(?!```).)*)```\n\n```text\n((?:(?!```).)*)```", README, re.DOTALL)
    block, printed = next(found.groups() for found in blocks if "siambench.diagnose(" in found[1])
    exec(block, {})  # it is ours
    found, shown = (_heads(text) for text in (capsys.readouterr().out, printed))
    assert "label-mixup" == shown[0]
    assert shown == found


def _heads(text):
    """The verdict, and name and severity of each finding."""
    lines = text.splitlines()
    return [lines[0], *(line.partition(":")[0] for line in lines[1:] if re.match(r"[a-z-]+ \([a-z]+\):", line))]


def test_what_the_commands_of_the_readme_print_is_of_that_form():
    """Each shown output of the command begins with a verdict, and names findings that there are."""
    shown = re.findall(r"```console\n\$ siambench diagnose [^\n]*\n(.*?)```", README, re.DOTALL)
    assert 2 == len(shown)
    for text in shown:
        assert text.splitlines()[0].removeprefix("verdict: ") in KNOWN
        for name in re.findall(r"^([a-z-]+) \((?:fatal|likely|possible|note)\)$", text, re.MULTILINE):
            assert name in KNOWN
    assert shown[1].startswith("verdict: ok\n")


def test_every_finding_of_its_own_is_on_the_page():
    """Each finding that only `diagnose` makes, each severity and each key of its JSON stands in docs/diagnose.md."""
    for name in (*BESIDE, "fatal", "likely", "possible", "note", "attempt"):
        assert f"`{name}`" in PAGE, name
