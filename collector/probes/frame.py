"""The answer of the one script: how it is framed on the wire, and how it is read back."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from collector.evidence.model import ProbeResult, Status


class FrameSink(Protocol):
    """Takes what a host answered, as it comes.  Called by one thread, in the order of the stream.

    Every asked probe comes exactly once.  Logs come part by part; each part is one ``log_begin``, any number
    of ``log_data``, one ``log_end``, never nested.  Parts of one file share its ``name`` and come in order of
    ``offset``.
    """

    def probe(self, result: ProbeResult) -> None:
        """One probe has come to its end, whatever that was.  ``result.sha256`` is filled."""
        ...

    def log_begin(
        self,
        name: str,
        path: str,
        size: int,
        modified: datetime | None,
        offset: int,
        first_line: int | None,
    ) -> None:
        """A part of a log file begins.

        Args:
            name: relative to the agent's log folder, ``/`` between folders; made safe: no ``..``, no empty
                component, no control character.  Not yet unique: a hostile host may say one twice.
            path: on the host; hostile text.
            size: of the whole file on the host, in bytes.
            modified: UTC.
            offset: where the part begins in the host's file, in bytes.
            first_line: number of the part's first line, from 1; ``None`` where it was not counted.
        """
        ...

    def log_data(self, plain: bytes, deflated: bytes | None) -> None:
        """The next bytes of the part.

        ``deflated`` is the piece of the host's own raw deflate stream (RFC 1951) that was read to get
        ``plain``; all pieces of a part, joined, are one such stream.  Either may be empty.  ``None``: the host
        had no gzip.  A part has always pieces or always ``None``.
        """
        ...

    def log_end(self, status: Status, note: str, *, deflate_whole: bool) -> None:
        """The part has ended.

        Args:
            status: ``ok``: all of the part came and its check sum is right; ``truncated``: it was cut and what
                came is kept; ``denied``, ``absent``, ``timeout`` or ``error``: it could not be read (whole).
            note: why, where it is not ``ok``.
            deflate_whole: whether the joined pieces are a deflate stream that ends properly and inflates to
                the joined plain bytes.  If not, it must be packed again from the plain bytes.
        """
        ...
