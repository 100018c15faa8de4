"""The command as its user runs it, against one real sshd that stands in for many hosts.

The hosts are asked for files alone, below a root of their own: no probe leaves this machine, and the answer
is the same each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from ssh_rig import Server, StartSshd

from collector.evidence.read import open_evidence, verify

CORPUS = Path(__file__).parents[1] / "corpus"
PROBES = "hostname,os-release,hosts-file,nsswitch-conf,log"
LOG = CORPUS / "disk-full-midlife/logs/amazon-ssm-agent.log"


@dataclass
class Bastion:
    """A folder to work in, and the hosts of its inventory."""

    folder: Path
    server: Server
    root: Path
    names: list[str] = field(default_factory=lambda: [f"host{number}" for number in range(6)])
    variables: dict[str, Any] = field(default_factory=dict)
    """Of all hosts, beside those that lead there."""
    of_host: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, port: int) -> None:
        """One more host, on this machine."""
        self.names.append(name)
        self.of_host[name] = {"ansible_host": "127.0.0.1", "ansible_port": port}

    def command(self, verb: str, *args: str | Path) -> list[str]:
        """``ssm-triage VERB -i INVENTORY ...``."""
        inventory = self.folder / "inventory.json"
        everyone = {
            "ansible_host": self.server.address,
            "ansible_port": self.server.port,
            "triage_platform": "linux",
        } | self.variables
        hosts = {name: self.of_host.get(name, {}) for name in self.names}
        inventory.write_text(
            json.dumps({"all": {"hosts": list(hosts), "vars": everyone}, "_meta": {"hostvars": hosts}})
        )
        asked = ("--ssh-config", self.server.ssh_config(), "--only", PROBES, "--root", self.root)
        words = [verb, "-i", inventory, *asked, *args]
        return [sys.executable, "-m", "ssm_triage", *map(str, words)]

    def again(self, verb: str, run: str | Path, *args: str | Path) -> list[str]:
        """``ssm-triage VERB --resume RUN ...``."""
        return [sys.executable, "-m", "ssm_triage", verb, "--resume", str(run), *map(str, args)]

    def run(self, command: Sequence[str], **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environ(**environ), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip

    def start(self, command: Sequence[str], **environ: str) -> subprocess.Popen[str]:
        """The same, not waited for, in a process group of its own; its standard error is a pipe."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ(**environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def start_to(self, stderr: IO[str], command: Sequence[str]) -> subprocess.Popen[str]:
        """The same, with its standard error in a file."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=stderr, text=True,
        )  # fmt: skip

    def environ(self, **more: str) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), **more}


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def bastion(start_sshd: StartSshd, tmp_path: Path) -> Bastion:
    """Six hosts, all of them well."""
    server = start_sshd()
    server.known_hosts.write_text(server.known)
    root = tmp_path / "root"
    for path, text in {
        "etc/hostname": "host\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/os-release": 'ID=amzn\nVERSION_ID="2023"\nPRETTY_NAME="Amazon Linux 2023"\n',
        "etc/nsswitch.conf": "hosts: files dns\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    logs = root / "var/log/amazon/ssm"
    logs.mkdir(parents=True)
    shutil.copy(LOG, logs)
    folder = tmp_path / "bastion"
    folder.mkdir()
    return Bastion(folder, server, root)


def with_noise(bastion: Bastion) -> None:
    """A log that takes some 100 KiB in every evidence file, however it is packed."""
    noise = random.Random(0)
    lines = (f"2026-11-23 06:46:38 INFO {noise.getrandbits(400):x}\n" for _ in range(2000))
    (bastion.root / "var/log/amazon/ssm/amazon-ssm-agent.log").write_text("".join(lines))


Mount = Callable[..., list[str]]


@pytest.fixture
def mounts(tmp_path: Path) -> Mount:
    """``[*mounts("mount -t tmpfs ..."), *command]``: in a mount namespace of its own."""
    for tool in ("unshare", "mount"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing (packages mount, util-linux)")
    mine = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*mine, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root, or user namespaces")
    return lambda *steps: [*mine, "sh", "-ec", "\n".join([*steps, 'exec "$@"']), "sh"]


class Held:
    """A file of the hosts that nobody writes: whoever reads it waits, in the middle of the script."""

    def __init__(self, path: Path) -> None:
        self._path, self._text, self._end = path, path.read_text(), -1
        path.unlink()
        os.mkfifo(path)

    def wait_for_reader(self) -> None:
        """Until the first host is at it."""
        until = time.monotonic() + 90
        while self._end < 0:
            assert time.monotonic() < until, "no host was asked"
            with contextlib.suppress(OSError):
                self._end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.005)

    def release(self) -> None:
        """Who waits gets the text, and from now on it is a file again."""
        os.write(self._end, self._text.encode())
        self._path.unlink()
        os.close(self._end)
        self._path.write_text(self._text)


# --- What came of it -----------------------------------------------------------------------------------


def told(run: Path) -> dict[str, Any]:
    """All that a run has come to, less what no two runs share: times."""
    return {
        "evidence": {path.name: told_of(path) for path in sorted((run / "evidence").glob("*.zip"))},
        "diagnoses": _diagnoses(run / "report/diagnosis.json"),
        "pages": sorted(path.name for path in (run / "report").rglob("*.html")),
        "retry": (run / "unreached.retry").read_text() if (run / "unreached.retry").exists() else "",
        "left over": [path.name for path in run.rglob("*") if re.search(r"\.part$|^\.writing", path.name)],
    }


def told_of(path: Path) -> dict[str, Any]:
    """What an evidence file holds, every byte of it read."""
    evidence = open_evidence(path)
    verify(evidence)
    manifest = evidence.manifest
    return {
        "name": manifest.subject.name,
        "failure": manifest.failure and manifest.failure.kind,
        "why": manifest.failure and manifest.failure.detail,
        "probes": {probe.probe: (probe.status, probe.output, probe.note) for probe in manifest.probes},
        "logs": {
            (log.name, part.offset): (log.status, evidence.open_log(log, part).read())
            for log in manifest.logs
            for part in log.parts
        },
    }


def _diagnoses(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return {
        host["subject"]["name"]: (host["verdict"], [cause["slug"] for cause in host["causes"]])
        for host in json.loads(path.read_text())["hosts"]
    }


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that tells what went wrong; there is no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ssm-triage: ")]
    return line


def read(pipe: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of ``--progress json``."""
    for line in pipe:
        yield json.loads(line)
