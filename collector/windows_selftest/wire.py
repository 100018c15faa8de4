"""What the wire itself shows: the pieces of an answer, the end of what is given up, what is refused."""

from __future__ import annotations

import secrets
import time

from collector.connections.base import Connection, Deadline
from collector.connections.winrm_connection import WinrmConnection
from collector.errors import ConnectionFailed, FailureKind
from collector.windows_selftest.model import Check, judged, not_asked

MAX_PIECE = 153_600
"""The envelope that we ask for (``MaxEnvelopeSize``): what comes at once is less."""
_GIVEN_UP_S = 6.0
_GONE_WITHIN_S = 10.0

_HOLD = b"""
$m = New-Object Threading.Mutex($true, 'ssm-triage-%b')
Start-Sleep -Seconds 120
[Console]::Out.Write('held')
"""
_HELD = b"""
$h = 'gone'
try { $m = [Threading.Mutex]::OpenExisting('ssm-triage-%b'); $h = 'held' }
catch [Threading.WaitHandleCannotBeOpenedException] { $h = 'gone' }
[Console]::Out.Write($h)
"""
"""A mutex is nothing but a name in memory, and is gone with the process that holds it."""


def pieces(connection: Connection, sizes: list[int]) -> Check:
    """Whether a large answer came in the pieces that WinRM is asked for, of these ``sizes``."""
    name = "answers come in pieces below the envelope"
    if not isinstance(connection, WinrmConnection):
        return not_asked(name, "this is not WinRM")
    largest = max(sizes, default=0)
    wrong = f"a piece of {largest} bytes" if largest > MAX_PIECE else "" if sizes else "nothing came"
    return judged(name, wrong, f"{len(sizes)} pieces, the largest of {largest} bytes")


def given_up(connection: Connection, deadline: Deadline) -> Check:
    """Whether a command that is given up at its deadline ends on the host."""
    name = "a script that is given up ends"
    mark = secrets.token_hex(8).encode()
    try:
        _run(connection, _HOLD % mark, deadline.sooner(_GIVEN_UP_S))
        return judged(name, "it ended by itself, before its time")
    except ConnectionFailed as failure:
        if failure.kind is not FailureKind.TIMEOUT:
            return judged(name, f"{failure.kind}: {failure.detail}")
    until = deadline.sooner(_GONE_WITHIN_S)
    try:
        while (
            answer := _run(connection, _HELD % mark, deadline.sooner(60))
        ) == b"held" and until.remaining():
            time.sleep(1)
    except ConnectionFailed as failure:
        return judged(name, f"afterwards {failure.kind}: {failure.detail}")
    return judged(name, "" if answer == b"gone" else f"it lives on ({answer[:40]!r})")


def _run(connection: Connection, script: bytes, deadline: Deadline) -> bytes:
    output = bytearray()
    connection.run(script, output.extend, deadline=deadline, max_bytes=4096)
    return bytes(output)


def unsealed(connection: Connection, deadline: Deadline) -> Check:
    """How a message is refused that is not encrypted, over HTTP."""
    name = "an unencrypted message is refused"
    if not isinstance(connection, WinrmConnection):
        return not_asked(name, "this is not WinRM")
    try:
        answer = connection.answer_unsealed(deadline)
    except ConnectionFailed as failure:
        return judged(name, f"{failure.kind}: {failure.detail}")
    if answer is None:
        return not_asked(name, "this is HTTPS, where TLS encrypts")
    return judged(name, "it was answered: AllowUnencrypted is on" if not answer else "", answer)
