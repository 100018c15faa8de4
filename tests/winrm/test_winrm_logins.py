"""Every way of logging in, by real NTLM, Kerberos, CredSSP, TLS, against what a host may demand."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from datetime import timedelta
from typing import Any

import pytest
from winrm_rig import DOMAIN_USER, HTTP, PASSWORD, PRINCIPAL, USER, Kdc, Rig, needs_credssp, say

from collector.connections.base import Deadline
from collector.errors import ConnectionFailed, FailureKind, SecretError, UsageError
from collector.secrets import Literal
from collector.sweep import SweepSettings, sweep
from collector.target import Become


def transport(name: str, **more: str) -> dict[str, str]:
    return {"ansible_winrm_transport": name, **more}


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("name", ["negotiate", "ntlm", "credssp", "basic", "certificate"])
def test_login(rig: Rig, name: str, tls: bool) -> None:
    if name == "credssp":
        needs_credssp()
    client = rig.issuer.client(USER)
    host = rig.host(tls=tls, client_authority=rig.issuer.file, client_certificates={client: USER})
    options = transport(name)
    if name == "certificate":
        options |= {"ansible_winrm_cert_pem": str(client), "ansible_winrm_cert_key_pem": str(client)}
    target = rig.target(host, options)
    if not tls and name in ("basic", "certificate"):
        with pytest.raises(ConnectionFailed, match="over HTTP is refused") as failed:
            rig.open(target)
        assert failed.value.kind is FailureKind.AUTH
        assert host.logins == host.rejected == 0
        return
    connection = rig.open(target)
    result, output = say(connection, b"Get-Date")
    facts = connection.facts
    connection.close()
    assert (result.exit_code, output) == (0, b"ran: Get-Date")
    assert host.logins == 1
    assert not host.shells.open
    assert facts.auth_method.endswith("over HTTPS" if tls else "over HTTP, messages encrypted")
    assert facts.host_key.startswith("x509 SHA256:") == tls
    assert facts.server == "Microsoft-HTTPAPI/2.0"


@pytest.mark.parametrize("name", ["ntlm", "credssp"])
def test_messages_may_be_sealed_within_tls_too(rig: Rig, name: str) -> None:
    if name == "credssp":
        needs_credssp()
    host = rig.host(tls=True)
    connection = rig.open(rig.target(host, transport(name, ansible_winrm_message_encryption="always")))
    assert say(connection)[1] == b"ran: Get-Date"
    assert "messages encrypted" in connection.facts.auth_method
    connection.close()


@pytest.mark.parametrize("name", ["ntlm", "credssp", "basic"])
def test_a_wrong_password_is_shown_once(rig: Rig, name: str) -> None:
    if name == "credssp":
        needs_credssp()
    host = rig.host(tls=True)
    with pytest.raises(ConnectionFailed, match="rejected") as failed:
        rig.open(rig.target(host, transport(name), password=Literal("wrong-secret")))
    assert failed.value.kind is FailureKind.AUTH
    assert host.rejected == (name != "credssp")  # which is refused within its own messages
    assert (host.connections, host.logins) == (1, 0)
    assert "wrong-secret" not in f"{failed.value}{failed.value!r}"


def test_a_wrong_password_does_not_lock_a_domain_account(rig: Rig) -> None:
    hosts = [rig.host() for _ in range(12)]
    targets = [rig.target(h, HTTP, user=DOMAIN_USER, password=Literal("wrong")) for h in hosts]
    outcomes = list(sweep(targets, SweepSettings(forks=6), lambda *_: None))
    assert {o.failure.kind for o in outcomes if o.failure} == {FailureKind.AUTH}
    assert sum("was not shown the password" in str(o.failure) for o in outcomes) == 10
    assert sum(host.rejected for host in hosts) == 2


def test_a_domain_account_that_one_host_takes_is_tried_everywhere(rig: Rig) -> None:
    hosts = [rig.host() for _ in range(6)]
    targets = [rig.target(host, HTTP, user=DOMAIN_USER) for host in hosts]
    outcomes = list(sweep(targets, SweepSettings(forks=6), lambda connection, *_: say(connection)[1]))
    assert [o.value for o in outcomes] == [b"ran: Get-Date"] * 6


def test_a_local_account_is_each_host_s_own(rig: Rig) -> None:
    hosts = [rig.host() for _ in range(4)]
    targets = [rig.target(host, HTTP, password=Literal("wrong")) for host in hosts]
    assert all(o.failure for o in sweep(targets, SweepSettings(forks=2), lambda *_: None))
    assert [host.rejected for host in hosts] == [1] * 4


# --- Kerberos ----------------------------------------------------------------------------------------


def kerberos_target(rig: Rig, host: Any, *, tls: bool, **more: Any) -> Any:
    options = transport("kerberos", **more.pop("options", {}))
    given = {"address": "localhost", "user": PRINCIPAL, **more}
    return rig.target(host, options, **given)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("way", ["password", "keytab", "ticket"])
def test_kerberos(rig: Rig, kdc: Kdc, way: str, tls: bool) -> None:
    host = rig.host(tls=tls)
    before = os.environ["KRB5CCNAME"]
    options = {"ansible_winrm_keytab": str(kdc.user_keytab)} if way == "keytab" else {}
    password = Literal(PASSWORD) if way == "password" else None
    if way == "ticket":
        subprocess.run(["kinit", "-k", "-t", kdc.user_keytab, PRINCIPAL], check=True)
    connection = rig.open(kerberos_target(rig, host, tls=tls, options=options, password=password))
    assert say(connection)[1] == b"ran: Get-Date"
    assert connection.facts.auth_method.startswith("kerberos over")
    connection.close()
    collection = os.environ["KRB5CCNAME"]
    rig.connectors[0].close()
    assert os.environ["KRB5CCNAME"] == before
    if way != "ticket":
        assert collection.startswith("DIR:")
        assert not os.path.exists(collection.removeprefix("DIR:")), "the tickets outlive the run"  # noqa: PTH110


def test_kerberos_says_what_is_wrong(rig: Rig, kdc: Kdc) -> None:
    host = rig.host()
    cases = [
        ({"password": Literal("wrong")}, "no Kerberos ticket"),
        ({"password": None}, "there is no valid ticket"),
        ({"user": f"nobody@{PRINCIPAL.partition('@')[2]}", "password": Literal("x")}, "no Kerberos ticket"),
        (
            {
                "password": Literal(PASSWORD),
                "options": {"ansible_winrm_kerberos_hostname_override": "other.lab.test"},
            },
            "the KDC does not know the host's SPN",
        ),
    ]
    for changes, words in cases:
        with pytest.raises(ConnectionFailed, match=words) as failed:
            rig.open(kerberos_target(rig, host, tls=False, **changes))
        assert failed.value.kind is FailureKind.AUTH
        rig.connectors[-1].close()


def test_two_principals_in_one_run(rig: Rig, kdc: Kdc) -> None:
    kdc.admin('addprinc -pw "other secret" carol')
    host = rig.host()
    connector = rig.connector()
    for user, password in (("alice", PASSWORD), ("carol", "other secret"), ("alice", PASSWORD)):
        target = kerberos_target(rig, host, tls=False, user=f"{user}@LAB.TEST", password=Literal(password))
        connection = connector.open(target, deadline=Deadline.after(15))
        owners = {shell.owner for shell in host.shells.open.values()}
        connection.close()
        assert owners == {f"{user}@LAB.TEST"}


# --- TLS ---------------------------------------------------------------------------------------------


def test_channel_binding_is_on(rig: Rig) -> None:
    host = rig.host(tls=True, require_channel_binding=True)
    connection = rig.open(rig.target(host))
    assert say(connection)[1] == b"ran: Get-Date"
    connection.close()
    with pytest.raises(ConnectionFailed) as failed:
        rig.open(rig.target(host, {"ansible_winrm_send_cbt": "false"}))
    assert failed.value.kind is FailureKind.AUTH


@pytest.mark.parametrize(
    ("names", "valid", "words"),
    [
        (["127.0.0.1"], timedelta(days=-3), "has expired"),
        (["other.example"], timedelta(days=3), "for another name"),
    ],
)
def test_bad_certificates(rig: Rig, names: list[str], valid: timedelta, words: str) -> None:
    host = rig.host(certificate=rig.issuer.server(*names, valid=valid))
    with pytest.raises(ConnectionFailed, match=words) as failed:
        rig.open(rig.target(host))
    assert failed.value.kind is FailureKind.TLS
    assert host.logins == host.rejected == 0


def test_an_unknown_authority_is_refused_unless_told_otherwise(rig: Rig) -> None:
    host = rig.host(tls=True)
    with pytest.raises(ConnectionFailed, match="signed by nobody we trust") as failed:
        rig.open(rig.target(host, {"ansible_winrm_ca_trust_path": ""}))
    assert failed.value.kind is FailureKind.TLS
    connection = rig.open(
        rig.target(
            host,
            {"ansible_winrm_ca_trust_path": "", "ansible_winrm_server_cert_validation": "ignore"},
        )
    )
    assert "the host's certificate was not checked" in connection.facts.notes
    connection.close()


def test_tls_where_there_is_none(rig: Rig) -> None:
    host = rig.host()
    with pytest.raises(ConnectionFailed, match="does not speak TLS") as failed:
        rig.open(rig.target(host, {"ansible_winrm_scheme": "https"}))
    assert failed.value.kind is FailureKind.TLS


def test_ipv6_literal(rig: Rig) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("IPv6 is missing on the loopback of this machine")
    for tls in (False, True):
        host = rig.host(tls=tls, address="::1")
        connection = rig.open(rig.target(host))
        assert say(connection)[1] == b"ran: Get-Date"
        connection.close()
        assert not host.shells.open


# --- What this machine's environment has no say in ---------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*environment defined proxy:DeprecationWarning")
def test_proxies_of_the_environment_are_used_only_if_asked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"http://127.0.0.1:{server.getsockname()[1]}"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    host = rig.host(tls=True)
    rig.open(rig.target(host)).close()
    for target, settings in (
        (rig.target(host), {"proxy_from_environment": True}),
        (rig.target(host, {"ansible_psrp_ignore_proxy": "false"}), {}),
        (rig.target(host, {"ansible_winrm_proxy": nowhere}), {}),
    ):
        with pytest.raises(ConnectionFailed) as failed:
            rig.open(target, **settings)
        assert failed.value.kind is FailureKind.UNREACHABLE
        assert "proxy" in failed.value.detail


def test_a_proxy_that_is_asked_for(rig: Rig) -> None:
    """CONNECT, as for every HTTPS proxy; TLS, channel binding and login go through it untouched."""
    asked: list[bytes] = []

    def serve(client: socket.socket) -> None:
        with client:
            head = client.recv(65536)
            asked.append(head.split(b"\r\n")[0])
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as other:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(other, client), daemon=True)
                back.start()
                pump(client, other)
                back.join(5)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(proxy.accept()[0],), daemon=True).start()

    host = rig.host(tls=True, require_channel_binding=True)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        connection = rig.open(rig.target(host, {"ansible_winrm_proxy": url}))
        assert say(connection)[1] == b"ran: Get-Date"
        connection.close()
    assert [line.rpartition(b" ")[0] for line in asked] == [b"CONNECT 127.0.0.1:%d" % host.port]
    assert not host.shells.open


def test_netrc_has_no_say(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = rig.folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client = rig.issuer.client(USER)
    host = rig.host(tls=True, client_authority=rig.issuer.file, client_certificates={client: USER})
    rig.open(
        rig.target(
            host, transport("certificate", ansible_winrm_cert_pem=str(client)), user=None, password=None
        )
    ).close()
    assert host.rejected == 0


# --- What is asked for, and cannot be ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ansible_winrm_transport": "telepathy"}, "'telepathy' cannot be used; there are negotiate"),
        ({"ansible_winrm_server_cert_validation": "maybe"}, "'maybe' cannot be used"),
        ({"ansible_winrm_operation_timeout_sec": "soon"}, "'soon' cannot be used"),
        ({"ansible_winrm_scheme": "gopher"}, "ansible_winrm_scheme: 'gopher'"),
        ({"ansible_winrm_transport": "certificate"}, "needs ansible_winrm_cert_pem"),
    ],
)
def test_bad_options(rig: Rig, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rig.open(rig.target(rig.host(tls=True), options))


def test_a_login_needs_a_user_and_a_password(rig: Rig) -> None:
    host = rig.host()
    for changes, words in (
        ({"user": None}, "no user is given"),
        ({"password": None}, "no password is given"),
    ):
        with pytest.raises(ConnectionFailed, match=words):
            rig.open(rig.target(host, **changes))


def test_a_password_that_cannot_be_had_is_this_host_s_failure_alone(rig: Rig) -> None:
    class Lost:
        def resolve(self) -> str:
            raise SecretError("vault: sealed")

    with pytest.raises(ConnectionFailed, match="vault: sealed") as failed:
        rig.open(rig.target(rig.host(), password=Lost()))
    assert failed.value.kind is FailureKind.AUTH


def test_what_means_nothing_here_is_said(rig: Rig) -> None:
    host = rig.host()
    target = rig.target(
        host, {**HTTP, "ansible_psrp_configuration_name": "Microsoft.PowerShell"}, become=Become("runas")
    )
    connection = rig.open(target)
    assert "ansible_psrp_configuration_name is not used" in connection.facts.notes
    assert any("become is not used" in note for note in connection.facts.notes)
    connection.close()


def test_psrp_names_mean_the_same(rig: Rig) -> None:
    host = rig.host(tls=True)
    names = {"ansible_psrp_auth": "basic", "ansible_psrp_protocol": "https", "ansible_psrp_path": "wsman"}
    connection = rig.open(rig.target(host, names))
    assert connection.facts.auth_method == "basic over HTTPS"
    connection.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing (apt: curl)")
def test_identify_by_curl(rig: Rig) -> None:
    host = rig.host()
    said = subprocess.run(
        ["curl", "-sS", "-H", "WSMANIDENTIFY: unauthenticated", "--data", "<x/>", host.url],
        capture_output=True,
        check=True,
        env={**os.environ, "no_proxy": "*"},
    ).stdout
    assert b"Microsoft Corporation" in said
