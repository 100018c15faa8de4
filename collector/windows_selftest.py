"""What no lab can show: whether a real Windows host is as we believe.  Run once by whoever has one.

Each check runs one small script that only looks, and judges the answer.  The transcript holds the scripts and
the beginnings and digests of the answers, with names and addresses of the host covered, so that it can be
shown around.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from collector.connections.base import Connection, Deadline, RunResult
from collector.errors import ConnectionFailed

_MAX_BYTES = 16 << 20
_EXCERPT = 4096
_SLOW_S = 25
"""Longer than a host holds an answer back where there is nothing to tell (``OperationTimeout``)."""
_TEXT = "caf\u00e9 \u20ac \ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e"
_LINES = 60_000
_CMDLETS = (
    "ConvertTo-Json", "Find-NetRoute", "Get-CimInstance", "Get-DnsClientNrptRule",
    "Get-DnsClientServerAddress", "Get-NetAdapter", "Get-NetFirewallRule", "Get-NetIPConfiguration",
    "Get-NetIPInterface", "Get-NetRoute", "Get-WinEvent",
)  # fmt: skip
_IPV4 = re.compile(r"\b(?!127\.|0\.|169\.254\.)\d{1,3}(\.\d{1,3}){3}\b")
_INSTANCE = re.compile(r"\b(mi|i)-[0-9a-f]{8,17}\b")


@dataclass(frozen=True, slots=True)
class Check:
    """One belief, and what the host made of it."""

    name: str
    passed: bool
    detail: str
    """What was seen, on one line; hostile text."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All checks, and what was said."""

    checks: tuple[Check, ...]
    transcript: str
    """JSON; names and addresses are covered."""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


Judge = Callable[[RunResult, bytes], str]
"""What is wrong with an answer; empty: nothing."""


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    script: bytes
    judge: Judge
    tells: bool = False
    """Whether the answer is what there is to see, rather than right or wrong."""


def selftest(connection: Connection, *, deadline: Deadline) -> SelfTest:
    """Ask everything; a question that breaks the connection ends the test with what there is."""
    checks: list[Check] = []
    said: list[dict[str, Any]] = []
    for question in _questions():
        output = bytearray()
        try:
            result = connection.run(
                question.script, output.extend, deadline=deadline.sooner(90), max_bytes=_MAX_BYTES
            )
        except ConnectionFailed as failure:
            checks.append(Check(question.name, False, f"{failure.kind}: {failure.detail}"))
            said.append({"check": question.name, "failure": str(failure)})
            continue
        wrong = question.judge(result, bytes(output))
        seen = (
            " ".join(bytes(output[:400]).decode("utf-8", "replace").split())
            if question.tells
            else "as expected"
        )
        checks.append(Check(question.name, not wrong, wrong or seen))
        said.append(_transcript(question, result, bytes(output)))
    facts = connection.facts
    hidden = {facts.address: "HOST", facts.user: "USER", **_names(said)}
    document = {"server": facts.server, "auth": facts.auth_method, "checks": said}
    return SelfTest(tuple(checks), _covered(json.dumps(document, indent=1), hidden))


def _questions() -> Iterator[_Question]:
    """What we believe, from the simplest on."""
    yield _Question("a script runs", b"[Console]::Out.Write('hello')", _is(b"hello"))
    yield _Question("who and what", _WHO, _has(b"psversion="), tells=True)
    noise = b"".join(hashlib.sha512(b"%d" % number).hexdigest().encode() for number in range(5000))
    long = b"[Console]::Out.Write('whole')\r\n" + b"".join(
        b"# %b\r\n" % noise[at : at + 2000] for at in range(0, len(noise), 2000)
    )
    yield _Question("a long script comes whole", long, _is(b"whole"))
    yield _Question("bytes come as they are", _bytes_script(), _is(_TEXT.encode()))
    bulk = b"".join(b"%08d" % number * 8 + b"\r\n" for number in range(_LINES))
    yield _Question("four megabytes come whole", _BULK, _hash_is(hashlib.sha256(bulk).hexdigest()))
    yield _Question("the exit code is the script's", b"exit 7", _exits(7))
    yield _Question(
        "errors are words", b"[Console]::Error.WriteLine('to error'); Write-Error 'a word'", _errors
    )
    yield _Question("a slow script is waited for", _SLOW, _is(b"awake"))
    yield _Question("which cmdlets are missing", _MISSING, _has(b"missing="), tells=True)
    yield _Question("what the account may read", _RIGHTS, _has(b"administrator="), tells=True)


_WHO = b"""
$v = $PSVersionTable.PSVersion
$o = [Environment]::OSVersion.Version
$c = [Globalization.CultureInfo]::CurrentUICulture.Name
$p = [Console]::OutputEncoding.CodePage
[Console]::Out.Write("psversion=$v os=$o culture=$c codepage=$p name=$env:COMPUTERNAME user=$env:USERNAME")
"""
_BULK = (
    b"""
for ($i = 0; $i -lt %d; $i++) {
    $n = '{0:d8}' -f $i
    [Console]::Out.Write($n + $n + $n + $n + $n + $n + $n + $n + "`r`n")
}
"""
    % _LINES
)
_SLOW = b"Start-Sleep -Seconds %d\r\n[Console]::Out.Write('awake')" % _SLOW_S
_MISSING = b"""
$m = @()
foreach ($n in @(%b)) {
    if ($null -eq (Get-Command -Name $n -ErrorAction SilentlyContinue)) { $m += $n }
}
[Console]::Out.Write('missing=' + ($m -join ','))
""" % ", ".join(f"'{name}'" for name in _CMDLETS).encode()
_RIGHTS = b"""
$i = [Security.Principal.WindowsIdentity]::GetCurrent()
$p = New-Object Security.Principal.WindowsPrincipal $i
$a = $p.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$t = @()
foreach ($k in @('HKLM:\\SYSTEM\\CurrentControlSet\\Services\\AmazonSSMAgent',
        'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\PersistentRoutes',
        'Registry::HKEY_USERS\\.DEFAULT\\Environment')) {
    $t += [string](Test-Path -Path $k)
}
[Console]::Out.Write("administrator=$a keys=" + ($t -join ','))
"""


def _bytes_script() -> bytes:
    numbers = ",".join(map(str, _TEXT.encode())).encode()
    return (
        b"""
$b = [byte[]]@(%b)
$o = [Console]::OpenStandardOutput()
$o.Write($b, 0, $b.Length)
$o.Flush()
"""
        % numbers
    )


def _is(expected: bytes) -> Judge:
    return lambda result, output: "" if output == expected else f"{output[:200]!r} instead of {expected!r}"


def _has(expected: bytes) -> Judge:
    return lambda result, output: "" if expected in output else f"no {expected.decode()} in {output[:200]!r}"


def _hash_is(expected: str) -> Judge:
    def judge(result: RunResult, output: bytes) -> str:
        found = hashlib.sha256(output).hexdigest()
        return "" if found == expected else f"{len(output)} bytes with sha256 {found}"

    return judge


def _exits(code: int) -> Judge:
    return lambda result, output: "" if result.exit_code == code else f"exit code {result.exit_code}"


def _errors(result: RunResult, output: bytes) -> str:
    missing = [word for word in (b"to error", b"a word") if word not in result.stderr]
    raw = [b"<Objs"] if b"<Objs" in result.stderr else []
    return "" if not missing and not raw else f"standard error is {result.stderr[:200]!r}"


def _transcript(question: _Question, result: RunResult, output: bytes) -> dict[str, Any]:
    return {
        "check": question.name,
        "script_sha256": hashlib.sha256(question.script).hexdigest(),
        "exit_code": result.exit_code,
        "bytes": len(output),
        "sha256": hashlib.sha256(output).hexdigest(),
        "output": output[:_EXCERPT].decode("utf-8", "backslashreplace"),
        "stderr": result.stderr[:_EXCERPT].decode("utf-8", "backslashreplace"),
    }


def _names(said: list[dict[str, Any]]) -> dict[str, str]:
    """The names that the host gave of itself and of the account."""
    found: dict[str, str] = {}
    for entry in said:
        for key, cover in (("name", "HOST"), ("user", "USER")):
            for name in re.findall(rf"\b{key}=(\S+)", str(entry.get("output", ""))):
                found[name] = cover
    return found


def _covered(text: str, hidden: dict[str, str]) -> str:
    """``text`` without the names in ``hidden``, addresses and instance ids."""
    for name, cover in sorted(hidden.items(), key=lambda item: -len(item[0])):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", cover, text, flags=re.IGNORECASE)
    return _INSTANCE.sub("INSTANCE", _IPV4.sub("ADDRESS", text))
