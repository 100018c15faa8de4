"""``manifest.json``: the one place where a manifest becomes JSON and comes back.

The mapping follows the dataclasses of ``model``: a field is a key, in the order of the class; times are
ISO 8601 in UTC.  A probe's output is not in it but in a member of its own, its length is (``bytes``).  Keys
that are not known are passed over, so that a later version may add some; a change that an older version
would misread raises the schema.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

from collector.errors import EvidenceError
from collector.evidence.memory import SCHEMA
from collector.evidence.model import Manifest, ProbeResult

_NOT_IN_JSON = {(ProbeResult, "output"), (Manifest, "digest")}


def to_json(manifest: Manifest) -> bytes:
    """The manifest as canonical JSON, a field a line: the same manifest gives the same bytes."""
    # Laid out by hand: with ``indent`` json falls back to an encoder in Python, ten times as slow.
    encode = json.JSONEncoder(default=_plain).encode
    lines = (f" {encode(name)}: {encode(getattr(manifest, name))}" for name in _fields(Manifest))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def from_json(data: bytes, where: str) -> Manifest:
    """Read a manifest; the outputs of its probes are empty.

    Args:
        data: the JSON.
        where: the evidence file, for the error.

    Raises:
        EvidenceError: it is no manifest, or of a newer schema.
    """
    document = _load(data, where)
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise EvidenceError(f"{where}: manifest.json has no schema number; it is damaged or not evidence")
    if schema > SCHEMA:
        raise EvidenceError(
            f"{where}: written by a newer ssm-triage (evidence schema {schema}, this one knows {SCHEMA});"
            " upgrade ssm-triage to read it"
        )
    try:
        return typing.cast(Manifest, _decode(Manifest, document, ""))
    except _Unfit as unfit:
        raise EvidenceError(f"{where}: manifest.json: {unfit}; the file is damaged") from None


class _Unfit(Exception):
    """A value is not what its field takes; the text says where and what."""


def _load(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise EvidenceError(f"{where}: manifest.json is not JSON; the file is damaged") from None
    if not isinstance(document, dict):
        raise EvidenceError(f"{where}: manifest.json is not an object; it is damaged or not evidence")
    return document


def _plain(value: object) -> object:
    """What ``json`` does not know by itself: our dataclasses and times."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    kind: type = type(value)
    encoded = {name: getattr(value, name) for name in _fields(kind)}
    if isinstance(value, ProbeResult):
        encoded["bytes"] = len(value.output)
    return encoded


@cache
def _fields(cls: type) -> Mapping[str, tuple[Any, bool]]:
    """The fields of a dataclass that are in the JSON: name, type, and whether it must be there."""
    hints = typing.get_type_hints(cls)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
        if (cls, field.name) not in _NOT_IN_JSON
    }


def _decode(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type that ``hint`` says: a scalar, a time, an enum, a tuple, a dataclass, ``None``."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        options = typing.get_args(hint)
        if value is None and type(None) in options:
            return None
        return _decode(next(option for option in options if option is not type(None)), value, where)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise _Unfit(f"{where} is not a list")
        item = typing.get_args(hint)[0]
        return tuple(_decode(item, entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return _decode_object(typing.cast(type, hint), value, where)
    if hint is datetime:
        return _decode_time(value, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise _Unfit(f"{where} has an unknown value") from None
    if not isinstance(value, hint) or isinstance(value, bool):
        raise _Unfit(f"{where} is not of the right type")
    return value


def _decode_object(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _Unfit(f"{where or 'it'} is not an object")
    arguments = {}
    for name, (hint, required) in _fields(cls).items():
        path = f"{where}.{name}" if where else name
        if name in value:
            arguments[name] = _decode(hint, value[name], path)
        elif required:
            raise _Unfit(f"{path} is missing")
    return cls(**arguments)


def _decode_time(value: Any, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unfit(f"{where} is not a time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
