"""A stream without its secrets."""

from __future__ import annotations

import io
from typing import BinaryIO

from collector.evidence.secrets_scan import Masker

_PIECE = 256 * 1024


class MaskedStream(io.BufferedReader):
    """``content`` with its secrets masked, as it is read; closing it closes ``content``."""

    def __init__(self, content: BinaryIO) -> None:
        self._masker = Masker()
        super().__init__(_Masked(content, self._masker), _PIECE)

    @property
    def count(self) -> int:
        """Secrets masked so far."""
        return self._masker.count


class _Masked(io.RawIOBase):
    def __init__(self, content: BinaryIO, masker: Masker) -> None:
        self._content = content
        self._masker = masker
        self._clean = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever BufferedReader hands over is a buffer
        while not self._clean and not self._ended:
            data = self._content.read(_PIECE)
            self._ended = not data
            self._clean = self._masker.feed(data) if data else self._masker.finish()
        count = min(len(view), len(self._clean))
        view[:count] = self._clean[:count]
        self._clean = self._clean[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._content.close()
        super().close()
