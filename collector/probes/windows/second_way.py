"""When PowerShell takes no script: the essential facts by cmd.exe."""

from __future__ import annotations

from collector.connections.base import Connection, Deadline
from collector.connections.windows_cmd import Typist
from collector.errors import ConnectionFailed, FailureKind
from collector.probes.frame import FrameSink
from collector.probes.model import Probe
from collector.probes.windows.plain import PlainReader, compile_plain

_MAX_BYTES = 16 << 20
_PATIENCE_S = 60.0


def ask_plainly(
    connection: Connection,
    failure: ConnectionFailed,
    nonce: str,
    probes: tuple[Probe, ...],
    sink: FrameSink,
    deadline: Deadline,
) -> PlainReader | None:
    """What cmd.exe could tell of a host whose PowerShell did not; ``None``: nothing, so the failure stands.

    The results of all ``probes`` are in ``sink`` where something came, and untouched where nothing did.
    """
    if failure.kind is not FailureKind.SHELL or not isinstance(connection, Typist):
        return None
    reader = PlainReader(nonce, sink, probes)
    try:
        connection.type_in(
            compile_plain(nonce), reader.feed, deadline=deadline.sooner(_PATIENCE_S), max_bytes=_MAX_BYTES
        )
    except ConnectionFailed:
        if not reader.heard:
            return None
    if not reader.heard:
        return None
    reader.finish(failure.detail)
    return reader
