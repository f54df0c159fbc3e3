"""What a loss may be called beside a plain name: ``sum(contrastive,0.1*npair)``, ``xbm(contrastive)``, one inside the other."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from siambench.errors import UsageError

OF_LOSS = "loss:"
"""Before the name of a loss that another one is made of: its role in a unit."""

SUM = "sum"
"""What adds losses, each with a weight; any other name before a bracket is a loss that wraps another."""

_DEEPEST = 8
_TOKEN = re.compile(r"[(),*]")

# The path of a loss in a file may hold brackets too.
_COMPOSED = re.compile(r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*\(")


@dataclass(frozen=True)
class Expression:
    """A loss by name, or one made of others.

    Args:
        name: of a loss, or `SUM`.
        parts: what stands in its brackets; empty for a plain loss.
        weights: of the parts of a sum, finite, not 0; elsewhere 1.
    """

    name: str
    parts: tuple[Expression, ...] = ()
    weights: tuple[float, ...] = ()

    def __str__(self) -> str:
        if not self.parts:
            return self.name
        terms = (f"{_number(weight)}*{part}" if weight != 1 else str(part) for part, weight in zip(self.parts, self.weights, strict=True))
        return f"{self.name}({','.join(terms)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Those of all losses in it, from left to right, each once."""
        found = () if self.name == SUM else (self.name,)
        return tuple(dict.fromkeys((*found, *(name for part in self.parts for name in part.names))))

    def renamed(self, name_of: Callable[[str], str]) -> Expression:
        """The same of losses by other names."""
        name = self.name if self.name == SUM else name_of(self.name)
        return dataclasses.replace(self, name=name, parts=tuple(part.renamed(name_of) for part in self.parts))


def _number(weight: float) -> str:
    return repr(weight).removesuffix(".0")


def is_composed(name: str) -> bool:
    """Whether a loss's name is made of others' names."""
    return _COMPOSED.match(name) is not None


def parsed(text: str) -> Expression:
    """Read a loss's name.

    Raises:
        UsageError: in one sentence, where it does not hold.
    """
    if not is_composed(text):
        return Expression(text)
    found, rest = _expression(text, text, 1)
    if rest.strip():
        raise UsageError(f"loss {text!r}: nothing may follow its last bracket, got {rest.strip()[:40]!r}")
    return found


def with_paths(name: str, paths: Mapping[str, str]) -> str:
    """A loss's name with the paths of losses in files where it has their short names."""
    return str(parsed(name).renamed(lambda one: paths.get(one, one))) if is_composed(name) else paths.get(name, name)


def _expression(text: str, whole: str, depth: int) -> tuple[Expression, str]:
    if depth > _DEEPEST:
        raise UsageError(f"loss {whole[:80]!r}…: brackets may stand {_DEEPEST} deep")
    mark = _TOKEN.search(text)
    name = (text if mark is None else text[: mark.start()]).strip()
    if not name:
        raise UsageError(
            f"loss {whole!r}: a loss is missing before {text.strip()[:1]!r}" if text.strip() else f"loss {whole!r}: it ends too early"
        )
    if mark is None or mark.group() != "(":
        return Expression(name), "" if mark is None else text[mark.start() :]
    parts, weights, rest = [], [], text[mark.end() :]
    while True:
        weight, rest = _weight(rest, name, whole)
        part, rest = _expression(rest, whole, depth + 1)
        parts.append(part)
        weights.append(weight)
        rest = rest.lstrip()
        if rest[:1] not in (",", ")"):
            raise UsageError(f"loss {whole!r}: a closing bracket is missing" if not rest else f"loss {whole!r}: unexpected {rest[:1]!r}")
        closed, rest = rest[:1] == ")", rest[1:]
        if closed:
            break
    if name != SUM and len(parts) > 1:
        raise UsageError(f"loss {whole!r}: {name} wraps one loss, got {len(parts)}; sum(…) adds several")
    return Expression(name, tuple(parts), tuple(weights)), rest


def _weight(text: str, outer: str, whole: str) -> tuple[float, str]:
    mark = _TOKEN.search(text)
    if mark is None or mark.group() != "*":
        return 1.0, text
    given = text[: mark.start()].strip()
    try:
        weight = float(given)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight == 0:
        raise UsageError(f"loss {whole!r}: a weight is a finite number other than 0, got {given[:40]!r}")
    if outer != SUM:
        raise UsageError(f"loss {whole!r}: weights stand in sum(…) alone")
    return weight, text[mark.end() :]
