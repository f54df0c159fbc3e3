"""How commands say things: times as people read them, and text from outside made safe for where it goes, one function for each place.

Names, notes and errors come from plugins, files and records of others. Light: every command uses it.
"""

from __future__ import annotations

import codecs
import html
import inspect
import io
import math
import re
import shlex
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_ERRORS = "siambench"
"""The name of what stands in for letters that an encoding lacks."""

_PLAINER = str.maketrans(
    {
        "–": "-",
        "—": "-",
        "−": "-",
        "±": "+-",
        "×": "x",
        "·": "*",
        "…": "...",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "✓": "+",
        "✗": "x",
        "│": "|",
        "─": "-",
        "\u00a0": " ",
        "\u202f": " ",
    }
)

_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{letter: f"{{{letter}}}" for letter in "[]*"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': "{''}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "−": "$-$",
    "Δ": r"$\Delta$",
    "τ": r"$\tau$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "\u00a0": "~",
    "\u202f": r"\,",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
}
"""What stands for a letter that LaTeX obeys, or that its fonts lack."""

_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
    "\u0328": "k",
}
"""What puts a mark on a letter in LaTeX, by the mark as Unicode combines it."""


def printable(text: str) -> str:
    """For a terminal, or a file of lines: without control characters and marks of direction, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def several(number: int, one: str, many: str) -> str:
    """A number and what it counts: `1 study`, `5 studies`."""
    return f"{number} {one if number == 1 else many}"


def enumerated(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `a`, `a and b`, `a, b and c`; of none nothing."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def exact(value: float) -> str:
    """A distance or a share to decide by: with four decimals, and with four digits where it is so small that these would be fewer."""
    size = abs(value)
    if size == 0 or size >= 0.1 or not math.isfinite(value):
        return f"{value:.4f}"
    return f"{value:.3e}" if size < 1e-6 else f"{value:.{3 - math.floor(math.log10(size))}f}"


def quoted(word: str) -> str:
    """A word as it stands in a command, so that the command runs as it is printed."""
    return shlex.quote(word)


_PATH = re.compile(r"""(?<![\w./~\\])(?:[A-Za-z]:)?(?:[\\/][^\\/\s:"'<>|,;()\[\]]+){2,}""")
_PACKAGES = re.compile(r"(?:site|dist)-packages[\\/]")


def without_paths(text: str) -> str:
    """A text in which files are named without where they lie on this machine: records are read by others.

    Of a file of an installed package the path within it is left, of any other the name.
    """

    def name(found: re.Match[str]) -> str:
        path = found[0]
        inside = _PACKAGES.split(path)
        return inside[-1].replace("\\", "/") if len(inside) > 1 else re.split(r"[\\/]", path)[-1]

    return _PATH.sub(name, text)


def in_a_line(text: str) -> str:
    """The same on one line."""
    return printable(" ".join(text.splitlines()))


def in_rich(text: str) -> str:
    """For rich: what looks like its markup is shown as it stands."""
    return re.sub(r"(\\*)\[", lambda found: f"{found[1] * 2}\\[", printable(text))


def in_markdown(text: str) -> str:
    """For a cell or a line of Markdown: neither a table's border, nor a tag of HTML, nor a link."""
    line = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", in_a_line(text))
    return re.sub(r"(?<!\\)\|", r"\\|", line).replace("](", "]\\(")


def in_markdown_code(text: str) -> str:
    """For a cell of Markdown, as code: a backtick would end it, and a bar the cell."""
    line = in_a_line(text).replace("`", "'").replace("|", "\\|")
    return f"`{line}`" if line else ""


def in_csv(text: str) -> str:
    """For a cell of comma-separated values: what a spreadsheet would take for a formula begins with an apostrophe."""
    cell = "\t".join(printable(part) for part in text.split("\t"))
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") and not _is_number(cell) else cell


def in_json(text: str) -> str:
    """For a document of JSON, whole: control characters and marks of direction as its own escapes, which a reader turns back."""
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(ord(c)) for c in text)


def in_html(text: str) -> str:
    """For HTML, between tags or in quotes."""
    return html.escape(printable(text), quote=True)


def in_latex(text: str) -> str:
    """For LaTeX, outside of mathematics: what compiles with the fonts that every LaTeX has; a letter that they lack by its number.

    Straight quotes need the package ``textcomp``, which LaTeX holds since 2020, and nothing else any.
    """
    # Of two hyphens TeX makes a dash.
    parts = re.split(r"(?<=-)(?=-)", in_a_line(text))
    return "{}".join("".join(map(_latex_letter, part)) for part in parts)


def _latex_letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if letter.isascii():
        return letter
    parts = unicodedata.normalize("NFD", letter)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(letter):04X}"


def arguments_told(docstring: str) -> dict[str, str]:
    """What a docstring says of each argument below its ``Args:``, in one line each; of several that share a line, of each."""
    lines = inspect.cleandoc(docstring).partition("\nArgs:\n")[2].splitlines()
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            break
        begun = re.match(r" {4}(\*{0,2}\w+(?:, \w+)*): (.*)", line)
        if begun:
            names = begun[1].lstrip("*").split(", ")
        for name in names:
            found[name] = begun[2] if begun else f"{found[name]} {line.strip()}".strip()
    return found


class _Ascii(io.TextIOWrapper):
    """A stream of ASCII that click writes to: it takes one that bears this name for badly set up, and writes UTF-8 to it."""

    instead_of: Any = None

    def write(self, text: str) -> int:
        """Write, with what ASCII can show."""
        super().write(text.encode("ascii", _ERRORS).decode("ascii"))
        return len(text)


def in_its_encoding(stream: Any) -> Any:
    """The stream, or one in its place, that shows what its encoding lacks as plainly as it can: ``+-`` for ``±``, ``?`` for the rest.

    Args:
        stream: such as ``sys.stdout``; what is no stream of bytes below is given back as it is.
    """
    codecs.register_error(_ERRORS, _plainer)
    encoding, below = getattr(stream, "encoding", None), getattr(stream, "buffer", None)
    if encoding is None or below is None or not hasattr(stream, "reconfigure"):
        return stream
    if codecs.lookup(encoding).name == "ascii":
        stream.flush()
        plainer = _Ascii(below, encoding="latin-1", errors=_ERRORS, line_buffering=True)
        # The stream in whose place it stands would close the file below when it goes.
        plainer.instead_of = stream
        return plainer
    if stream.errors == "strict":
        stream.reconfigure(errors=_ERRORS)
    return stream


def duration(seconds: float) -> str:
    """``48 s``, ``3 min``, ``2.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end].translate(_PLAINER)
    return "".join(letter if letter.isascii() else "?" for letter in found), error.end


def _json_escape(number: int) -> str:
    if number > 0xFFFF:
        # Beyond 16 bits JSON writes two halves.
        number -= 0x10000
        return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
    return f"\\u{number:04x}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
