"""Lab hosts that speak WinRM, and our way to them; a KDC of their own where Kerberos is asked for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from collector.connections.base import Deadline, RunResult
from collector.connections.settings import WinrmSettings
from collector.connections.winrm import WinrmConnection, WinrmConnector
from collector.secrets import Literal
from collector.target import Target, Transport
from lab.windows.certificates import Issuer
from lab.windows.faults import Fault
from lab.windows.host import Setup, WindowsHost
from lab.windows.logins import ntlm_users

USER, PASSWORD = "alice", "open sesame"
DOMAIN_USER = "LAB\\bob"
HTTP = {"ansible_winrm_scheme": "http"}


def echo(script: bytes) -> bytes:
    """A persona that says what it was told."""
    return b"ran: " + script


@dataclass
class Rig:
    """Starts hosts and connects to them; ends both."""

    folder: Path
    issuer: Issuer
    hosts: list[WindowsHost] = field(default_factory=list)
    connectors: list[WinrmConnector] = field(default_factory=list)

    def host(
        self, persona: Callable[[bytes], Any] = echo, *, tls: bool = False, faults: Any = (), **setup: Any
    ) -> WindowsHost:
        """One more host; ``tls``: with a good certificate."""
        lines = setup.pop("lines", None)
        if tls:
            setup.setdefault("certificate", self.issuer.server("localhost", "127.0.0.1", "::1"))
        setup.setdefault("users", {USER: PASSWORD})
        host = WindowsHost(persona, Setup(**setup), lines=lines, faults=list(faults))
        host.__enter__()
        self.hosts.append(host)
        return host

    def target(self, host: WindowsHost, options: dict[str, str] | None = None, **changes: Any) -> Target:
        """How the inventory would name ``host``."""
        given = {"ansible_winrm_ca_trust_path": str(self.issuer.file)} if host.setup.certificate else HTTP
        target = Target(
            name=f"win{host.port}",
            address=host.setup.address,
            transport=Transport.WINRM,
            port=host.port,
            user=USER,
            password=Literal(PASSWORD),
            options=tuple({**given, **(options or {})}.items()),
        )
        return replace(target, **changes)

    def connector(self, **settings: Any) -> WinrmConnector:
        connector = WinrmConnector(WinrmSettings(**settings))
        self.connectors.append(connector)
        return connector

    def open(self, target: Target, *, seconds: float = 15.0, **settings: Any) -> WinrmConnection:
        return self.connector(**settings).open(target, deadline=Deadline.after(seconds))

    def close(self) -> None:
        for connector in self.connectors:
            connector.close()
        for host in self.hosts:
            host.__exit__(RuntimeError, None, None)  # its complaints are each test's own business


def say(
    connection: Any, script: bytes = b"Get-Date", *, seconds: float = 15.0, max_bytes: int = 1 << 20
) -> tuple[RunResult, bytes]:
    """Run a script; what came of it."""
    got = bytearray()
    result = connection.run(script, got.extend, deadline=Deadline.after(seconds), max_bytes=max_bytes)
    return result, bytes(got)


@pytest.fixture(scope="session", autouse=True)
def windows_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Who may log in, for the lab's NTLM and CredSSP."""
    users = {USER: PASSWORD, DOMAIN_USER: PASSWORD}
    path = ntlm_users(tmp_path_factory.mktemp("windows") / "users", users, ["WINSIM"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NTLM_USER_FILE", str(path))
        yield path


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def rig(tmp_path: Path, issuer: Issuer) -> Iterator[Rig]:
    made = Rig(tmp_path, issuer)
    yield made
    made.close()


def needs_credssp() -> None:
    pytest.importorskip("requests_credssp", reason="requests-credssp is missing (pip: pywinrm[credssp])")


# --- Kerberos ----------------------------------------------------------------------------------------

REALM = "LAB.TEST"
PRINCIPAL = f"alice@{REALM}"
_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass
class Kdc:
    """A real KDC of the realm ``REALM``, with a user and the host's key."""

    folder: Path
    environment: dict[str, str]

    @property
    def user_keytab(self) -> Path:
        return self.folder / "user.keytab"

    def admin(self, query: str) -> None:
        program = shutil.which("kadmin.local", path=_SBIN)
        assert program
        subprocess.run(
            [program, "-q", query], env={**os.environ, **self.environment}, check=True, capture_output=True
        )


@pytest.fixture(scope="session")
def kdc_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    pytest.importorskip(
        "kerberos", reason="pykerberos is missing (apt: libkrb5-dev gcc; pip: pywinrm[kerberos])"
    )
    pytest.importorskip("gssapi", reason="gssapi is missing (pip: pypsrp[kerberos])")
    for program, package in (
        ("krb5kdc", "krb5-kdc"),
        ("kadmin.local", "krb5-admin-server"),
        ("kinit", "krb5-user"),
    ):
        if shutil.which(program, path=_SBIN) is None:
            pytest.skip(f"{program} is missing (apt: {package})")
    folder = tmp_path_factory.mktemp("kdc")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        f" dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {REALM}\n"
    )
    (folder / "kdc.conf").write_text(
        f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
        f"[realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n"
        f"  acl_file = {folder}/acl\n }}\n[logging]\n kdc = FILE:{folder}/kdc.log\n"
    )
    kdc = Kdc(folder, {"KRB5_CONFIG": f"{folder}/krb5.conf", "KRB5_KDC_PROFILE": f"{folder}/kdc.conf"})
    environment = {**os.environ, **kdc.environment}
    for program in ("kdb5_util", "krb5kdc"):
        assert shutil.which(program, path=_SBIN)
    subprocess.run(
        [shutil.which("kdb5_util", path=_SBIN) or "", "create", "-s", "-r", REALM, "-P", "master"],
        env=environment,
        check=True,
        capture_output=True,
    )
    kdc.admin(f'addprinc +requires_preauth -pw "{PASSWORD}" alice')
    kdc.admin("addprinc -randkey HTTP/localhost")
    kdc.admin(f"ktadd -k {folder}/host.keytab HTTP/localhost")
    kdc.admin(f"ktadd -norandkey -k {kdc.user_keytab} alice")
    process = subprocess.Popen([shutil.which("krb5kdc", path=_SBIN) or "", "-n"], env=environment)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield kdc
    finally:
        process.terminate()
        process.wait(5)


@pytest.fixture
def kdc(kdc_files: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kdc:
    """The KDC, its realm this process's own, and no ticket yet."""
    for name, value in kdc_files.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KRB5_KTNAME", f"{kdc_files.folder}/host.keytab")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/tickets")
    return kdc_files


__all__ = ["Fault", "Kdc", "Rig", "issuer", "kdc", "kdc_files", "rig", "say", "windows_users"]
