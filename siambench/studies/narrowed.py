"""``--space``: in which space methods are tuned. The name of another space that a loss brings, and narrower ranges of single parameters.

The command line and the key ``space`` of a comparison say it in the same words. The rules of an exam have a section ``[space]`` of their
own: that is what every method tunes, and another one makes another exam; what is narrowed here makes another row.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from siambench.errors import ConfigError, some, suggestion
from siambench.spaces import Choice, Dimension, Float, Int, Value, dimension_text, nearest, told

if TYPE_CHECKING:
    from siambench.studies.plan import StudyPlan

_FORMS = "a range is low..high, a choice a|b|c"
_MOST_SHOWN = 60


@dataclass(frozen=True)
class SpaceAsked:
    """In which space methods are tuned.

    Args:
        name: of another space that the losses bring; ``""``: their own.
        ranges: narrower ranges by the flat names of parameters, as they were said.
    """

    name: str = ""
    ranges: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: SpaceAsked) -> SpaceAsked:
        """This, and what another one says where this says nothing."""
        return SpaceAsked(self.name or other.name, {**other.ranges, **self.ranges})


def space_asked(texts: str | Sequence[str] | None) -> SpaceAsked:
    """What ``--space``, or the key ``space`` of a comparison, says.

    Args:
        texts: names of spaces (``reality-check``), and ranges (``loss.margin=0.05..0.5``, ``loss.kind=a|b``).

    Raises:
        ConfigError: if one is neither, or something is said twice.
    """
    named, ranges = "", dict[str, str]()
    for text in [texts] if isinstance(texts, str) else texts or ():
        parameter, is_range, said = (part.strip() for part in text.partition("="))
        if is_range and not (parameter and said):
            raise ConfigError(f"--space takes the name of a space or PARAMETER=RANGE ({_FORMS}), got {text[:_MOST_SHOWN]!r}")
        if not is_range and (".." in text or "|" in text):
            raise ConfigError(
                f"--space {text[:_MOST_SHOWN]} is a range of no parameter: --space PARAMETER=RANGE, such as loss.margin=0.1..0.5"
            )
        if is_range and parameter in ranges:
            raise ConfigError(f"--space narrows {parameter} twice: {ranges[parameter][:_MOST_SHOWN]} and {said[:_MOST_SHOWN]}")
        if not is_range and named and parameter:
            raise ConfigError(f"--space names two spaces, {named} and {parameter}: a method is tuned in one")
        if is_range:
            _check_form(parameter, said)
            ranges[parameter] = said
        else:
            named = named or parameter
    return SpaceAsked(named, ranges)


def space_of(asked: str | Sequence[str] | None, comparison: str | Sequence[str] | None, fixed: Iterable[str]) -> SpaceAsked:
    """What is asked for, and where that says nothing what a comparison says.

    Args:
        asked: what ``--space`` says.
        comparison: what the key ``space`` of a comparison says.
        fixed: parameters that ``--set`` fixes.

    Raises:
        ConfigError: as `space_asked`, and if a parameter is both fixed and narrowed.
    """
    found = space_asked(asked).over(space_asked(comparison))
    for name in fixed:
        if name in found.ranges:
            raise ConfigError(f"{name} is both fixed by --set and narrowed by --space: give one of the two")
    return found


def narrow(space: dict[str, Dimension], defaults: dict[str, Value], ranges: Mapping[str, str]) -> list[str]:
    """Narrow those parameters of a method that are asked for, in place; a default that lies outside moves to the nearest value inside.

    Args:
        space: what the method searches, by flat names.
        defaults: of all its parameters.
        ranges: as they were said; of parameters that other methods search, too.

    Returns:
        The parameters whose space is another now, sorted: what is said to be as it was is not.

    Raises:
        ConfigError: if a range cannot be read, or is not within the parameter's space.
    """
    edited = []
    for name in sorted(set(ranges) & set(space)):
        found = narrowed(name, space[name], ranges[name])
        if found != space[name]:
            defaults[name] = _moved(found, space[name], defaults[name])
            space[name] = found
            edited.append(name)
    return edited


def narrowed(name: str, dimension: Dimension, text: str) -> Dimension:
    """A part of a dimension.

    Args:
        name: of the parameter, for errors.
        dimension: the whole of what may be searched.
        text: ``low..high``, which keeps the scale, or ``a|b|c`` or ``[a, b, c]``, which makes it a choice among values.

    Raises:
        ConfigError: if the text cannot be read, or is not within the dimension.
    """
    place = _place(name, text)
    if not _is_choice(text):
        return _range(name, dimension, text)
    options: list[Value] = [_option(place, dimension, one) for one in _listed(name, text)]
    for option in options:
        if options.count(option) > 1:
            raise ConfigError(f"{place} names {told(option)} twice")
    if len(options) < 2:
        raise ConfigError(f"{place}: a choice has at least two values; --set {name}={told(options[0])} fixes a parameter at one")
    # However it is said, one choice is one row.
    if isinstance(dimension, Choice):
        return Choice(*(option for option in dimension.options if any(option is one for one in options)))
    return Choice(*sorted(options, key=float))


def check_ranges(ranges: Mapping[str, str], plans: Sequence[StudyPlan]) -> None:
    """Every parameter that is narrowed must be searched by some method.

    Raises:
        ConfigError: naming the nearest parameter, or saying that it is not tuned.
    """
    searched = sorted({name for plan in plans for name in plan.space})
    known = {name for plan in plans for name in (*plan.defaults, *plan.options)}
    for name in ranges:
        if name in searched:
            continue
        if name in known:
            raise ConfigError(f"--space {name}: it has no space, since it is not tuned; --set {name}=VALUE fixes it at another value")
        near = suggestion(name, searched)
        raise ConfigError(f"--space {name}: no method here tunes a parameter {name!r}{near}; tuned are: {some(name, searched) or 'none'}")


def _is_choice(text: str) -> bool:
    return "|" in text or text.startswith("[")


def _check_form(name: str, text: str) -> None:
    # What no space could make a range of is said before anything is looked up.
    if _is_choice(text):
        _listed(name, text)
    elif ".." not in text:
        raise ConfigError(f"{_place(name, text)}: {_FORMS}; --set {name}={text[:_MOST_SHOWN]} fixes a parameter at one value")


def _listed(name: str, text: str) -> list[str]:
    """The values of a choice, as texts."""
    place = _place(name, text)
    if not text.startswith("["):
        parts = [part.strip() for part in text.split("|")]
    else:
        try:
            found = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place} cannot be read as a list of values such as [0.1, 0.2]") from error
        if not isinstance(found, list) or not all(isinstance(one, str | int | float) for one in found):
            raise ConfigError(f"{place}: a list holds values of the parameter, such as [0.1, 0.2]")
        parts = [told(one) for one in found]
    if not parts or not all(parts):
        raise ConfigError(f"{place}: a value is missing; {_FORMS}")
    return parts


def _range(name: str, dimension: Dimension, text: str) -> Dimension:
    place = _place(name, text)
    if isinstance(dimension, Choice):
        raise ConfigError(f"{place}: it is a choice, {dimension_text(dimension)}, and has no range; a part of it is {_example(dimension)}")
    ends = [part.strip() for part in text.split("..", 1)]
    if not all(ends):
        raise ConfigError(f"{place}: an end is missing; its space is {dimension_text(dimension)}")
    low, high = (_number(place, dimension, end) for end in ends)
    if dimension.log and low <= 0:
        raise ConfigError(f"{place}: its scale is logarithmic, so that low is above 0; its space is {dimension_text(dimension)}")
    if low > high:
        raise ConfigError(f"{place} has its ends reversed: low..high")
    if low == high:
        raise ConfigError(f"{place} is one value: --set {name}={ends[0]} fixes a parameter at it")
    for end in (low, high):
        _check_within(place, dimension, end)
    return Int(int(low), int(high), log=dimension.log) if isinstance(dimension, Int) else Float(low, high, log=dimension.log)


def _number(place: str, dimension: Float | Int, text: str) -> float | int:
    kind = "a whole number" if isinstance(dimension, Int) else "a number"
    try:
        found = int(text) if isinstance(dimension, Int) else float(text)
    except ValueError as error:
        raise ConfigError(f"{place}: {text[:_MOST_SHOWN]!r} is not {kind}; {_FORMS}") from error
    if not math.isfinite(found):
        raise ConfigError(f"{place}: {text[:_MOST_SHOWN]!r} is not finite")
    return found


def _option(place: str, dimension: Dimension, text: str) -> Value:
    if isinstance(dimension, Choice):
        found = next((option for option in dimension.options if _is_said(option, text)), None)
        if found is None:
            near = suggestion(text, map(told, dimension.options))
            raise ConfigError(f"{place}: {text[:_MOST_SHOWN]!r} is no value of it{near}; it has {dimension_text(dimension)}")
        return found
    value = _number(place, dimension, text)
    _check_within(place, dimension, value)
    return value


def _check_within(place: str, dimension: Float | Int, value: float) -> None:
    if not dimension.contains(value):
        raise ConfigError(f"{place} reaches outside its space, {dimension_text(dimension)}: {told(value)} is not in it")


def _moved(dimension: Dimension, whole: Dimension, value: Value) -> Value:
    """The value of a part that is nearest to one of the whole, on its scale."""
    if dimension.contains(value) or not isinstance(dimension, Choice) or isinstance(whole, Choice):
        return nearest(dimension, value)
    return min(dimension.options, key=lambda option: abs(_at(whole, option) - _at(whole, value)))


def _at(dimension: Float | Int, value: Value) -> float:
    return math.log(float(value)) if dimension.log else float(value)


def _is_said(option: Value, text: str) -> bool:
    if isinstance(option, bool | str):
        return told(option) == text
    try:
        return float(text) == option
    except ValueError:
        return False


def _place(name: str, text: str) -> str:
    return f"--space {name}={text[:_MOST_SHOWN]}"


def _example(dimension: Choice) -> str:
    return "|".join(map(told, dimension.options[:2]))
