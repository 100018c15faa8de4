"""The real script, run in a host of its own; and a sink that keeps what the reader hands on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from collector.evidence.model import LogHead, ProbeResult, Status
from collector.probes.compile import compile_script
from collector.probes.frame import FrameReader
from collector.probes.linux import LINUX

NONCE = "5e" * 16


@dataclass
class KeptLog:
    name: str
    path: str
    size: int
    modified: datetime | None
    offset: int
    first_line: int | None
    packed: bool
    sent: bytes = b""
    status: Status | None = None
    note: str = ""

    @property
    def plain(self) -> bytes:
        """As far as it can be unpacked."""
        return zlib.decompressobj(31).decompress(self.sent) if self.packed else self.sent

    @property
    def is_whole(self) -> bool:
        """Whether it is one gzip member, from end to end."""
        inflate = zlib.decompressobj(31)
        try:
            inflate.decompress(self.sent)
        except zlib.error:
            return False
        return inflate.eof and not inflate.unused_data


@dataclass
class KeepingSink:
    """Keeps all, and checks on the way that the protocol is kept."""

    probes: dict[str, ProbeResult] = field(default_factory=dict)
    logs: list[KeptLog] = field(default_factory=list)

    def probe(self, result: ProbeResult) -> None:
        assert result.probe not in self.probes
        self.probes[result.probe] = result

    def log_begin(self, head: LogHead) -> None:
        assert all(log.status is not None for log in self.logs)
        self.logs.append(KeptLog(**asdict(head)))

    def log_data(self, data: bytes) -> None:
        log = self.logs[-1]
        assert log.status is None
        log.sent += data

    def log_end(self, status: Status, note: str = "") -> None:
        log = self.logs[-1]
        assert log.status is None
        log.status, log.note = status, note


@dataclass
class Answer:
    raw: bytes
    reader: FrameReader
    sink: KeepingSink
    stderr: bytes
    left: tuple[str, ...] = ()
    """Processes that were still there when the script had ended."""

    def text(self, probe: str) -> str:
        return self.sink.probes[probe].output.decode()

    @property
    def statuses(self) -> dict[str, str]:
        return {name: result.status.value for name, result in self.sink.probes.items()}


def read_answer(raw: bytes, nonce: str = NONCE, stderr: bytes = b"") -> Answer:
    sink = KeepingSink()
    reader = FrameReader(nonce, sink, LINUX)
    reader.feed(raw)
    reader.finish()
    return Answer(raw, reader, sink, stderr)


def needs(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


RunScript = Callable[..., Answer]


@pytest.fixture
def private_host(tmp_path: Path) -> RunScript:
    """Run the script in a host of its own, with the doubles and files that a test asks for."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a network namespace of its own")
    needs("unshare", "ip", "mount")

    def run(
        shell: Sequence[str] = ("dash",),
        *,
        files: dict[str, str] | None = None,
        imds: bool = False,
        tls: tuple[Path, Path] | None = None,
        env: dict[str, str] | None = None,
        commands: Sequence[str] = (),
        processes: Sequence[dict[str, Any]] = (),
        timeout: float = 100,
        **script: Any,
    ) -> Answer:
        (tmp_path / "script").write_bytes(
            compile_script(**({"nonce": NONCE, "region": "eu-central-1"} | script))
        )
        (tmp_path / "scratch").mkdir(exist_ok=True)
        plan = {
            "shell": list(shell),
            "script": str(tmp_path / "script"),
            "scratch": str(tmp_path / "scratch"),
            "left": str(tmp_path / "left"),
            "files": files or {},
            "imds": imds,
            "certificate": str(tls[0]) if tls else None,
            "key": str(tls[1]) if tls else None,
            "env": {"PATH": os.defpath + ":/usr/sbin:/sbin"} | (env or {}),
            "commands": list(commands),
            "processes": list(processes),
        }
        here = Path(__file__).with_name("private_host.py")
        own = [
            "--net",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        command = ["unshare", *own, sys.executable, str(here)]
        (tmp_path / "plan").write_text(json.dumps(plan))
        done = subprocess.run(
            [*command, str(tmp_path / "plan")], capture_output=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        answer = read_answer(done.stdout, stderr=done.stderr)
        answer.left = (
            tuple((tmp_path / "left").read_text().split("\n")) if (tmp_path / "left").stat().st_size else ()
        )
        return answer

    return run


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that no host trusts, for all the endpoint names, and its key."""
    needs("openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/O=Inspection/CN=Untrusted Authority", "-addext",
         "subjectAltName=DNS:ssm.eu-central-1.amazonaws.com,DNS:ssmmessages.eu-central-1.amazonaws.com,"
         "DNS:ec2messages.eu-central-1.amazonaws.com", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
