"""The documentation as a site: pages from all over the repository, links that lead from page to page, nothing left out, no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install -e '.[docs]'")

import site_pages

ROOT = Path(__file__).parents[1]


def on_the_site(source, markdown):
    """A page as the site has it."""
    return site_pages.on_page_markdown(markdown, SimpleNamespace(file=SimpleNamespace(src_uri=source), meta={}))


def test_every_link_leads_to_a_page_a_picture_or_a_file():
    """Each relative link of each page of the site names something that is there, and a part of a page that has such a heading."""
    known = set(site_pages.pages())
    assert {"docs/index.md", "configs/README.md", "leaderboards/glyphs/README.md", "plugins/siambench-timm/README.md"} <= known
    for path in sorted(known):
        for target, part in site_pages.links(path):
            assert (ROOT / target).exists(), f"{path}: {target}"
            if part and target in known:
                assert part in anchors((ROOT / target).read_text(encoding="utf-8")), f"{path}: {target}#{part}"


def anchors(markdown):
    """The parts of a page, as GitHub and the site call them."""
    heads = [line.lstrip("#").strip() for line, is_prose in site_pages.prose(markdown) if is_prose and line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_links_from_outside_of_docs_become_links_of_the_site():
    """From a README in a folder to a page of docs/, to another folder's README, to a module, to a part, and to the world."""
    page = "[a](../docs/verdicts.md) [b](../plugins/README.md#datasetentry) [c](../siambench/cli.py) [d](#json) [e](https://pytorch.org)"
    told = on_the_site("leaderboards/README.md", f"{page} [f](../README.md)")

    assert "[a](../verdicts.md) [b](../plugins/README.md#datasetentry) [c](../source/siambench/cli.py.md) [d](#json)" in told
    assert "[e](https://pytorch.org) [f](../index.md)" in told


def test_links_of_code_stay_as_they_are():
    """Between two fences nothing is changed, longer fences included; a name of a file behind the language becomes a title."""
    page = "````text\n```\n[a](../docs/verdicts.md)\n````\n\n```python mine.py\nx = y[0](../z)\n```\n"
    assert on_the_site("plugins/README.md", page) == page.replace("```python mine.py", '```python title="mine.py"')


def test_bars_in_code_of_tables_are_no_backslashes():
    """A bar within code within a table, which GitHub wants escaped, is one bar on the site; elsewhere the backslash stays."""
    assert on_the_site("faq.md", "| `a\\|b` | c \\| d |\n\n`e\\|f`") == "| `a|b` | c \\| d |\n\n`e\\|f`"
    assert on_the_site("faq.md", "| .4 ± .1 |\n\n.4 ± .1") == "| .4\u00a0±\u00a0.1 |\n\n.4 ± .1"


def test_the_part_of_the_front_page_stands_where_it_is_linked():
    """The page on diagnosis shows the three outputs of the README, each below a heading, and no mark of folding."""
    told = on_the_site("diagnose.md", (ROOT / "docs" / "diagnose.md").read_text(encoding="utf-8"))

    assert 2 == told.count("```console\n$ siambench diagnose")
    assert "siambench.diagnose(model, contrastive, (x1, x2, same))" in told
    assert 3 == len(re.findall(r"^### ", told, re.MULTILINE))
    assert "details>" not in told
    assert "](../README.md" not in told


def test_no_page_is_left_out():
    """A page that the navigation does not name comes below `More`; boards come below their own heading, each by its track's name."""
    config = {"nav": [{"Start": [{"Five minutes": "index.md"}]}, {"Boards": [{"How": "leaderboards/README.md"}]}]}
    nav = site_pages.on_config(config)["nav"]

    assert {site_pages.place(path) for path in site_pages.pages()} == site_pages.named_in(nav)
    assert {"glyphs": "leaderboards/glyphs/README.md"} in nav[1]["Boards"]
    assert "More" in nav[-1]


def test_the_navigation_names_what_is_there():
    """Each page that mkdocs.yml names exists, and each page of docs/ itself has its place there."""
    named = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    there = {site_pages.place(path): path for path in site_pages.pages()}

    assert [] == sorted(named - set(there))
    assert [] == sorted(page for page, path in there.items() if path.startswith("docs/") and page not in named)


def test_boards_lead_to_their_reports():
    """Each page of HTML that a leaderboard has is on the site, is linked below the heading of its board, and links the others there."""
    found = site_pages.reports()
    assert {"leaderboards/report.html", "leaderboards/glyphs/report.html"} <= set(found)
    assert 'href="../report.html"' in found["leaderboards/glyphs/report.html"]
    assert 'index.html"' not in found["leaderboards/report.html"]
    told = on_the_site("leaderboards/glyphs/README.md", (ROOT / "leaderboards/glyphs/README.md").read_text(encoding="utf-8"))
    assert re.search(r"^# glyphs: .*\n\n\[As a page [^]]*\]\(report.html\)$", told, re.MULTILINE)


def test_a_file_is_shown_whatever_it_holds():
    """A file with a fence of its own is shown within a longer one, and a folder lists its files."""
    page = site_pages.shown("docs/site_pages.py").rstrip()
    fence = page.splitlines()[-1]
    assert set(fence) == {"`"}
    assert 2 == page.count(fence)
    assert "- [README.md]" not in site_pages.shown("tests/laboratory/scripts")
    assert "- [two_networks.py](two_networks.py.md)" in site_pages.shown("tests/laboratory/scripts")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_no_network(tmp_path):
    """`mkdocs build --strict` succeeds, and no page loads a script, a style, a font or a picture from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert 0 == done.returncode, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|source|iframe)\b[^>]*\bsrc=\"(https?:[^\"]+)|<link\b[^>]*\bhref=\"(https?:[^\"]+)", page.read_text()
        )
        assert [] == loaded, page
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:", style.read_text(encoding="utf-8")), style
