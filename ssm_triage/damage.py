"""Damage in evidence, noticed for a reader that makes do with what is whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from collector.errors import EvidenceError
from collector.evidence import Evidence, LogFile, LogPart, Manifest, ProbeResult


@dataclass
class Noticing:
    """The same evidence (an ``Evidence``); what was found damaged while somebody read it is kept in mind."""

    evidence: Evidence
    damage: str = ""
    """The first of it, as a line for a human; empty: none."""

    @property
    def manifest(self) -> Manifest:
        return self.evidence.manifest

    def probe(self, probe: str) -> ProbeResult:
        return self.evidence.probe(probe)

    def open_log(self, log: LogFile, part: LogPart) -> BinaryIO:
        try:
            return io.BufferedReader(_Watched(self.evidence.open_log(log, part), self._notice), 256 * 1024)
        except EvidenceError as error:
            self._notice(error)
            raise

    def _notice(self, error: EvidenceError) -> None:
        self.damage = self.damage or str(error)


class _Watched(io.RawIOBase):
    def __init__(self, stream: BinaryIO, notice: Callable[[EvidenceError], None]) -> None:
        self._stream, self._notice = stream, notice

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever BufferedReader hands over is a buffer
        try:
            data = self._stream.read(len(view))
        except EvidenceError as error:
            self._notice(error)
            raise
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            super().close()
