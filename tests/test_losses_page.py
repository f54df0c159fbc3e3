"""docs/losses.md is what the entries and the references give."""

from __future__ import annotations

import losses as losses_page
import pytest

from siambench.builtin.losses import siambench_losses


def test_the_page_is_fresh():
    """What is committed is what the script writes."""
    assert losses_page.PAGE.read_text(encoding="utf-8") == losses_page.page()


@pytest.mark.parametrize("name", sorted(name for name, entry in siambench_losses().items() if not entry.wraps))
def test_every_loss_stands_in_it(name):
    """With its paper, an equation, the formula that a test holds it against, and its options, none of them empty."""
    line = next(line for line in losses_page.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]
    assert 6 == len(cells)
    assert cells[5] == (", ".join(f"`{option}`" for option in siambench_losses()[name].options) or "none")
    assert all(cells)


def test_another_page_is_told(monkeypatch, tmp_path, capsys):
    """`--check` exits 6 where the page differs or is missing, and 0 where it is the same."""
    assert 0 == losses_page.main(["--check"])
    monkeypatch.setattr(losses_page, "PAGE", tmp_path / "losses.md")
    assert 6 == losses_page.main(["--check"])
    assert 0 == losses_page.main([])
    assert 0 == losses_page.main(["--check"])
    assert "python docs/losses.py writes it" in capsys.readouterr().err
