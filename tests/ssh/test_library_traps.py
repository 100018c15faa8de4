"""What Paramiko 5.1 and Fabric 3.2 do that we must not let them do to us."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fabric
import paramiko
import pytest
from ssh_rig import Keys, Server

from collector.connections import bootstrap
from collector.connections.base import Deadline
from collector.connections.keys import KeyProblem, KeyRing
from collector.connections.settings import SshSettings
from collector.connections.sockets import PreparedSocket
from collector.connections.ssh import SshConnector
from collector.connections.ssh_jumps import forwarded
from collector.connections.watchdog import Watchdog
from collector.errors import ConnectionFailed, FailureKind
from collector.target import HostKeyChecking, Target


def test_nagle_is_off() -> None:
    """Paramiko never sets TCP_NODELAY: 40 ms are lost twice per connection and once per command."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = socket.create_connection(listener.getsockname())
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        PreparedSocket(stream)
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        stream.close()


def test_what_is_read_ahead_is_not_lost() -> None:
    ours, theirs = socket.socketpair()
    prepared = PreparedSocket(ours)
    theirs.sendall(b"0123456789")
    assert [prepared.recv(3), prepared.recv(4), prepared.recv(100)] == [b"012", b"3456", b"789"]
    theirs.close()
    assert prepared.recv(5) == b""
    assert prepared.has_ended
    prepared.close()
    assert prepared._closed


def test_one_connection_does_not_write_into_the_configuration_of_all(sshd: Server) -> None:
    """Fabric turns attributes that a class does not name into entries of the shared ``Config``."""
    config = fabric.Config(ssh_config=paramiko.SSHConfig())
    assert config._modifications == {}
    fabric.Connection("host", config=config, inline_ssh_env=False)
    assert config._modifications, "the trap is there; if not, the subclass is no longer needed"
    sshd.open().close()
    assert sshd.connectors[0]._fabric._modifications == {}


def test_nothing_of_a_channel_goes_out_behind_its_end(sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paramiko lets data overtake the end of their channel; sshd then hangs up on every host behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        jump = sshd.open()._login
        first, second = forwarded(jump, host, port, 5), forwarded(jump, host, port, 5)
        (one, _), (other, _) = listener.accept(), listener.accept()
        under_way, overtaken = threading.Event(), threading.Event()
        send = jump.transport._send_user_message  # type: ignore[attr-defined]

        def late(message: paramiko.Message) -> None:
            if b"too late" in message.asbytes():
                under_way.set()
                assert overtaken.wait(10)
            send(message)

        monkeypatch.setattr(jump.transport, "_send_user_message", late)
        sender = threading.Thread(target=first.send, args=(b"too late",))
        sender.start()
        assert under_way.wait(10)
        first.close()
        time.sleep(0.3)  # for sshd to free the channel
        overtaken.set()
        sender.join()
        second.sendall(b"well")
        assert other.recv(10) == b"well"
        third = forwarded(jump, host, port, 5)
        third.sendall(b"and well again")
        assert listener.accept()[0].recv(20) == b"and well again", "it has the number of the first"
        assert jump.is_alive
        one.close()
        other.close()


def test_a_server_that_never_consents_to_the_command(stubborn_server: int) -> None:
    """``exec_command`` waits for the answer without any timeout."""
    target = Target(
        "host", "127.0.0.1", port=stubborn_server, user="x", host_key_checking=HostKeyChecking.OFF
    )
    connector = SshConnector(SshSettings(config_file="none", use_agent=False))
    target_with_password = Target(
        **{name: getattr(target, name) for name in ("name", "address", "port", "user", "host_key_checking")},
        password=_Said(),
    )
    connection = connector.open(target_with_password, deadline=Deadline.after(10))
    started = time.monotonic()
    with pytest.raises(ConnectionFailed) as caught:
        connection.run(b"echo", lambda data: None, deadline=Deadline.after(0.7), max_bytes=10)
    assert caught.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 3
    connection.close()
    connector.close()


class _Said:
    def resolve(self) -> str:
        return "anything"


@pytest.fixture
def stubborn_server(keys: Keys) -> Iterator[int]:
    """Takes any login and any channel, and never says yes or no to a command."""
    done = threading.Event()

    class Stubborn(paramiko.ServerInterface):
        def get_allowed_auths(self, username: str) -> str:
            return "password"

        def check_auth_password(self, username: str, password: str) -> int:
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind: str, chanid: int) -> int:
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
            done.wait(20)
            return False

    def serve() -> None:
        connection, _ = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(keys["host"])))
        transport.start_server(server=Stubborn())
        done.wait(20)
        transport.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        done.set()
        thread.join(5)


@pytest.mark.parametrize("kind", ["locked", "locked-ecdsa", "locked-pem", "locked-pkcs8"])
def test_key_files_of_every_format_are_read(keys: Keys, kind: str) -> None:
    """``PKey.from_path`` wants the passphrase as bytes and as text at once, and knows no PKCS#8."""
    path = str(keys[kind])
    with pytest.raises(KeyProblem, match="is encrypted, and no passphrase was given"):
        KeyRing().private_key(path, None)
    with pytest.raises(KeyProblem, match="passphrase is wrong"):
        KeyRing().private_key(path, "swordfish")
    identity = KeyRing().private_key(path, "open sesame")
    assert identity is not None
    assert identity.blob == KeyRing().public_key(path)


def test_a_passphrase_for_a_key_that_has_none_is_ignored(keys: Keys) -> None:
    assert KeyRing().private_key(str(keys["ed25519"]), "unneeded") is not None


def test_a_key_of_an_unknown_kind(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import x25519

    key = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "odd").write_bytes(key)
    with pytest.raises(KeyProblem, match="not supported"):
        KeyRing().private_key(str(tmp_path / "odd"), None)


def test_the_watchdog_bites_once_and_only_whom_it_must() -> None:
    bitten: list[str] = []
    watchdog = Watchdog()
    with watchdog.guard(Deadline.after(0.05), lambda: bitten.append("early")):
        with watchdog.guard(Deadline.after(60), lambda: bitten.append("late")):
            time.sleep(0.3)
        with watchdog.guard(Deadline.after(0.02), lambda: bitten.append("later")):
            time.sleep(0.2)
    with watchdog.guard(Deadline.after(0.05), lambda: bitten.append("left")):
        pass
    time.sleep(0.1)
    watchdog.close()
    assert bitten == ["early", "later"]


def test_what_cannot_be_quoted_for_every_shell_is_refused() -> None:
    for word in ("it's", "back\\slash", "bang!", "two\nlines"):
        with pytest.raises(ValueError, match="cannot be quoted"):
            bootstrap.quoted(["sh", word])
    assert "'" not in "".join(bootstrap.sudo_command("root", with_password=True))
