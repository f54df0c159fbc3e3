"""The page of a table as somebody uses it: sorted, filtered, unfolded, copied from, by keys and by screen readers, light and dark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import AXE, CHROMIUM, Browser
from made import final, several, studies, table_of

from siambench.board.page import index_page, track_page
from siambench.board.view import view

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium")

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser that the tests share."""
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a table with four ranked methods, one of a hostile name without a rank, and a baseline."""
    folder = tmp_path_factory.mktemp("page")
    records = [*several(), *studies(HOSTILE, [0.3]), final("raw", 0, 0.01)]
    (folder / "track.html").write_text(track_page(view(table_of(records))), encoding="utf-8")
    (folder / "empty.html").write_text(track_page(view(table_of([]))), encoding="utf-8")
    entry = {"name": "made", "version": "1.0", "title": "made", "primary": "map@r", "lower": False, "methods": 4, "link": "made/index.html"}
    leaders = [{"name": "supcon", "rank": "rank 1–2", "score": "0.503 ± 0.021"}]
    entries = [{**entry, "leaders": leaders, "state": ""}, {**entry, "name": "later", "leaders": [], "methods": 0, "state": "not run yet"}]
    (folder / "all.html").write_text(index_page(entries, made_by="siambench leaderboard --all --write"), encoding="utf-8")
    return folder / "track.html"


ROWS = (
    "[...document.getElementById('board').tBodies].filter(one => !one.hidden).map(one => one.rows[0].querySelector('th code').textContent)"
)
HEAD = "[...document.querySelectorAll('#board thead th')].find(one => one.textContent.trim() === {!r})"


def test_a_table_is_sorted_by_a_click_and_back(browser, page):
    """A column sorts with the best on top, then the other way, then as it was; it says so, and a missing value stays last."""
    browser.open(page)
    ranked = ["supcon", "triplet", "npair", "arcface", HOSTILE, "raw"]
    assert ranked == browser.run(ROWS)
    head = HEAD.format("map@r")
    click = f"{head}.querySelector('button').click()"
    found = []
    for _ in range(3):
        browser.run(click)
        found.append((browser.run(f"{head}.getAttribute('aria-sort')"), browser.run(ROWS)))
    by_score = ["supcon", "triplet", HOSTILE, "npair", "arcface", "raw"]
    assert [("descending", by_score), ("ascending", by_score[::-1]), ("none", ranked)] == found
    rank = f"{HEAD.format('rank')}.querySelector('button').click()"
    browser.run(rank)
    assert {HOSTILE, "raw"} == set(browser.run(ROWS)[-2:])
    browser.run(rank)
    assert {HOSTILE, "raw"} == set(browser.run(ROWS)[-2:])
    assert "Sorted by rank, descending" == browser.run("document.getElementById('status').textContent")


def test_rows_are_filtered_by_words(browser, page):
    """What is typed leaves the rows that hold every word in their name, flags or packages, and says how many these are."""
    browser.open(page)
    type_in = "(() => {{ const box = document.getElementById('filter'); box.value = {!r}; box.dispatchEvent(new Event('input')); }})()"
    browser.run(type_in.format("SHORT-budget"))
    assert [HOSTILE] == browser.run(ROWS)
    assert "1 of 6 rows" == browser.run("document.getElementById('status').textContent")
    browser.run(type_in.format("siambench trip"))
    assert ["triplet"] == browser.run(ROWS)
    browser.run(type_in.format(""))
    assert 6 == len(browser.run(ROWS))


def test_a_row_unfolds_and_moves_with_its_details(browser, page):
    """A row's button shows what stands behind it and says so; sorted, the details stay below their row."""
    browser.open(page)
    button = "document.querySelectorAll('.unfold')[1]"
    assert not browser.run("document.getElementById('row-2-more').checkVisibility()")
    assert ["false", "Details of triplet"] == browser.run(f"['aria-expanded', 'aria-label'].map(name => {button}.getAttribute(name))")
    browser.run(f"{button}.click()")
    assert browser.run("document.getElementById('row-2-more').querySelector('pre').checkVisibility()")
    assert "true" == browser.run(f"{button}.getAttribute('aria-expanded')")
    browser.run(f"{HEAD.format('map@r')}.querySelector('button').click()")
    assert "row-2" == browser.run("document.getElementById('row-2-more').parentElement.id")
    browser.run("document.getElementById('fold').click()")
    assert browser.run("[...document.querySelectorAll('.more')].every(one => one.checkVisibility())")


def test_a_command_is_copied(browser, page):
    """The button beside a command puts it on the clipboard, letter by letter, and says that it did."""
    browser.open(page)
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.call("Page.bringToFront")
    copied = browser.run(
        "(async () => { const row = document.getElementById('row-5-more'); row.hidden = false;"
        " const button = row.querySelector('.command button'); button.click();"
        " await new Promise(done => setTimeout(done, 200));"
        " return [await navigator.clipboard.readText(), button.textContent]; })()"
    )
    assert [f"siambench reproduce made '{HOSTILE}'", "Copied"] == copied


def test_everything_is_reached_by_keys(browser, page):
    """Tab goes from the link that skips over the navigation and the filter to the heads and the rows, each with a mark of where one is."""
    browser.open(page)
    places = []
    for _ in range(60):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        place = "[document.activeElement.className, document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        places.append(browser.run(place))
        if places[-1][0] == "unfold":
            break
    assert "skip" == places[0][0]
    assert {"filter", "fold"} <= {name for _, name, _ in places}
    assert "unfold" == places[-1][0]
    assert all(outline != "none" for _, _, outline in places)
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert browser.run("document.activeElement.getAttribute('aria-expanded') === 'true'")


@pytest.mark.parametrize("name", ["track.html", "empty.html", "all.html"])
def test_nothing_is_said_to_the_console_and_no_page_is_wider_than_a_telephone(browser, page, name):
    """Of no page anything is logged or thrown, nothing is loaded from elsewhere, and none scrolls sideways on 320 pixels."""
    before = len(browser.trouble)
    browser.open(page.parent / name, width=320)
    assert 320 >= browser.run("document.documentElement.scrollWidth")
    assert [] == browser.run("performance.getEntriesByType('resource').map(one => one.name)")
    assert [] == browser.trouble[before:]
    assert browser.run("document.querySelector('img') === null")


@pytest.mark.parametrize("track", ["glyphs", "signatures-paper"])
def test_a_whole_table_fits_on_a_small_screen(browser, track):
    """The table of a board that ships is no wider than 1,200 pixels leave it; what stands behind a row is found there."""
    browser.open(Path(__file__).parents[2] / "leaderboards" / track / "index.html", width=1200)
    assert browser.run("(wide => wide.scrollWidth <= wide.clientWidth)(document.querySelector('.wide'))")
    facts = browser.run("document.querySelector('#row-1-more .facts').textContent")
    assert all(title in facts for title in ("studies 5", "trials", "repetitions", "dim", "test opened", "sd over studies"))


def test_what_is_printed_has_the_table_and_no_buttons(browser, page):
    """In print neither navigation nor buttons are there, and the rows are."""
    browser.open(page, media="print")
    hidden = browser.run("[...document.querySelectorAll('nav, .tools, .unfold, .command button')].some(one => one.checkVisibility())")
    assert hidden is False
    assert browser.run("document.getElementById('row-1').checkVisibility()")
    assert browser.printed().startswith(b"%PDF")


@pytest.mark.skipif(AXE is None, reason="no axe-core here: npm install --prefix ENVIRONMENT/npm axe-core, or AXE_CORE=…/axe.min.js")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["track.html", "empty.html", "all.html"])
def test_axe_finds_nothing(browser, page, name, dark):
    """axe-core finds no violation of its rules in the page, with every row unfolded, light and dark."""
    browser.open(page.parent / name, dark=dark)
    browser.run("document.getElementById('fold')?.click()")
    browser.run(AXE.read_text(encoding="utf-8") + ";0")
    found = browser.run("axe.run().then(found => JSON.stringify(found.violations.map(one => [one.id, one.nodes.map(node => node.html)])))")
    assert [] == json.loads(found)
