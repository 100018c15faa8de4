"""PowerShell is blocked or constrained: the essential facts come by cmd.exe, over WinRM and over OpenSSH."""

from __future__ import annotations

from pathlib import Path

import pytest
from ssh_rig import StartSshd
from test_windows_over_ssh import windows
from winrm_rig import Rig

from analyzers.diagnose import diagnose
from collector.collect import CollectOptions, collect_host
from collector.connections.base import Connection, Deadline
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence import Evidence, Status
from collector.evidence.read import open_evidence
from collector.target import Target
from lab.windows_personas.plain import COMMAND_LINE, cmd


def collected(connection: Connection, target: Target, folder: Path) -> Evidence:
    kept = collect_host(connection, target, CollectOptions(), folder, Deadline.after(30))
    connection.close()
    assert kept.failure is None
    return open_evidence(kept.path)


def check(evidence: Evidence, words: str) -> None:
    manifest = evidence.manifest
    assert (manifest.ran_as, manifest.privilege) == ("ec2amaz-persona\\administrator", "administrator")
    assert manifest.connection is not None
    assert any(words in note for note in manifest.connection.notes)
    assert evidence.probe("routes").via == "cmd.exe"
    assert evidence.probe("schannel").status is Status.ERROR, "not known, and not fine"
    cause = diagnose(evidence).causes[0]
    assert cause.slug == "win-stale-imds-route"
    for value in ("172.31.48.1", "10.0.16.0/20", "10.0.16.1"):
        assert value in str(cause.sentence)
    assert any("10.0.16.1 metric 1 if 5 }" in line for step in cause.remedy for line in step.lines)


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ({"language_mode": "ConstrainedLanguage"}, "ConstrainedLanguage mode"),
        ({"has_powershell": False}, "took no script"),
    ],
    ids=["constrained", "blocked"],
)
def test_over_winrm(rig: Rig, tmp_path: Path, setup: dict[str, object], words: str) -> None:
    host = rig.host(lines=cmd(), **setup)
    target = rig.target(host)
    check(collected(rig.open(target), target, tmp_path), words)
    assert not host.shells.open


def test_over_openssh(start_sshd: StartSshd, tmp_path: Path) -> None:
    server = start_sshd(windows("constrained"))
    target = server.target(shell_type="cmd")
    check(collected(server.open(target), target, tmp_path), "ConstrainedLanguage mode")


def test_without_cmd_the_first_failure_stands(rig: Rig, tmp_path: Path) -> None:
    host = rig.host(language_mode="ConstrainedLanguage")  # cmd.exe has no answer here
    target = rig.target(host)
    connection = rig.open(target)
    with pytest.raises(ConnectionFailed, match="ConstrainedLanguage") as failed:
        collect_host(connection, target, CollectOptions(), tmp_path, Deadline.after(30))
    connection.close()
    assert failed.value.kind is FailureKind.SHELL
    assert not list(tmp_path.glob("*.zip"))


def test_a_healthy_host_is_asked_once(rig: Rig, tmp_path: Path) -> None:
    from lab.windows_personas import persona

    host = rig.host(persona("healthy"))
    target = rig.target(host)
    evidence = collected(rig.open(target), target, tmp_path)
    assert evidence.probe("routes").via != "cmd.exe"
    assert COMMAND_LINE not in " ".join(host.unknown)
