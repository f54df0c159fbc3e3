"""The files of rules: TOML → `Track`, `Comparison`; those that ship; changes from the command line.

An unknown key is an error that names the nearest one.
"""

from __future__ import annotations

import contextlib
import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from siambench.data.files import read_regular
from siambench.data.names import as_text, reason
from siambench.data.shipped import shipped
from siambench.errors import ConfigError, DataError, DataMissingError, DuplicateNameError, UnknownNameError, suggestion
from siambench.spaces import Value
from siambench.tracks.exam import EDITED, base_name
from siambench.tracks.provided import failed as failed_plugins
from siambench.tracks.provided import provided, provided_path
from siambench.tracks.rule_values import LARGEST_WHOLE
from siambench.tracks.rules import TRACK_SECTIONS, Comparison, Track, in_todays_words

M = TypeVar("M", bound=BaseModel)

_MEMBERS = ("float", "int", "str", "bool", "list[str]")
_MOST_BYTES = 1 << 20
_MOST_SHOWN = 100
_NO_VALUE = f"values are text, true, false, lists, or numbers up to ±{LARGEST_WHOLE}"


def track_names() -> list[str]:
    """The tracks that ship with siambench, sorted."""
    return sorted(path.parent.name for path in shipped("leaderboards").glob("*/track.toml"))


def track_folder(track: str) -> Path:
    """The folder of a track: of a shipped one by its name, of any by the path of its folder or its ``track.toml``, of a plugin's by name.

    Raises:
        UnknownNameError: if there is none.
        DuplicateNameError: if two plugins have one of that name.
    """
    if track in track_names():
        return shipped("leaderboards") / track
    path = Path(track).expanduser()
    if _rules_file(path) is not None:
        return path
    if path.is_file() and path.suffix in (".toml", ".json"):
        return path.parent
    found = provided_path("tracks", track)
    if found is None:
        raise UnknownNameError("track", track, known_tracks(), failed_plugins())
    return found


def known_tracks() -> list[str]:
    """The names of all tracks that ship with siambench or come with a plugin, sorted."""
    return sorted({*track_names(), *(component.name for component in provided("tracks"))})


def home_of(track: str) -> Path | None:
    """The folder of the track of that name which came with siambench, or with a plugin; None where none did: it is somebody's own."""
    if track in track_names():
        return shipped("leaderboards") / track
    with contextlib.suppress(DuplicateNameError):
        return provided_path("tracks", track)
    return None


def _rules_file(folder: Path) -> Path | None:
    # A run leaves the rules it followed as JSON beside its records; people write TOML.
    return next((folder / name for name in ("track.toml", "track.json") if (folder / name).is_file()), None)


def load_track(track: str) -> Track:
    """A track by name or path.

    Raises:
        UnknownNameError: if there is none.
        ConfigError: if its file does not hold.
    """
    path = Path(track).expanduser()
    is_file = path.is_file() and track not in track_names()
    folder = path if is_file else track_folder(track)
    if folder != path and track not in track_names():
        return load_named(folder, track)
    file = path if is_file else _rules_file(folder) or path
    return _validate(Track, _read(file), str(file.name if track in track_names() else file))


def load_named(folder: Path, name: str) -> Track:
    """The track in a folder that a plugin calls by a name.

    Raises:
        ConfigError: if its file does not hold, or names itself otherwise.
    """
    file = folder / "track.toml"
    found = _validate(Track, _read(file), str(file))
    if found.name != name:
        raise ConfigError(f"{file}: its name is {found.name!r}, and its plugin calls it {name!r}: they must be the same")
    return found


def load_comparison(path: str | Path) -> Comparison:
    """A comparison from a file; a bare name, ``glyphs.toml`` or ``glyphs``, is also looked for among those of siambench and plugins.

    Raises:
        ConfigError: if there is no such file, or it does not hold.
        DuplicateNameError: if two plugins have one of that name.
    """
    return _validate(Comparison, _read(_comparison_file(path)), str(path))


def comparison_folder(path: str | Path | None) -> Path | None:
    """The folder that the file of a comparison lies in; None where there is none."""
    return None if path is None else _comparison_file(path).parent


def _comparison_file(path: str | Path) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        is_bare = len(file.parts) == 1
        name = file.name.removesuffix(".toml")
        ours = shipped("configs") / (f"{name}.toml" if is_bare else file.name)
        # What lies in a folder that is named is no plugin's.
        theirs = provided_path("configs", name) if is_bare and not ours.is_file() else None
        file = ours if ours.is_file() else theirs or file
    return file


def _read(file: Path) -> dict[str, Any]:
    called = as_text(file)
    try:
        text = read_regular(file, most=_MOST_BYTES).decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_once) if file.suffix == ".json" else tomllib.loads(text)
    except (DataError, DataMissingError) as error:
        raise ConfigError(str(error)) from error
    except RecursionError as error:
        raise ConfigError(f"{called} nests tables or lists more deeply than can be read") from error
    except ValueError as error:
        # Wrong TOML, wrong JSON, bytes that are no text, and whole numbers of thousands of digits.
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise ConfigError(f"{called} cannot be read as {kind}: {reason(error)}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{called} must hold a table of keys and values")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # TOML refuses a key that comes twice; of JSON the last would count, in silence.
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} comes twice")
        found[key] = value
    return found


def _validate(model: type[M], document: Mapping[str, Any], where: str) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(model, error)}") from error
    except RecursionError as error:
        raise ConfigError(f"{where} nests tables or lists more deeply than can be read") from error


def explain(model: type[BaseModel], error: ValidationError) -> str:
    """The first thing that is wrong, in one sentence."""
    # A misspelt key is also a missing one: the spelling is what helps.
    found = error.errors()
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    # Of a union pydantic names the member that it tried last, which is no key of the document.
    location = first["loc"][:-1] if len(first["loc"]) > 1 and first["loc"][-1] in _MEMBERS else first["loc"]
    place = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        inside = ".".join(str(part) for part in first["loc"][:-1] if not isinstance(part, int))
        siblings = [f"{inside}.{key}" if inside else key for key in _keys_at(model, first["loc"][:-1])]
        asked = f"{inside}.{first['loc'][-1]}" if inside else str(first["loc"][-1])
        return f"unknown key {place!r}{suggestion(asked, siblings)}; keys here: {', '.join(siblings)}"
    if first["type"] == "missing":
        return f"the key {place!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    got = first.get("input")
    shown = f", got {_shown(got)}" if isinstance(got, str | int | float | bool) and "got" not in message else ""
    return f"{place}: {message}{shown}" if place else message


def _shown(value: str | float) -> str:
    try:
        text = repr(value)
    except ValueError:  # of a whole number of thousands of digits
        return "a whole number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        if field is None:
            return []
        inner = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(t, type)]
        current = next((t for t in inner if issubclass(t, BaseModel)), None)
        if current is None:
            return []
    return [info.alias or name for name, info in current.model_fields.items()]


def parse_set(pairs: tuple[str, ...] | list[str]) -> dict[str, Value]:
    """``key=value`` texts to a mapping; values are TOML where they parse as such, else text.

    Raises:
        ConfigError: if one has no ``=``.
    """
    result: dict[str, Value] = {}
    for pair in pairs:
        key, found, text = pair.partition("=")
        if not found or not key.strip():
            raise ConfigError(f"--set takes key=value, got {pair!r}")
        try:
            document = tomllib.loads(f"value = {text}")
        except tomllib.TOMLDecodeError:
            document = {"value": text.strip()}
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"--set {key.strip()}: {_NO_VALUE}, got {text.strip()[:_MOST_SHOWN]}…") from error
        value = document["value"]
        if len(document) > 1 or not isinstance(value, str | int | float | bool | list):
            value = text.strip()
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ConfigError(f"--set {key.strip()}: {_NO_VALUE}, got {text.strip()[:_MOST_SHOWN]}")
        if not all(math.isfinite(v) for v in (value if isinstance(value, list) else [value]) if isinstance(v, float)):
            raise ConfigError(f"--set {key.strip()}: values must be finite, got {text.strip()}")
        result[key.strip()] = value
    return result


def _in_todays_words(changes: Mapping[str, Value]) -> Mapping[str, Value]:
    prefix = "budget."
    budget = {key.removeprefix(prefix): value for key, value in changes.items() if key.startswith(prefix)}
    try:
        found = in_todays_words(budget, "--set budget.seeds")
    except ValueError as error:
        raise ConfigError(f"--set: budget: {error}") from error
    return {key: value for key, value in changes.items() if not key.startswith(prefix)} | {f"{prefix}{key}": found[key] for key in found}


def edit_track(track: Track, changes: Mapping[str, Value]) -> tuple[Track, dict[str, Value]]:
    """Apply those changes that concern the track's rules; a changed track is another exam, named ``…+edited``.

    Args:
        track: the rules as they are.
        changes: dotted keys; a track's begin with one of `TRACK_SECTIONS`, or are ``space.lr.low`` and the like.

    Returns:
        The track, and the changes that are left (a method's parameters).

    Raises:
        ConfigError: if a key of the track does not exist or its value does not hold.
    """
    document = track.model_dump(by_alias=True, mode="json")
    rest: dict[str, Value] = {}
    for key, value in _in_todays_words(changes).items():
        section, _, path = key.partition(".")
        if section not in (*TRACK_SECTIONS, "space") or not path:
            rest[key] = value
            continue
        target = document
        parts = key.split(".")
        for part in parts[:-1]:
            if target.get(part) is None:
                target[part] = {}
            target = target[part]
            if not isinstance(target, dict):
                raise ConfigError(f"--set {key}: {part} is a value, not a section")
        target[parts[-1]] = value
    found = _validate(Track, document, "--set")
    # The budget is not a rule of the exam: its rows are marked, not banished. Nor is what is reported beside the primary metric. And what
    # is set to what it was is not changed.
    reported = {"report": track.metrics.report, "over": track.metrics.over}
    same = {"budget": track.budget, "metrics": found.metrics.model_copy(update=reported)}
    if found.model_copy(update=same) != track:
        found = found.model_copy(update={"name": f"{base_name(track.name)}{EDITED}"})
    return found, rest
