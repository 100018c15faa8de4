"""A real OpenSSH server for each test that asks for one: own keys, own configuration, loopback only."""

from __future__ import annotations

import getpass
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from collector.connections.base import Deadline
from collector.connections.settings import SshSettings
from collector.connections.ssh import SshConnector
from collector.connections.ssh_connection import SshConnection
from collector.target import Target

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
ME = getpass.getuser()
KINDS = ("ed25519", "ecdsa", "rsa")


def run(*command: str | Path, **kwargs: Any) -> str:
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, **kwargs
    ).stdout


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    bits = ["-b", "2048"] if kind == "rsa" else []
    run("ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-f", path, "-C", "test")
    return path


def copy_key(source: Path, path: Path) -> None:
    for suffix in ("", ".pub"):
        shutil.copy(f"{source}{suffix}", f"{path}{suffix}")


@dataclass
class Keys:
    folder: Path

    def __getitem__(self, kind: str) -> Path:
        return self.folder / kind

    def public(self, kind: str) -> str:
        return " ".join((self.folder / f"{kind}.pub").read_text().split()[:2])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """User keys of each type, without and with a passphrase ("open sesame"), and some for hosts and CAs."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is missing (package openssh-client)")
    folder = tmp_path_factory.mktemp("keys")
    for kind in KINDS:
        make_key(folder / kind, kind)
    make_key(folder / "locked", "ed25519", "open sesame")
    make_key(folder / "locked-ecdsa", "ecdsa", "open sesame")
    for name, file_format in (("locked-pem", "PEM"), ("locked-pkcs8", "PKCS8")):
        copy_key(folder / "rsa", folder / name)  # making an RSA key takes a second
        run("ssh-keygen", "-q", "-p", "-m", file_format, "-N", "open sesame", "-f", folder / name)
    for name in ("stranger", "host", "other-host", "ca"):
        make_key(folder / name)
    make_key(folder / "host-ecdsa", "ecdsa")
    copy_key(folder / "rsa", folder / "host-rsa")
    return Keys(folder)


@dataclass
class Server:
    """One sshd, and the client's view of it."""

    folder: Path
    address: str
    port: int
    keys: Keys
    process: subprocess.Popen[bytes] | None = None
    known: str = ""
    """The client's known_hosts."""
    client: list[str] = field(default_factory=list)
    """Further lines of the client's ssh_config, before all others."""
    connectors: list[SshConnector] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"[{self.address}]:{self.port}"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def ssh_config(self) -> Path:
        path = self.folder / "ssh_config"
        defaults = [
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
            f"IdentityFile {self.keys['ed25519']}",
            "IdentityAgent none",
        ]
        path.write_text("\n".join([*self.client, "Host *", *defaults]) + "\n")
        return path

    def target(self, **changes: Any) -> Target:
        return replace(Target(name="host", address=self.address, port=self.port, user=ME), **changes)

    def settings(self, **changes: Any) -> SshSettings:
        return replace(SshSettings(config_file=str(self.ssh_config())), **changes)

    def open(self, target: Target | None = None, *, deadline: float = 20.0, **settings: Any) -> SshConnection:
        if not self.known_hosts.exists():
            self.known_hosts.write_text(self.known)
        connector = SshConnector(self.settings(**settings))
        self.connectors.append(connector)
        return connector.open(target or self.target(), deadline=Deadline.after(deadline))

    def stop(self) -> None:
        for connector in self.connectors:
            connector.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(5)


StartSshd = Callable[..., Server]


@pytest.fixture
def start_sshd(tmp_path: Path, keys: Keys) -> Iterator[StartSshd]:
    """Starts an sshd; the lines given come first in its configuration, where the first of a kind wins."""
    if SSHD is None:
        pytest.skip("sshd is missing (package openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    servers: list[Server] = []

    def start(*lines: str, host_keys: tuple[str, ...] = ("host",), known: str | None = None) -> Server:
        folder = tmp_path / f"sshd{len(servers)}"
        folder.mkdir()
        server = _start(folder, lines, host_keys, keys)
        servers.append(server)
        server.known = f"{server.name} {keys.public('host')}\n" if known is None else known
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def sshd(start_sshd: StartSshd) -> Server:
    """A plain sshd that knows the three kinds of user keys."""
    return start_sshd()


def _start(folder: Path, lines: tuple[str, ...], host_keys: tuple[str, ...], keys: Keys) -> Server:
    authorized = folder / "authorized_keys"
    authorized.write_text(
        "".join(
            keys.public(kind) + "\n"
            for kind in (*KINDS, "locked", "locked-ecdsa", "locked-pem", "locked-pkcs8")
        )
    )
    for _ in range(5):
        # An address of one's own in 127/8 and a random port: parallel tests do not meet.
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
        port = random.randint(20000, 32000)
        config = folder / "sshd_config"
        config.write_text(
            "\n".join(
                [
                    *lines,
                    f"ListenAddress {address}",
                    f"Port {port}",
                    *(f"HostKey {keys[name]}" for name in host_keys),
                    f"AuthorizedKeysFile {authorized}",
                    f"SetEnv HOME={folder}",  # whose rc files no login of a test runs
                    "PidFile none",
                    "StrictModes no",
                    "UsePAM no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PrintMotd no",
                    *([] if "MaxStartups" in "".join(lines) else ["MaxStartups 200"]),  # here the last wins
                ]
            )
            + "\n"
        )
        log = folder / "sshd.log"
        process = subprocess.Popen([str(SSHD), "-D", "-f", str(config), "-E", str(log)])
        if _wait_for(address, port, process):
            return Server(folder, address, port, keys, process)
        process.kill()
        process.wait()
    raise AssertionError(f"sshd does not start: {log.read_text()}")


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    for _ in range(100):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def ask(
    connection: SshConnection, script: str = "echo ok", *, deadline: float = 20.0, limit: int = 1 << 20
) -> bytes:
    """The output of a script."""
    output: list[bytes] = []
    connection.run(script.encode(), output.append, deadline=Deadline.after(deadline), max_bytes=limit)
    return b"".join(output)


# --- Accounts of their own, for what only another user can show -----------------------------------------

PASSWORD = "correct horse battery"


@dataclass
class Account:
    name: str
    password: str = PASSWORD


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A user that exists for one test, with a password."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a user with a password")
    name = f"ssmt{random.randrange(16**6):06x}"
    hashed = run("openssl", "passwd", "-6", "-stdin", input=PASSWORD).strip()
    _patiently("useradd", "-M", "-d", "/", "-s", "/bin/bash", "-p", hashed, name)
    yield Account(name)
    _patiently("userdel", "-f", name)


@pytest.fixture
def sudoers(account: Account) -> Iterator[Callable[[str], None]]:
    """Lets a test say what sudo allows the account."""
    if shutil.which("sudo") is None:
        pytest.skip("sudo is missing (package sudo)")
    path = Path("/etc/sudoers.d") / account.name

    def allow(rule: str) -> None:
        path.write_text(f"{account.name} {rule}\nDefaults:{account.name} !syslog\n")
        path.chmod(0o440)

    yield allow
    path.unlink(missing_ok=True)


def _patiently(*command: str) -> None:
    """The password files are locked while another test changes them."""
    for _ in range(50):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"{command[0]}: {done.stderr}")


@dataclass(frozen=True)
class Said:
    """A secret that is simply there."""

    value: str

    def resolve(self) -> str:
        return self.value
