"""Families of metrics: what the name of a member, such as ``recall@4``, asks of its family, here ``recall@k``.

Behind the ``@`` stand words, joined by hyphens. A whole number is ``k``, or behind the word ``dim`` a number of dimensions ``d``; a rate in
(0, 1) stands alone and is ``far``; any other word is itself. So ``eer@enrol-5`` is of the family ``eer@enrol-k``, with k = 5.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from siambench.errors import ConfigError
from siambench.spec import forward_of

LARGEST_K = 1_000_000
"""Of a family of metrics such as ``recall@k``: neighbours beyond it would be kept for nothing."""

_DIMENSIONS = "dim"
_EXAMPLES = {"k": "4", "d": "32", "far": "1e-3"}
_MEANINGS = {"k": "k", "d": "the number of dimensions"}


def family_of(name: str) -> str:
    """The family that a name is a member of: ``recall@k`` of ``recall@4``; a name without a number is its own."""
    stem, found, text = name.partition("@")
    if not found:
        return name
    words = ["far"] if _rate(text) is not None else [argument or word for word, argument in _told(text)]
    return f"{stem}@{'-'.join(words)}"


def arguments_of(name: str) -> dict[str, float]:
    """What the name of a metric asks for: ``{"k": 4}`` of ``recall@4``, ``{"k": 1, "d": 32}`` of ``recall@1-dim-32``."""
    text = name.partition("@")[2]
    rate = _rate(text)
    if rate is not None:
        return {"far": rate}
    # Python reads no number of more than some thousand digits; whoever asks for one means nothing by it.
    return {
        argument: int(word) if len(word) <= len(str(LARGEST_K)) else LARGEST_K + 1 for word, argument in _told(text) if argument is not None
    }


def is_family(name: str) -> bool:
    """Whether a name is that of a family, and needs a number to be a metric."""
    return member(name, {}) != name


def member(family: str, numbers: dict[str, str]) -> str:
    """A member of a family: of ``recall@k`` and ``{"k": "10"}`` it is ``recall@10``; numbers that are not given are examples."""
    stem, found, text = family.partition("@")
    if not found:
        return family
    given = {**_EXAMPLES, **numbers}
    return f"{stem}@{'-'.join(given.get(argument or '', word) for word, argument in _wanted(text))}"


def check_members(names: Collection[str], known: Collection[str]) -> None:
    """Refuse a family without its number, and numbers that no member can have.

    Args:
        names: that are asked for.
        known: of metrics and families that exist; what is no member of any is somebody else's to name.

    Raises:
        ConfigError: in one sentence.
    """
    for asked in names:
        name = forward_of(asked)
        if is_family(name):
            raise ConfigError(f"{asked} is a family of metrics: say which, such as {member(asked, {})}")
        if "@" in name and name not in known:
            _check_numbers(name, known)


def check_dimensions(names: Collection[str], size: int) -> None:
    """Refuse metrics of more dimensions than embeddings have.

    Raises:
        ConfigError: in one sentence.
    """
    for name in names:
        d = arguments_of(name).get("d", 0)
        if d > size:
            raise ConfigError(f"{name[:40]}: the first {d:.0f} dimensions are asked for, and an embedding has {size}")


def _check_numbers(name: str, known: Collection[str]) -> None:
    stem, _, text = name.partition("@")
    told, family = arguments_of(name), family_of(name)
    if f"{stem}@far" in known and "far" not in told:
        raise ConfigError(f"{name}: a false accept rate lies between 0 and 1, got {text!r}")
    if family in known:
        for word, argument in _told(text):
            value = told.get(argument or "", 1)
            if argument is not None and not 1 <= value <= LARGEST_K:
                _refuse(name, argument, word, value)
        return
    for other in sorted(known):
        begins, _, template = other.partition("@")
        # What stands in the place of a number may hold hyphens of its own, as -1 and 1e-3 do.
        words = text.split("-") if "-" in template or (_rate(text) is None and "-" in text[1:]) else [text]
        wanted = _wanted(template)
        if begins != stem or len(words) != len(wanted):
            continue
        pairs = list(zip(words, wanted, strict=True))
        strange = [(argument, word) for word, (_, argument) in pairs if argument in ("k", "d") and not _is_whole(word)]
        if strange and all(word == fixed for word, (fixed, argument) in pairs if argument is None):
            _refuse(name, *strange[0], 0)


def _refuse(name: str, argument: str, given: str, value: float) -> NoReturn:
    bounds = "of at least 1" if value < 1 else f"from 1 to {LARGEST_K:,}"
    raise ConfigError(f"{name[:40]}: {_MEANINGS[argument]} must be a whole number {bounds}, got {given[:40]!r}")


def _told(text: str) -> list[tuple[str, str | None]]:
    """The words of a member, each with the argument that it is a number of."""
    words = text.split("-")
    return [
        (word, None if not _is_whole(word) else "d" if before == _DIMENSIONS else "k")
        for before, word in zip(["", *words], words, strict=False)
    ]


def _wanted(text: str) -> list[tuple[str, str | None]]:
    """The words of a family, each with the argument that it stands for."""
    words = text.split("-")
    found: list[tuple[str, str | None]] = []
    for before, word in zip(["", *words], words, strict=False):
        alone = word == "far" and len(words) == 1
        found.append((word, word if word == "k" or alone or (word == "d" and before == _DIMENSIONS) else None))
    return found


def _is_whole(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _rate(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1 else None
