"""Whether the host is the one that it should be, against a real sshd."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from ssh_rig import Keys, Server, StartSshd, ask, run

from collector.connections.known_hosts import KnownHosts
from collector.errors import ConnectionFailed, FailureKind
from collector.target import HostKeyChecking


def fingerprint(path: Path) -> str:
    return run("ssh-keygen", "-l", "-f", path).split()[1]


def test_a_known_key_is_told_as_openssh_tells_it(sshd: Server, keys: Keys) -> None:
    facts = sshd.open().facts
    assert facts.host_key == f"ssh-ed25519 {fingerprint(keys['host'])}"
    assert facts.host_key_checking is HostKeyChecking.STRICT
    assert facts.notes == ()


def test_an_unknown_key_is_refused_with_its_fingerprint(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd(known="")
    with pytest.raises(ConnectionFailed) as caught:
        server.open()
    assert caught.value.kind is FailureKind.HOST_KEY
    assert fingerprint(keys["host"]) in caught.value.detail
    assert "not known" in caught.value.detail
    assert "accept-new" in caught.value.try_next
    assert server.known_hosts.read_text() == ""


def test_a_changed_key_shows_both_fingerprints_and_where_the_old_one_is(
    start_sshd: StartSshd, keys: Keys
) -> None:
    server = start_sshd()
    server.known_hosts.write_text(f"# moved in May\n{server.name} {keys.public('other-host')}\n")
    with pytest.raises(ConnectionFailed) as caught:
        server.open()
    assert caught.value.kind is FailureKind.HOST_KEY
    assert fingerprint(keys["host"]) in caught.value.detail
    assert fingerprint(keys["other-host"]) in caught.value.detail
    assert f"{server.known_hosts}:2" in caught.value.detail
    assert "ssh-keygen -R" in caught.value.try_next


def test_a_changed_key_is_refused_under_accept_new_too(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd()
    server.known_hosts.write_text(f"{server.name} {keys.public('other-host')}\n")
    with pytest.raises(ConnectionFailed, match="has changed"):
        server.open(server.target(host_key_checking=HostKeyChecking.ACCEPT_NEW))


@pytest.mark.parametrize("hashed", ["yes", "no"])
def test_accept_new_keeps_the_key_as_openssh_would(start_sshd: StartSshd, keys: Keys, hashed: str) -> None:
    server = start_sshd(known="other.example ssh-ed25519 AAAA")  # a last line without its end
    server.client = [f"HashKnownHosts {hashed}"]
    server.known_hosts.write_text(server.known)
    facts = server.open(server.target(host_key_checking=HostKeyChecking.ACCEPT_NEW)).facts
    assert re.search(r"accepted the new host key .* and added it to", facts.notes[0])
    found = run("ssh-keygen", "-F", server.name, "-f", server.known_hosts)
    assert keys.public("host").split()[1] in found
    assert (server.name in server.known_hosts.read_text()) == (hashed == "no")
    server.open()  # strictly, from the file


def test_off_is_loud(start_sshd: StartSshd) -> None:
    server = start_sshd(known="")
    facts = server.open(server.target(host_key_checking=HostKeyChecking.OFF)).facts
    assert facts.host_key_checking is HostKeyChecking.OFF
    assert "NOT CHECKED" in facts.notes[0]


def test_a_config_line_alone_does_not_turn_checking_off(start_sshd: StartSshd) -> None:
    server = start_sshd(known="")
    server.client = ["StrictHostKeyChecking no"]
    with pytest.raises(ConnectionFailed, match="not known"):
        server.open()
    server.client = []
    argument = server.target(ssh_args=("-o", "StrictHostKeyChecking=no"))
    assert server.open(argument).facts.host_key_checking is HostKeyChecking.OFF


def test_hashed_names_are_found(sshd: Server) -> None:
    sshd.known_hosts.write_text(sshd.known)
    run("ssh-keygen", "-H", "-f", sshd.known_hosts)
    assert sshd.address not in sshd.known_hosts.read_text()
    assert ask(sshd.open()) == b"ok\n"


def test_a_key_known_without_the_port_is_good(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd()
    server.known_hosts.write_text(f"{server.address} {keys.public('host')}\n")
    assert ask(server.open()) == b"ok\n"


def test_a_wildcard_with_an_exception(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd()
    server.known_hosts.write_text(f"[127.*]:* {keys.public('host')}\n")
    assert ask(server.open()) == b"ok\n"
    server.known_hosts.write_text(f"[127.*]:*,!{server.name} {keys.public('host')}\n")
    with pytest.raises(ConnectionFailed, match="not known"):
        server.open()


def test_host_key_alias_is_the_name_that_is_looked_up(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd(known=f"web-eu-1 {keys.public('host')}\n")
    server.client = ["HostKeyAlias web-eu-1"]
    assert ask(server.open()) == b"ok\n"


def test_a_revoked_key_is_refused_even_where_it_is_known(start_sshd: StartSshd, keys: Keys) -> None:
    server = start_sshd()
    server.known_hosts.write_text(f"{server.name} {keys.public('host')}\n@revoked * {keys.public('host')}\n")
    with pytest.raises(ConnectionFailed, match="revoked") as caught:
        server.open(server.target(host_key_checking=HostKeyChecking.ACCEPT_NEW))
    assert f"{server.known_hosts}:2" in caught.value.detail


@pytest.mark.parametrize("known", ["host-ecdsa", "host-rsa"])
def test_the_kind_of_key_that_is_known_is_asked_for(start_sshd: StartSshd, keys: Keys, known: str) -> None:
    """A server with three host keys, of which we know one that neither side likes best."""
    server = start_sshd(host_keys=("host", "host-ecdsa", "host-rsa"))
    server.known_hosts.write_text(f"{server.name} {keys.public(known)}\n")
    assert fingerprint(keys[known]) in server.open().facts.host_key


# --- Certificates of hosts -------------------------------------------------------------------------------


def certified(start_sshd: StartSshd, keys: Keys, tmp_path: Path, *options: str, kind: str = "host") -> Server:
    """A server that shows a certificate, and a client that trusts its authority and no key."""
    public = tmp_path / "host-key.pub"
    public.write_text(keys.public(kind))
    run("ssh-keygen", "-q", "-s", keys["ca"], "-I", "a host", "-h", *options, public)
    server = start_sshd(f"HostCertificate {tmp_path / 'host-key-cert.pub'}", host_keys=(kind,))
    server.known_hosts.write_text(f"@cert-authority * {keys.public('ca')}\n")
    return server


@pytest.mark.parametrize("kind", ["host", "host-ecdsa", "host-rsa"])
def test_a_certificate_of_a_trusted_authority_is_enough(
    start_sshd: StartSshd, keys: Keys, tmp_path: Path, kind: str
) -> None:
    server = certified(start_sshd, keys, tmp_path, "-n", "127.*", kind=kind)
    facts = server.open().facts
    assert facts.host_key.endswith("(certified)")
    assert fingerprint(keys[kind]) in facts.host_key


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-n", "db.example.com"), "is for db.example.com"),
        (("-V", "20200101:20200201"), "expired on 2020-0"),
        (("-V", "20990101:20990201"), "not valid before"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused(
    start_sshd: StartSshd, keys: Keys, tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    server = certified(start_sshd, keys, tmp_path, *options)
    with pytest.raises(ConnectionFailed, match=why) as caught:
        server.open(server.target(host_key_checking=HostKeyChecking.ACCEPT_NEW))
    assert caught.value.kind is FailureKind.HOST_KEY


def test_a_users_certificate_is_no_hosts(start_sshd: StartSshd, keys: Keys, tmp_path: Path) -> None:
    from paramiko.pkey import PublicBlob

    from collector.connections.host_certificate import certificate_problem

    public = tmp_path / "user.pub"
    public.write_text(keys.public("ed25519"))
    run("ssh-keygen", "-q", "-s", keys["ca"], "-I", "a user", "-n", "somebody", public)
    blob = PublicBlob.from_file(str(tmp_path / "user-cert.pub"))
    authority = PublicBlob.from_string(keys.public("ca")).key_blob
    problem = certificate_problem(blob.key_type, blob.key_blob, "somebody", [authority])
    assert problem == "it is a user's certificate, not a host's"


def test_a_forged_certificate_is_seen(keys: Keys, tmp_path: Path) -> None:
    from paramiko.pkey import PublicBlob

    from collector.connections.host_certificate import certificate_problem

    public = tmp_path / "host.pub"
    public.write_text(keys.public("host"))
    run("ssh-keygen", "-q", "-s", keys["ca"], "-I", "one", "-h", "-n", "one.example", public)
    blob = PublicBlob.from_file(str(tmp_path / "host-cert.pub"))
    authority = PublicBlob.from_string(keys.public("ca")).key_blob
    forged = blob.key_blob.replace(b"one.example", b"two.example")
    assert certificate_problem(blob.key_type, blob.key_blob, "one.example", [authority]) is None
    assert "false" in str(certificate_problem(blob.key_type, forged, "two.example", [authority]))
    assert "authority" in str(certificate_problem(blob.key_type, blob.key_blob, "one.example", []))
    assert "cannot be read" in str(certificate_problem(blob.key_type, b"\0\0", "one.example", [authority]))


def test_a_certificate_of_an_unknown_authority_falls_back_to_the_plain_key(
    start_sshd: StartSshd, keys: Keys, tmp_path: Path
) -> None:
    server = certified(start_sshd, keys, tmp_path)
    server.known_hosts.write_text(
        f"@cert-authority * {keys.public('stranger')}\n{server.name} {keys.public('host')}\n"
    )
    assert ask(server.open()) == b"ok\n"


def test_a_key_accepted_as_new_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "known_hosts"
    known = KnownHosts([str(path)])
    for _ in range(3):
        known.add("Web.example", "ssh-ed25519", b"key", path=str(path), hashed=False)
    assert path.read_text().count("ssh-ed25519") == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [replace(key, line=0) for key in KnownHosts([str(path)]).lookup("web.EXAMPLE")] == list(
        known.lookup("web.example")
    )
