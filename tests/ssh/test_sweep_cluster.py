"""A sweep by a real Dask cluster: a scheduler, workers as processes of their own, real SSH connections."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ssh_rig import ME, PASSWORD, Account, Server, StartSshd

from collector.collect import CollectOptions
from collector.connections.base import Connection, Deadline
from collector.errors import EvidenceError, FailureKind, SecretError, UsageError
from collector.evidence.model import Failure, Manifest, ProbeResult, Status, Subject
from collector.evidence.read import open_evidence
from collector.evidence.store import EvidenceWriter
from collector.probes.choice import choose
from collector.probes.linux import LINUX
from collector.secrets import EnvSecret, Literal
from collector.sweep import Event, Outcome, Stage, SweepSettings, sweep
from collector.sweep.cluster import DaskRunner
from collector.sweep.delivery import IntoParcel, Parcel, unpack
from collector.target import Target

pytest.importorskip("distributed", reason="distributed is missing (extra dask)")


@dataclass
class Cluster:
    """A scheduler and its workers, each a process."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(json.loads(self.scheduler_file.read_text())["address"])

    @property
    def scheduler_file(self) -> Path:
        return self.folder / "scheduler.json"

    def start(self, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self.scheduler_file)],
            cwd=Path(__file__).parent,  # so that the functions of this file can be found there
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), **environ},
            stdout=log,
            stderr=log,
        )
        self.processes.append(process)
        return process

    def worker(self, zone: str, threads: int = 4, **environ: str) -> subprocess.Popen[bytes]:
        name = f"{zone or 'any'}-{len(self.processes)}"
        offer = ["--resources", f"zone:{zone}={threads}"] if zone else []
        return self.start(
            *("worker", "--no-nanny", "--no-dashboard", "--nthreads", str(threads), "--name", name),
            *("--local-directory", str(self.folder / name), "--death-timeout", "60", *offer),
            **environ,
        )

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "dask"
    folder.mkdir()
    cluster = Cluster(folder)
    cluster.start("scheduler", "--no-dashboard", "--host", "127.0.0.1", "--port", "0")
    yield cluster
    cluster.stop()


def ready(cluster: Cluster, workers: int) -> DaskRunner:
    """Once so many workers are there."""
    from distributed import Client

    until = time.monotonic() + 60
    while not cluster.scheduler_file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=90)
    return DaskRunner(cluster.address, patience_s=3.0)


@pytest.fixture
def server(start_sshd: StartSshd) -> Server:
    server = start_sshd()
    server.known_hosts.write_text(server.known)
    return server


def settings(server: Server) -> SweepSettings:
    return SweepSettings(forks=4, ssh=server.settings(connect_timeout_s=5.0))


def say_worker(connection: Connection, target: Target, deadline: Deadline) -> str:
    """Over the connection, and by which worker."""
    from distributed import get_worker

    output: list[bytes] = []
    connection.run(b"echo hello", output.append, deadline=deadline, max_bytes=1000)
    assert b"".join(output) == b"hello\n"
    return str(get_worker().name)


def test_each_host_is_asked_by_a_worker_of_its_zone(cluster: Cluster, server: Server) -> None:
    for zone in ("vpc-a", "vpc-b", ""):
        cluster.worker(zone)
    targets = [
        server.target(name=f"{zone or 'any'}{n}", zone=zone)
        for zone in ("vpc-a", "vpc-b", None)
        for n in range(3)
    ]
    targets.append(Target("dead", "127.0.0.1", port=1, zone="vpc-b"))
    events: list[Event] = []
    outcomes = list(sweep(targets, settings(server), say_worker, events.append, runner=ready(cluster, 3)))
    found = {outcome.target.name: outcome for outcome in outcomes}
    assert len(outcomes) == len(found) == len(targets)
    dead = found.pop("dead")
    assert dead.failure is not None
    assert dead.failure.kind is FailureKind.REFUSED
    assert {o.value.rpartition("-")[0] for o in found.values() if o.target.zone == "vpc-a" and o.value} == {
        "vpc-a"
    }
    assert {o.value.rpartition("-")[0] for o in found.values() if o.target.zone == "vpc-b" and o.value} == {
        "vpc-b"
    }
    assert all(outcome.value for outcome in found.values())
    assert [event.stage for event in events].count(Stage.FINISHED) == len(targets)


@dataclass(frozen=True)
class KillTheWorker:
    """Takes the worker along, the first time that anybody is at this host."""

    host: str
    mark: Path

    def __call__(self, connection: Connection, target: Target, deadline: Deadline) -> int:
        if target.name == self.host and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)
        return os.getpid()


def test_hosts_of_a_worker_that_is_killed_are_asked_by_another(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    workers = [cluster.worker("vpc-a"), cluster.worker("vpc-a")]
    targets = [server.target(name=f"host{n}", zone="vpc-a") for n in range(12)]
    collect = KillTheWorker("host5", tmp_path / "killed")
    outcomes = list(sweep(targets, settings(server), collect, runner=ready(cluster, 2)))
    assert (tmp_path / "killed").exists()
    assert sum(worker.poll() is not None for worker in workers) == 1
    assert sorted(outcome.target.name for outcome in outcomes) == sorted(t.name for t in targets)
    assert [outcome.failure for outcome in outcomes if outcome.failure] == []


def test_the_command_brings_all_home_though_a_worker_is_killed(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    workers = [cluster.worker("vpc-a"), cluster.worker("vpc-a")]
    ready(cluster, 2)
    there = {"ansible_host": server.address, "ansible_port": server.port, "triage_zone": "vpc-a"}
    hosts = [f"host{number}" for number in range(16)]
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": there}}))
    command = (
        *("collect", "-i", "inventory.json", "--ssh-config", server.ssh_config(), "--only", "hostname"),
        *("--runner", "dask", "--scheduler", cluster.address, "-o", "run", "--progress", "json"),
    )
    sweep = subprocess.Popen(
        [sys.executable, "-m", "ssm_triage", *map(str, command)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert sweep.stderr is not None
    events = []
    for line in sweep.stderr:
        events.append(json.loads(line))
        if events[-1]["event"] == "host-collected":
            workers[0].kill()
    assert sweep.wait(60) == 0, events[-3:]
    files = sorted((tmp_path / "run/evidence").iterdir())
    assert {open_evidence(path).manifest.subject.name for path in files} == set(hosts)
    assert events[-1]["collected"] == 16


def test_a_zone_whose_last_worker_is_gone_does_not_hold_the_others(cluster: Cluster, server: Server) -> None:
    cluster.worker("vpc-a")
    lost = cluster.worker("vpc-b")
    runner = ready(cluster, 2)
    lost_hosts = [server.target(name=f"lost{n}", zone="vpc-b") for n in range(6)]
    targets = [*lost_hosts, *(server.target(name=f"host{n}", zone="vpc-a") for n in range(3))]
    found: dict[str, Outcome[str]] = {}
    for outcome in sweep(targets, settings(server), say_worker, lambda e: lost.kill(), runner=runner):
        found[outcome.target.name] = outcome
    assert len(found) == 9
    assert all(outcome.value for name, outcome in found.items() if name.startswith("host"))
    gone = [outcome.failure for name, outcome in found.items() if name.startswith("lost") and outcome.failure]
    assert gone
    assert {failure.kind for failure in gone} == {FailureKind.UNREACHABLE}
    assert "no Dask worker" in gone[0].detail


def test_secrets_are_had_on_the_worker(
    cluster: Cluster, account: Account, start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_sshd("PasswordAuthentication yes")
    server.known_hosts.write_text(server.known)
    monkeypatch.delenv("THE_PASSWORD", raising=False)
    cluster.worker("", THE_PASSWORD=PASSWORD)
    runner = ready(cluster, 1)
    target = server.target(user=account.name, password=EnvSecret("THE_PASSWORD"))
    (outcome,) = sweep([target], settings(server), say_worker, runner=runner)
    assert outcome.failure is None
    typed = replace(target, name="web-01", password=Literal(PASSWORD))
    with pytest.raises(SecretError, match=r"web-01: --runner dask: .* by reference") as caught:
        list(sweep([typed], settings(server), say_worker, runner=runner))
    assert PASSWORD not in str(caught.value)


def test_what_cannot_work_is_told_before_any_host_is_asked(cluster: Cluster, server: Server) -> None:
    cluster.worker("vpc-a")
    runner = ready(cluster, 1)
    with pytest.raises(UsageError, match=r"no worker for zone vpc-c; .*--resources 'zone:vpc-c=32'"):
        list(sweep([server.target(zone="vpc-c")], settings(server), say_worker, runner=runner))
    with pytest.raises(UsageError, match="cannot name a resource"):
        list(sweep([server.target(zone="a b")], settings(server), say_worker, runner=runner))
    nobody = DaskRunner("tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match="no Dask scheduler answers there"):
        list(sweep([server.target()], settings(server), say_worker, runner=nobody))


def behind_a_jump_host(start_sshd: StartSshd) -> Server:
    """A server that is reached through another one, which knows nothing of limits."""
    jump, last = start_sshd(), start_sshd()
    for server in (jump, last):
        server.known_hosts.write_text(server.known)
    last.client = [
        f"Host outer\n  HostName {jump.address}\n  Port {jump.port}\n  User {ME}",
        f"  UserKnownHostsFile {jump.known_hosts}",
        "Host 127.*\n  ProxyJump outer",
    ]
    return last


def when(connection: Connection, target: Target, deadline: Deadline) -> tuple[float, float]:
    """From when to when this host was worked on; the clock is the same for all processes."""
    begun = time.monotonic()
    connection.run(b"sleep 0.3", lambda data: None, deadline=deadline, max_bytes=1000)
    return begun, time.monotonic()


def test_the_workers_of_a_zone_share_what_a_jump_host_is_given(
    cluster: Cluster, start_sshd: StartSshd
) -> None:
    last = behind_a_jump_host(start_sshd)
    for zone in ("vpc-a", "vpc-a", "vpc-b"):
        cluster.worker(zone, threads=6)
    targets = [last.target(name=f"host{n}", zone="vpc-a") for n in range(16)]
    few = SweepSettings(forks=6, per_jump=4, ssh=last.settings(connect_timeout_s=30.0))
    outcomes = list(sweep(targets, few, when, runner=ready(cluster, 3)))
    spans = [outcome.value for outcome in outcomes if outcome.value]
    assert len(spans) == 16, [outcome.failure for outcome in outcomes]
    assert max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans) <= 4


together = threading.Barrier(12)
"""On a worker."""


def meet(connection: Connection, target: Target, deadline: Deadline) -> bool:
    """Only when all the threads of the worker are there."""
    together.wait(30)
    return True


def test_a_worker_keeps_to_the_rate_and_nobody_waits_on_when_the_sweep_ends(
    cluster: Cluster, server: Server
) -> None:
    cluster.worker("", threads=12)
    runner = ready(cluster, 1)
    targets = [server.target(name=f"host{n}") for n in range(12)]
    slow = replace(settings(server), forks=12, rate=0.001)
    with closing(sweep(targets, slow, when, runner=runner)) as outcomes:
        first = [next(outcomes) for _ in range(9)]
    assert all(outcome.value for outcome in first)
    logins = (server.folder / "sshd.log").read_text().count("Accepted publickey")
    assert logins == 9, "the first few at once; the tenth has a quarter of an hour to wait"
    outcomes = sweep(targets, replace(slow, rate=1000.0), meet, runner=runner)
    assert [outcome.value for outcome in outcomes] == [True] * 12, "no thread waits for its turn any more"


def test_a_crowd_of_a_worker_at_a_server_with_few_places(cluster: Cluster, start_sshd: StartSshd) -> None:
    server = start_sshd("MaxStartups 2:100:2")
    server.known_hosts.write_text(server.known)
    cluster.worker("", threads=10)
    targets = [server.target(name=f"host{n}") for n in range(10)]
    outcomes = list(sweep(targets, settings(server), say_worker, runner=ready(cluster, 1)))
    assert [outcome.failure for outcome in outcomes if outcome.failure] == []
    assert len(outcomes) == 10


def disk_full(connection: Connection, target: Target, deadline: Deadline) -> str:
    raise EvidenceError("out: no space left on device")


def test_what_concerns_the_whole_sweep_ends_it(cluster: Cluster, server: Server) -> None:
    cluster.worker("")
    with pytest.raises(EvidenceError, match="no space"):
        list(sweep([server.target()], settings(server), disk_full, runner=ready(cluster, 1)))


def take_half_a_second(connection: Connection, target: Target, deadline: Deadline) -> str:
    time.sleep(0.5)
    return target.name


def test_stop_is_gentle(cluster: Cluster, server: Server) -> None:
    cluster.worker("", threads=2)
    stop, outcomes = threading.Event(), []
    targets = [server.target(name=f"host{n}") for n in range(40)]
    for outcome in sweep(targets, settings(server), take_half_a_second, stop=stop, runner=ready(cluster, 1)):
        outcomes.append(outcome)
        stop.set()
    assert 1 <= len(outcomes) < 20
    assert all(outcome.value == outcome.target.name for outcome in outcomes)


@pytest.mark.parametrize("place", ["", "{}/shared", "file://{}/shared"])
def test_evidence_comes_home(cluster: Cluster, server: Server, tmp_path: Path, place: str) -> None:
    cluster.worker("", threads=2)
    place = place.format(tmp_path)
    asked = choose(["hostname"], [], LINUX)  # nothing that would leave this machine
    collect = IntoParcel(CollectOptions(tool="test", choice=asked), place)
    home = tmp_path / "evidence"
    home.mkdir()
    targets = [server.target(name=f"host{n}") for n in range(2)]
    for outcome in sweep(targets, settings(server), collect, runner=ready(cluster, 1)):
        assert outcome.value is not None, outcome.failure
        assert (outcome.value.content is None) == bool(place)
        host = unpack(outcome.value, place, home)
        assert open_evidence(host.path).manifest.subject.name == outcome.target.name
    assert sorted(path.name for path in home.iterdir()) == ["host0.zip", "host1.zip"]
    assert {path.stat().st_mode & 0o077 for path in home.iterdir()} == {0}
    assert not place or list((tmp_path / "shared").iterdir()) == [], "nothing confidential stays on the way"


def test_of_two_parcels_that_broke_off_the_fuller_stays(tmp_path: Path) -> None:
    broken = Failure(FailureKind.PROTOCOL, "the connection broke", "try again")

    def came(answer: bytes, failure: Failure | None) -> bytes:
        (away := tmp_path / "away").mkdir(exist_ok=True)
        with EvidenceWriter(away, "host") as writer:
            writer.probe(ProbeResult("hostname", Status.OK, answer))
            path = writer.finish(Manifest(1, "test", "collected", Subject("host"), failure=failure))
        host = unpack(Parcel(path.name, failure, path.read_bytes()), "", tmp_path)
        return open_evidence(host.path).probe("hostname").output

    assert came(b"web-1", broken) == b"web-1"
    assert came(b"web", broken) == b"web-1"
    assert came(b"web-12", broken) == b"web-12"
    assert came(b"w", None) == b"w"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away", "host.zip"]


def test_evidence_that_cannot_come_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(EvidenceError, match=r"host\.zip: evidence cannot be written"):
        unpack(Parcel("host.zip", None, b"x"), "", home)
    home.mkdir()
    fetched: Callable[[str], object] = lambda place: unpack(Parcel("host.zip", None), place, home)  # noqa: E731
    with pytest.raises(EvidenceError):
        fetched(str(tmp_path / "nowhere"))
    with pytest.raises(EvidenceError, match="cannot be fetched"):
        fetched(f"file://{tmp_path}/nowhere")
    assert list(home.iterdir()) == []
