"""Frozen dataclasses to JSON values and back, by their type hints.

A moment or a day is ISO 8601, a span is seconds, a ``Message`` carries its English text beside its parts so
that a reader of the JSON needs no catalogue.  What does not fit is an error that names the place.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, cast

from analyzers.text import Message

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")
_PLAIN = frozenset({type(None), bool, int, float, str})


def encode(value: object) -> Json:
    """The JSON value of a dataclass of the contracts, or of anything in one."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return cast("Json", value)
    if (names := _names(kind)) is not None:
        return {name: encode(getattr(value, name)) for name in names}
    match value:
        case Message():
            return {"text": str(value), "template": value.template, "values": encode(value.values)}
        case Enum():
            return str(value.value)
        case None | bool() | int() | float() | str():
            return value
        case date():  # a moment is one too
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case tuple() | list():
            return [encode(item) for item in value]
        case Mapping():
            return {str(name): encode(item) for name, item in value.items()}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decode(kind: type[T], value: object, where: str = "") -> T:
    """The ``kind`` that ``encode`` made ``value`` from; what it has beyond that is ignored.

    Raises:
        ValueError: it does not fit; the text names the place, as in ``causes[0].slug``.
    """
    result: T = _decode(kind, value, where)
    return result


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [argument for argument in arguments if argument is not type(None)]
        fits = (
            inner[-1] if isinstance(value, dict) else inner[0]
        )  # words of a message: text, or a message too
        return None if value is None else _decode(fits, value, where)
    if origin is tuple:
        items = _expect(list, value, where)
        return tuple(_decode(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(items))
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, _expect(dict, value, where), where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        items = _expect(dict, value, where)
        return {name: _decode(arguments[1], item, f"{where}.{name}") for name, item in items.items()}
    return _decode_plain(kind, value, where)


def _decode_plain(kind: Any, value: Any, where: str) -> Any:
    try:
        if issubclass(kind, Enum):
            return kind(value)
        if kind is datetime:
            return datetime.fromisoformat(_expect(str, value, where))
        if kind is date:
            return date.fromisoformat(_expect(str, value, where))
        if kind is timedelta:
            return timedelta(seconds=_expect((int, float), value, where))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {value!r:.80} is no {kind.__name__}") from error
    return _expect((int, float) if kind is float else kind, value, where)


def _decode_dataclass(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in value:
            given[field.name] = _decode(hints[field.name], value[field.name], place)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{place}: is missing")
    return kind(**given)


def _expect(kind: Any, value: Any, where: str) -> Any:
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        name = kind[-1].__name__ if isinstance(kind, tuple) else kind.__name__
        raise ValueError(f"{where or 'the document'}: {value!r:.80} is no {name}")
    return value


@lru_cache(maxsize=256)
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass that is written field by field."""
    if kind is Message or not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
