"""This machine, through the same protocol."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from collector.connections.base import Deadline
from collector.connections.local import LocalConnection, LocalConnector
from collector.errors import ConnectionFailed, FailureKind
from collector.target import Become, Target, Transport

TARGET = Target("here", "localhost", transport=Transport.LOCAL)


def test_a_script_runs_here() -> None:
    output: list[bytes] = []
    connection = LocalConnector().open(TARGET, deadline=Deadline.after(10))
    result = connection.run(
        b"echo out; echo err >&2; cat; echo $SSM_TRIAGE_PRIVILEGE; exit 3",
        output.append,
        deadline=Deadline.after(10),
        max_bytes=1000,
    )
    privilege = "root" if os.geteuid() == 0 else "none"
    assert b"".join(output) == f"out\n{privilege}\n".encode()
    assert (result.exit_code, result.stderr) == (3, b"err\n")
    assert connection.facts.transport is Transport.LOCAL
    assert connection.privilege == privilege


def test_the_deadline_takes_the_shell_and_its_children_away() -> None:
    started = time.monotonic()
    output: list[bytes] = []
    with pytest.raises(ConnectionFailed) as caught:
        LocalConnection(TARGET).run(
            b"sleep 987654 & echo $!; wait", output.append, deadline=Deadline.after(0.5), max_bytes=1000
        )
    assert caught.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 3
    state = Path(f"/proc/{int(b''.join(output))}/stat")
    for _ in range(50):
        if not state.exists() or state.read_bytes().split()[2] == b"Z":
            return
        time.sleep(0.02)
    pytest.fail("the child is still there")


def test_the_limit_holds() -> None:
    output: list[bytes] = []
    result = LocalConnection(TARGET).run(b"yes", output.append, deadline=Deadline.after(10), max_bytes=12_345)
    assert (sum(map(len, output)), result.truncated) == (12_345, True)


def test_a_large_script_and_a_large_answer() -> None:
    script = b"".join(b": line %d\n" % number for number in range(20_000)) + b"head -c 3000000 /dev/zero"
    result = LocalConnection(TARGET).run(
        script, lambda data: None, deadline=Deadline.after(20), max_bytes=1 << 30
    )
    assert (result.received, result.exit_code) == (3_000_000, 0)


def test_other_ways_to_become_root_are_refused() -> None:
    with pytest.raises(ConnectionFailed, match="'doas' is not supported"):
        LocalConnection(Target("here", "localhost", become=Become(method="doas")))
