"""Windows over OpenSSH, whichever shell is the default one there; and WinRM through SSH jump hosts."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ssh_rig import ME, Server, StartSshd
from winrm_rig import HTTP, Rig, say

from collector.connections import windows_ssh
from collector.connections.base import Deadline
from collector.connections.platform import as_its_platform
from collector.connections.ssh_connection import SshConnection
from collector.connections.windows_ssh import WindowsSshConnection, platform_behind
from collector.errors import ConnectionFailed, FailureKind
from collector.sweep import SweepSettings, sweep
from collector.target import Platform

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def windows(kind: str) -> str:
    program = f'{sys.executable} -I -c \'import sys, runpy; sys.path[:0] = ["{ROOT}"]; '
    program += f'sys.argv = ["x", "{kind}"]; runpy.run_path("{HERE}/windows_shell.py", run_name="__main__")\''
    return f"ForceCommand {program}"


@pytest.mark.parametrize("kind", ["cmd", "powershell", "greedy"])
def test_a_script_runs_in_every_default_shell(start_sshd: StartSshd, kind: str) -> None:
    connection = WindowsSshConnection(start_sshd(windows(kind)).open())
    script = random.Random(kind).randbytes(200_000)
    result, output = say(connection, script)
    assert (result.exit_code, output, result.stderr) == (0, b"ran: " + script, b"")
    assert say(connection, b"exit 7")[0].exit_code == 7
    assert connection.facts.auth_method.startswith("publickey")
    connection.close()


def test_a_limit_holds_over_ssh_too(start_sshd: StartSshd) -> None:
    connection = WindowsSshConnection(start_sshd(windows("cmd")).open())
    result, output = say(connection, random.Random(1).randbytes(300_000), max_bytes=100_000)
    assert (result.truncated, len(output)) == (True, 100_000)
    connection.close()


def test_a_host_without_powershell_is_told(start_sshd: StartSshd) -> None:
    connection = WindowsSshConnection(start_sshd().open())
    with pytest.raises(ConnectionFailed, match=r"powershell\.exe took no script") as failed:
        say(connection)
    assert failed.value.kind is FailureKind.SHELL
    connection.close()


@pytest.mark.parametrize(
    ("lines", "platform"),
    [
        ((windows("cmd"),), Platform.WINDOWS),
        ((windows("powershell"),), Platform.WINDOWS),
        ((), Platform.LINUX),
        (("ForceCommand exit 1",), Platform.LINUX),
    ],
)
def test_the_shell_tells_the_platform(
    start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...], platform: Platform
) -> None:
    monkeypatch.setattr(windows_ssh, "_OTHER_SERVERS", ())
    connection = start_sshd(*lines).open()
    assert platform_behind(connection, Deadline.after(10)) is platform
    connection.close()


def test_the_server_s_name_tells_the_platform(start_sshd: StartSshd) -> None:
    for addendum, platform in (("none", Platform.LINUX), ("OpenSSH_for_Windows_9.5", Platform.WINDOWS)):
        connection = start_sshd(f"VersionAddendum {addendum}", "ForceCommand sleep 60").open()
        assert platform_behind(connection, Deadline.after(10)) is platform
        connection.close()


def test_a_connection_becomes_its_platform_s(start_sshd: StartSshd, rig: Rig) -> None:
    server = start_sshd(windows("cmd"))
    for said, kind, platform in (
        (Platform.AUTO, SshConnection, Platform.LINUX),
        (Platform.LINUX, SshConnection, Platform.LINUX),
        (Platform.WINDOWS, WindowsSshConnection, Platform.WINDOWS),
    ):
        target = server.target(platform=said)
        ready, found = as_its_platform(server.open(target), target, Deadline.after(10))
        assert (type(ready), found) == (kind, platform)
        ready.close()
    host = rig.host()
    connection = rig.open(rig.target(host))
    assert as_its_platform(connection, rig.target(host), Deadline.after(10)) == (connection, Platform.WINDOWS)
    connection.close()


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "csh", "busybox sh"])
def test_no_other_shell_takes_itself_for_windows(shell: str) -> None:
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is missing (apt: {words[0]})")
    said = subprocess.run([*words, "-c", windows_ssh._QUESTION], capture_output=True, check=False, env={})
    assert b"Windows_NT" not in said.stdout


# --- WinRM through a jump host -----------------------------------------------------------------------


def hop_to(jump: Server) -> str:
    return f"{ME}@{jump.address}:{jump.port}"


def end_sessions(server: Server) -> None:
    assert server.process
    pid = server.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def through(rig: Rig, jump: Server, target: Any) -> Any:
    jump.known_hosts.write_text(jump.known)
    settings = SweepSettings(ssh=jump.settings(), host_deadline_s=20)
    (outcome,) = sweep([target], settings, lambda connection, *_: (say(connection)[1], connection.facts))
    return outcome


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_winrm_through_a_jump_host(rig: Rig, start_sshd: StartSshd, tls: bool) -> None:
    jump = start_sshd()
    host = rig.host(tls=tls, require_channel_binding=tls)
    hop = hop_to(jump)
    outcome = through(rig, jump, rig.target(host, jump=hop))
    assert outcome.failure is None, outcome.failure
    output, facts = outcome.value
    assert output == b"ran: Get-Date"
    assert facts.jump == (hop,)
    assert not host.shells.open


def test_thirty_megabytes_through_a_jump_host(rig: Rig, start_sshd: StartSshd) -> None:
    jump = start_sshd()
    data = random.Random(5).randbytes(1 << 20) * 30
    host = rig.host(lambda script: data)
    jump.known_hosts.write_text(jump.known)
    target = rig.target(host, jump=hop_to(jump))
    settings = SweepSettings(ssh=jump.settings(), host_deadline_s=60)
    (outcome,) = sweep([target], settings, lambda c, *_: say(c, max_bytes=64 << 20, seconds=50)[1] == data)
    assert outcome.value is True, outcome.failure


def test_a_jump_host_that_does_not_forward(rig: Rig, start_sshd: StartSshd) -> None:
    jump = start_sshd("AllowTcpForwarding no")
    host = rig.host()
    outcome = through(rig, jump, rig.target(host, HTTP, jump=hop_to(jump)))
    assert outcome.failure
    assert "does not forward" in outcome.failure.detail


def test_a_host_that_the_jump_host_cannot_reach(rig: Rig, start_sshd: StartSshd) -> None:
    jump = start_sshd()
    target = rig.target(rig.host(), HTTP, jump=hop_to(jump), port=1)
    outcome = through(rig, jump, target)
    assert outcome.failure
    assert outcome.failure.kind is FailureKind.UNREACHABLE


def test_a_jump_host_that_goes_away(rig: Rig, start_sshd: StartSshd) -> None:
    jump = start_sshd()
    jump.known_hosts.write_text(jump.known)
    target = rig.target(rig.host(), HTTP, jump=hop_to(jump))

    def collect(connection: Any, *_: object) -> bytes:
        end_sessions(jump)
        return say(connection)[1]

    settings = SweepSettings(ssh=jump.settings(), host_deadline_s=20)
    (outcome,) = sweep([target], settings, collect)
    assert outcome.failure
    assert outcome.failure.kind is FailureKind.PROTOCOL
