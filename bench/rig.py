"""A hundred hosts, or a thousand: addresses of 127/8 on one real sshd, in namespaces of their own.

Nothing here is reachable from outside, or reaches it, and nothing outlives the bench: network, processes and
mounts are namespaces that end with it.  A host is this machine's own system with the files of an agent laid
over it: a log of 20 MB and the agent's two small configuration files.

Black holes are addresses of 127.9/16: a packet filter drops what is sent there, so a connection is neither
taken nor refused.  A delay is the kernel's own (netem), which not every kernel has.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.synthetic import MEGABYTE, made

PORT = 2222
USER = "root"
LOG_NAME = "amazon-ssm-agent.log"
_HERE = Path(__file__).with_name("host")
_CONFIG = Path("etc/amazon/ssm")
_LOG_FOLDER = Path("var/log/amazon/ssm")
_PATIENCE_S = 10.0
_MARK = "SSM_TRIAGE_BENCH_RIG"
NEEDS = ("unshare", "ip", "nft", "mount", "ssh", "ssh-keygen", "xargs", "sshd")


@dataclass(frozen=True, slots=True)
class Rig:
    """What a client needs in order to reach the hosts."""

    folder: Path
    hosts: tuple[str, ...]
    log_bytes: int

    @property
    def config(self) -> Path:
        """An ssh_config for all of them."""
        return self.folder / "ssh_config"

    @property
    def key(self) -> Path:
        """The private key that they take."""
        return self.folder / "user"

    @property
    def known_hosts(self) -> Path:
        """The key of each."""
        return self.folder / "known_hosts"

    def listed(self, hosts: Sequence[str]) -> Path:
        """A file with one of ``hosts`` a line."""
        path = self.folder / "hosts"
        path.write_text("".join(f"{host}\n" for host in hosts))
        return path


def missing() -> str:
    """Why no rig can be made here; empty: it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs Linux and root, for namespaces of its own"
    absent = [name for name in NEEDS if _program(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def entered() -> bool:
    """Whether this process is in namespaces of its own."""
    return os.environ.get(_MARK) == str(Path("/proc/self/ns/net").stat().st_ino)


def enter(arguments: Sequence[str]) -> None:
    """Begin again as ``python -m bench ARGUMENTS`` in new namespaces; does nothing where we are in them.

    A shell is the first process there: it takes leave of the orphans that hosts leave behind.
    """
    if entered():
        return
    again = 'ip link set lo up; SSM_TRIAGE_BENCH_RIG=$(stat -Lc %i /proc/self/ns/net) "$@"; exit $?'
    namespaces = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    command = ["unshare", *namespaces, "--mount-proc", "sh", "-c", again, "bench"]
    os.execvp("unshare", [*command, sys.executable, "-m", "bench", *arguments])


@contextmanager
def standing(folder: Path, count: int, log_bytes: int = 20 * MEGABYTE) -> Iterator[Rig]:
    """``count`` hosts that take connections, as long as the context lasts.

    Raises:
        RuntimeError: sshd does not come up.
    """
    rig = Rig(folder, tuple(addresses(count)), log_bytes)
    _write_keys(rig)
    _write_client_files(rig)
    _lay_files(folder / "rootfs", log_bytes)
    (folder / "sshd_config").write_text(_sshd_config(folder))
    with ExitStack() as undo:
        boot = ["unshare", "--mount", "sh", str(_HERE / "boot.sh"), str(folder)]
        sshd = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        undo.callback(_end, sshd)
        _wait_for(rig.hosts[0], folder / "sshd.log")
        yield rig


def addresses(count: int) -> list[str]:
    """127.0.1.1 and those that follow, 250 in each third byte."""
    return [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(count)]


@contextmanager
def delayed(milliseconds: float) -> Iterator[bool]:
    """Every packet between client and hosts is late by half of that; yields whether the kernel can do it."""
    netem = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", f"{milliseconds / 2:g}ms"]
    able = _program("tc") is not None and not subprocess.run(netem, capture_output=True).returncode
    try:
        yield able
    finally:
        if able:
            subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


def black_holes(count: int) -> list[str]:
    """Addresses that swallow packets, from now on and as long as the network namespace lives."""
    hook = "type filter hook output priority 0"
    rules = f"table inet bench {{\n chain out {{\n {hook}; ip daddr 127.9.0.0/16 drop\n }}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    return [f"127.9.{n // 250}.{n % 250 + 1}" for n in range(count)]


def bytes_moved() -> int:
    """Bytes that went over this namespace's loopback so far, headers included, in both directions."""
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.startswith("    lo:"))
    return int(line.split()[1])


# --- What is written ---------------------------------------------------------------------------------


def _write_keys(rig: Rig) -> None:
    for path in (rig.folder / "host", rig.key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _write_client_files(rig: Rig) -> None:
    public = " ".join((rig.folder / "host.pub").read_text().split()[:2])
    rig.known_hosts.write_text("".join(f"[{host}]:{PORT} {public}\n" for host in rig.hosts))
    rig.config.write_text(
        f"""Host *
  User {USER}
  Port {PORT}
  IdentityFile {rig.key}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {rig.known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  ConnectTimeout 10
  LogLevel ERROR
"""
    )


def _lay_files(rootfs: Path, log_bytes: int) -> None:
    """What the agent has on a host."""
    files = {
        _LOG_FOLDER / LOG_NAME: made(log_bytes, 0.015)[:log_bytes],
        _CONFIG / "amazon-ssm-agent.json": (_HERE / "amazon-ssm-agent.json").read_bytes(),
        _CONFIG / "seelog.xml": (_HERE / "seelog.xml").read_bytes(),
        Path("usr/bin/amazon-ssm-agent"): b"#!/bin/sh\necho SSM Agent version: 3.3.1142.0\n",
    }
    for name, content in files.items():
        path = rootfs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if "bin" in path.parts else 0o644)


def _sshd_config(folder: Path) -> str:
    """``HOME`` is elsewhere, so that no login pays for what this machine's root has in its rc files."""
    return f"""ListenAddress 0.0.0.0
Port {PORT}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 2000
MaxSessions 100
PrintMotd no
LogLevel ERROR
Subsystem sftp internal-sftp
SetEnv HOME={folder}
"""


# --- What runs ---------------------------------------------------------------------------------------


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _wait_for(address: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection((address, PORT), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    words = log.read_text(errors="replace")[-500:] if log.exists() else "it said nothing"
    raise RuntimeError(f"sshd does not come up: {words}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
