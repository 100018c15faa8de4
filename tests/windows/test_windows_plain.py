# ruff: noqa: E501  text as the tools print it
"""Facts by cmd.exe alone: what the tools print is read in any language, and hostile text does no harm."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from windows_support import Kept

from analyzers.facts.windows.network import parse_addresses
from collector.evidence.model import Status
from collector.probes.windows import WINDOWS
from collector.probes.windows.plain import SECTIONS, PlainReader, compile_plain
from collector.probes.windows.plain_text import READ, values_of
from lab.windows_personas.plain import ROUTE_PRINT, SC_QUERYEX, STALE_ROUTE, cmd

NONCE = "ab" * 16


def objects(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("word", ["Auf Verbindung", "On-link", "연결됨", "リンク上"])
def test_routes_in_any_language(word: str) -> None:
    found = objects(READ["routes"](ROUTE_PRINT.replace("Auf Verbindung", word).encode()))
    assert len(found) == 6, "kept routes are no active ones"
    by_prefix = {one["prefix"]: one for one in found}
    assert by_prefix["10.0.16.0/20"]["next_hop"] == "0.0.0.0"
    assert by_prefix["169.254.169.254/32"]["next_hop"] == "172.31.48.1"
    assert by_prefix["169.254.169.254/32"]["metric"] == 30


KEY = "\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\AmazonSSMAgent\n    Start    REG_DWORD    "


@pytest.mark.parametrize(
    ("text", "state", "mode"),
    [
        (SC_QUERYEX + KEY + "0x2\n", "Running", "Auto"),
        (SC_QUERYEX.replace("4  RUNNING", "1  STOPPED") + KEY + "0x4\n", "Stopped", "Disabled"),
        (SC_QUERYEX.replace("STATUS", "상태  ").replace("4  RUNNING", "3  STOP_PENDING") + KEY + "0x3\n", "Stop Pending", "Manual"),
        (KEY + "0x2\n", "", "Auto"),
    ],
)  # fmt: skip
def test_the_service_by_its_numbers(text: str, state: str, mode: str) -> None:
    (found,) = objects(READ["service"](text.encode()))
    assert (found["exists"], found["state"], found["start_mode"]) == (True, state, mode)


def test_a_service_that_is_not_there() -> None:
    text = b"[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:\r\n\r\nDer angegebene Dienst ...\r\n"
    assert objects(READ["service"](text))[0]["exists"] is False
    assert READ["service"](b"") == b""


def test_values_of_the_registry() -> None:
    text = b"\r\nHKEY_LOCAL_MACHINE\\A\r\n    N    REG_DWORD    0x10\r\n    two words    REG_SZ    a  b\r\n    (Standard)    REG_SZ    \r\n\r\nHKEY_USERS\\B\r\n    E    REG_SZ\r\n"
    assert list(values_of(text)) == [
        ("HKEY_LOCAL_MACHINE\\A", "N", "16"), ("HKEY_LOCAL_MACHINE\\A", "two words", "a  b"),
        ("HKEY_LOCAL_MACHINE\\A", "(Standard)", ""), ("HKEY_USERS\\B", "E", ""),
    ]  # fmt: skip


_KEY = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\"
_LISTED = "  5...0a 1b 2c 3d 4e 5f ......Amazon Elastic Network Adapter\n"


@pytest.mark.parametrize(
    ("keys", "listed", "index"),
    [
        (1, _LISTED + "  1...........................Software Loopback Interface 1\n", 5),
        (1, _LISTED + "  6...00 00 00 00 00 00 00 e0 Microsoft Teredo Tunneling Adapter\n", 5),
        (2, _LISTED, None),
        (1, _LISTED + _LISTED.replace("5...", "7..."), None),
        (1, "", None),
    ],
    ids=["one", "and a tunnel", "two addresses", "two adapters", "no list"],
)
def test_no_interface_index_is_made_up(keys: int, listed: str, index: int | None) -> None:
    """It goes into a line to copy: one that cannot be told stays open."""
    text = "".join(
        f"{_KEY}{{{n}}}\n    DhcpIPAddress    REG_SZ    10.0.20.{n}\n"
        "    DhcpSubnetMask    REG_SZ    255.255.240.0\n"
        for n in range(1, keys + 1)
    )
    found = parse_addresses(READ["addresses"]((text + listed).encode()))
    assert found is not None
    shown = [(str(i.addresses[0].ip), i.name, i.index) for i in found.interfaces]
    assert shown == [(f"10.0.20.{n}", f"10.0.20.{n}", index) for n in range(1, keys + 1)]


def test_proxies_of_four_layers() -> None:
    text = (
        "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\AmazonSSMAgent\n"
        "    Environment    REG_MULTI_SZ    https_proxy=http://p:1\\0no_proxy=169.254.169.254\n"
        "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment\n"
        "    HTTP_PROXY    REG_SZ    http://me:secret@q:2\n    Path    REG_SZ    C:\\\n"
        "HKEY_USERS\\S-1-5-18\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\n"
        "    ProxyEnable    REG_DWORD    0x1\n    ProxyServer    REG_SZ    r:3\n"
    )
    found = [one for one in objects(READ["proxy-layers"](text.encode())) if one["kind"] == "setting"]
    assert [(one["layer"], one["name"], one["value"]) for one in found] == [
        ("service", "https_proxy", "http://p:1"), ("service", "no_proxy", "169.254.169.254"),
        ("machine", "http_proxy", "http://***@q:2"), ("system-inet", "server", "r:3"),
    ]  # fmt: skip


# What is typed -------------------------------------------------------------------------------------------

_TOOLS = {
    "hostname",
    "whoami",
    "findstr",
    "reg",
    "sc",
    "route",
    "curl",
    "echo",
    "chcp",
    "set",
    "if",
    "for",
    "exit",
}
_CHANGING = re.compile(
    r"\breg(\.exe)? (add|delete|import|load|copy)|\bsc(\.exe)? (?!queryex)|route(\.exe)? (?!print)|"
    r"\b(del|copy|move|ren|rd|md|mkdir|net|netsh|schtasks|start|setx|type)\b|-o (?!NUL)|>(?!nul)",
    re.IGNORECASE,
)


def test_what_is_typed_only_looks() -> None:
    for line in compile_plain(NONCE).decode("ascii").splitlines():
        words = line.split()
        assert words[0].removesuffix(".exe").removesuffix(".com") in _TOOLS, line
        assert not _CHANGING.search(line), line
        assert len(line) < 8191
    assert _CHANGING.search("reg.exe add HKLM\\x"), "the check sees nothing"
    assert _CHANGING.search("sc.exe stop x")


def test_every_section_stands_for_a_probe_and_is_read() -> None:
    assert set(SECTIONS) <= {probe.id for probe in WINDOWS}
    assert set(SECTIONS) == set(READ)


def read(stream: bytes, *, step: int = 0) -> tuple[PlainReader, Kept]:
    kept = Kept()
    reader = PlainReader(NONCE, kept, WINDOWS)
    for at in range(0, len(stream), step or len(stream) or 1):
        reader.feed(stream[at : at + (step or len(stream))])
    reader.finish("PowerShell may not run")
    return reader, kept


def answer() -> bytes:
    (typed,) = cmd(STALE_ROUTE).values()
    stdout = typed(compile_plain(NONCE).replace(b"\n", b"\r\n")).stdout
    return stdout if isinstance(stdout, bytes) else stdout.encode()


@pytest.mark.parametrize("step", [0, 1, 97])
def test_an_answer_however_it_is_cut(step: int) -> None:
    reader, kept = read(answer(), step=step)
    assert reader.complete
    assert reader.hello["user"] == "ec2amaz-persona\\administrator"
    assert reader.hello["privilege"] == "administrator"
    assert set(kept.probes) == {probe.id for probe in WINDOWS}
    assert kept.probes["routes"].status is Status.OK
    assert kept.probes["routes"].via == "cmd.exe"
    assert kept.probes["schannel"].status is Status.ERROR
    assert "PowerShell may not run" in kept.probes["schannel"].note
    assert b"Aktive Routen" in kept.probes["exhibits"].output
    assert kept.logs[0][0] == "amazon-ssm-agent.log"


def test_what_is_said_again_is_no_marker() -> None:
    """A shell that shows its prompt and the commands gives no sections by that."""
    echoed = b"".join(b"C:\\>" + line + b"\n" for line in compile_plain(NONCE).splitlines())
    reader, _ = read(echoed)
    assert not reader.heard
    assert not reader.complete


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([line + b"\n" for line in answer().splitlines()]),
            st.sampled_from(
                [b"    N    REG_DWORD    0x\n", b"HKEY_\n", b"  1.1.1.1  9.9.9.9  x  1.1.1.1  1\n"]
            ),
        ),
        max_size=30,
    )
)
def test_nothing_makes_it_raise(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    for reader in READ.values():
        reader(stream)
    read(stream)
