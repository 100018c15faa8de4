"""One host in, one evidence file out: a real shell answers, for a mounted volume made for the test."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from evidence_samples import LOG_LINE

from collector.collect import CollectOptions, collect_host, record_failure
from collector.connections.base import Deadline, RunResult, Sink
from collector.errors import ConnectionFailed, EvidenceError, FailureKind
from collector.evidence.model import ConnectionFacts, Status
from collector.evidence.read import open_evidence, verify
from collector.evidence.store import file_name
from collector.target import Target, Transport

SECRET_LINE = b"aws_secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEYx\n"

Answer = Callable[[bytes], bytes]


@dataclass
class ShellConnection:
    """A connection whose host is ``sh`` here; ``tamper`` is what happens to the answer on its way."""

    tamper: Answer = bytes
    breaks: bool = False
    shell: tuple[str, ...] = ("sh",)

    facts = ConnectionFacts(Transport.LOCAL, "localhost", user="tester")

    def run(self, script: bytes, sink: Sink, *, deadline: Deadline, max_bytes: int) -> RunResult:
        done = subprocess.run(self.shell, input=script, capture_output=True, timeout=deadline.remaining())
        answer = self.tamper(done.stdout)
        for at in range(0, min(len(answer), max_bytes), 1000):
            sink(answer[at : min(at + 1000, max_bytes)])
        if self.breaks:
            raise ConnectionFailed(FailureKind.PROTOCOL, "the connection broke", "try again")
        return RunResult(done.returncode, len(answer), done.stderr, truncated=len(answer) > max_bytes)

    def close(self) -> None:
        pass


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The root of a dead host's volume, with a few logs."""
    root = tmp_path / "volume"
    logs = root / "var/log/amazon/ssm"
    logs.mkdir(parents=True)
    (logs / "amazon-ssm-agent.log").write_bytes(LOG_LINE * 3000)
    (logs / "errors.log").write_bytes(LOG_LINE + SECRET_LINE + LOG_LINE)
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('NAME="Amazon Linux"\nVERSION="2023"\n')
    (root / "etc/resolv.conf").write_text("nameserver 10.0.0.2\n")
    return root


def collect(
    tmp_path: Path, volume: Path, connection: ShellConnection, options: CollectOptions | None = None
) -> Path:
    target = Target("Web-1", "192.0.2.7", root=str(volume), region="eu-central-1")
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    return collect_host(connection, target, options or CollectOptions(), folder, Deadline.after(60)).path


def test_a_host_becomes_an_evidence_file(tmp_path: Path, volume: Path) -> None:
    path = collect(tmp_path, volume, ShellConnection())
    evidence = open_evidence(path)
    verify(evidence)
    manifest = evidence.manifest
    assert (manifest.subject.name, manifest.subject.region, manifest.failure) == (
        "Web-1",
        "eu-central-1",
        None,
    )
    assert evidence.probe("os-release").output.startswith(b'NAME="Amazon Linux"')
    logs = {log.name: log for log in manifest.logs}
    whole = logs["amazon-ssm-agent.log"]
    with evidence.open_log(whole, whole.parts[0]) as stream:
        assert stream.read() == LOG_LINE * 3000
    masked = logs["errors.log"]
    assert masked.parts[0].redacted == 0, "the host masks before anything leaves it"
    with evidence.open_log(masked, masked.parts[0]) as stream:
        assert stream.read() == LOG_LINE + b"aws_secret_access_key=***\n" + LOG_LINE
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_the_digest_of_the_script_is_that_of_the_options(tmp_path: Path, volume: Path) -> None:
    first, again = (open_evidence(collect(tmp_path, volume, ShellConnection())).manifest for _ in range(2))
    other = open_evidence(
        collect(tmp_path, volume, ShellConnection(), CollectOptions(log_budget=1000))
    ).manifest
    assert first.script_sha256 == again.script_sha256 != other.script_sha256


@pytest.mark.parametrize("part", [0.4, 0.7, 0.95])
def test_what_came_before_a_break_is_kept(tmp_path: Path, volume: Path, part: float) -> None:
    connection = ShellConnection(lambda answer: answer[: int(len(answer) * part)], breaks=True)
    evidence = open_evidence(collect(tmp_path, volume, connection))
    verify(evidence)
    assert evidence.manifest.failure is not None
    assert evidence.manifest.failure.kind is FailureKind.PROTOCOL
    unfinished = [
        result for result in evidence.manifest.probes if result.status in (Status.ERROR, Status.TRUNCATED)
    ]
    cut_logs = [log for log in evidence.manifest.logs if log.status is Status.TRUNCATED]
    assert unfinished or cut_logs


def test_of_two_answers_that_broke_off_the_fuller_stays(tmp_path: Path, volume: Path) -> None:
    def broken(part: float) -> int:
        connection = ShellConnection(lambda answer: answer[: int(len(answer) * part)], breaks=True)
        return open_evidence(collect(tmp_path, volume, connection)).manifest.answered

    some = broken(0.6)
    assert some > 0
    assert broken(0.3) == some
    assert [path.name for path in (tmp_path / "run").iterdir()] == [file_name("Web-1")]
    assert broken(0.9) > some
    assert open_evidence(collect(tmp_path, volume, ShellConnection())).manifest.failure is None


def test_a_script_that_ends_early_has_broken_off(tmp_path: Path, volume: Path) -> None:
    ended = ShellConnection(lambda answer: answer[: len(answer) // 2], shell=("sh", "-c", "sh; kill -9 $$"))
    evidence = open_evidence(collect(tmp_path, volume, ended))
    failure = evidence.manifest.failure
    assert failure is not None
    assert failure.kind is FailureKind.SHELL
    assert failure.detail == "the script ended early (exit code -9): it said nothing"
    assert {result.note for result in evidence.manifest.probes} >= {failure.detail}


def test_the_byte_limit_keeps_what_came_and_says_so(tmp_path: Path, volume: Path) -> None:
    whole = collect(tmp_path, volume, ShellConnection()).stat().st_size
    evidence = open_evidence(
        collect(tmp_path, volume, ShellConnection(), CollectOptions(max_bytes=whole // 4))
    )
    verify(evidence)
    notes = [item.note for item in (*evidence.manifest.probes, *evidence.manifest.logs)]
    assert any(f"more than {whole // 4} bytes" in note for note in notes)


def test_a_host_without_a_shell_leaves_no_file_but_a_failure_to_record(tmp_path: Path, volume: Path) -> None:
    connection = ShellConnection(shell=("sh", "-c", "echo This account is restricted; exit 1"))
    with pytest.raises(ConnectionFailed, match="This account is restricted") as raised:
        collect(tmp_path, volume, connection)
    assert list((tmp_path / "run").iterdir()) == []
    target = Target("Web-1", "192.0.2.7", groups=("web",))
    path = record_failure(target, raised.value, CollectOptions(), tmp_path / "run")
    manifest = open_evidence(path).manifest
    assert manifest.failure is not None
    assert manifest.failure.kind is FailureKind.SHELL
    assert (manifest.subject.groups, manifest.probes, manifest.logs) == (("web",), (), ())


def test_a_folder_that_is_gone_is_one_clear_line(tmp_path: Path, volume: Path) -> None:
    target = Target("web-1", "192.0.2.7", root=str(volume))
    with pytest.raises(EvidenceError, match="evidence cannot be written"):
        collect_host(ShellConnection(), target, CollectOptions(), tmp_path / "gone", Deadline.after(9))
