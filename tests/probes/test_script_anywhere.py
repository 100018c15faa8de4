"""The same script on hosts that lack things: other shells, missing tools, a full disk, what hangs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from private_host import CREDENTIALS, TOKEN
from probe_support import NONCE, RunScript, needs, read_answer

from collector.evidence.records import parse_records
from collector.probes.compile import compile_script
from collector.probes.linux import LINUX

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}
TOOLS = (
    *(
        "awk",
        "bash",
        "cat",
        "chroot",
        "curl",
        "cut",
        "date",
        "df",
        "dig",
        "dpkg-query",
        "env",
        "find",
        "getent",
    ),
    *("grep", "gzip", "head", "hostname", "id", "ip", "iptables-save", "journalctl", "ls", "nft", "openssl"),
    *("ps", "python3", "readlink", "renice", "sed", "sleep", "sort", "ss", "stat", "systemctl", "tail"),
    *("timeout", "tr", "uname", "wc", "wget"),
)
LOG = {
    "/var/log/amazon/ssm/amazon-ssm-agent.log": "2026-11-23 06:26:14 INFO Proxy environment variables:\n" * 9
}


@pytest.fixture
def toolbox(tmp_path: Path) -> Path:
    """A folder with links to the tools that a host has: a PATH from which any of them can be taken."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in (*TOOLS, "dash", "busybox"):
        if found := shutil.which(tool, path=os.defpath + ":/usr/sbin:/sbin"):
            (folder / tool).symlink_to(found)
    return folder


@pytest.mark.root
@pytest.mark.parametrize("shell", [pytest.param(shell, id=name) for name, shell in SHELLS.items()])
def test_every_shell_sees_the_same(private_host: RunScript, shell: list[str]) -> None:
    needs(shell[0])
    expected = private_host(imds=True, files=LOG, search="")
    found = private_host(shell, imds=True, files=LOG, search="")
    assert found.statuses == expected.statuses
    assert found.reader.complete
    assert found.stderr == b""
    assert found.left == ()
    assert [log.plain for log in found.sink.logs] == [log.plain for log in expected.sink.logs]
    for same in ("uname", "os-release", "routes", "rules", "mounts", "hosts-file"):
        assert found.text(same) == expected.text(same)


@pytest.mark.root
@pytest.mark.parametrize("tool", TOOLS)
def test_any_one_tool_may_be_missing(private_host: RunScript, toolbox: Path, tool: str) -> None:
    (toolbox / tool).unlink(missing_ok=True)
    answer = private_host(env={"PATH": str(toolbox)}, imds=True, files=LOG, search="")
    assert answer.reader.complete
    assert set(answer.statuses) == {probe.id for probe in LINUX}
    assert not {"truncated", "timeout"} & set(answer.statuses.values())
    assert answer.statuses["imds"] == "ok"
    assert "i-0a1b2c3d4e5f60718" in answer.text("imds")
    everything = b"".join(result.output for result in answer.sink.probes.values()) + answer.raw
    assert TOKEN.encode() not in everything
    assert CREDENTIALS["SecretAccessKey"].encode() not in everything


@pytest.mark.root
@pytest.mark.parametrize(
    ("missing", "tool"),
    [((), "curl"), (("curl",), "python"), (("curl", "python3"), "bash")],
    ids=["", "curl", "python"],
)
def test_imds_is_asked_by_the_next_tool(
    private_host: RunScript, toolbox: Path, missing: tuple[str, ...], tool: str
) -> None:
    for name in missing:
        (toolbox / name).unlink()
    answer = private_host(env={"PATH": str(toolbox)}, imds=True, search="")
    said = {record.name: record for record in parse_records(answer.sink.probes["imds"].output)}
    assert {record.get("tool") for record in said.values()} == {tool}
    assert said["instance-id"].body == "i-0a1b2c3d4e5f60718"
    assert said["credentials"].body.startswith('"Code": "Success"')
    assert (said["v1"].get("http"), said["v1"].get("server")) == ("401", "EC2ws")
    dead = private_host(
        env={"PATH": str(toolbox)}, search="", commands=["ip addr del 169.254.169.254/32 dev lo"]
    )
    assert "outcome=no-route" in dead.text("imds")


@pytest.mark.root
@pytest.mark.parametrize("tool", ["openssl", "python"])
def test_tls_is_looked_into_by_the_next_tool(
    private_host: RunScript, toolbox: Path, authority: tuple[Path, Path], tool: str
) -> None:
    if tool == "python":
        (toolbox / "openssl").unlink()
    hosts = {
        "/etc/hosts": "10.77.0.11 ssm.eu-central-1.amazonaws.com\n",
        "/etc/nsswitch.conf": "hosts: files\n",
    }
    answer = private_host(env={"PATH": str(toolbox)}, files=hosts, tls=authority, search="")
    said = {record.name: record for record in parse_records(answer.sink.probes["endpoint-ssm"].output)}
    assert (said["tls"].get("tool"), said["tls"].get("outcome")) == (tool, "untrusted")


@pytest.mark.root
def test_with_no_tool_at_all_the_answer_is_still_whole(private_host: RunScript, tmp_path: Path) -> None:
    needs("dash")
    (tmp_path / "empty").mkdir()
    dash = shutil.which("dash") or ""
    answer = private_host([dash], env={"PATH": str(tmp_path / "empty")}, search="")
    assert answer.reader.complete
    assert set(answer.statuses) == {probe.id for probe in LINUX}
    assert {"ok", "absent", "error"} >= set(answer.statuses.values())


@pytest.mark.root
def test_in_a_root_of_busybox_alone(tmp_path: Path) -> None:
    needs("busybox", "chroot", "unshare")
    if os.geteuid() != 0:
        pytest.skip("needs root: chroot")
    root = tmp_path / "root"
    for folder in ("bin", "etc", "var/log/amazon/ssm", "proc", "dev", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    libraries = subprocess.run(["ldd", root / "bin/busybox"], capture_output=True, text=True, check=False)
    for library in re.findall(r"/\S+", libraries.stdout.partition(":\n")[2] or libraries.stdout):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    (root / "var/log/amazon/ssm/amazon-ssm-agent.log").write_text("one line\n")
    subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"], check=True)
    setup = (
        f"mount -t proc proc {root}/proc; mount --bind /dev {root}/dev; ip link set lo up;"
        f" exec chroot {root} /bin/sh"
    )
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setup],
        input=compile_script(nonce=NONCE, region="eu-central-1"),
        capture_output=True,
        env={"PATH": "/bin:" + os.environ["PATH"]},
        timeout=60,
        check=True,
    )
    answer = read_answer(done.stdout)
    assert answer.reader.complete
    assert answer.statuses["routes"] == "ok"
    assert answer.sink.logs[0].plain == b"one line\n"
    assert done.stderr == b""


WRITING = re.compile(
    r"O_WRONLY|O_RDWR|O_CREAT|\b(?:mkdir|unlink|rename|link|symlink|mknod|chmod|chown|truncate|utime|mount)\w*\("
)
# dig gives its own threads their names.
HARMLESS = re.compile(r'"/dev/(?:null|tty)"|"/proc/self/task/\d+/comm"|= -1 E')


@pytest.mark.root
@pytest.mark.parametrize("shell", [pytest.param(shell, id=name) for name, shell in SHELLS.items()])
def test_nothing_is_written_on_the_host(private_host: RunScript, shell: list[str], tmp_path: Path) -> None:
    needs("strace", shell[0])
    trace = tmp_path / "trace"
    answer = private_host(
        ["strace", "-f", "-qq", "-y", "-e", "trace=%file,ftruncate,fchmod,fchown", "-o", str(trace), *shell],
        imds=True,
        files=LOG | {"/root/.aws/credentials": "[default]\n"},
        timeout=150,
    )
    assert answer.reader.complete
    lines = trace.read_text(errors="replace").splitlines()
    assert len(lines) > 1000
    assert [line for line in lines if WRITING.search(line) and not HARMLESS.search(line)] == []


@pytest.mark.root
@pytest.mark.parametrize("with_timeout", [True, False], ids=["timeout", "no-timeout"])
def test_what_hangs_holds_nobody_up(private_host: RunScript, toolbox: Path, with_timeout: bool) -> None:
    """A df that ignores to be asked to end, and holds on to its output."""
    if not with_timeout:
        (toolbox / "timeout").unlink()
    (toolbox / "df").unlink()
    (toolbox / "df").write_text("#!/bin/sh\ntrap '' TERM HUP INT\necho half\nwhile :; do sleep 900; done\n")
    (toolbox / "df").chmod(0o755)
    began = time.monotonic()
    answer = private_host(env={"PATH": str(toolbox)}, files=LOG, search="")
    assert time.monotonic() - began < 90
    assert answer.statuses["disk-space"] == "timeout"
    assert b"half" in answer.sink.probes["disk-space"].output
    assert answer.statuses["memory"] == "ok"
    assert answer.sink.logs[0].plain
    assert answer.reader.complete
    assert answer.left == ()


@pytest.mark.root
def test_what_keeps_our_pipe_and_cannot_be_found_holds_nobody_up(
    private_host: RunScript, toolbox: Path
) -> None:
    """As a process that cannot be killed would: it is out of our reach, and the pipe never closes."""
    needs("setsid")
    (toolbox / "df").unlink()
    (toolbox / "df").write_text(f"#!/bin/sh\n{shutil.which('setsid')} sleep 900 &\necho done\n")
    (toolbox / "df").chmod(0o755)
    began = time.monotonic()
    answer = private_host(env={"PATH": str(toolbox)}, files=LOG, search="")
    assert time.monotonic() - began < 90
    assert answer.text("disk-space") == "done\n"
    assert answer.reader.complete
    assert answer.left == ("sleep", "sleep")  # df was asked for space, and for inodes


@pytest.mark.root
def test_a_full_and_read_only_disk_is_no_hindrance(private_host: RunScript) -> None:
    answer = private_host(
        imds=True,
        files=LOG,
        commands=[f"mount -o remount,ro {folder}" for folder in ("/etc", "/var", "/root", "/usr", "/opt")]
        + ["mount -t tmpfs -o ro,size=4k tmpfs /tmp"],
    )
    assert answer.reader.complete
    assert answer.statuses["imds"] == "ok"


def test_shellcheck_has_nothing_to_say() -> None:
    needs("shellcheck")
    script = compile_script(nonce=NONCE)
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=warning", "-"],
        input=script,
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode() == ""


def test_the_script_is_refused_what_would_break_out_of_it() -> None:
    from collector.errors import UsageError

    for region in ("us-east-1; reboot", "US", "us east"):
        with pytest.raises(UsageError):
            compile_script(nonce=NONCE, region=region)
    with pytest.raises(UsageError):
        compile_script(nonce=NONCE, root="mnt/rescue")
    assert b"ROOT='/mnt/it'\"'\"'s $(x)'" in compile_script(nonce=NONCE, root="/mnt/it's $(x)")
