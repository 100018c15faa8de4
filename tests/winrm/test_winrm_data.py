"""Scripts on their way there, answers on their way back: whole, bounded, and as they were."""

from __future__ import annotations

import base64
import gzip
import random

import pytest
from winrm_rig import HTTP, Rig, needs_credssp, say

from collector.connections.bootstrap import INCOMPLETE
from collector.connections.windows_bootstrap import READER, WindowsHandover, command_line, packed
from collector.errors import ConnectionFailed, FailureKind
from lab.windows.powershell import Answer, Shell
from lab.windows.shells import encoded


@pytest.mark.parametrize("size", [0, 1, 89_000, 300_000])
def test_a_script_comes_whole(rig: Rig, size: int) -> None:
    script = random.Random(size).randbytes(size)
    got: list[bytes] = []

    def persona(received: bytes) -> bytes:
        got.append(received)
        return b"done"

    host = rig.host(persona)
    connection = rig.open(rig.target(host))
    assert say(connection, script)[1] == b"done"
    assert got == [script]
    assert host.faults.seen["Send"] == max(1, -(-len(packed(script)) // 90_000))
    connection.close()


@pytest.mark.parametrize("piece", [1, 7, 4353])
def test_text_is_cut_anywhere(rig: Rig, piece: int) -> None:
    text = "경로 ルート Straße " * (20 if piece < 100 else 3000)
    host = rig.host(lambda script: Answer(text.encode()), piece=piece)
    connection = rig.open(rig.target(host))
    assert say(connection)[1].decode() == text
    connection.close()


@pytest.mark.parametrize("name", ["ntlm", "credssp"])
def test_thirty_megabytes(rig: Rig, name: str) -> None:
    if name == "credssp":
        needs_credssp()
    data = random.Random(name).randbytes(1 << 20) * 30
    host = rig.host(lambda script: data)
    connection = rig.open(rig.target(host, {**HTTP, "ansible_winrm_transport": name}))
    result, output = say(connection, max_bytes=64 << 20, seconds=120)
    assert (result.received, result.truncated, result.exit_code) == (len(data), False, 0)
    assert output == data
    connection.close()
    assert not host.shells.open


def test_too_much_is_cut_and_the_command_ended(rig: Rig) -> None:
    host = rig.host(lambda script: b"x" * (10 << 20))
    connection = rig.open(rig.target(host))
    result, output = say(connection, max_bytes=1_000_000)
    assert (result.truncated, result.received, len(output)) == (True, 1_000_000, 1_000_000)
    assert host.faults.seen["Receive"] < 20
    assert host.faults.seen["Signal"] == 1
    connection.close()
    assert not host.shells.open


def test_several_scripts_in_one_shell(rig: Rig) -> None:
    host = rig.host()
    connection = rig.open(rig.target(host))
    for number in range(3):
        assert say(connection, b"%d" % number)[1] == b"ran: %d" % number
    assert (host.shells.made, host.logins) == (1, 1)
    connection.close()


def test_a_host_of_before_windows_10(rig: Rig) -> None:
    host = rig.host(activity=False, max_envelope=150 * 1024)
    connection = rig.open(rig.target(host))
    assert len(say(connection, random.Random(1).randbytes(300_000))[1]) == 300_005
    connection.close()


def test_the_shell_is_utf8() -> None:
    assert encoded("é€", 437) == b"\x82?"
    assert encoded("é€", 850) == b"\x82?"
    assert encoded("é€", 65001) == "é€".encode()


def test_cmd_takes_no_line_of_more_than_8191() -> None:
    line = "powershell.exe -EncodedCommand " + "A" * 8191
    assert Shell(lambda script: b"", {}).run(line, b"").stderr == "The command line is too long.\r\n"
    assert len(command_line()) < 2000


def test_the_command_line_reads_the_same_in_every_shell() -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=.- ")
    assert set(command_line()) <= allowed
    assert base64.b64decode(command_line().split()[-1]).decode("utf-16-le") == READER.strip()
    assert READER.isascii()


def test_half_a_script_is_not_run() -> None:
    def persona(script: bytes) -> bytes:
        raise AssertionError("it was run")

    shell = Shell(persona, {})
    whole = packed(random.Random(2).randbytes(5000))
    lines = whole.split(b"\r\n")
    for half in (
        whole[:-10],
        b"\r\n".join(lines[1:]),
        b"\r\n".join(lines[:1] + lines[2:]),
        b"",
        whole + whole,
    ):
        assert shell.run(command_line(), half).exit_code == INCOMPLETE


def test_what_is_packed_is_gzip_of_the_script() -> None:
    length, _, text = packed(b"Get-Date").decode().replace("\r\n", "").partition(":")
    assert int(length) == len(text)
    assert gzip.decompress(base64.b64decode(text)) == b"Get-Date"


def test_noise_before_the_mark_is_no_answer() -> None:
    got = bytearray()
    handover = WindowsHandover(b"", got.extend, 1000)
    for piece in (b"Welcome to the bank\r\n@@ssm-tri", b"age-shell FullLang", b"uage\r\nthe ", b"answer"):
        handover.output(piece)
    assert got == b"the answer"
    assert handover.language_mode == "FullLanguage"


def test_what_took_no_script_is_said() -> None:
    handover = WindowsHandover(b"", lambda data: None, 1000)
    handover.error_output(b"This program is blocked by group policy.\r\nAsk \x1b[31mIT.")
    with pytest.raises(ConnectionFailed, match=r"blocked by group policy. Ask \[31mIT") as failed:
        handover.finish("host port 5986", 1)
    assert failed.value.kind is FailureKind.SHELL
