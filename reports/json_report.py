"""``diagnosis.json``: everything of a diagnosis, in a versioned schema (``schema/diagnosis-1.json``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzers.diagnosis import SCHEMA, Diagnosis
from collector.errors import EvidenceError
from reports.base import HostReport, Muted, SweepInfo
from reports.codec import decode, encode
from reports.files import Sink, file_in, write_file
from reports.provenance import Provenance
from reports.spool import Spool


def to_json(diagnosis: Diagnosis, provenance: Provenance, muted: Sequence[Muted] = ()) -> dict[str, Any]:
    """The JSON document of one host: the diagnosis, how its evidence was obtained, and what is muted."""
    document = encode(diagnosis)
    assert isinstance(document, dict)  # noqa: S101 - a dataclass encodes as an object
    return {"schema": SCHEMA, **document, "muted": encode(list(muted)), "evidence": encode(provenance)}


def dump_json(document: dict[str, Any]) -> str:
    """As one line in which nothing but ASCII stands: no byte of it can steer a terminal or end a script.

    One line: only that is made without a step of Python for each value, and ``jq`` sets it for reading."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class Told:
    """What a ``diagnosis.json`` holds of one host.  An older one may lack all but the diagnosis."""

    diagnosis: Diagnosis
    provenance: Provenance
    muted: tuple[Muted, ...] = ()


def load_host(text: str | bytes, name: str) -> Told:
    """Read the document of one host back.

    Args:
        text: the document.
        name: what to call it in errors.

    Raises:
        EvidenceError: it is no diagnosis, is damaged, or is of a newer schema.
    """
    try:
        document = json.loads(text)
        schema = document["schema"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise EvidenceError(f"{name}: not a diagnosis; analyze the evidence again") from error
    if schema != SCHEMA:
        known = f"this ssm-triage reads schema {SCHEMA}"
        raise EvidenceError(
            f"{name}: diagnosis of schema {schema!r:.20}, {known}; analyze the evidence again"
        )
    try:
        return Told(
            decode(Diagnosis, document),
            decode(Provenance, document.get("evidence", {}), "evidence"),
            decode(tuple[Muted, ...], document.get("muted", []), "muted"),
        )
    except ValueError as error:
        raise EvidenceError(f"{name}: not a diagnosis: {error}; analyze the evidence again") from error


class JsonReporter:
    """One document for the sweep: ``{"schema": 1, "hosts": [...]}``, the hosts by name."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink
        self._tool = sweep.tool
        self._spool = Spool()

    def add(self, host: HostReport) -> None:
        document = to_json(host.diagnosis, host.provenance, host.muted)
        self._spool.add(host.diagnosis.subject.name, dump_json(document))

    def finish(self) -> None:
        self._sink.write(f'{{"schema": {SCHEMA}, "tool": {json.dumps(self._tool)}, "hosts": [')
        separator = "\n"
        for text in self._spool:
            self._sink.write(separator + text)
            separator = ",\n"
        self._sink.write("\n]}\n")
        self._sink.commit()
        self._spool.close()

    def abandon(self) -> None:
        self._spool.close()
        self._sink.discard()


class NdjsonReporter:
    """One line per host, written when the host is done."""

    def __init__(self, sink: Sink, sweep: SweepInfo) -> None:
        self._sink = sink

    def add(self, host: HostReport) -> None:
        document = to_json(host.diagnosis, host.provenance, host.muted)
        self._sink.write(dump_json(document) + "\n")

    def finish(self) -> None:
        self._sink.commit()

    def abandon(self) -> None:
        self._sink.discard()


class JsonFolderReporter:
    """A file of its own per host."""

    def __init__(self, folder: Path, sweep: SweepInfo) -> None:
        self._folder = folder

    def add(self, host: HostReport) -> None:
        document = to_json(host.diagnosis, host.provenance, host.muted)
        write_file(file_in(self._folder, host.stem, ".json"), dump_json(document) + "\n")

    def finish(self) -> None:
        """Nothing: each file is whole already."""

    def abandon(self) -> None:
        """Nothing: each file is whole already."""
