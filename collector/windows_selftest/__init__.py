"""What no lab can show: whether a real Windows host is as we believe.  Run once by whoever has one.

The table of what is believed: ``beliefs`` (small scripts, each with its verdict), ``wire`` (the messages
themselves), ``whole`` (the collecting script and the form of what it reads).  docs/windows.md lists it for
readers.  All that the host said is kept, so that it can be played back by the lab.
"""

from __future__ import annotations

from collector.connections.base import Connection, Deadline
from collector.errors import ConnectionFailed
from collector.windows_selftest.beliefs import Belief, beliefs
from collector.windows_selftest.model import Check, HostSaid, LogSaid, Outcome, Said, SelfTest, judged
from collector.windows_selftest.whole import collect
from collector.windows_selftest.wire import given_up, pieces, unsealed

__all__ = ["Check", "HostSaid", "LogSaid", "Outcome", "Said", "SelfTest", "selftest"]

_MAX_BYTES = 16 << 20
_PATIENCE_S = 90.0


def selftest(connection: Connection, *, deadline: Deadline) -> SelfTest:
    """Ask everything.  A question that fails ends no other; what cannot be asked any more says so."""
    checks: list[Check] = []
    said: list[Said] = []
    for belief in beliefs():
        sizes: list[int] = []
        checks.append(_ask(connection, belief, deadline, said, sizes))
        if belief.name.startswith("four megabytes"):
            checks.append(pieces(connection, sizes))
    checks += [given_up(connection, deadline), unsealed(connection, deadline)]
    host, more = collect(connection, deadline)
    return SelfTest((*checks, *more), connection.facts, tuple(said), host)


def _ask(
    connection: Connection, belief: Belief, deadline: Deadline, said: list[Said], sizes: list[int]
) -> Check:
    """Run one script; what it gave goes to ``said``, the sizes of its pieces to ``sizes``."""
    output = bytearray()

    def take(data: bytes) -> None:
        sizes.append(len(data))
        output.extend(data)

    try:
        result = connection.run(
            belief.script, take, deadline=deadline.sooner(_PATIENCE_S), max_bytes=_MAX_BYTES
        )
    except ConnectionFailed as failure:
        return judged(belief.name, f"{failure.kind}: {failure.detail}")
    told = bytes(output)
    as_believed = belief.expected is not None and told == belief.expected
    said.append(Said(belief.name, belief.digest, result.exit_code, told, result.stderr, as_believed))
    seen = " ".join(told[:400].decode("utf-8", "replace").split()) if belief.tells else "as expected"
    return judged(belief.name, belief.judge(result, told), seen)
