"""What goes wrong on the way to a host: a connection is cut or falls silent, a server is killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_rig import Bastion, Held, told, told_of, with_noise
from ssh_rig import ME, SSHD, Server, StartSshd

ENDLESS = 1 << 60
RESET = struct.pack("ii", 1, 0)
"""``SO_LINGER``: a close is a reset."""


class Way:
    """A port that leads to a server until so many bytes of the answer have passed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        self.limit = ENDLESS
        self.is_silent = False
        self.passed = 0
        self._silent = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        self._silent.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._server.address, self._server.port))
                threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        """One thread for both directions: a socket that another one reads cannot be reset."""
        self.passed = 0
        with contextlib.suppress(OSError), near, far:
            while self.passed < self.limit:
                for readable in select.select([near, far], [], [])[0]:
                    data = readable.recv(65_536)
                    if not data:
                        return
                    if readable is near:
                        far.sendall(data)
                    else:
                        near.sendall(data[: self.limit - self.passed])
                        self.passed += len(data)
            if self.is_silent:
                self._silent.wait()
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.fixture
def ways(bastion: Bastion) -> Iterator[dict[str, Way]]:
    """Filled with one for each host by ``lead``."""
    made: dict[str, Way] = {}
    yield made
    for way in made.values():
        way.close()


def lead(bastion: Bastion, ways: dict[str, Way], limits: list[int], *, is_silent: bool = False) -> None:
    """A host for each limit."""
    key = bastion.server.known.split(" ", 1)[1]
    for limit in limits:
        way = ways[f"cut{limit:07}"] = Way(bastion.server)
        way.limit, way.is_silent = limit, is_silent
        with bastion.server.known_hosts.open("a") as known:
            known.write(f"[127.0.0.1]:{way.port} {key}")
    bastion.names = list(ways)
    bastion.of_host = {
        name: {"ansible_host": "127.0.0.1", "ansible_port": way.port} for name, way in ways.items()
    }


def whole_answer(bastion: Bastion, ways: dict[str, Way]) -> int:
    """How many bytes an undisturbed host sends, handshake and all; its evidence lies in ``undisturbed``."""
    with_noise(bastion)
    lead(bastion, ways, [ENDLESS])
    assert bastion.run(bastion.command("collect", "-o", "undisturbed")).returncode == 0
    (way,) = ways.values()
    ways.clear()
    return way.passed


def is_part_of(some: Path, whole: Path) -> bool:
    """Whether all that an evidence file holds is what the host said, and what is missing says so."""
    here, there = told_of(some), told_of(whole)
    for probe, (status, output, note) in here["probes"].items():
        if status == "ok":
            assert (status, output, note) == there["probes"][probe]
        elif status != "skipped":
            assert status in ("error", "truncated"), probe
            assert note
            assert there["probes"][probe][1].startswith(output)
    for log, (status, content) in here["logs"].items():
        assert there["logs"][log][1].startswith(content)
        assert status == "truncated" or content == there["logs"][log][1]
    return bool(here["logs"] or any(output for _, output, _ in here["probes"].values()))


@pytest.mark.timeout(600)
def test_a_connection_that_is_reset_at_any_byte(bastion: Bastion, ways: dict[str, Way]) -> None:
    size = whole_answer(bastion, ways)
    (undisturbed,) = (bastion.folder / "undisturbed/evidence").iterdir()
    last = size - 600  # the end of the frame, the exit status, the end of the channel
    lead(
        bastion,
        ways,
        [*range(64, 6000, 150), *range(6000, last, (last - 6000) // 40), *range(last, size, 15)],
    )

    done = bastion.run(bastion.command("run", "-o", "run", "--forks", "8"))
    assert done.returncode & 4, done.stderr
    assert len(done.stderr.splitlines()) == 1, "a host's trouble is in its report"
    assert "unreached.retry" in done.stderr
    run = told(bastion.folder / "run")
    assert len(run["evidence"]) == len(run["diagnoses"]) == len(ways)
    assert run["left over"] == []
    cut = {name for name, host in run["evidence"].items() if host["failure"]}
    assert {run["evidence"][name]["failure"] for name in cut} == {"protocol"}
    assert run["retry"].split() == [name.removesuffix(".zip") for name in sorted(cut)]
    partly = [n for n in cut if is_part_of(bastion.folder / "run/evidence" / n, undisturbed)]
    assert 5 < len(partly) < len(cut), "some in the handshake, some in the middle of the answer"

    for way in ways.values():
        way.limit = ENDLESS
    done = bastion.run(bastion.again("run", "run", "--forks", "8"))
    assert not done.returncode & 5, done.stderr
    run = told(bastion.folder / "run")
    whole = told_of(undisturbed)
    for host in run["evidence"].values():
        assert {**host, "name": ""} == {**whole, "name": ""}
    assert run["retry"] == ""


def test_a_host_that_stops_sending(bastion: Bastion, ways: dict[str, Way]) -> None:
    size = whole_answer(bastion, ways)
    (undisturbed,) = (bastion.folder / "undisturbed/evidence").iterdir()
    lead(bastion, ways, [2000, size // 2, size - 500], is_silent=True)
    done = bastion.run(bastion.command("run", "-o", "run", "--host-deadline", "8"))
    assert done.returncode & 4
    run = told(bastion.folder / "run")
    assert {host["failure"] for host in run["evidence"].values()} == {"timeout"}
    assert "within" in run["evidence"][f"{bastion.names[-1]}.zip"]["why"]
    kept = [is_part_of(bastion.folder / "run/evidence" / name, undisturbed) for name in run["evidence"]]
    assert kept[0] is False
    assert kept[-1] is True
    assert run["retry"].split() == bastion.names


# --- Servers that are killed ---------------------------------------------------------------------------


def descendants(pid: int) -> list[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(words[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def scripts(server: Server) -> list[int]:
    """What runs in the sessions of a server."""
    assert server.process is not None
    found = []
    for pid in descendants(server.process.pid):
        with contextlib.suppress(OSError):
            if not Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                found.append(pid)
    return found


def kill(server: Server) -> None:
    """The server and every session of it, as ``kill -9`` or the kernel does."""
    assert server.process is not None
    for pid in descendants(server.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()


def restart(server: Server) -> None:
    config = server.folder / "sshd_config"
    server.process = subprocess.Popen([str(SSHD), "-D", "-f", str(config), "-E", "/dev/null"])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection((server.address, server.port), timeout=1).close()
            return
        time.sleep(0.05)


@pytest.mark.parametrize("killed", ["sshd", "jump host"])
def test_a_server_that_is_killed(bastion: Bastion, start_sshd: StartSshd, killed: str) -> None:
    victim = bastion.server
    if killed == "jump host":
        victim = start_sshd()
        victim.known_hosts.write_text(victim.known)
        bastion.server.client = [
            f"Host outer\n  HostName {victim.address}\n  Port {victim.port}\n  User {ME}",
            f"  UserKnownHostsFile {victim.known_hosts}",
            "Host 127.*\n  ProxyJump outer",
        ]
    assert bastion.run(bastion.command("run", "-o", "undisturbed")).returncode == 0
    held = Held(bastion.root / "etc/os-release")
    patient = ("--probe-timeout", "80")
    sweep = bastion.start(bastion.command("run", "-o", "run", "--forks", "3", *patient))
    held.wait_for_reader()
    kill(victim)
    _, said = sweep.communicate(timeout=150)
    assert sweep.returncode & 4, said
    assert len(said.splitlines()) == 1
    assert "-l @run/unreached.retry" in said
    run = told(bastion.folder / "run")
    assert len(run["evidence"]) == len(run["diagnoses"]) == 6
    failures = {host["failure"] for host in run["evidence"].values()}
    assert failures <= {"protocol", "refused", "unreachable", "quota", "auth"}, failures
    assert run["retry"].split() == bastion.names

    held.release()
    restart(victim)
    done = bastion.run(bastion.again("run", "run"))
    assert done.returncode == 0, done.stderr
    assert told(bastion.folder / "run") == told(bastion.folder / "undisturbed"), "nothing is missing"


def test_a_script_that_is_killed_on_its_host(bastion: Bastion) -> None:
    """As the kernel does for want of memory: sshd lives, and so does the connection."""
    assert bastion.run(bastion.command("run", "-o", "undisturbed")).returncode == 0
    held = Held(bastion.root / "etc/os-release")
    patient = ("--probe-timeout", "80")
    sweep = bastion.start(bastion.command("run", "-o", "run", "--forks", "1", *patient))
    held.wait_for_reader()
    for word in (signal.SIGSTOP, signal.SIGKILL):  # all at once: who outlives the others would tell of it
        for pid in scripts(bastion.server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, word)
    held.release()
    _, said = sweep.communicate(timeout=150)
    assert sweep.returncode & 4, said
    run = told(bastion.folder / "run")
    assert len(run["evidence"]) == len(run["diagnoses"]) == 6
    (broken,) = (host for host in run["evidence"].values() if host["failure"])
    assert broken["failure"] == "shell"
    assert broken["why"] == "the script ended early (no exit code): it said nothing"
    assert len(run["retry"].split()) == 1

    assert bastion.run(bastion.again("run", "run")).returncode == 0
    assert told(bastion.folder / "run") == told(bastion.folder / "undisturbed"), "nothing is missing"
