"""Many hosts through one door: jump hosts, and servers that are at their limit."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from ssh_rig import ME, Server, StartSshd

from collector.connections.base import Connection, Deadline
from collector.errors import FailureKind, TriageError
from collector.sweep import Event, Outcome, Stage, SweepSettings, collect_one, sweep
from collector.sweep.pace import Pacer, Place, back_off
from collector.target import Target


def say_hello(connection: Connection, target: Target, deadline: Deadline) -> str:
    output: list[bytes] = []
    connection.run(b"echo hello", output.append, deadline=deadline, max_bytes=1000)
    return b"".join(output).decode().strip()


def prepared(server: Server) -> Server:
    server.known_hosts.write_text(server.known)
    return server


def behind(jump: Server, last: Server) -> SweepSettings:
    """Everything but the jump host itself is behind it."""
    last.client = [
        f"Host outer\n  HostName {jump.address}\n  Port {jump.port}\n  User {ME}",
        f"  UserKnownHostsFile {jump.known_hosts}",
        "Host 127.*\n  ProxyJump outer",
    ]
    return SweepSettings(forks=4, ssh=last.settings(connect_timeout_s=2.0))


def place_taken(server: Server) -> socket.socket:
    """A connection that sshd waits on, and that counts for its MaxStartups."""
    while True:
        sock = socket.create_connection((server.address, server.port), timeout=10)
        with contextlib.suppress(ConnectionResetError):
            if sock.recv(4) == b"SSH-":
                return sock
        sock.close()
        time.sleep(0.05)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose packets are dropped: its queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        knocking = [socket.socket() for _ in range(4)]
        for sock in knocking:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for sock in knocking:
            sock.close()


def test_dead_hosts_behind_a_jump_host_hold_no_worker(start_sshd: StartSshd, deaf_port: int) -> None:
    jump, last = prepared(start_sshd("LogLevel VERBOSE")), prepared(start_sshd())
    settings = replace(behind(jump, last), forks=1)
    dead = [Target(f"dead{number}", "127.0.0.1", port=deaf_port) for number in range(6)]
    living = [last.target(name=f"host{number}") for number in range(2)]
    events: list[Event] = []
    outcomes = list(sweep([*dead, *living], settings, say_hello, events.append))
    assert {e.target.name for e in events if e.stage is Stage.WORKING} == {"host0", "host1"}
    hops = (f"{ME}@{jump.address}:{jump.port}",)
    assert [o.connection.jump for o in outcomes if o.connection] == [hops, hops]
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    assert [failure.kind for failure in failures] == [FailureKind.TIMEOUT] * 6
    assert all("did not answer jump host" in failure.detail for failure in failures)
    log = (jump.folder / "sshd.log").read_text()
    assert log.count("Accepted publickey") == 1, "all hosts share one login to the jump host"


def test_no_more_hosts_behind_a_jump_host_than_it_is_given(start_sshd: StartSshd) -> None:
    jump, last = prepared(start_sshd()), prepared(start_sshd())
    settings = replace(behind(jump, last), forks=4, per_jump=2)
    lock, now, most = threading.Lock(), 0, 0

    def count(connection: Connection, target: Target, deadline: Deadline) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        try:
            return say_hello(connection, target, deadline)
        finally:
            with lock:
                now -= 1

    outcomes = list(sweep([last.target(name=f"host{n}") for n in range(6)], settings, count))
    assert [outcome.value for outcome in outcomes] == ["hello"] * 6
    assert most <= 2


def test_a_crowd_at_a_server_with_few_places(start_sshd: StartSshd) -> None:
    """sshd drops whoever comes while two others are logging in; all of them come in the end."""
    server = prepared(start_sshd("MaxStartups 2:100:2"))
    targets = [server.target(name=f"host{number}") for number in range(10)]
    events: list[Event] = []
    settings = SweepSettings(forks=10, ssh=server.settings())
    outcomes = list(sweep(targets, settings, say_hello, events.append))
    assert [outcome.value for outcome in outcomes] == ["hello"] * 10
    waited = [event for event in events if event.stage is Stage.WAITING]
    assert all(event.failure and event.failure.kind is FailureKind.QUOTA for event in waited)


def test_one_host_alone_comes_back_too(start_sshd: StartSshd) -> None:
    """For an engine that runs the unit of work on its own."""
    server = prepared(start_sshd("MaxStartups 2:100:2"))
    held = [place_taken(server) for _ in range(2)]
    threading.Timer(0.3, lambda: [sock.close() for sock in held]).start()
    outcome = collect_one(server.target(), SweepSettings(ssh=server.settings()), say_hello)
    assert outcome.value == "hello"


def test_a_server_that_never_has_a_place(start_sshd: StartSshd) -> None:
    server = prepared(start_sshd("MaxStartups 1:100:1"))
    with place_taken(server):
        settings = SweepSettings(ssh=server.settings(), refusals=1)
        (outcome,) = sweep([server.target()], settings, say_hello)
    assert isinstance(outcome, Outcome)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.QUOTA
    assert "MaxStartups" in outcome.failure.try_next


def test_a_place_takes_no_more_than_its_limit() -> None:
    pacer, place, entered = Pacer(), Place("here", limit=2), []
    for number in range(5):
        pacer.enter(place, lambda number=number: entered.append(number))  # type: ignore[misc]
    assert entered == [0, 1]
    pacer.leave(place)
    assert entered == [0, 1, 2]
    pacer.close()
    pacer.leave(place)
    assert entered == [0, 1, 2], "after the end nobody enters"


def test_who_waits_for_a_place_is_told_that_it_is_closed() -> None:
    pacer, place = Pacer(), Place("here", limit=1)
    with pacer.inside(place):
        threading.Timer(0.1, pacer.close).start()
        with pytest.raises(TriageError, match="the sweep has ended"), pacer.inside(place):
            pass


def test_a_place_lets_the_first_few_in_at_once_and_the_others_in_time() -> None:
    pacer, place = Pacer(), Place("here", limit=100, rate=100.0)
    entered = threading.Semaphore(0)
    for _ in range(30):
        pacer.enter(place, lambda: entered.release())
    at_once = 0
    while entered.acquire(blocking=False):
        at_once += 1
    assert 8 <= at_once < 30
    assert all(entered.acquire(timeout=30) for _ in range(30 - at_once))
    pacer.close()


def test_after_a_refusal_fewer_enter() -> None:
    pacer, place = Pacer(), Place("here", limit=4)
    entered = threading.Semaphore(0)
    pacer.enter(place, lambda: entered.release())
    pacer.refused(place)
    pacer.enter(place, lambda: entered.release())
    pacer.enter(place, lambda: entered.release())
    assert entered.acquire(timeout=5)
    assert entered.acquire(timeout=30), "after a rest the next one may enter"
    assert not entered.acquire(timeout=0.05), "of four places two are left"
    pacer.close()


@pytest.mark.parametrize("tries", [0, 3, 50])
def test_the_wait_grows_to_a_limit_and_is_never_the_same(tries: int) -> None:
    waits = {back_off(tries) for _ in range(20)}
    assert len(waits) > 1
    longest: Callable[[float], float] = lambda middle: middle * 1.5  # noqa: E731
    assert max(waits) <= longest(min(8.0, 0.5 * 2.0**tries))
