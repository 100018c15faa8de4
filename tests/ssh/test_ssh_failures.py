"""Every way not to get in ends, in time, in one of the closed set of failures."""

from __future__ import annotations

import contextlib
import errno
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator

import paramiko
import pytest
from ssh_rig import Server, StartSshd

from collector.connections.base import Deadline
from collector.connections.failures import from_exception, not_connected
from collector.connections.settings import SshSettings
from collector.connections.ssh import SshConnector
from collector.errors import ConnectionFailed, FailureKind
from collector.target import Become, Target


@pytest.fixture
def listener() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """A server of one's own making: does as told with each connection, in a thread."""
    listeners: list[socket.socket] = []

    def serve(behave: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        listeners.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=misbehave, args=(connection,), daemon=True).start()

        def misbehave(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                behave(connection)

        threading.Thread(target=accept, daemon=True).start()
        return int(server.getsockname()[1])

    yield serve
    for server in listeners:
        server.close()


def failure(
    port: int, address: str = "127.0.0.1", seconds: float = 10.0, **settings: object
) -> ConnectionFailed:
    connector = SshConnector(SshSettings(config_file="none", **settings))  # type: ignore[arg-type]
    with pytest.raises(ConnectionFailed) as caught:
        connector.open(Target("host", address, port=port, user="x"), deadline=Deadline.after(seconds))
    connector.close()
    assert caught.value.detail
    assert caught.value.try_next
    return caught.value


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    told = failure(port)
    assert told.kind is FailureKind.REFUSED
    assert f"127.0.0.1 port {port}" in told.detail


def test_a_host_that_drops_packets_times_out(deaf_port: int) -> None:
    started = time.monotonic()
    told = failure(deaf_port, connect_timeout_s=0.5)
    assert told.kind is FailureKind.TIMEOUT
    assert "within 0.5 s" in told.detail
    assert time.monotonic() - started < 3


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: the kernel drops further SYNs, as a firewall would."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        waiting.append(sock)
    time.sleep(0.05)
    yield int(server.getsockname()[1])
    for sock in (*waiting, server):
        sock.close()


def test_an_address_without_a_route() -> None:
    assert failure(22, "255.255.255.255").kind is FailureKind.UNREACHABLE


def test_a_name_that_is_none() -> None:
    told = failure(22, "bad..name")
    assert told.kind is FailureKind.UNREACHABLE
    assert "bad..name has no address" in told.detail


def test_a_server_that_accepts_and_never_answers(listener: Callable[..., int]) -> None:
    port = listener(lambda connection: threading.Event().wait(30))
    started = time.monotonic()
    told = failure(port, banner_timeout_s=0.5)
    assert told.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 3


def test_a_server_that_stops_after_its_banner(listener: Callable[..., int]) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        threading.Event().wait(30)

    started = time.monotonic()
    assert failure(listener(behave), banner_timeout_s=0.5).kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 3


def test_a_banner_that_drips(listener: Callable[..., int]) -> None:
    """Each byte restarts Paramiko's own clock; ours goes on."""

    def behave(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    told = failure(listener(behave), banner_timeout_s=0.5, auth_timeout_s=0.5)
    assert told.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 4


def test_a_banner_without_end(listener: Callable[..., int]) -> None:
    def behave(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 4096)

    started = time.monotonic()
    told = failure(listener(behave), banner_timeout_s=5, auth_timeout_s=5)
    assert told.kind in {FailureKind.PROTOCOL, FailureKind.QUOTA}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 101, b"220 mail ESMTP\r\n" * 101])
def test_something_else_than_sshd(listener: Callable[..., int], answer: bytes) -> None:
    told = failure(listener(lambda connection: connection.sendall(answer)))
    assert told.kind is FailureKind.PROTOCOL
    assert "does not speak SSH" in told.detail


def test_an_old_protocol(listener: Callable[..., int]) -> None:
    told = failure(listener(lambda connection: connection.sendall(b"SSH-1.5-old\r\n") or time.sleep(1)))
    assert told.kind is FailureKind.PROTOCOL


def test_a_server_that_hangs_up_at_once(listener: Callable[..., int]) -> None:
    told = failure(listener(lambda connection: None))
    assert told.kind is FailureKind.QUOTA
    assert "MaxStartups" in told.try_next


def test_binary_garbage(listener: Callable[..., int]) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-x\r\n" + bytes(range(256)) * 40)
        time.sleep(2)

    told = failure(listener(behave))
    assert told.kind is FailureKind.PROTOCOL
    assert told.detail.isprintable()


def test_a_late_banner_is_waited_for(sshd: Server) -> None:
    """A server whose first word takes a while: a slow name server, an overloaded host."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def forward() -> None:
        near, _ = listening.accept()
        time.sleep(1)
        far = socket.create_connection((sshd.address, sshd.port))

        def pump(source: socket.socket, sink: socket.socket) -> None:
            while data := source.recv(65536):
                sink.sendall(data)

        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        pump(far, near)

    threading.Thread(target=forward, daemon=True).start()
    sshd.known_hosts.write_text(sshd.known.replace(sshd.name, f"[127.0.0.1]:{port}"))
    connection = sshd.open(sshd.target(address="127.0.0.1", port=port))
    assert connection.facts.server.startswith("SSH-2.0-OpenSSH")
    connection.close()
    listening.close()


def test_the_deadline_of_the_host_holds_for_the_login_too(listener: Callable[..., int]) -> None:
    port = listener(lambda connection: threading.Event().wait(30))
    started = time.monotonic()
    assert failure(port, seconds=0.5).kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 3


def test_no_algorithm_in_common(start_sshd: StartSshd) -> None:
    server = start_sshd("Ciphers chacha20-poly1305@openssh.com")
    with pytest.raises(ConnectionFailed, match="no algorithm in common") as caught:
        server.open()
    assert caught.value.kind is FailureKind.PROTOCOL


def test_a_become_method_that_is_not_supported(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="'su' is not supported") as caught:
        sshd.open(sshd.target(become=Become(method="su")))
    assert caught.value.kind is FailureKind.PRIVILEGE


def test_nothing_is_printed_between_our_own_lines(
    listener: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    """Paramiko logs tracebacks, which Python prints where nobody has set up logging."""
    failure(listener(lambda connection: connection.sendall(b"nonsense\r\n" * 200)))
    assert capfd.readouterr().err == ""


def test_no_thread_is_left_behind(listener: Callable[..., int]) -> None:
    before = {thread.name for thread in threading.enumerate()}
    failure(listener(lambda connection: connection.sendall(b"SSH-2.0-x\r\nnonsense")))
    give_up = time.monotonic() + 3
    while time.monotonic() < give_up:
        left = [
            t for t in threading.enumerate() if isinstance(t, paramiko.Transport) and t.name not in before
        ]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {left}")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EOFError(), FailureKind.PROTOCOL),
        (paramiko.SSHException("No existing session"), FailureKind.PROTOCOL),
        (paramiko.SSHException("Error reading SSH protocol banner"), FailureKind.QUOTA),
        (paramiko.SSHException("Timeout opening channel."), FailureKind.TIMEOUT),
        (paramiko.AuthenticationException("Authentication timeout."), FailureKind.TIMEOUT),
        (paramiko.AuthenticationException("Authentication failed."), FailureKind.AUTH),
        (paramiko.ChannelException(1, "Administratively prohibited"), FailureKind.QUOTA),
        (paramiko.ChannelException(4, "Resource shortage"), FailureKind.QUOTA),
        (paramiko.ssh_exception.IncompatiblePeer("no acceptable macs"), FailureKind.PROTOCOL),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), FailureKind.PROTOCOL),
        (TimeoutError("timed out"), FailureKind.TIMEOUT),
        (ValueError("what is this\x1b[31m"), FailureKind.PROTOCOL),
    ],
)
def test_exceptions_of_the_libraries(error: Exception, kind: FailureKind) -> None:
    told = from_exception(error, "web port 22", "logging in")
    assert told.kind is kind
    assert "web port 22" in told.detail
    assert told.detail.isprintable()
    again = pickle.loads(pickle.dumps(told))
    assert (again.kind, again.detail, again.try_next) == (told.kind, told.detail, told.try_next)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, FailureKind.REFUSED),
        (errno.ETIMEDOUT, FailureKind.TIMEOUT),
        (errno.EHOSTUNREACH, FailureKind.UNREACHABLE),
        (errno.ENETUNREACH, FailureKind.UNREACHABLE),
        (errno.EACCES, FailureKind.UNREACHABLE),
    ],
)
def test_errors_of_connecting(number: int, kind: FailureKind) -> None:
    assert not_connected("web port 22", OSError(number, "words")).kind is kind
