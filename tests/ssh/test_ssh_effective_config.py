"""ssh_config is law: what OpenSSH would do with a host is what we do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ssh_rig import ME, Keys, Server, StartSshd, ask

from collector.connections import ssh_config
from collector.connections.settings import SshSettings
from collector.connections.ssh_args import SshArgs, parse_ssh_args
from collector.connections.ssh_config import ConfigResolver, HostConfig
from collector.errors import ConnectionFailed, FailureKind, UsageError
from collector.target import Target

Resolve = Callable[..., HostConfig]


@pytest.fixture(params=["openssh", "paramiko"])
def resolve(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """The effective configuration, with the ssh client and as on a machine without it."""
    if request.param == "openssh" and shutil.which("ssh") is None:
        pytest.skip("ssh is missing (package openssh-client)")
    if request.param == "paramiko":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    path = tmp_path / "config"

    def ask(text: str, address: str = "web1", **changes: object) -> HostConfig:
        path.write_text(text)
        resolver = ConfigResolver(SshSettings(config_file=str(path)))
        return resolver.resolve(Target(name="host", address=address, **changes))  # type: ignore[arg-type]

    return ask


def test_globs_and_the_first_value_win(resolve: Resolve) -> None:
    text = """
Host web*
    HostName %h.example.com
    User deploy
    Port 2200
Host *
    User nobody
    ConnectTimeout 7
"""
    config = resolve(text)
    assert (config.hostname, config.user, config.port) == ("web1.example.com", "deploy", 2200)
    assert config.connect_timeout_s == 7
    assert resolve(text, "db1").user == "nobody"


def test_the_inventory_comes_before_ssh_config(resolve: Resolve) -> None:
    text = "Host *\n  User nobody\n  Port 2200\n  ProxyJump bastion\n  IdentityFile /other\n"
    config = resolve(text, user="ec2-user", port=22, jump="none", private_key_file="/mine")
    assert (config.user, config.port, config.proxy_jump) == ("ec2-user", 22, ())
    assert config.identity_files[0] == "/mine"


def test_what_keys_of_a_host_may_say(resolve: Resolve, tmp_path: Path) -> None:
    config = resolve(
        f"""
Host *
    IdentityFile {tmp_path}/%r_key
    IdentitiesOnly yes
    IdentityAgent none
    CertificateFile {tmp_path}/cert.pub
    UserKnownHostsFile {tmp_path}/one {tmp_path}/two
    GlobalKnownHostsFile none
    HostKeyAlias alias
    HashKnownHosts yes
    StrictHostKeyChecking accept-new
    PreferredAuthentications publickey
    ProxyJump me@bastion:2222,inner
    Ciphers aes256-gcm@openssh.com
""",
        user="me",
    )
    assert config.identity_files == (f"{tmp_path}/me_key",)
    assert config.identities_only
    assert config.identity_agent is None
    assert config.certificate_files == (f"{tmp_path}/cert.pub",)
    assert config.user_known_hosts == (f"{tmp_path}/one", f"{tmp_path}/two")
    assert config.global_known_hosts == ()
    assert config.host_key_alias == "alias"
    assert config.hash_known_hosts
    assert config.host_key_checking == "accept-new"
    assert config.authentications == ("publickey",)
    assert config.proxy_jump == ("me@bastion:2222", "inner")
    assert config.algorithms["ciphers"] == ("aes256-gcm@openssh.com",)


def test_a_path_with_a_space(resolve: Resolve, tmp_path: Path) -> None:
    (tmp_path / "with space").write_text("")
    config = resolve(f'Host *\n  UserKnownHostsFile "{tmp_path}/with space"\n')
    assert config.user_known_hosts == (f"{tmp_path}/with space",)


def test_arguments_of_the_inventory_come_first(resolve: Resolve) -> None:
    args = ("-o", "Port=2201", "-J", "hop", "-oUser=argued", "-i", "/argued", "-o", "ConnectTimeout 3", "-C")
    config = resolve("Host *\n  Port 2200\n  User nobody\n  IdentityFile /said\n", ssh_args=args)
    assert (config.port, config.user, config.connect_timeout_s) == (2201, "argued", 3)
    assert config.proxy_jump == ("hop",)
    assert config.identity_files == ("/argued", "/said")


def test_a_proxy_command_knows_host_port_and_user(resolve: Resolve) -> None:
    config = resolve("Host *\n  HostName 192.0.2.1\n  ProxyCommand nc -x %r@proxy %h %p\n", user="me")
    assert config.proxy_command == "nc -x me@proxy 192.0.2.1 22"
    assert resolve("Host *\n  ProxyCommand none\n").proxy_command is None


def test_a_file_that_is_not_valid_is_one_clear_line(resolve: Resolve) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("Host *\n  Port many\n") if shutil.which("ssh") else resolve("Match\n")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    resolver = ConfigResolver(SshSettings(config_file=str(tmp_path / "nowhere")))
    with pytest.raises(UsageError, match="nowhere: no such ssh configuration file"):
        resolver.resolve(Target(name="host", address="web1"))


def test_an_address_is_no_option() -> None:
    with pytest.raises(UsageError, match="is not an address"):
        ConfigResolver(SshSettings(config_file="none")).resolve(Target("evil", "-oProxyCommand=reboot"))


# --- What only OpenSSH can resolve -----------------------------------------------------------------------

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is missing (package openssh-client)")


@needs_ssh
def test_include_match_exec_and_proxyjump_none(tmp_path: Path) -> None:
    (tmp_path / "part.conf").write_text("Host inner*\n  ProxyJump none\n")
    (tmp_path / "config").write_text(
        f"""
Include {tmp_path}/*.conf
Match host web* exec "test %h = web1"
    User matched
Host *
    User nobody
    ProxyJump bastion
"""
    )
    resolver = ConfigResolver(SshSettings(config_file=str(tmp_path / "config")))

    def of(address: str) -> HostConfig:
        return resolver.resolve(Target("host", address))

    assert of("web1").user == "matched"
    assert of("web2").user == "nobody"
    assert of("web2").proxy_jump == ("bastion",)
    assert of("inner1").proxy_jump == ()


@needs_ssh
def test_without_openssh_it_is_said_what_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        'Include other\nHost inner\n  ProxyJump none\nMatch exec "true"\n  User x\n'
    )
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    notes = (
        ConfigResolver(SshSettings(config_file=str(tmp_path / "config"))).resolve(Target("h", "web")).notes
    )
    assert [
        word for word in ("Include", "Match exec", "ProxyJump none") if any(word in n for n in notes)
    ] == [
        "Include",
        "Match exec",
        "ProxyJump none",
    ]


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that OpenSSH was asked about."""
    asked: list[str] = []
    ask_openssh = ssh_config._ask_openssh

    def listen(ssh: str, address: str, *rest: object) -> object:
        asked.append(address)
        return ask_openssh(ssh, address, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ssh_config, "_ask_openssh", listen)
    return asked


@needs_ssh
def test_hosts_of_the_same_kind_share_one_question(tmp_path: Path, questions: list[str]) -> None:
    (tmp_path / "config").write_text(
        "Host special\n  User one\nHost web*\n  User two\nHost *.example\n  HostName fixed\n"
        "Host *\n  IdentityFile /keys/%h\n  Port 2200\n"
    )
    resolver = ConfigResolver(SshSettings(config_file=str(tmp_path / "config")))
    of = {
        name: resolver.resolve(Target(name, name))
        for name in [
            "special",
            "db",
            "web1",
            "web2",
            "web3",
            "192.0.2.1",
            "192.0.2.2",
            "a.example",
            "b.example",
        ]
    }
    assert questions == ["special", "db", "web1", "a.example"]
    assert [of[name].hostname for name in ("web1", "web2", "192.0.2.2")] == ["web1", "web2", "192.0.2.2"]
    assert of["web2"].identity_files == ("/keys/web2",)
    assert of["b.example"].hostname == "fixed"
    assert (of["special"].user, of["web3"].user) == ("one", "two")


@needs_ssh
@pytest.mark.parametrize(
    "line", ["Match host web2\n  User x", "HostName %h.example", "UserKnownHostsFile /k/%h"]
)
def test_hosts_that_a_file_can_tell_apart_do_not(tmp_path: Path, questions: list[str], line: str) -> None:
    (tmp_path / "config").write_text(f"{line}\n")
    resolver = ConfigResolver(SshSettings(config_file=str(tmp_path / "config")))
    for name in ("web1", "web2", "web1"):
        resolver.resolve(Target(name, name))
    assert questions == ["web1", "web2"]


# --- The arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), SshArgs()),
        (("-o", "Port=1", "-oUser x"), SshArgs((("port", "1"), ("user", "x")))),
        (("-o", 'ProxyCommand="ssh -W %h:%p b"'), SshArgs((("proxycommand", "ssh -W %h:%p b"),))),
        (("-F", "/f", "-p22", "-vvv", "-T"), SshArgs((("port", "22"),), "/f")),
        (
            ("-L", "80:a:80", "-N"),
            SshArgs(notes=("ssh argument -L 80:a:80 is not honoured", "ssh argument -N is not honoured")),
        ),
    ],
)
def test_arguments(words: tuple[str, ...], expected: SshArgs) -> None:
    assert parse_ssh_args(words) == expected


@pytest.mark.parametrize("words", [("host",), ("-o",), ("-o", "Port"), ("-o", "=1"), ("-",)])
def test_arguments_that_are_none(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="ssh arguments"):
        parse_ssh_args(words)


# --- Jump hosts, for real --------------------------------------------------------------------------------


def hop(server: Server, name: str) -> str:
    """An ssh_config block for a hop."""
    return (
        f"Host {name}\n  HostName {server.address}\n  Port {server.port}\n  User {ME}\n"
        f"  UserKnownHostsFile {server.known_hosts}"
    )


def prepared(server: Server) -> Server:
    server.known_hosts.write_text(server.known)
    return server


def test_a_chain_of_two_jump_hosts(start_sshd: StartSshd) -> None:
    first, second, last = (prepared(start_sshd()) for _ in range(3))
    last.client = [hop(first, "outer"), hop(second, "inner"), f"Host {last.address}\n  ProxyJump outer,inner"]
    connection = last.open()
    assert ask(connection, "echo $SSH_CONNECTION").split()[0].startswith(b"127.")
    assert connection.facts.jump == (
        f"{ME}@{first.address}:{first.port}",
        f"{ME}@{second.address}:{second.port}",
    )
    assert "Accepted publickey" in (second.folder / "sshd.log").read_text()


def test_jump_none_of_the_inventory_goes_straight(start_sshd: StartSshd) -> None:
    server = prepared(start_sshd())
    server.client = ["ProxyJump nowhere.invalid"]
    assert ask(server.open(server.target(jump="none"))) == b"ok\n"


def test_a_jump_of_the_inventory_in_words(start_sshd: StartSshd) -> None:
    first, last = prepared(start_sshd()), start_sshd()
    last.known += f"{first.name} {first.keys.public('host')}\n"
    target = last.target(jump=f"{ME}@{first.address}:{first.port}")
    assert last.open(target).facts.jump == (f"{ME}@{first.address}:{first.port}",)


def test_hosts_behind_one_jump_host_share_it(start_sshd: StartSshd) -> None:
    from collector.connections.base import Deadline
    from collector.connections.ssh import SshConnector

    first, last = prepared(start_sshd("LogLevel VERBOSE")), prepared(start_sshd())
    last.client = [hop(first, "outer"), f"Host {last.address}\n  ProxyJump outer"]
    connector = SshConnector(last.settings())
    connections = [connector.open(last.target(), deadline=Deadline.after(20)) for _ in range(4)]
    assert [ask(connection) for connection in connections] == [b"ok\n"] * 4
    for connection in connections:
        connection.close()
    connector.close()
    assert (first.folder / "sshd.log").read_text().count("Accepted publickey") == 1


def test_each_hops_host_key_is_checked(start_sshd: StartSshd) -> None:
    first, last = start_sshd(), prepared(start_sshd())
    first.known_hosts.write_text("")
    last.client = [hop(first, "outer"), f"Host {last.address}\n  ProxyJump outer"]
    with pytest.raises(ConnectionFailed, match=r"jump host: .* not known") as caught:
        last.open()
    assert caught.value.kind is FailureKind.HOST_KEY


def test_a_jump_host_that_cannot_reach_the_host(start_sshd: StartSshd) -> None:
    first, last = prepared(start_sshd()), prepared(start_sshd())
    last.client = [hop(first, "outer"), f"Host {last.address}\n  ProxyJump outer"]
    with pytest.raises(ConnectionFailed, match="could not connect to") as caught:
        last.open(last.target(port=1))
    assert caught.value.kind is FailureKind.UNREACHABLE


def test_a_jump_host_that_forbids_forwarding(start_sshd: StartSshd) -> None:
    first, last = prepared(start_sshd("AllowTcpForwarding no")), prepared(start_sshd())
    last.client = [hop(first, "outer"), f"Host {last.address}\n  ProxyJump outer"]
    with pytest.raises(ConnectionFailed) as caught:
        last.open()
    assert "AllowTcpForwarding" in caught.value.try_next


def test_a_proxyjump_for_all_spares_the_bastion_itself(start_sshd: StartSshd) -> None:
    first, last = prepared(start_sshd()), prepared(start_sshd())
    last.client = [hop(first, "outer"), "Host *\n  ProxyJump outer"]
    assert ask(last.open()) == b"ok\n"


def test_jump_hosts_in_a_circle(start_sshd: StartSshd) -> None:
    server = prepared(start_sshd())
    server.client = [
        "Host a\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump b",
        "Host b\n  HostName 127.0.0.1\n  Port 2\n  ProxyJump a",
        f"Host {server.address}\n  ProxyJump a",
    ]
    with pytest.raises(ConnectionFailed, match="more than 10 jump hosts") as caught:
        server.open()
    assert caught.value.kind is FailureKind.UNREACHABLE


def test_a_proxy_command(start_sshd: StartSshd) -> None:
    first, last = prepared(start_sshd()), prepared(start_sshd())
    last.client = [
        hop(first, "outer"),
        f"Host {last.address}\n  ProxyCommand ssh -F {last.folder}/ssh_config -W %h:%p outer",
    ]
    assert ask(last.open()) == b"ok\n"


def test_a_proxy_command_that_fails(start_sshd: StartSshd, keys: Keys) -> None:
    server = prepared(start_sshd())
    server.client = ["ProxyCommand false"]
    with pytest.raises(ConnectionFailed, match="ProxyCommand") as caught:
        server.open()
    assert caught.value.kind is FailureKind.UNREACHABLE
