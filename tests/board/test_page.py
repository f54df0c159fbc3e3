"""Pages of HTML: whole without script, one file, the same bytes for the same records, and a policy that knows one script."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest
from made import BY_SCRIPT, CLOSED, PER_MODEL, QUERIES, TRACK, final, several, studies, table_of, with_classes

from siambench.board import page
from siambench.board.details import details_of
from siambench.board.page import blocks, broken, index_page, is_number, prose, track_page
from siambench.board.view import view
from siambench.interfaces import FigureView

VOID = {"meta", "wbr", "input", "img", "br", "link"}


class Outline(HTMLParser):
    """Elements as they nest, ids, headings, links and words."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.headings, self.links, self.tags, self.refers = [], [], [], [], [], []
        self.words = ""
        self.feed(text)
        assert [] == self.open

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
            self.refers += found.get(name, "").split()
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """It ends, and is the one that began last."""
        assert tag == self.open.pop(), tag

    def handle_data(self, data):
        """Text."""
        if self.open[-1:] not in (["script"], ["style"]):
            self.words += data


def tables():
    """Tables of all sorts."""
    return [
        table_of([*several(), final("raw", 0, 0.01)]),
        table_of([]),
        table_of(studies("triplet", [0.3])),
        table_of([final("raw", 0, 0.01)]),
        table_of([*with_classes("triplet", PER_MODEL, QUERIES), final("raw", 0, 0.1)], track=BY_SCRIPT),
        table_of(studies("triplet", [0.3, 0.31, 0.32], data=CLOSED)),
    ]


@pytest.mark.parametrize("place", range(6))
def test_a_page_is_sound(place):
    """Elements close as they open, ids are there once, what is referred to is there, and headings leave out no level."""
    seen = Outline(track_page(view(tables()[place])))
    assert len(set(seen.ids)) == len(seen.ids)
    assert set(seen.refers) <= set(seen.ids)
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)
    assert 1 == seen.headings.count(1)
    assert all(b <= a + 1 for a, b in zip(seen.headings, seen.headings[1:], strict=False))


def test_everything_of_the_table_is_there_without_script():
    """Every cell, caption, section and rule stands in the page, and each row has its commands and units in a `details` element."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    seen, shown = view(table), Outline(track_page(view(table)))
    words = " ".join(shown.words.split())
    for column in seen.shown_to("people"):
        for text in (column.title, *column.texts):
            assert text in words
    for section in seen.sections:
        for cell in (cell for row in section.rows for cell in row):
            assert " ".join(cell.split()) in words
    for title, text in seen.rules:
        assert title in words
        assert text in words
    assert shown.tags.count("details") == len(table.lines)
    for detail, line in zip(details_of(table), table.lines, strict=True):
        assert all(one.command in words for one in detail.commands)
        assert all(unit.id in words for unit in line.row.finals)
    assert re.search(r'<div class="tools" hidden>', track_page(seen))


def test_five_lines_say_how_to_read_it():
    """A page with rows begins with five lines; where nothing is ranked or closed-set they say so; an empty one has none."""
    ranked, empty, one, _, _, closed = (view(table).reading for table in tables())
    assert [5, 0, 5, 5] == [len(ranked), len(empty), len(one), len(closed)]
    assert "A rank of 2–5" in ranked[2]
    assert "No row has a rank: that takes two rows or more with 3 studies, 2 trials each." == one[2]
    assert "on classes that nobody trained on" in ranked[1]
    assert "on classes that nobody trained on" not in closed[1]
    assert ranked[0].endswith("with the same data, steps and budget of tuning.")
    assert one[0].endswith("with the same data and steps; rows without a rank had another budget of tuning than the track's.")


def test_an_empty_board_says_what_to_run():
    """Of a table without rows the page says that it was not run yet, and has the command, the rules and no table."""
    text = track_page(view(table_of([])))
    assert "Not run yet" in text
    assert "siambench run --track made --loss LOSS" in text
    assert "The rules in short" in text
    assert "<table" not in text


def test_one_file_needs_no_other():
    """Nothing is loaded: no link, import, image or script from elsewhere; links lead within the page or to where it is told."""
    text = track_page(view(tables()[0]), up="../index.html")
    assert not re.search(r"<link|@import|url\((?!#)|src=|<iframe|<object", text)
    assert {"../index.html"} == {link for link in Outline(text).links if not link.startswith("#")}


def test_the_policy_knows_one_script():
    """The page has one script, and the policy in its head allows that alone, by its digest."""
    text = track_page(view(tables()[0]))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
    assert not re.search(r"\son[a-z]+=", text)


def test_the_same_records_give_the_same_bytes():
    """The order of records does not move a byte."""
    records = studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]) + [final("raw", 0, 0.05)]
    assert 1 == len({track_page(view(table_of(chosen))) for chosen in (records, records[::-1], records[5:] + records[:5])})


def test_bold_is_what_is_proven():
    """The score of a row of rank 1 alone is strong, and no other cell."""
    records = [*studies("best", [0.80, 0.81, 0.79]), *studies("npair", [0.10, 0.11, 0.12])]
    assert ["0.800 ± 0.025"] == re.findall(r"<strong>(.*?)</strong>", track_page(view(table_of(records))))
    assert "<strong>" not in track_page(view(tables()[0]))


def test_figures_are_set_with_their_titles_and_captions():
    """Each figure stands behind a heading, with its caption below, and their style once in the head."""
    figures = tuple(FigureView(name, f"Title {name}", "Over `x`.", f'<div class="figure">{name}</div>') for name in ("a", "b"))
    seen = dataclasses.replace(view(tables()[0]), figures_of=lambda: figures, style_of=lambda: ".figure{color:red}")
    text = track_page(seen)
    assert 1 == text.count(".figure{color:red}")
    assert '<figure id="figure-a">' in text
    assert "<h3>Title b</h3>" in text
    assert "Over <code>x</code>." in text
    assert ".figure{" not in track_page(dataclasses.replace(seen, figures_of=tuple))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain & <b>", "plain &amp; &lt;b&gt;"),
        ("`a|b` and `c\\|d`", "<code>a|b</code> and <code>c|d</code>"),
        ("one ` alone", "one ` alone"),
        ("`a` and ` alone", "<code>a</code> and ` alone"),
        ("*x* and 2 * 3 * 4", "<em>x</em> and 2 * 3 * 4"),
        ("[site](https://x.org/a?b=1&c)", '<a href="https://x.org/a?b=1&amp;c" rel="noreferrer">site</a>'),
        ("[bad](javascript:alert)", "[bad](javascript:alert)"),
        ("`<i>`", "<code>&lt;i&gt;</code>"),
    ],
)
def test_a_paragraph_of_markdown_is_html(text, expected):
    """Code, emphasis and links to the web are elements, and everything else is text."""
    assert expected == prose(text)


def test_paragraphs_and_lists_are_blocks():
    """Empty lines part paragraphs, and lines with a hyphen are a list whose items may go on in the next line."""
    assert "<p>a b</p>\n<ul><li>c d</li><li>e</li></ul>\n<p>f</p>" == blocks("a\nb\n\n- c\n  d\n- e\n\nf\n")


def test_a_long_name_may_break_where_it_is_joined():
    """Behind the signs that join the parts of a name it may break, and nothing of it is lost."""
    found = broken("multi-similarity+hard@conv4:pairs<b>")
    assert "multi-similarity+<wbr>hard@<wbr>conv4:<wbr>pairs&lt;b&gt;" == found


@pytest.mark.parametrize(("text", "number"), [("0.419 ± 0.006", True), ("1–5", True), ("—", True), ("2.47e-05", True), ("ntxent", False)])
def test_cells_that_are_numbers_are_set_to_the_right(text, number):
    """A score with its interval, a range, a dash and a small number are numbers, a name is none."""
    assert number == is_number(text)


def test_the_page_of_all_links_to_each():
    """Each track stands with its leaders or its state and a link to its page, and the number of those that have leaders is told."""
    leaders = [{"name": "<b>", "rank": "rank 1–2", "score": "0.5 ± 0.1"}]
    one = {"name": "one", "version": "1.0", "title": "asks", "primary": "eer", "lower": True, "methods": 2, "link": "one/index.html"}
    entries = [
        {**one, "leaders": leaders, "state": ""},
        {**one, "name": "two", "link": "two/index.html", "leaders": [], "state": "not run yet"},
    ]
    seen = Outline(text := index_page(entries, mark=page.MARK, made_by="siambench leaderboard --all --write"))
    assert page.MARK == text.splitlines()[1]
    assert ["#main", "one/index.html", "two/index.html"] == seen.links
    for words in ("2 tracks, of which 1 have scores", "<b>", "rank 1–2: 0.5 ± 0.1", "not run yet", "lower is better"):
        assert words in seen.words
    assert len(set(seen.ids)) == len(seen.ids)


def test_a_title_of_the_track_is_the_heading():
    """The heading is the track's title, and its notes are paragraphs."""
    track = TRACK.model_copy(update={"title": "Made: by <hand>", "notes": "A *note*.\n\nAnother."})
    text = track_page(view(table_of(several(), track=track)))
    assert "<h1>Made: by &lt;hand&gt;</h1>" in text
    assert "<p>A <em>note</em>.</p>\n<p>Another.</p>" in text
