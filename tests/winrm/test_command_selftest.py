"""``ssm-triage selftest`` as a user runs it, against lab hosts over WinRM and over SSH."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ssh_rig import ME, StartSshd
from test_windows_over_ssh import windows
from test_windows_selftest import CHECKS, believed
from winrm_rig import PASSWORD, USER, Rig

from lab.windows.host import WindowsHost
from lab.windows.powershell import Answer

WORD = ("--password-from", "env:WORD")


def selftest(tmp_path: Path, *args: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssm_triage", "selftest", *map(str, args)],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "WORD": PASSWORD, **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def inventory(tmp_path: Path, host: WindowsHost) -> Path:
    path = tmp_path / "hosts.ini"
    path.write_text(
        f"win-a ansible_host=127.0.0.1 ansible_port={host.port} ansible_user={USER}\n"
        "win-b ansible_host=127.0.0.1\n"
        "[all:vars]\nansible_connection=winrm\nansible_winrm_scheme=http\n"
        "ansible_winrm_operation_timeout_sec=1\n"
    )
    return path


def test_a_host_as_we_believe(rig: Rig, tmp_path: Path) -> None:
    host = rig.host(believed)
    transcript = tmp_path / "transcript.json"
    transcript.touch(mode=0o644)
    done = selftest(tmp_path, "win-a", "-i", inventory(tmp_path, host), *WORD, "-o", transcript)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == CHECKS
    assert all(line.startswith("ok ") for line in lines)
    assert "ok     which cmdlets are missing: missing=Get-NetRoute" in lines
    assert stat.S_IMODE(transcript.stat().st_mode) == 0o600
    said = transcript.read_text()
    assert len(json.loads(said)["checks"]) == CHECKS
    assert not [name for name in (USER, PASSWORD, "EC2AMAZ") if name in said]
    assert not host.shells.open


def test_a_host_that_is_not(rig: Rig, tmp_path: Path) -> None:
    """What it says is shown on one line, whatever is in it."""
    host = rig.host(lambda script: Answer(b"psversion=\x1b[2J\xe2\x80\xaeodd\r\nline", b"", 1))
    done = selftest(tmp_path, "win-a", "-i", inventory(tmp_path, host), *WORD)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == CHECKS - 4
    assert lines[0].startswith("FAILED a script runs: ")
    assert lines[1].startswith("ok     who and what: psversion=")
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert (tmp_path / "selftest.json").exists()


def by_ssh(start_sshd: StartSshd, tmp_path: Path, *lines: str, **variables: str) -> Path:
    server = start_sshd(*lines)
    server.known_hosts.write_text(server.known)
    config = f"-F {server.ssh_config()}"
    said = {"host": server.address, "port": server.port, "user": ME, **variables}
    path = tmp_path / "ssh.ini"
    words = " ".join(f"ansible_{name}={value}" for name, value in said.items())
    path.write_text(f"win-s {words} ansible_ssh_common_args='{config}'\n")
    return path


def test_over_ssh(start_sshd: StartSshd, tmp_path: Path) -> None:
    """The host echoes scripts, so that hardly a check holds."""
    done = selftest(tmp_path, "win-s", "-i", by_ssh(start_sshd, tmp_path, windows("cmd"), shell_type="cmd"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FAILED a script runs: b\"ran: [Console]::Out.Write('hello')\"" in done.stdout
    assert "ok     the exit code is the script's: as expected" in done.stdout


def test_a_linux_host_is_told(start_sshd: StartSshd, tmp_path: Path) -> None:
    done = selftest(tmp_path, "win-s", "-i", by_ssh(start_sshd, tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ssm-triage: win-s: not a Windows host; the self-test asks Windows alone\n"


def test_a_host_that_cannot_be_reached(rig: Rig, tmp_path: Path) -> None:
    host = rig.host(believed)
    inventories = inventory(tmp_path, host)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        done = selftest(tmp_path, "win-b", "-i", inventories, "-u", USER, "--port", port, *WORD)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("ssm-triage: win-b: refused: ")
    assert done.stderr.count("\n") == 1
    wrong = selftest(tmp_path, "win-a", "-i", inventories, *WORD, WORD="not this")
    assert wrong.returncode == 4
    assert wrong.stderr.startswith("ssm-triage: win-a: auth: ")
    assert not (tmp_path / "selftest.json").exists()


@pytest.mark.parametrize(
    ("host", "words"), [("all", "2 hosts of the inventory; name one"), ("win-c", "win-c")]
)
def test_it_asks_one_host(rig: Rig, tmp_path: Path, host: str, words: str) -> None:
    done = selftest(tmp_path, host, "-i", inventory(tmp_path, rig.host(believed)), *WORD)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_proxy_of_this_machine_has_a_say_only_if_told(rig: Rig, tmp_path: Path) -> None:
    host = rig.host(believed)
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))  # nobody listens
        environ = {"http_proxy": f"http://127.0.0.1:{proxy.getsockname()[1]}", "no_proxy": ""}
        call = (tmp_path, "win-a", "-i", inventory(tmp_path, host), *WORD)
        assert selftest(*call, **environ).returncode == 0
        told = selftest(*call, "--use-env-proxy", **environ)
    assert told.returncode == 4
    assert "proxy" in told.stderr
