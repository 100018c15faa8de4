"""CPU and wall for sweeping loopback hosts, ours beside ``xargs -P`` with the OpenSSH client.

Both sides do the same work on the same hosts, in turn, in the same run; each figure is a median over the
rounds.  What counts is the client's CPU, its whole process tree with start-up and imports: client and servers
share this machine, so wall time is mostly the servers'.

The OpenSSH client is held to curve25519, because its default key exchange of before version 10 (sntrup761)
costs it six times as much; it is the fair and the harder measure.

The "hosts" are addresses of 127/8 on one real sshd with keys of its own.  Run as root, everything happens in
a network namespace without a way out, and there are as many addresses as hosts; without root there are
sixteen addresses (sshd listens on no more), which the hosts share.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path("build/bench.json")
_INSIDE = "--in-namespace"
_MAX_LISTEN = 16
_PATIENCE_S = 600


@dataclass(frozen=True)
class Rig:
    """One sshd, and what a client needs to reach it under many names."""

    folder: Path
    hosts: tuple[str, ...]
    port: int

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"


@dataclass(frozen=True)
class Row:
    """One kind of work; times in seconds, medians."""

    name: str
    hosts: int
    runs: int
    cpu: float
    cpu_openssh: float
    cpu_ratio: float
    wall: float
    wall_openssh: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write ``build/bench.json``."""
    arguments = _arguments(argv)
    if arguments.client:
        return _client(arguments)
    missing = [name for name in ("ssh", "ssh-keygen", "xargs") if shutil.which(name) is None]
    if _sshd() is None:
        missing.append("sshd")
    if missing:
        print(f"bench needs {', '.join(missing)} (packages openssh-server, openssh-client, findutils)")
        return 1
    if os.geteuid() == 0 and shutil.which("unshare") and not arguments.in_namespace:
        again = [sys.executable, "-m", "bench", *(sys.argv[1:] if argv is None else argv), _INSIDE]
        os.execvp("unshare", ["unshare", "--net", *again])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that sshd and the folder go with us
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        _sshd_running(Path(folder), arguments) as rig,
    ):
        rows = [_measure(rig, work, arguments) for work in arguments.work]
    _print(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--forks", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs="+", choices=["login", "collect"], default=["login", "collect"])
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


# --- The sshd ----------------------------------------------------------------------------------------


def _sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextmanager
def _sshd_running(folder: Path, arguments: argparse.Namespace) -> Iterator[Rig]:
    count = arguments.hosts if arguments.in_namespace else min(arguments.hosts, _MAX_LISTEN)
    addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]
    if arguments.in_namespace:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    port = random.randint(20000, 32000)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    listen = ["0.0.0.0"] if arguments.in_namespace else addresses
    (folder / "sshd_config").write_text(_sshd_config(folder, port, listen))
    public = " ".join((folder / "host.pub").read_text().split()[:2])
    known = "".join(f"[{address}]:{port} {public}\n" for address in addresses)
    (folder / "known_hosts").write_text(known)
    rig = Rig(folder, tuple(addresses[n % count] for n in range(arguments.hosts)), port)
    rig.config.write_text(_ssh_config(folder, port))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    sshd = subprocess.Popen([str(_sshd()), "-D", "-f", folder / "sshd_config", "-E", folder / "sshd.log"])
    try:
        _wait_for(addresses[0], port)
        yield rig
    finally:
        sshd.terminate()
        sshd.wait()


def _sshd_config(folder: Path, port: int, listen: Sequence[str]) -> str:
    return "\n".join(
        [
            *(f"ListenAddress {address}" for address in listen),
            f"Port {port}",
            f"HostKey {folder}/host",
            f"AuthorizedKeysFile {folder}/user.pub",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 1000",
            "PrintMotd no",
            "LogLevel ERROR\n",
        ]
    )


def _ssh_config(folder: Path, port: int) -> str:
    return f"""Host *
  User {getpass.getuser()}
  Port {port}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  ConnectTimeout 10
  LogLevel ERROR
"""


def _wait_for(address: str, port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("bench: sshd does not start")


# --- One measurement ---------------------------------------------------------------------------------


def _measure(rig: Rig, work: str, arguments: argparse.Namespace) -> Row:
    (rig.folder / "hosts").write_text("".join(f"{host}\n" for host in rig.hosts))
    (rig.folder / "script").write_bytes(_script(work))
    ours = [sys.executable, "-m", "bench", "--client", str(rig.folder), "--work", work]
    ours += ["--forks", str(arguments.forks)]
    floor = ["sh", "-c", _xargs(rig, arguments.forks)]
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "openssh": []}
    for round_number in range(arguments.rounds):
        for name, command in (("ours", ours), ("openssh", floor)):
            out = rig.folder / f"out-{name}"
            out.mkdir()
            taken[name].append(_timed(command, out))
            _must_be_whole(name, work, out, len(rig.hosts))
            shutil.rmtree(out)
        print(f"{work}: round {round_number + 1} of {arguments.rounds}", file=sys.stderr)
    cpu, wall = (statistics.median(run[index] for run in taken["ours"]) for index in (0, 1))
    cpu_floor, wall_floor = (statistics.median(run[index] for run in taken["openssh"]) for index in (0, 1))
    return Row(
        name=work,
        hosts=len(rig.hosts),
        runs=arguments.rounds,
        cpu=round(cpu, 3),
        cpu_openssh=round(cpu_floor, 3),
        cpu_ratio=round(cpu / cpu_floor, 3),
        wall=round(wall, 2),
        wall_openssh=round(wall_floor, 2),
    )


def _script(work: str) -> bytes:
    if work == "login":
        return b"echo ok\n"
    from collector.probes.compile import compile_script, new_nonce

    return compile_script(nonce=new_nonce(), region="eu-central-1")


def _xargs(rig: Rig, forks: int) -> str:
    folder = rig.folder
    ssh = f"ssh -F {rig.config} -o KexAlgorithms=curve25519-sha256"
    number = 'n=$(mktemp "$OUT/XXXXXX")' if len(set(rig.hosts)) < len(rig.hosts) else "n=$OUT/$1"
    each = f"{number}; exec {ssh} $1 sh < {folder}/script > $n"
    return f"xargs -P {forks} -n 1 sh -c '{each}' each < {folder}/hosts"


def _timed(command: Sequence[str], out: Path) -> tuple[float, float]:
    """CPU (user and system, the whole tree) and wall, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    said = subprocess.run(
        command, env={**os.environ, "OUT": str(out)}, timeout=_PATIENCE_S, stderr=subprocess.PIPE, check=False
    )
    if said.returncode:
        raise SystemExit(f"bench: {command[0]} failed: {said.stderr[-2000:].decode('utf-8', 'replace')}")
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _must_be_whole(name: str, work: str, out: Path, count: int) -> None:
    """Only work that was done may be measured."""
    files = [path for path in out.rglob("*") if path.is_file() and path.stat().st_size > 0]
    least = 3 if work == "login" else 1000
    if len(files) != count or any(path.stat().st_size < least for path in files):
        raise SystemExit(f"bench: {name} brought home {len(files)} of {count} answers to {work!r}")


def _print(rows: Sequence[Row]) -> None:
    print(f"{'work':10}{'hosts':>6}{'CPU s':>9}{'openssh':>9}{'ratio':>7}{'wall s':>9}{'openssh':>9}")
    for row in rows:
        print(
            f"{row.name:10}{row.hosts:6}{row.cpu:9.2f}{row.cpu_openssh:9.2f}{row.cpu_ratio:7.2f}"
            f"{row.wall:9.2f}{row.wall_openssh:9.2f}"
        )


# --- Our side, in a process of its own ---------------------------------------------------------------


def _client(arguments: argparse.Namespace) -> int:
    from collector.connections.settings import SshSettings
    from collector.sweep import SweepSettings, sweep
    from collector.target import Target

    folder, out = Path(arguments.client), Path(os.environ["OUT"])
    hosts = (folder / "hosts").read_text().split()
    targets = [Target(f"host{number:04}", host, region="eu-central-1") for number, host in enumerate(hosts)]
    settings = SweepSettings(forks=arguments.forks, ssh=SshSettings(config_file=str(folder / "ssh_config")))
    failures = [
        outcome.failure
        for outcome in sweep(targets, settings, _collect(arguments.work[0], out))
        if outcome.failure
    ]
    for failure in failures[:3]:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _collect(work: str, out: Path) -> Callable[..., object]:
    if work == "login":

        def hello(connection: object, target: object, deadline: object) -> None:
            with (out / target.name).open("wb") as file:  # type: ignore[attr-defined]
                connection.run(b"echo ok\n", file.write, deadline=deadline, max_bytes=1000)  # type: ignore[attr-defined]

        return hello
    from collector.collect import CollectOptions, collect_host

    options = CollectOptions()
    return lambda connection, target, deadline: collect_host(connection, target, options, out, deadline)
