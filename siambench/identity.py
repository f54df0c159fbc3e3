"""What identifies a thing: canonical JSON, digests of it, seeds from names; and the one reader of JSON into frozen values."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from siambench.errors import RecordError, suggestion
from siambench.wording import arguments_told

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

T = TypeVar("T")

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


class Document:
    """Base of the frozen dataclasses that are written as JSON: read back with no unknown key, no coercion, and finite numbers."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


def canonical(document: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(document: object) -> str:
    """SHA-256 of `canonical`, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def seed_of(*names: object) -> int:
    """A seed in [0, 2^63) that depends on the names and their order alone."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    # A schema is made when the first document is read or written: it is a hundredth of a second that a light command need not pay.
    if kind not in _adapters:
        from pydantic import TypeAdapter

        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def make_forms(*kinds: Any) -> None:
    """Make the schemas of these classes ahead, for processes that are forked from this one."""
    for kind in kinds:
        _adapter(kind)


def to_json(value: object) -> Any:
    """The JSON document of a frozen value, which `from_json` reads back."""
    return _adapter(type(value)).dump_python(value, mode="json")


def form_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of documents of a kind, a frozen dataclass or rules; what each value is said to be, its docstring says."""
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Described(GenerateJsonSchema):
        def dataclass_schema(self, schema: Any) -> dict[str, Any]:
            return _described(super().dataclass_schema(schema), schema["cls"])

        def model_schema(self, schema: Any) -> dict[str, Any]:
            return _described(super().model_schema(schema), schema["cls"])

    return TypeAdapter(kind).json_schema(schema_generator=Described)


def _described(form: dict[str, Any], kind: type) -> dict[str, Any]:
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        texts |= arguments_told(base.__doc__ or "")
    for name, part in form.get("properties", {}).items():
        part.pop("title", None)
        if name in texts:
            part["description"] = " ".join(texts[name].replace("``", "`").split())
    return {**form, "description": " ".join((kind.__doc__ or "").partition("\n\n")[0].replace("``", "`").split())}


def from_json(kind: type[T], text: bytes | str, *, where: str) -> T:
    """Read a frozen value from JSON text.

    Args:
        kind: its class, derived from `Document`.
        text: one JSON document.
        where: what the document is, for people.

    Raises:
        RecordError: in one sentence, for a key that is unknown or missing, a value of another type, or text that is no JSON.
    """
    from pydantic import ValidationError

    try:
        found: T = _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise RecordError(f"{where}: {_told(error)}") from error
    return found


def _told(error: ValidationError) -> str:
    found = _meant(error.errors(include_url=False, include_context=False))
    # A misspelt key is also a missing one: the spelling is what helps.
    first = next((one for one in found if one["type"] in _UNKNOWN), found[0])
    # Of a union pydantic names the member it tried, which is no key of the document.
    place = ".".join(str(part) for part in first["loc"] if not _is_member(part))
    missing = [str(one["loc"][-1]) for one in found if one["type"] == "missing"]
    if first["type"] in _UNKNOWN:
        return f"unknown key {place!r}{suggestion(str(first['loc'][-1]), missing)}"
    if first["type"] == "missing":
        return f"the key {place!r} is missing"
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{place}: {message}" if place else message


def _meant(found: list[ErrorDetails]) -> list[ErrorDetails]:
    # Of a union each member is tried: one whose literals are others (``state``, ``kind``) says nothing of the one that was meant.
    literal = [one for one in found if one["type"] == "literal_error" and _is_member(one["loc"][-2:][0])]
    others = [one["loc"][:-1] for one in literal]
    return [one for one in found if not any(one["loc"][: len(other)] == other for other in others)] or literal


def _is_member(part: int | str) -> bool:
    return isinstance(part, str) and (part[:1].isupper() or part.startswith("literal["))
