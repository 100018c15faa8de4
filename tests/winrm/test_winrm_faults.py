"""Whatever goes wrong on the way: one of the closed set of failures, in time, and no shell left open."""

from __future__ import annotations

import contextlib
import pickle
import socket
import threading
import time
from pathlib import Path

import pytest
from winrm_rig import HTTP, PASSWORD, USER, Rig, say

from collector.connections.base import Deadline
from collector.connections.clixml import spoken
from collector.errors import ConnectionFailed, FailureKind
from collector.secrets import Literal
from collector.sweep import SweepSettings, sweep
from collector.target import Target, Transport
from lab.windows.faults import Fault, Trouble
from lab.windows.logins import ntlm_users
from lab.windows.powershell import Answer, UnknownScript

T, K = Trouble, FailureKind
LOST = (T.DROP_UNSEEN, T.DROP_UNANSWERED, T.CUT_ANSWER)
ODD = (T.GARBAGE, T.STRANGE)

CASES: list[tuple[str, Trouble, FailureKind | None]] = [
    *[("Create", trouble, K.PROTOCOL) for trouble in (*LOST, *ODD)],
    ("Create", T.DENIED, K.PRIVILEGE),
    ("Create", T.QUOTA, K.QUOTA),
    ("Create", T.UNAVAILABLE, K.QUOTA),
    ("Create", T.UNAUTHORIZED, K.AUTH),
    ("Create", T.BUSY, K.TIMEOUT),
    ("Create", T.FLOOD, K.PROTOCOL),
    ("Create", T.DROP_ANSWERED, K.PROTOCOL),
    *[("Command", trouble, K.PROTOCOL) for trouble in (*LOST, *ODD, T.DROP_ANSWERED)],
    ("Command", T.TIMED_OUT, K.TIMEOUT),
    ("Command", T.QUOTA, K.QUOTA),
    *[("Send", trouble, K.PROTOCOL) for trouble in (*LOST, T.DROP_ANSWERED)],
    ("Send", T.BUSY, None),
    ("Send", T.TIMED_OUT, K.TIMEOUT),
    *[("Receive", trouble, K.PROTOCOL) for trouble in (*LOST, T.GARBAGE)],
    ("Receive", T.TIMED_OUT, None),
    ("Receive", T.UNAVAILABLE, K.QUOTA),
    ("Receive", T.UNAUTHORIZED, K.AUTH),
    ("Receive", T.FLOOD, K.PROTOCOL),
    *[("Signal", trouble, None) for trouble in (*LOST, *ODD, T.BUSY, T.DROP_ANSWERED)],
    *[("Delete", trouble, None) for trouble in (*LOST, *ODD, T.BUSY, T.DROP_ANSWERED)],
]


@pytest.mark.parametrize(("action", "trouble", "kind"), CASES, ids=lambda value: str(value))
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_faults(rig: Rig, action: str, trouble: Trouble, kind: FailureKind | None, tls: bool) -> None:
    host = rig.host(faults=[Fault(action, trouble)], tls=tls)
    failure: ConnectionFailed | None = None
    started = time.monotonic()
    try:
        connection = rig.open(rig.target(host))
        try:
            assert say(connection)[1] == b"ran: Get-Date"
        finally:
            connection.close()
    except ConnectionFailed as failed:
        failure = failed
    assert (failure.kind if failure else None) == kind, failure
    assert time.monotonic() - started < 12
    assert not host.shells.open
    assert host.logins <= 2
    if failure is not None:
        assert "\n" not in str(failure)
        assert str(host.port) in failure.detail
        assert failure.try_next
        assert str(pickle.loads(pickle.dumps(failure.bare()))) == str(failure)


ACTIONS = ("Create", "Command", "Send", "Receive", "Signal", "Delete")


@pytest.mark.parametrize("trouble", [trouble for trouble in T if trouble is not T.HANG])
@pytest.mark.parametrize("action", ACTIONS)
def test_whatever_goes_wrong_no_shell_is_left(rig: Rig, action: str, trouble: Trouble) -> None:
    """All that the lab can do to a message, to every message; ``HANG`` is below."""
    host = rig.host(faults=[Fault(action, trouble)])
    with contextlib.suppress(ConnectionFailed):
        connection = rig.open(rig.target(host))
        try:
            say(connection, seconds=4)
        finally:
            connection.close()
    assert host.faults.seen[action], "the fault was not met"
    assert not host.shells.open
    assert host.logins <= (3 if trouble is T.LOGGED_OUT else 2)  # on the host's own wish, on one connection
    assert host.rejected == 0


def test_an_account_that_is_refused_by_then_is_not_shown_again(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one case in which a shell stays, for its three minutes: deleting it would take the password."""

    def locked(script: bytes) -> bytes:
        monkeypatch.setenv("NTLM_USER_FILE", str(ntlm_users(tmp_path / "nobody", {})))
        return b"done"

    host = rig.host(locked, faults=[Fault("Receive", T.LOGGED_OUT)])
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed) as failed:
        say(connection)
    connection.close()
    assert failed.value.kind is K.AUTH
    assert host.rejected == 1
    assert host.connections == 1
    assert [shell.idle_timeout_s for shell in host.shells.open.values()] == [180]


def test_another_s_shell_is_left_alone(rig: Rig) -> None:
    """The one whose id was lost is found by its name; the account's others stay."""
    host = rig.host(faults=[Fault("Create", T.DROP_UNANSWERED, 2, 2)])
    other = rig.open(rig.target(host))
    (theirs,) = host.shells.open
    with pytest.raises(ConnectionFailed):
        rig.open(rig.target(host))
    assert host.shells.made == 2
    assert list(host.shells.open) == [theirs]
    assert say(other)[1] == b"ran: Get-Date"
    other.close()
    assert not host.shells.open


@pytest.mark.parametrize("action", ["Create", "Command", "Send", "Receive"])
def test_a_host_that_hangs_is_cut_at_the_deadline(rig: Rig, action: str) -> None:
    host = rig.host(faults=[Fault(action, T.HANG)])
    started = time.monotonic()
    kinds, connection = [], None
    try:
        connection = rig.open(rig.target(host), seconds=1.5)
        say(connection, seconds=1.5)
    except ConnectionFailed as failed:
        kinds.append(failed.kind)
        if connection:
            assert time.monotonic() - started < 4
            connection.close()
    assert kinds == [K.TIMEOUT]
    assert time.monotonic() - started < 12
    assert not host.shells.open


def test_a_slow_script_is_ended_at_its_deadline(rig: Rig) -> None:
    host = rig.host(lambda script: Answer(b"late", delay_s=20))
    connection = rig.open(rig.target(host))
    started = time.monotonic()
    with pytest.raises(ConnectionFailed, match="did not finish the collection") as failed:
        say(connection, seconds=3)
    assert failed.value.kind is K.TIMEOUT
    assert time.monotonic() - started < 6
    assert host.faults.seen["Signal"] == 1
    connection.close()
    assert not host.shells.open


def test_a_slow_answer_is_waited_for(rig: Rig) -> None:
    host = rig.host(lambda script: Answer(b"late", delay_s=2.5))
    connection = rig.open(rig.target(host, {**HTTP, "ansible_winrm_operation_timeout_sec": "1"}))
    assert say(connection)[1] == b"late"
    assert host.faults.seen["Receive"] >= 3
    connection.close()


def test_what_came_before_the_deadline_is_kept(rig: Rig) -> None:
    host = rig.host(lambda script: Answer(b"late", delay_s=20, early=b"early"))
    connection = rig.open(rig.target(host))
    got = bytearray()
    with pytest.raises(ConnectionFailed, match="did not finish the collection"):
        connection.run(b"x", got.extend, deadline=Deadline.after(2.5), max_bytes=1000)
    assert got == b"early"
    connection.close()


@pytest.mark.parametrize("trouble", [T.TIMED_OUT, T.STRANGE])
def test_a_host_with_nothing_to_tell_is_not_pestered(rig: Rig, trouble: Trouble) -> None:
    host = rig.host(faults=[Fault("Receive", trouble, 1, 10_000)])
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed) as failed:
        say(connection, seconds=2.5)
    assert failed.value.kind is K.TIMEOUT
    assert host.faults.seen["Receive"] < 30
    connection.close()
    assert not host.shells.open


def test_a_busy_host_is_asked_again_and_gets_nothing_twice(rig: Rig) -> None:
    host = rig.host(faults=[Fault("Send", T.BUSY, 1, 2)])
    connection = rig.open(rig.target(host))
    assert say(connection)[1] == b"ran: Get-Date"
    assert host.faults.seen["Send"] == 3
    connection.close()


def test_nothing_but_busy_is_sent_again(rig: Rig) -> None:
    host = rig.host(faults=[Fault("Send", T.TIMED_OUT)])
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed):
        say(connection)
    assert host.faults.seen["Send"] == 1
    connection.close()


def test_the_sink_s_own_errors_pass_through(rig: Rig) -> None:
    class Full(Exception):
        pass

    def full(data: bytes) -> None:
        raise Full

    host = rig.host()
    connection = rig.open(rig.target(host))
    with pytest.raises(Full):
        connection.run(b"x", full, deadline=Deadline.after(10), max_bytes=1000)
    connection.close()
    assert host.faults.seen["Signal"] == 1
    assert not host.shells.open


def test_too_many_shells(rig: Rig) -> None:
    host = rig.host(max_shells_per_user=1)
    first = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed, match="at one of its limits") as failed:
        rig.open(rig.target(host))
    assert failed.value.kind is K.QUOTA
    first.close()
    rig.open(rig.target(host)).close()
    assert not host.shells.open


def test_a_shell_that_the_host_deleted(rig: Rig) -> None:
    host = rig.host()
    connection = rig.open(rig.target(host))
    host.shells.open.clear()
    with pytest.raises(ConnectionFailed, match="has ended our shell") as failed:
        say(connection)
    assert failed.value.kind is K.PROTOCOL
    connection.close()


def test_a_host_that_takes_small_messages_only(rig: Rig) -> None:
    import random

    host = rig.host(max_envelope=60_000)
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed, match="MaxEnvelopeSizekb") as failed:
        say(connection, random.Random(1).randbytes(200_000))
    assert failed.value.kind is K.QUOTA
    connection.close()
    assert not host.shells.open


def test_no_powershell(rig: Rig) -> None:
    host = rig.host(has_powershell=False)
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed, match="is not recognized") as failed:
        say(connection)
    assert failed.value.kind is K.SHELL
    connection.close()


def test_constrained_language(rig: Rig) -> None:
    host = rig.host(language_mode="ConstrainedLanguage")
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed, match="PowerShell runs in ConstrainedLanguage mode") as failed:
        say(connection)
    assert failed.value.kind is K.SHELL
    connection.close()


def test_an_unknown_script_fails_loudly(rig: Rig) -> None:
    def nobody(script: bytes) -> bytes:
        raise UnknownScript(script)

    host = rig.host(nobody)
    connection = rig.open(rig.target(host))
    with pytest.raises(ConnectionFailed, match="no answer for sha256"):
        say(connection, b"Remove-Everything")
    connection.close()
    with pytest.raises(UnknownScript, match="Remove-Everything"):
        host.__exit__(None, None, None)


def test_something_else_than_winrm(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        target = Target(
            "mail", "127.0.0.1", Transport.WINRM, port=port, user=USER, password=Literal(PASSWORD),
            options=tuple(HTTP.items()),
        )  # fmt: skip
        with pytest.raises(ConnectionFailed) as failed:
            rig.open(target)
        assert failed.value.kind is K.PROTOCOL


def test_fifty_hosts_with_ten_dead(rig: Rig) -> None:
    """Six that accept and say nothing, four that refuse; the others are not held up."""
    mute = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    hosts = [rig.host() for _ in range(40)]
    alive = [rig.target(host, name=f"alive{n}") for n, host in enumerate(hosts)]
    dead = [
        rig.target(hosts[0], name=f"dead{n}", port=port)
        for n, port in enumerate([*(sock.getsockname()[1] for sock in mute), *[closed] * 4])
    ]
    targets = [target for pair in zip(alive[:10], dead, strict=True) for target in pair] + alive[10:]
    started = time.monotonic()
    outcomes = {
        outcome.target.name: (outcome, time.monotonic() - started)
        for outcome in sweep(
            targets, SweepSettings(forks=50, host_deadline_s=4.0), lambda connection, *_: say(connection)[1]
        )
    }
    assert time.monotonic() - started < 25
    assert len(outcomes) == 50
    for name, (outcome, took) in outcomes.items():
        if name.startswith("alive"):
            assert outcome.value == b"ran: Get-Date", outcome.failure
        else:
            assert outcome.failure
            assert outcome.failure.kind in (K.TIMEOUT, K.REFUSED)
            assert took < 12
    assert not any(host.shells.open for host in hosts)
    assert {(host.logins, host.connections) for host in hosts} == {(1, 1)}
    for sock in mute:
        sock.close()


CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b"<S S=\"Error\">Get-Foo : The term 'Get-Foo' is not recognized_x000D__x000A_</S>"
    b'<S S="Error">    + CategoryInfo : ObjectNotFound &amp; more_x000D__x000A_</S>'
    b'<S S="verbose">chatter_x000D__x000A_</S>'
    b'<Obj S="progress" RefId="0"><MS><PR N="Record"><AV>Preparing</AV></PR></MS></Obj></Objs>'
)


@pytest.mark.parametrize(
    ("stderr", "text"),
    [
        (
            CLIXML,
            "Get-Foo : The term 'Get-Foo' is not recognized\n    + CategoryInfo : ObjectNotFound & more",
        ),
        (
            b"native: no such file\r\n" + CLIXML[: CLIXML.index(b"ized_x") + 4],
            "native: no such file\nGet-Foo : The term 'Get-Foo' is not recognized",
        ),
        (b'#< CLIXML\r\n<Objs><Obj S="progress"><MS/></Obj></Objs>', ""),
        (
            b'#< CLIXML\r\n<Objs>\r\n<S S="Error">a_x005F_x0041_b_xD83D__xDE00_</S></Objs>',
            "a_x0041_b\U0001f600",
        ),
        (b"plain\r\n", "plain"),
        (b"\xff\xfe", "��"),
        (b"", ""),
    ],
)
def test_clixml(stderr: bytes, text: str) -> None:
    assert spoken(stderr) == text


def test_errors_of_the_script_are_words(rig: Rig) -> None:
    host = rig.host(lambda script: Answer(b"out", CLIXML, 1))
    connection = rig.open(rig.target(host))
    result, output = say(connection)
    assert (result.exit_code, output) == (1, b"out")
    assert result.stderr.startswith(b"Get-Foo : The term")
    assert b"Objs" not in result.stderr
    connection.close()
