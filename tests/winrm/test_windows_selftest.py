"""The self-test: it passes on a host that is as we believe, and each check fails on one that is not.

The answers are made by us: nobody recorded them from a live host.
"""

from __future__ import annotations

import json

import pytest
from winrm_rig import HTTP, Rig

from collector import windows_selftest
from collector.connections.base import Deadline
from collector.connections.windows_bootstrap import READER
from collector.windows_selftest import selftest
from lab.windows.powershell import Answer

ERROR = b'<Objs><S S="Error">to error</S><S S="Error">x : a word_x000D__x000A_</S></Objs>'
WHO = b"psversion=5.1.20348.1 os=10.0.20348.0 culture=de-DE codepage=65001 name=EC2AMAZ-X1 user=alice"


def believed(script: bytes) -> Answer:
    """A host that is as we believe it to be."""
    if script == b"exit 7":
        return Answer(exit_code=7)
    for key, answer in (
        (b"'hello'", Answer(b"hello")),
        (b"'whole'", Answer(b"whole")),
        (b"psversion", Answer(WHO)),
        (b"OpenStandardOutput", Answer(windows_selftest._TEXT.encode())),
        (b"$i -lt", Answer(b"".join(b"%08d" % n * 8 + b"\r\n" for n in range(windows_selftest._LINES)))),
        (b"Write-Error", Answer(b"", ERROR, 1)),
        (b"Start-Sleep", Answer(b"awake", delay_s=1.5)),
        (b"'missing='", Answer(b"missing=Get-NetRoute")),
        (b"administrator", Answer(b"administrator=True keys=True,True,False")),
    ):
        if key in script:
            return answer
    raise AssertionError(script)


def test_a_host_as_we_believe(rig: Rig) -> None:
    host = rig.host(believed)
    connection = rig.open(rig.target(host, {**HTTP, "ansible_winrm_operation_timeout_sec": "1"}))
    done = selftest(connection, deadline=Deadline.after(60))
    connection.close()
    assert [check for check in done.checks if not check.passed] == []
    assert done.passed
    assert len(done.checks) == 10
    assert (
        next(c for c in done.checks if c.name == "which cmdlets are missing").detail == "missing=Get-NetRoute"
    )
    assert "EC2AMAZ" not in done.transcript
    assert "alice" not in done.transcript
    assert json.loads(done.transcript)["checks"][0]["output"] == "hello"


def test_a_host_that_is_not(rig: Rig) -> None:
    host = rig.host(lambda script: Answer(b"odd", b"<Objs>raw" if b"Write-Error" in script else b""))
    connection = rig.open(rig.target(host))
    done = selftest(connection, deadline=Deadline.after(60))
    connection.close()
    assert [check.name for check in done.checks if check.passed] == []


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("at 10.1.2.3 and 169.254.169.254", "at ADDRESS and 169.254.169.254"),
        ("i-0123456789abcdef0", "INSTANCE"),
        ("WEB01 web01x", "HOST web01x"),
    ],
)
def test_what_is_covered(text: str, covered: str) -> None:
    assert windows_selftest._covered(text, {"web01": "HOST"}) == covered


@pytest.mark.parametrize("package", ["tree_sitter_powershell", "tree_sitter_pwsh"])
def test_the_scripts_are_powershell(package: str) -> None:
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is missing (pip: tree-sitter)")
    grammar = pytest.importorskip(package, reason=f"{package} is missing (pip: {package.replace('_', '-')})")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    for script in (READER.encode(), *(question.script for question in windows_selftest._questions())):
        assert script.isascii()
        assert not parser.parse(script).root_node.has_error, script[:200]
    assert parser.parse(b"if ($x { 1 }").root_node.has_error
