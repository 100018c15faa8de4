"""Getting in: keys of each kind, certificates, the agent, passwords."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ssh_rig import Account, Keys, Said, Server, StartSshd, ask, make_key, run

from collector.connections.base import Deadline
from collector.connections.settings import SshSettings
from collector.connections.ssh import SshConnector
from collector.errors import ConnectionFailed, FailureKind, SecretError
from collector.target import Target


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_each_kind_logs_in(sshd: Server, keys: Keys, kind: str) -> None:
    connection = sshd.open(sshd.target(private_key_file=str(keys[kind])))
    assert ask(connection) == b"ok\n"
    fingerprint = run("ssh-keygen", "-l", "-f", keys[kind]).split()[1]
    assert fingerprint in connection.facts.auth_method
    assert connection.facts.auth_method.startswith("publickey ")
    connection.close()


@pytest.mark.parametrize("kind", ["locked", "locked-ecdsa", "locked-pem", "locked-pkcs8"])
def test_a_passphrase_opens_the_key(sshd: Server, keys: Keys, kind: str) -> None:
    sshd.client = ["IdentitiesOnly yes"]
    target = sshd.target(private_key_file=str(keys[kind]), private_key_passphrase=Said("open sesame"))
    connection = sshd.open(target)
    assert run("ssh-keygen", "-l", "-f", keys[kind]).split()[1] in connection.facts.auth_method


def only(server: Server, path: Path | str) -> Target:
    """Offer nothing but this key."""
    config = server.folder / "only"
    config.write_text(f"IdentityFile {path}\nUserKnownHostsFile {server.known_hosts}\nIdentityAgent none\n")
    return server.target(ssh_args=("-F", str(config)))


def test_without_its_passphrase_the_failure_names_the_key(sshd: Server, keys: Keys) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(only(sshd, keys["locked"]))
    assert caught.value.kind is FailureKind.AUTH
    assert f"{keys['locked']} is encrypted, and no passphrase was given" in caught.value.detail


def test_a_wrong_passphrase_is_told_and_not_shown(sshd: Server, keys: Keys) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(replace(only(sshd, keys["locked"]), private_key_passphrase=Said("swordfish")))
    assert "passphrase is wrong" in caught.value.detail
    assert "swordfish" not in str(caught.value)


def test_a_wrong_key_is_refused_with_its_fingerprint(sshd: Server, keys: Keys) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(only(sshd, keys["stranger"]))
    assert caught.value.kind is FailureKind.AUTH
    assert run("ssh-keygen", "-l", "-f", keys["stranger"]).split()[1] in caught.value.detail
    assert "authorized_keys" in caught.value.try_next


def test_a_missing_key_file_is_named(sshd: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(only(sshd, tmp_path / "nowhere"))
    assert f"{tmp_path / 'nowhere'} does not exist" in caught.value.detail


def test_a_damaged_key_file_is_named(sshd: Server, tmp_path: Path) -> None:
    (tmp_path / "torn").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(only(sshd, tmp_path / "torn"))
    assert f"{tmp_path / 'torn'} cannot be read as a private key" in caught.value.detail


def test_too_many_refused_keys_say_to_offer_fewer(sshd: Server, tmp_path: Path) -> None:
    wrong = [make_key(tmp_path / f"wrong{number}") for number in range(7)]
    sshd.client = [f"IdentityFile {path}" for path in wrong]
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open()
    assert caught.value.kind is FailureKind.AUTH
    assert "IdentitiesOnly" in caught.value.try_next


# --- Certificates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_user_certificate_logs_in(start_sshd: StartSshd, keys: Keys, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "certified", kind)
    run("ssh-keygen", "-q", "-s", keys["ca"], "-I", "somebody", "-n", os.environ.get("USER", "root"), key)
    server = start_sshd(f"TrustedUserCAKeys {keys['ca']}.pub", "AuthorizedPrincipalsFile none")
    server.client = [f"Host *\n  IdentityFile {key}"]
    connection = server.open()
    assert "cert-v01" in connection.facts.auth_method


def test_certificate_file_may_lie_elsewhere(start_sshd: StartSshd, keys: Keys, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    run("ssh-keygen", "-q", "-s", keys["ca"], "-I", "somebody", "-n", os.environ.get("USER", "root"), key)
    elsewhere = tmp_path / "elsewhere.pub"
    (tmp_path / "key-cert.pub").rename(elsewhere)
    server = start_sshd(f"TrustedUserCAKeys {keys['ca']}.pub")
    server.client = [f"CertificateFile {elsewhere}", f"IdentityFile {key}"]
    assert "cert-v01" in server.open().facts.auth_method


# --- The agent -------------------------------------------------------------------------------------------


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "agent.sock"
    started = run("ssh-agent", "-a", path)
    yield path
    os.kill(int(re.findall(r"SSH_AGENT_PID=(\d+)", started)[0]), signal.SIGTERM)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_agent_signs(sshd: Server, keys: Keys, agent: Path, kind: str) -> None:
    run("ssh-add", keys[kind], env={**os.environ, "SSH_AUTH_SOCK": str(agent)})
    config = sshd.folder / "with_agent"
    config.write_text(
        f"IdentityAgent {agent}\nIdentityFile /nonexistent\nUserKnownHostsFile {sshd.known_hosts}\n"
    )
    connection = sshd.open(sshd.target(ssh_args=("-F", str(config))))
    assert connection.facts.auth_method.endswith("from the agent")


def test_identities_only_keeps_the_agents_other_keys_back(sshd: Server, keys: Keys, agent: Path) -> None:
    run("ssh-add", keys["ed25519"], env={**os.environ, "SSH_AUTH_SOCK": str(agent)})
    config = sshd.folder / "with_agent"
    common = f"IdentityAgent {agent}\nIdentitiesOnly yes\nUserKnownHostsFile {sshd.known_hosts}\n"
    config.write_text(f"IdentityFile {keys['stranger']}\n" + common)
    with pytest.raises(ConnectionFailed) as caught:
        sshd.open(sshd.target(ssh_args=("-F", str(config))))
    assert "from the agent" not in caught.value.detail
    config.write_text(f"IdentityFile {keys['ed25519']}.pub\n" + common)
    assert sshd.open(sshd.target(ssh_args=("-F", str(config)))).facts.auth_method.endswith("from the agent")


def test_many_threads_share_one_agent(sshd: Server, keys: Keys, agent: Path) -> None:
    run("ssh-add", keys["ed25519"], env={**os.environ, "SSH_AUTH_SOCK": str(agent)})
    config = sshd.folder / "with_agent"
    config.write_text(
        f"IdentityAgent {agent}\nIdentityFile /nonexistent\nUserKnownHostsFile {sshd.known_hosts}\n"
    )
    sshd.known_hosts.write_text(sshd.known)
    connector = SshConnector(SshSettings(config_file=str(config)))

    def login(_: int) -> str:
        connection = connector.open(sshd.target(), deadline=Deadline.after(30))
        connection.close()
        return connection.facts.auth_method

    with ThreadPoolExecutor(8) as pool:
        assert all(method.endswith("from the agent") for method in pool.map(login, range(16)))
    connector.close()


# --- Passwords -------------------------------------------------------------------------------------------


def password_target(server: Server, account: Account, password: str) -> Target:
    server.client = ["PubkeyAuthentication no"]
    return server.target(user=account.name, password=Said(password))


@pytest.mark.root
def test_a_password_logs_in(start_sshd: StartSshd, account: Account) -> None:
    server = start_sshd("PasswordAuthentication yes")
    connection = server.open(password_target(server, account, account.password))
    assert connection.facts.auth_method == "password"
    assert ask(connection, "id -un") == account.name.encode() + b"\n"


@pytest.mark.root
def test_keyboard_interactive_answers_one_hidden_prompt(start_sshd: StartSshd, account: Account) -> None:
    server = start_sshd("UsePAM yes", "KbdInteractiveAuthentication yes")
    connection = server.open(password_target(server, account, account.password))
    assert connection.facts.auth_method == "keyboard-interactive"


@pytest.mark.root
def test_a_key_and_a_password_together(start_sshd: StartSshd, account: Account, keys: Keys) -> None:
    authorized = f"AuthorizedKeysCommand /bin/echo {keys.public('ed25519')}"
    server = start_sshd(
        "PasswordAuthentication yes",
        "AuthenticationMethods publickey,password",
        authorized,
        "AuthorizedKeysCommandUser root",
    )
    connection = server.open(server.target(user=account.name, password=Said(account.password)))
    assert re.fullmatch(r"publickey ssh-ed25519 SHA256:\S+ \+ password", connection.facts.auth_method)


@pytest.mark.root
def test_a_refused_password_is_offered_once_and_never_shown(start_sshd: StartSshd, account: Account) -> None:
    server = start_sshd("PasswordAuthentication yes", "LogLevel VERBOSE")
    with pytest.raises(ConnectionFailed) as caught:
        server.open(password_target(server, account, "swordfish"))
    assert caught.value.kind is FailureKind.AUTH
    assert "swordfish" not in repr(caught.value)
    log = (server.folder / "sshd.log").read_text()
    assert log.count("Failed password") == 1


def test_a_secret_that_cannot_be_had_is_an_authentication_failure(start_sshd: StartSshd) -> None:
    class Missing:
        def resolve(self) -> str:
            raise SecretError("env:WEB_PASSWORD is not set")

    server = start_sshd("PasswordAuthentication yes")
    server.client = ["PubkeyAuthentication no"]
    with pytest.raises(ConnectionFailed, match="env:WEB_PASSWORD is not set") as caught:
        server.open(server.target(password=Missing()))
    assert caught.value.kind is FailureKind.AUTH


def test_with_nothing_to_offer_that_is_what_is_told(sshd: Server) -> None:
    sshd.client = ["PubkeyAuthentication no"]
    with pytest.raises(ConnectionFailed, match="nothing to log in with") as caught:
        sshd.open()
    assert caught.value.kind is FailureKind.AUTH
