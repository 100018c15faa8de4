"""The lab's host beside recordings of real Windows hosts, and pywinrm as we use it on these recordings.

The recordings are pypsrp's and WinRMSharp's (both MIT).  They are no part of this repository: give the folder
that holds ``pypsrp/`` and ``winrmsharp/`` in ``SSM_TRIAGE_WINRM_RECORDINGS``.
"""

from __future__ import annotations

import os
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol
from winrm_rig import PASSWORD, USER, Rig

from collector.connections.winrm_shells import open_shell
from lab.windows import envelopes
from lab.windows.envelopes import NO_SUCH_COMMAND, TIMED_OUT
from lab.windows.powershell import Answer, Shell
from lab.windows.shells import Shells

_PLACES = (
    os.environ.get("SSM_TRIAGE_WINRM_RECORDINGS", ""),
    str(Path(__file__).parents[3] / "shared" / "winrm-recordings"),
)
FOLDER = next((Path(place) for place in _PLACES if place and Path(place).is_dir()), None)
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="the recordings of WinRM are missing (SSM_TRIAGE_WINRM_RECORDINGS)"
)


FAULTS = {fault.code: fault for fault in (TIMED_OUT, NO_SUCH_COMMAND)}


@dataclass(frozen=True)
class Message:
    request: str
    response: str

    @property
    def action(self) -> str:
        found = re.search(r"Action[^>]*>[^<]*/(\w+)<", self.request)
        assert found
        return found[1]


def messages(name: str) -> list[Message]:
    assert FOLDER
    document = yaml.safe_load((FOLDER / name).read_text())
    if isinstance(document, dict):
        return [Message(m["request"], m["response"]) for m in document["messages"]]
    return [Message(m["Request"]["Body"], m["Response"]["Body"]) for m in document]


def names() -> list[str]:
    if FOLDER is None:
        return []
    return sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.yml"))


def shape(document: bytes | str, *, optional: tuple[str, ...] = ("ActivityId",)) -> set[str]:
    """Every path of elements, with the names of their attributes."""
    paths: set[str] = set()

    def walk(node: ET.Element, path: str) -> None:
        here = f"{path}/{node.tag}" + "".join(sorted(f"@{name}" for name in node.attrib))
        if not here.endswith(tuple(f"}}{name}" for name in optional)):
            paths.add(here)
        for child in node:
            walk(child, here)

    walk(ET.fromstring(document), "")
    return paths


def text_of(document: str) -> str:
    """Without the declaration of an encoding that a string no longer has, and without pretty printing."""
    return re.sub(r">\s+<", "><", document[document.index("<", document.find("?>") + 1) :].strip())


@pytest.mark.parametrize("name", names())
def test_the_lab_answers_in_the_recorded_shape(name: str) -> None:
    shells = Shells(Shell(lambda script: b"", {}, "FullLanguage"), max_per_user=100)
    for message in messages(name):
        request = envelopes.parse(text_of(message.request).encode())
        recorded = text_of(message.response)
        if "Fault>" in recorded:
            code = re.search(r'Code="(\d+)"', recorded)
            assert code
            if int(code[1]) not in FAULTS:
                continue  # of an operation that we never ask for
            ours = envelopes.fault(request.message_id, FAULTS[int(code[1])], "host")
        elif request.action == "Create":
            shell_id = shells.create(request, "vagrant")
            idle = shells.idle_timeout(request)
            body = envelopes.created(request, "http://host/wsman", shell_id, "vagrant", "10.0.0.1", idle)
            ours = envelopes.answer(request, f"{envelopes.TRANSFER}/CreateResponse", body)
            found = re.search(r"IdleTimeOut>([^<]*)<", recorded)
            assert found
            assert found[1].encode() in ours
        else:
            ours = envelopes.answer(request, f"{envelopes.SHELL}/X", _body(request.action, recorded))
        known = ("ActivityId", "WorkingDirectory", "Name", "Lifetime", "ProfileLoaded", "Encoding")
        assert shape(recorded, optional=known) == shape(ours, optional=known), message.action


def _body(action: str, recorded: str) -> str:
    """What the lab writes for the state of a command that the recording shows."""
    if action == "Command":
        return "<rsp:CommandResponse><rsp:CommandId>X</rsp:CommandId></rsp:CommandResponse>"
    if action in ("Send", "Signal"):
        return f"<rsp:{action}Response/>"
    if action == "Delete":
        return ""
    streams = set(re.findall(r'<rsp:Stream Name="(\w+)" CommandId="[^"]*">', recorded))
    pieces = {"stdout": b"out", "stderr": b"err"}
    answer = Answer(*(pieces[name] if name in streams else b"" for name in ("stdout", "stderr")))
    shells = Shells(Shell(lambda script: b"", {"x": lambda stdin: answer}), piece=4353)
    command = envelopes.new_id()
    return _receive(shells, command, "Running" if "CommandState/Running" in recorded else "Done")


def _receive(shells: Shells, command_id: str, state: str) -> str:
    from lab.windows.shells import Command

    command = Command("x", True, 65001)
    shells._finish(command)
    if state == "Running":
        command.pieces = iter([("stdout", b"x" * 4353)] * 100)
    request = envelopes.Request("Receive", "", "", ET.Element("x"), max_envelope=153600)
    body = shells._output(request, command_id, command)
    if state == "Running":
        assert "CommandState/Running" in body
    return body


# --- Replay ------------------------------------------------------------------------------------------


@contextmanager
def replayed(name: str) -> Iterator[Protocol]:
    """pywinrm, as we call it, with a host that answers what was recorded, one message after the other."""
    answers = iter(messages(name))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            message = next(answers)
            mine = re.search(r"MessageID>([^<]*)<", asked)
            assert mine
            assert re.search(rf"Action[^>]*>[^<]*/{message.action}<", asked), message.action
            body = re.sub(r"RelatesTo>[^<]*<", f"RelatesTo>{mine[1]}<", text_of(message.response)).encode()
            self.send_response(500 if b"Fault>" in body else 200)
            self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/wsman"
        protocol = Protocol(url, "plaintext", "u", "p", proxy=None, ca_trust_path=None)
        yield protocol
        protocol.transport.close_session()
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "output", "errors", "code"),
    [
        ("pypsrp/test_winrs_standard.yml", None, None, 0),
        ("pypsrp/test_winrs_stderr_rc.yml", b"out \r\n", b"err \r\n", 1),
        ("pypsrp/test_winrs_unicode.yml", None, None, 0),
    ],
)
def test_commands_of_real_hosts(name: str, output: bytes | None, errors: bytes | None, code: int) -> None:
    with replayed(name) as protocol:
        shell = protocol.open_shell(codepage=65001)
        command = protocol.run_command(shell, "x")
        out, err, status, done = b"", b"", -1, False
        while not done:
            some, bad, status, done = protocol.get_command_output_raw(shell, command)
            out, err = out + some, err + bad
        assert status == code
        assert out.decode("utf-8")
        if output is not None:
            assert (out, err) == (output, errors)
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell, close_session=False)


def test_a_shell_by_name_on_a_real_host() -> None:
    with replayed("pypsrp/test_winrs_extra_opts.yml") as protocol:
        assert open_shell(protocol, "shell 1") == "CBA3E536-A3A2-4B88-9ED3-4919930E15C2"
    (asked, *_) = messages("pypsrp/test_winrs_extra_opts.yml")
    assert "<rsp:Name>shell 1</rsp:Name>" in asked.request, "it was made as we make ours"


def test_a_real_host_that_has_nothing_to_tell() -> None:
    with replayed("pypsrp/test_winrs_operation_timeout.yml") as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "x")
        protocol.get_command_output_raw(shell, command)
        for _ in range(2):
            with pytest.raises(WinRMOperationTimeoutError):
                protocol.get_command_output_raw(shell, command)
        assert protocol.get_command_output_raw(shell, command)[3]
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell, close_session=False)


def test_a_real_host_s_fault() -> None:
    with replayed("pypsrp/test_winrs_bad_cmd_id.yml") as protocol:
        shell = protocol.open_shell()
        protocol.run_command(shell, "x")
        with pytest.raises(WSManFaultError) as failed:
            protocol.get_command_output_raw(shell, "bad")
        assert failed.value.wsman_fault_code == NO_SUCH_COMMAND.code


def test_the_rig_s_own_recording_is_the_same(rig: Rig) -> None:
    """Both ways of the comparison end at the same envelope: what the lab sends, pywinrm reads."""
    host = rig.host(allow_unencrypted=True, lines={"hostname": lambda stdin: Answer("WINSIM\r\n")})
    protocol = Protocol(host.url, "plaintext", USER, PASSWORD, proxy=None, ca_trust_path=None)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "hostname")
    protocol.send_command_input(shell, command, b"", end=True)
    assert protocol.get_command_output_raw(shell, command)[0] == b"WINSIM\r\n"
    protocol.close_shell(shell)
    assert not host.shells.open
