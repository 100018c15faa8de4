"""One channel, one script: the data path against a real sshd, login shells and large answers."""

from __future__ import annotations

import contextlib
import hashlib
import random
import resource
import shutil
import socket
import threading
import time

import pytest
from pytest_mock import MockerFixture
from ssh_rig import ME, Server, StartSshd, ask

from collector.connections import ssh_connection
from collector.connections.base import Deadline, RunResult
from collector.connections.ssh_connection import SshConnection
from collector.errors import ConnectionFailed, FailureKind


def run(connection: SshConnection, script: str, limit: int = 1 << 20) -> tuple[RunResult, bytes]:
    output: list[bytes] = []
    result = connection.run(script.encode(), output.append, deadline=Deadline.after(30), max_bytes=limit)
    return result, b"".join(output)


def test_output_exit_code_and_errors_come_apart(sshd: Server) -> None:
    result, output = run(sshd.open(), "echo out; echo err >&2; exit 3")
    assert (output, result.stderr, result.exit_code) == (b"out\n", b"err\n", 3)
    assert (result.received, result.truncated) == (4, False)


def test_one_connection_takes_several_scripts(sshd: Server) -> None:
    connection = sshd.open()
    assert [ask(connection, f"echo {number}") for number in range(3)] == [b"0\n", b"1\n", b"2\n"]


def test_the_script_reads_nothing_of_itself(sshd: Server) -> None:
    assert (
        run(sshd.open(), "cat; read x; echo \"$?\"; echo 'it'\"'\"'s' \\\\ '!' $#")[1] == b"1\nit's \\ ! 0\n"
    )


def test_a_signal_has_no_exit_code(sshd: Server) -> None:
    result, output = run(sshd.open(), "echo before; kill -9 $$")
    assert output == b"before\n"
    assert result.exit_code is None


def test_the_script_sees_its_privilege(sshd: Server) -> None:
    connection = sshd.open()
    assert connection.privilege == ""
    expected = "root" if ME == "root" else "none"
    assert ask(connection, "echo $SSM_TRIAGE_PRIVILEGE") == f"{expected}\n".encode()
    assert connection.privilege == expected


# --- Login shells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "csh", "busybox sh"])
def test_any_login_shell_takes_the_script(start_sshd: StartSshd, shell: str) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell.split()[0]} is missing")
    server = start_sshd(f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"')
    script = "echo 'one \"two\" $three' \\\\ '!'; for i in 1 2; do echo $i; done"
    assert run(server.open(), script)[1] == b'one "two" $three \\ !\n1\n2\n'


def test_a_shell_that_chatters_first(start_sshd: StartSshd) -> None:
    noise = "printf 'Welcome to db1\\n@@ no frame\\n'; head -c 100000 /dev/urandom"
    server = start_sshd(f'ForceCommand {noise}; exec sh -c "$SSH_ORIGINAL_COMMAND"')
    assert run(server.open(), "echo answer")[1] == b"answer\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo This account is currently not available.; exit 1", "This account is currently not available"),
        ("false", "exit code 1"),
        ("/nonexistent/shell", "exit code 127"),
        ("cat >/dev/null; echo 'only git here' >&2; exit 5", "only git here"),
    ],
)
def test_a_shell_that_takes_no_script(start_sshd: StartSshd, command: str, words: str) -> None:
    connection = start_sshd(f"ForceCommand {command}").open()
    with pytest.raises(ConnectionFailed, match=words) as caught:
        ask(connection)
    assert caught.value.kind is FailureKind.SHELL


def test_half_a_script_never_runs(start_sshd: StartSshd) -> None:
    """The reader gets all but the end, as if the connection had been cut."""
    server = start_sshd('ForceCommand head -c 60 | exec sh -c "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(ConnectionFailed, match="none of it was run") as caught:
        ask(server.open(), "echo ran; " + "# padding" * 20)
    assert caught.value.kind is FailureKind.PROTOCOL


# --- Large and strange answers ---------------------------------------------------------------------------


def test_64_mb_stream_through_little_memory(sshd: Server) -> None:
    digest = hashlib.md5()
    sizes: list[int] = []

    def sink(data: bytes) -> None:
        digest.update(data)
        sizes.append(len(data))

    connection = sshd.open()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = connection.run(
        b"head -c 67108864 /dev/zero | tr '\\0' x", sink, deadline=Deadline.after(120), max_bytes=1 << 30
    )
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert result.received == sum(sizes) == 67_108_864
    assert digest.hexdigest() == hashlib.md5(b"x" * 67_108_864).hexdigest()
    assert grown_mb < 110, "the comparison itself takes 64"


def test_a_slow_sink_holds_the_host_back(sshd: Server) -> None:
    received = 0

    def sink(data: bytes) -> None:
        nonlocal received
        received += len(data)
        time.sleep(0.002)

    sshd.open().run(b"head -c 8000000 /dev/zero", sink, deadline=Deadline.after(60), max_bytes=1 << 30)
    assert received == 8_000_000


def test_the_byte_limit_cuts_exactly(sshd: Server) -> None:
    started = time.monotonic()
    result, output = run(sshd.open(), "yes", limit=100_001)
    assert (len(output), result.truncated, result.exit_code) == (100_001, True, None)
    assert time.monotonic() - started < 10


def test_binary_comes_unchanged(sshd: Server) -> None:
    script = 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done'
    assert run(sshd.open(), script)[1] == bytes(range(256))


def test_a_flood_of_errors_does_not_stop_the_answer(sshd: Server) -> None:
    """More than a window of standard error, while standard output waits its turn."""
    result, output = run(sshd.open(), "head -c 6000000 /dev/zero >&2; echo answer")
    assert output == b"answer\n"
    assert len(result.stderr) == 65_536


def test_an_exception_of_the_sink_passes_through(sshd: Server) -> None:
    class DiskFull(Exception):
        pass

    def sink(data: bytes) -> None:
        raise DiskFull

    connection = sshd.open()
    with pytest.raises(DiskFull):
        connection.run(b"yes", sink, deadline=Deadline.after(20), max_bytes=1 << 30)
    assert ask(connection) == b"ok\n"


def test_the_deadline_ends_a_script_that_hangs(sshd: Server) -> None:
    connection = sshd.open()
    started = time.monotonic()
    output: list[bytes] = []
    with pytest.raises(ConnectionFailed) as caught:
        connection.run(b"echo first; sleep 60", output.append, deadline=Deadline.after(3), max_bytes=1000)
    assert caught.value.kind is FailureKind.TIMEOUT
    assert b"".join(output) == b"first\n"
    assert time.monotonic() - started < 6
    connection.close()


# --- A connection that breaks ----------------------------------------------------------------------------


class Cutter:
    """Forwards to a server until it has passed on some bytes of the answer; then hangs up, or goes silent."""

    def __init__(self, server: Server, *, is_silent: bool) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_silent = is_silent
        self.limit = 1 << 60
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection((self._server.address, self._server.port))
        threading.Thread(target=self._forward, args=(near, far, False), daemon=True).start()
        threading.Thread(target=self._forward, args=(far, near, True), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        passed = 0
        while data := self._receive(source):
            passed += len(data)
            if is_counted and passed > self.limit:
                if self._is_silent:
                    threading.Event().wait(30)
                break
            sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _receive(source: socket.socket) -> bytes:
        try:
            return source.recv(4096)
        except OSError:
            return b""

    def open(self) -> SshConnection:
        known = self._server.known.replace(self._server.name, f"[127.0.0.1]:{self.port}")
        self._server.known_hosts.write_text(known)
        return self._server.open(self._server.target(address="127.0.0.1", port=self.port))


def test_a_connection_that_breaks_in_the_middle(sshd: Server) -> None:
    cutter = Cutter(sshd, is_silent=False)
    cutter.limit = 300_000
    received = 0

    def sink(data: bytes) -> None:
        nonlocal received
        received += len(data)

    connection = cutter.open()
    with pytest.raises(ConnectionFailed, match="closed the connection") as caught:
        connection.run(b"head -c 9000000 /dev/zero", sink, deadline=Deadline.after(20), max_bytes=1 << 30)
    assert caught.value.kind is FailureKind.PROTOCOL
    assert 200_000 < received < 300_000
    connection.close()


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_write_to_one_who_is_gone_leaves_what_it_said_to_be_read(
    is_gone: bool, mocker: MockerFixture
) -> None:
    """Paramiko's words for a channel that closed while we wrote; a race that a real server rarely shows."""
    channel = mocker.Mock(closed=is_gone)
    channel.sendall.side_effect = OSError("Socket is closed")
    with contextlib.nullcontext() if is_gone else pytest.raises(OSError):
        ssh_connection._write(channel, b"script")


def test_a_connection_that_falls_silent_in_the_middle(sshd: Server) -> None:
    cutter = Cutter(sshd, is_silent=True)
    cutter.limit = 300_000
    connection = cutter.open()
    started = time.monotonic()
    with pytest.raises(ConnectionFailed) as caught:
        ask(connection, "head -c 9000000 /dev/zero", deadline=1.0, limit=1 << 30)
    assert caught.value.kind is FailureKind.TIMEOUT
    connection.close()
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("limit", [0, 1, 30, 600, 1200, 1800, 2500, 3100])
def test_a_connection_that_breaks_anywhere_is_a_failure_of_a_known_kind(sshd: Server, limit: int) -> None:
    cutter = Cutter(sshd, is_silent=False)
    cutter.limit = limit + random.randint(0, 30)
    with pytest.raises(ConnectionFailed) as caught:
        ask(cutter.open(), "head -c 10000 /dev/zero")
    assert caught.value.kind in {FailureKind.PROTOCOL, FailureKind.QUOTA, FailureKind.AUTH}


def test_a_closed_connection_says_so(sshd: Server) -> None:
    connection = sshd.open()
    connection.close()
    connection.close()
    with pytest.raises(ConnectionFailed) as caught:
        ask(connection)
    assert caught.value.kind is FailureKind.PROTOCOL
