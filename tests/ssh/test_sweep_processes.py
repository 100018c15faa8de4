"""The same sweep in processes of its own: real children, a real sshd."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from ssh_rig import PASSWORD, Account, Server, StartSshd

from collector.connections.base import Connection, Deadline
from collector.errors import EvidenceError, FailureKind, SecretError
from collector.secrets import CommandSecret, EnvSecret, Literal, PromptSecret, for_child
from collector.sweep import Event, Outcome, Stage, SweepSettings, sweep
from collector.sweep.processes import ProcessRunner, processes_that_pay
from collector.target import Target


def say_pid(connection: Connection, target: Target, deadline: Deadline) -> int:
    output: list[bytes] = []
    connection.run(b"echo hello", output.append, deadline=deadline, max_bytes=1000)
    assert b"".join(output) == b"hello\n"
    return os.getpid()


@pytest.fixture
def server(start_sshd: StartSshd) -> Server:
    server = start_sshd()
    server.known_hosts.write_text(server.known)
    return server


def hosts(server: Server, count: int) -> list[Target]:
    return [server.target(name=f"host{number}") for number in range(count)]


def settings(server: Server, **changes: object) -> SweepSettings:
    return replace(SweepSettings(forks=4, ssh=server.settings()), **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    yield
    import multiprocessing

    give_up = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < give_up:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []


def test_every_host_has_one_outcome_from_one_of_the_children(server: Server) -> None:
    events: list[Event] = []
    outcomes = list(
        sweep(hosts(server, 9), settings(server), say_pid, events.append, runner=ProcessRunner(2))
    )
    assert sorted(outcome.target.name for outcome in outcomes) == sorted(f"host{n}" for n in range(9))
    pids = {outcome.value for outcome in outcomes}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert [event.stage for event in events].count(Stage.FINISHED) == 9


@dataclass(frozen=True)
class DieOnce:
    """Takes its process along, as the kernel does for want of memory, the first times it is at a host."""

    folder: Path
    host: str
    times: int

    def __call__(self, connection: Connection, target: Target, deadline: Deadline) -> str:
        before = len(list(self.folder.iterdir()))
        if target.name == self.host and before < self.times:
            (self.folder / str(before)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return target.name


@pytest.mark.parametrize(("times", "failure"), [(1, None), (2, FailureKind.PROTOCOL)])
def test_a_child_that_is_killed_costs_nobody_a_result(
    server: Server, tmp_path: Path, times: int, failure: FailureKind | None
) -> None:
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    collect = DieOnce(deaths, "host3", times)
    found: dict[str, Outcome[str]] = {}
    for outcome in sweep(hosts(server, 6), settings(server, forks=2), collect, runner=ProcessRunner(2)):
        assert outcome.target.name not in found
        found[outcome.target.name] = outcome
    assert len(found) == 6
    last = found.pop("host3").failure
    assert (last and last.kind) == failure
    if last is not None:
        assert "signal 9" in last.detail
    assert {name: outcome.value for name, outcome in found.items()} == {name: name for name in found}


def disk_full(connection: Connection, target: Target, deadline: Deadline) -> str:
    raise EvidenceError("out: no space left on device")


def test_what_concerns_the_whole_sweep_ends_it(server: Server) -> None:
    with pytest.raises(EvidenceError, match="no space"):
        list(sweep(hosts(server, 4), settings(server), disk_full, runner=ProcessRunner(2)))


def fail_on_host0(folder: Path, connection: Connection, target: Target, deadline: Deadline) -> str:
    if target.name == "host0":
        raise EvidenceError("out: no space left on device")
    (folder / take_half_a_second(connection, target, deadline)).touch()
    return target.name


def test_who_is_under_way_when_a_sweep_fails_is_told_of(server: Server, tmp_path: Path) -> None:
    two, found = replace(settings(server), forks=2), list[str]()
    (done := tmp_path / "done").mkdir()
    fail = partial(fail_on_host0, done)
    with pytest.raises(EvidenceError, match="no space"):
        found.extend(str(o.value) for o in sweep(hosts(server, 20), two, fail, runner=ProcessRunner(2)))
    assert found
    assert sorted(found) == sorted(path.name for path in done.iterdir())


def take_half_a_second(connection: Connection, target: Target, deadline: Deadline) -> str:
    time.sleep(0.5)
    return target.name


def test_stop_is_gentle(server: Server) -> None:
    stop = threading.Event()
    outcomes = []
    work = settings(server, forks=2)
    for outcome in sweep(hosts(server, 40), work, take_half_a_second, stop=stop, runner=ProcessRunner(2)):
        outcomes.append(outcome)
        stop.set()
    assert 1 <= len(outcomes) < 20
    assert all(outcome.value == outcome.target.name for outcome in outcomes)


def test_leaving_early_leaves_nobody_behind(server: Server) -> None:
    for _ in sweep(hosts(server, 40), settings(server), take_half_a_second, runner=ProcessRunner(2)):
        break


def test_a_secret_that_was_typed_goes_through_the_pipe(account: Account, start_sshd: StartSshd) -> None:
    server = start_sshd("PasswordAuthentication yes", "UsePAM no")
    server.known_hosts.write_text(server.known)
    typed = PromptSecret(ask=lambda label: PASSWORD)
    targets = [server.target(name=f"host{n}", user=account.name, password=typed) for n in range(2)]
    outcomes = list(sweep(targets, settings(server), say_pid, runner=ProcessRunner(2)))
    assert [outcome.failure for outcome in outcomes] == [None, None]


def test_what_goes_to_a_child_and_what_never_goes_elsewhere(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    command = CommandSecret(f"sh -c 'echo x >> {asked}; echo from-a-key'")
    secrets = [Literal("written"), PromptSecret(ask=lambda label: "typed"), command, EnvSecret("NAME")]
    there = pickle.loads(for_child([secrets, command]))
    assert [secret.resolve() for secret in there[0][:3]] == ["written", "typed", "from-a-key"]
    assert there[0][3] == EnvSecret("NAME")
    assert asked.read_text() == "x\n", "a command that its owner must confirm is run once"
    assert pickle.loads(for_child(CommandSecret("false"))) == CommandSecret("false")
    for secret in secrets[:2]:
        with pytest.raises(SecretError, match="does not leave this process"):
            pickle.dumps(secret)


def test_processes_only_where_there_is_work_for_them() -> None:
    assert processes_that_pay(hosts=1000, forks=10) == 1
    assert processes_that_pay(hosts=20, forks=500) == 1
    assert 1 <= processes_that_pay(hosts=10_000, forks=64) <= 2
