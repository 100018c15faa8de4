"""sudo in all its moods, with a real sudo and a user of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ssh_rig import PASSWORD, Account, Said, Server, StartSshd, ask

from collector.connections.ssh_connection import SshConnection
from collector.target import Become

pytestmark = pytest.mark.root

Allow = Callable[[str], None]
WHO = "id -un; echo $SSM_TRIAGE_PRIVILEGE"


@pytest.fixture
def server(start_sshd: StartSshd) -> Server:
    server = start_sshd("PasswordAuthentication yes")
    server.client = ["PubkeyAuthentication no"]
    return server


def login(server: Server, account: Account, become: Become | None) -> SshConnection:
    target = server.target(user=account.name, password=Said(PASSWORD))
    return server.open(replace(target, become=become))


def test_without_become_nothing_is_asked(server: Server, account: Account) -> None:
    connection = login(server, account, None)
    assert ask(connection, WHO) == f"{account.name}\nnone\n".encode()
    assert connection.facts.notes == ()


def test_sudo_without_a_password(server: Server, account: Account, sudoers: Allow) -> None:
    sudoers("ALL=(ALL) NOPASSWD: ALL")
    connection = login(server, account, Become())
    assert ask(connection, WHO) == b"root\nsudo\n"
    assert connection.privilege == "sudo"
    assert connection.facts.notes == ()


def test_sudo_to_another_user(server: Server, account: Account, sudoers: Allow) -> None:
    sudoers("ALL=(ALL) NOPASSWD: ALL")
    assert ask(login(server, account, Become(user="nobody")), WHO) == b"nobody\nsudo\n"


def test_sudo_with_a_password(server: Server, account: Account, sudoers: Allow) -> None:
    sudoers("ALL=(ALL) ALL")
    connection = login(server, account, Become(password=Said(PASSWORD)))
    script = WHO + "; ps -eo args | grep -c 'horse batter[y]'; env | grep -c 'horse batter[y]'"
    assert ask(connection, script) == b"root\nsudo-password\n0\n0\n"


def test_a_password_that_sudo_does_not_ask_for(server: Server, account: Account, sudoers: Allow) -> None:
    """It must not become the first line of the script."""
    sudoers("ALL=(ALL) NOPASSWD: ALL")
    connection = login(server, account, Become(password=Said(PASSWORD)))
    output: list[bytes] = []
    assert ask(connection, WHO) == b"root\nsudo-password\n"
    assert PASSWORD.encode() not in b"".join(output)


def test_a_wrong_password_is_given_once_and_the_rest_is_collected_without(
    server: Server, account: Account, sudoers: Allow
) -> None:
    """sudo asks three times; the second and third answer would be lines of the script."""
    sudoers("ALL=(ALL) ALL")
    connection = login(server, account, Become(password=Said("swordfish")))
    assert ask(connection, WHO) == f"{account.name}\nnone\n".encode()
    assert connection.facts.notes == (
        "sudo refused: the password was not accepted; collected without privilege",
    )


def test_sudo_that_wants_a_password_that_nobody_gave(
    server: Server, account: Account, sudoers: Allow
) -> None:
    sudoers("ALL=(ALL) ALL")
    connection = login(server, account, Become())
    assert ask(connection, WHO) == f"{account.name}\nnone\n".encode()
    assert "a password is required" in connection.facts.notes[0]


def test_a_user_whom_sudo_does_not_know(server: Server, account: Account, sudoers: Allow) -> None:
    connection = login(server, account, Become(password=Said(PASSWORD)))
    assert ask(connection, WHO) == f"{account.name}\nnone\n".encode()
    assert "sudo refused" in connection.facts.notes[0]


def test_a_script_that_fails_under_sudo_is_not_run_again(
    server: Server, account: Account, sudoers: Allow
) -> None:
    """Exit code 1 is sudo's own when it refuses, but this is the script's."""
    sudoers("ALL=(ALL) NOPASSWD: ALL")
    connection = login(server, account, Become())
    assert ask(connection, "echo once; exit 1") == b"once\n"
    assert connection.privilege == "sudo"


def test_root_needs_no_sudo(start_sshd: StartSshd) -> None:
    server = start_sshd()
    connection = server.open(server.target(become=Become(password=Said("unused"))))
    assert ask(connection, WHO) == b"root\nroot\n"
