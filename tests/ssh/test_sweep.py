"""Many hosts at once: a real sshd for the living, deaf ports for the dead."""

from __future__ import annotations

import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from ssh_rig import Keys, Server, StartSshd

from collector.connections.base import Connection, Deadline
from collector.connections.connector import Endpoint
from collector.connections.dialer import Dialer
from collector.connections.settings import SshSettings
from collector.errors import ConnectionFailed, EvidenceError, FailureKind, UsageError
from collector.sweep import Event, Outcome, Stage, SweepSettings, collect_one, sweep
from collector.target import Target, Transport


def say_hello(connection: Connection, target: Target, deadline: Deadline) -> str:
    output: list[bytes] = []
    connection.run(b"echo hello", output.append, deadline=deadline, max_bytes=1000)
    return b"".join(output).decode().strip()


@pytest.fixture
def server(start_sshd: StartSshd) -> Server:
    server = start_sshd()
    server.known_hosts.write_text(server.known)
    return server


def hosts(server: Server, count: int) -> list[Target]:
    return [server.target(name=f"host{number}") for number in range(count)]


def settings(server: Server, **changes: object) -> SweepSettings:
    return replace(SweepSettings(forks=4, ssh=server.settings()), **changes)  # type: ignore[arg-type]


@pytest.fixture
def deaf() -> Iterator[Callable[[], Target]]:
    """Targets whose packets are dropped: ports with a full queue."""
    sockets: list[socket.socket] = []

    def make() -> Target:
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        sockets.append(server)
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
            sockets.append(sock)
        return Target(f"deaf{len(sockets)}", "127.0.0.1", port=server.getsockname()[1])

    yield make
    for sock in sockets:
        sock.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_every_host_has_one_outcome(server: Server) -> None:
    events: list[Event] = []
    outcomes = list(sweep(hosts(server, 20), settings(server), say_hello, events.append))
    assert sorted(outcome.target.name for outcome in outcomes) == sorted(f"host{n}" for n in range(20))
    assert {outcome.value for outcome in outcomes} == {"hello"}
    assert all(outcome.connection and outcome.connection.host_key for outcome in outcomes)
    assert [event.stage for event in events].count(Stage.WORKING) == 20
    assert [event.stage for event in events].count(Stage.FINISHED) == 20
    assert all(outcome.started <= outcome.finished for outcome in outcomes)


def test_failures_are_outcomes(server: Server, keys: Keys) -> None:
    targets = [
        *hosts(server, 2),
        Target("refused", "127.0.0.1", port=closed_port()),
        Target("nameless", "bad..name"),
        server.target(name="stranger", user="no-such-user"),
        Target("windows", "127.0.0.1", port=closed_port(), transport=Transport.WINRM),
    ]
    found = {o.target.name: o for o in sweep(targets, settings(server), say_hello)}
    kinds = {name: o.failure.kind for name, o in found.items() if o.failure}
    assert kinds == {
        "refused": FailureKind.REFUSED,
        "nameless": FailureKind.UNREACHABLE,
        "stranger": FailureKind.AUTH,
        "windows": FailureKind.REFUSED,
    }
    assert found["host1"].value == "hello"


def test_dead_hosts_hold_no_worker(server: Server, deaf: Callable[[], Target]) -> None:
    """Twelve dead hosts come first, and two workers: one after the other they would take twelve seconds."""
    targets = [*(deaf() for _ in range(12)), *hosts(server, 4)]
    started = time.monotonic()
    patient = settings(server, forks=2, ssh=server.settings(connect_timeout_s=2.0))
    order = [(o.target.name[:4], o.failure and o.failure.kind) for o in sweep(targets, patient, say_hello)]
    assert time.monotonic() - started < 8
    assert order[0] == ("host", None)
    assert order.count(("host", None)) == 4
    assert order.count(("deaf", FailureKind.TIMEOUT)) == 12


def test_a_host_that_hangs_ends_at_its_deadline(server: Server) -> None:
    def hang(connection: Connection, target: Target, deadline: Deadline) -> None:
        connection.run(b"sleep 100", lambda data: None, deadline=deadline, max_bytes=10)

    started = time.monotonic()
    (outcome,) = sweep(hosts(server, 1), settings(server, host_deadline_s=1.0), hang)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.TIMEOUT
    assert outcome.connection is not None, "it was reached, and the report says how"
    assert time.monotonic() - started < 4


def test_a_defect_in_one_host_does_not_end_the_sweep(server: Server) -> None:
    def fail_on_host1(connection: Connection, target: Target, deadline: Deadline) -> str:
        if target.name == "host1":
            raise KeyError("oops")
        return say_hello(connection, target, deadline)

    found = {o.target.name: o for o in sweep(hosts(server, 3), settings(server), fail_on_host1)}
    assert found["host1"].failure is not None
    assert "KeyError" in found["host1"].failure.detail
    assert found["host2"].value == "hello"


def test_what_concerns_the_whole_sweep_ends_it(server: Server) -> None:
    def disk_full(connection: Connection, target: Target, deadline: Deadline) -> str:
        raise EvidenceError("out: no space left on device")

    with pytest.raises(EvidenceError, match="no space"):
        list(sweep(hosts(server, 5), settings(server), disk_full))
    broken = replace(settings(server), ssh=SshSettings(config_file="/nonexistent/config"))
    with pytest.raises(UsageError, match="no such ssh configuration"):
        list(sweep(hosts(server, 2), broken, say_hello))


def test_who_is_under_way_when_a_sweep_fails_is_told_of(server: Server) -> None:
    done: list[str] = []

    def fail_on_host0(connection: Connection, target: Target, deadline: Deadline) -> str:
        if target.name == "host0":
            raise EvidenceError("out: no space left on device")
        time.sleep(0.5)
        done.append(target.name)
        return target.name

    found: list[str | None] = []
    with pytest.raises(EvidenceError, match="no space"):
        found.extend(o.value for o in sweep(hosts(server, 20), settings(server, forks=2), fail_on_host0))
    assert found
    assert sorted(map(str, found)) == sorted(done)


def test_stop_is_gentle(server: Server) -> None:
    stop, after = threading.Event(), list[str]()

    def slow(connection: Connection, target: Target, deadline: Deadline) -> str:
        if stop.is_set():
            after.append(target.name)
        time.sleep(0.2)
        return say_hello(connection, target, deadline)

    outcomes: list[Outcome[str]] = []
    for outcome in sweep(hosts(server, 30), settings(server, forks=2), slow, stop=stop):
        outcomes.append(outcome)
        stop.set()
    assert 1 <= len(outcomes) < 30
    assert len(after) <= 2, "but those that were logging in"
    assert all(outcome.value == "hello" for outcome in outcomes)


def test_leaving_early_leaves_nothing_running(server: Server) -> None:
    before = threading.active_count()
    for _ in sweep(hosts(server, 10), settings(server), say_hello):
        break
    give_up = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < give_up:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_no_hosts_no_outcomes() -> None:
    assert list(sweep([], SweepSettings(), say_hello)) == []


def test_the_unit_of_work_goes_through_a_pickle(server: Server) -> None:
    target, how, what = pickle.loads(pickle.dumps((hosts(server, 1)[0], settings(server), say_hello)))
    outcome = pickle.loads(pickle.dumps(collect_one(target, how, what)))
    assert outcome.value == "hello"
    failed = pickle.loads(pickle.dumps(collect_one(Target("x", "127.0.0.1", port=closed_port()), how, what)))
    assert failed.failure.kind is FailureKind.REFUSED


def test_local_hosts_are_swept_too(server: Server) -> None:
    (outcome,) = sweep([Target("me", "", transport=Transport.LOCAL)], settings(server), say_hello)
    assert outcome.value == "hello"


def test_a_server_at_its_limit_is_asked_once_more(start_sshd: StartSshd) -> None:
    """sshd drops connections beyond MaxStartups before it says anything."""
    server = start_sshd("MaxStartups 1:100:1")
    server.known_hosts.write_text(server.known)
    outcomes = list(sweep(hosts(server, 2), settings(server, forks=1), say_hello))
    assert [outcome.value for outcome in outcomes] == ["hello", "hello"]


def test_the_dialer_keeps_to_its_limit() -> None:
    done: list[object] = []
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        dialer = Dialer(limit=3)
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], 5.0)
        for _ in range(8):
            dialer.dial(endpoint, done.append)
        time.sleep(0.3)
        assert len(done) == 3
        for expected in range(4, 9):
            dialer.taken()
            give_up = time.monotonic() + 2
            while len(done) < expected and time.monotonic() < give_up:
                time.sleep(0.01)
            assert len(done) == expected
        dialer.close()
    for sock in done:
        assert isinstance(sock, socket.socket)
        sock.close()


def test_the_dialer_tries_every_address() -> None:
    """``localhost`` is ::1 and 127.0.0.1; only the second listens."""
    done: list[object] = []
    arrived = threading.Event()

    def arrive(result: socket.socket | ConnectionFailed) -> None:
        done.append(result)
        arrived.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialer = Dialer()
        dialer.dial(Endpoint("localhost", listener.getsockname()[1], 5.0), arrive)
        assert arrived.wait(5)
        dialer.close()
    assert isinstance(done[0], socket.socket)
    done[0].close()
