"""Names, packages and errors of a stranger come out of every format as plain text, whatever they are made of."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from made import final, several, studies, table_of, tuned

from siambench.board.formats import shipped_formats
from siambench.board.view import view
from siambench.spec import Source
from siambench.wording import in_a_line, printable

NAMES = [
    "<script>alert(1)</script>",
    "</table></main><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    r"\input{/etc/passwd}\write18{ls}",
    "$x$ %_^~#&",
    "\x1b[31mred\x1b[0m",
    "=cmd|' /C calc'!A0",
    "\u202eevil\u2066",
    "a\nb | c ` d",
    "[x](javascript:alert(1)) ![x](y)",
    "`x` <!-- y -->",
]


class Seen(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.words, self.drawn, self.drawing = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        self.drawing += tag == "svg"
        (self.drawn if self.drawing else self.tags).append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """It ends."""
        self.drawing -= tag == "svg"

    def handle_data(self, data):
        """Text."""
        self.words.append(data)


def hostile_table(name):
    """A table in which a name, a package, an error, a note, a title and a flag's parameter are a stranger's."""
    stranger = Source(name, name, "9" * 64)
    records = [*several(), *studies(name, [0.3, 0.31, 0.32], components={"loss": stranger}, edited=("loss.margin",))]
    broken = [tuned("broken", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    broken = [dataclasses.replace(one, outcome=dataclasses.replace(one.outcome, error=in_a_line(name))) for one in broken]
    table = table_of([*records, *broken, final("raw", 0, 0.01)])
    track = table.track.model_copy(update={"title": name, "notes": name})
    return dataclasses.replace(table, track=track, reference=name)


@pytest.mark.parametrize("name", NAMES)
def test_html_has_no_element_of_a_strangers(name):
    """The page has the elements, and the attributes that act, of the same page with plain names; and the name stands in it as text."""
    plain, hostile = Seen(), Seen()
    plain.feed(shipped_formats()["html"].render(view(hostile_table("x y"))))
    hostile.feed(text := shipped_formats()["html"].render(view(hostile_table(name))))

    def acting(seen):
        kept = ("on", "src", "href", "style", "id", "class", "role", "aria-controls")
        inert = ("code", "wbr", "em", "p", "ul", "li")
        return [(tag, sorted((k, v) for k, v in found.items() if k.startswith(kept))) for tag, found in seen.tags if tag not in inert]

    assert acting(plain) == acting(hostile)
    # How a drawing is laid out depends on how long its names are.
    shapes = {"svg", "title", "desc", "clippath", "rect", "g", "path", "polyline", "polygon", "circle", "text"}
    assert {tag for tag, _ in plain.drawn} | {tag for tag, _ in hostile.drawn} <= shapes
    assert not [key for _, found in hostile.drawn for key in found if key.startswith("on") or key in ("href", "style")]
    assert " ".join(printable(name).split()) in " ".join("".join(hostile.words).split())
    assert "javascript:" not in "".join(str(value) for _, found in hostile.tags for key, value in found.items() if key in ("href", "src"))
    assert all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.mark.parametrize("name", NAMES)
def test_no_format_lets_a_control_character_through(name):
    """In no format a control character or a mark of direction comes out, and each shows the name with its letters."""
    seen = view(hostile_table(name))
    letters = "".join(re.findall(r"[A-Za-z0-9]", printable(name)))
    for form, one in shipped_formats().items():
        text = one.render(seen)
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"], form
        if form == "latex":
            continue
        if form == "json":
            # What is escaped there is what it was when it is read.
            assert name in [row["method"] for row in json.loads(text)["rows"]]
            continue
        known = html.unescape(text.replace("<wbr>", ""))
        assert letters[:12] in "".join(re.findall(r"[A-Za-z0-9]", known)), form


def test_a_formula_is_no_cell_of_csv():
    """No cell of the CSV file begins as a formula does."""
    text = shipped_formats()["csv"].render(view(hostile_table("=cmd|' /C calc'!A0")))
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "+") or (cell[:1] == "-" and not re.fullmatch(r"-[\d.e-]+", cell))]
    assert "'=cmd|' /C calc'!A0" in cells
