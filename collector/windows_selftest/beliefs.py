"""What we believe of a Windows host and no lab can show, each with the small script that shows it on one.

The scripts only look.  ``beliefs()`` is the table; what takes more than one is in ``wire`` and ``whole``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from collector.connections.base import RunResult

_SLOW_S = 25
"""Longer than a host holds an answer back where there is nothing to tell (``OperationTimeout``)."""
TEXT = "caf\u00e9 \u20ac \ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e"
LINES = 60_000
_CMDLETS = (
    "ConvertTo-Json", "Find-NetRoute", "Get-CimInstance", "Get-DnsClientNrptRule",
    "Get-DnsClientServerAddress", "Get-NetAdapter", "Get-NetFirewallRule", "Get-NetIPConfiguration",
    "Get-NetIPInterface", "Get-NetNeighbor", "Get-NetRoute", "Get-NetTCPConnection", "Get-WinEvent",
    "Resolve-DnsName",
)  # fmt: skip

Judge = Callable[[RunResult, bytes], str]
"""What is wrong with an answer; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Belief:
    """One thing that we rely on."""

    name: str
    script: bytes
    judge: Judge
    tells: bool = False
    """Whether the answer is what there is to see, rather than right or wrong."""
    expected: bytes | None = None
    """The answer, where there is only one right one; a transcript need not repeat it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the script, by which the lab knows it again."""
        return hashlib.sha256(self.script).hexdigest()


def beliefs() -> Iterator[Belief]:
    """The table, from the simplest on."""
    yield _exact("a script runs", b"[Console]::Out.Write('hello')", b"hello")
    yield Belief("who and what", _WHO, _has(b"psversion="), tells=True)
    yield _exact("a long script comes whole", _long(), b"whole")
    yield _exact("bytes come as they are", _bytes_script(), TEXT.encode())
    yield _exact("four megabytes come whole", _BULK, bulk())
    yield Belief("the exit code is the script's", b"exit 7", _exits(7))
    yield Belief("errors are words", b"[Console]::Error.WriteLine('to error'); Write-Error 'a word'", _errors)
    yield _exact("a slow script is waited for", _SLOW, b"awake")
    yield _exact("nothing is left of the script on the disk", _NO_FILE, b"file=")
    yield Belief("which cmdlets are missing", _MISSING, _has(b"missing="), tells=True)
    yield Belief("what the account may read", _RIGHTS, _has(b"administrator="), tells=True)


def bulk() -> bytes:
    """Four megabytes, as ``_BULK`` writes them."""
    return b"".join(b"%08d" % number * 8 + b"\r\n" for number in range(LINES))


_WHO = b"""
$v = $PSVersionTable.PSVersion
$o = [Environment]::OSVersion.Version
$c = [Globalization.CultureInfo]::CurrentUICulture.Name
$p = [Console]::OutputEncoding.CodePage
$l = $ExecutionContext.SessionState.LanguageMode
$n = "name=$env:COMPUTERNAME user=$env:USERNAME"
[Console]::Out.Write("psversion=$v os=$o culture=$c codepage=$p language=$l $n")
"""
_BULK = (
    b"""
for ($i = 0; $i -lt %d; $i++) {
    $n = '{0:d8}' -f $i
    [Console]::Out.Write($n + $n + $n + $n + $n + $n + $n + $n + "`r`n")
}
"""
    % LINES
)
_SLOW = b"Start-Sleep -Seconds %d\r\n[Console]::Out.Write('awake')" % _SLOW_S
_NO_FILE = b"[Console]::Out.Write('file=' + $MyInvocation.ScriptName + $PSCommandPath)"
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
        'Registry::HKEY_USERS\\S-1-5-18\\Environment')) {
    $t += [string](Test-Path -Path $k)
}
[Console]::Out.Write("administrator=$a keys=" + ($t -join ','))
"""


def _long() -> bytes:
    """A script of several messages, of which packing saves little."""
    noise = b"".join(hashlib.sha512(b"%d" % number).hexdigest().encode() for number in range(5000))
    lines = (b"# %b\r\n" % noise[at : at + 2000] for at in range(0, len(noise), 2000))
    return b"[Console]::Out.Write('whole')\r\n" + b"".join(lines)


def _bytes_script() -> bytes:
    numbers = ",".join(map(str, TEXT.encode())).encode()
    return (
        b"""
$b = [byte[]]@(%b)
$o = [Console]::OpenStandardOutput()
$o.Write($b, 0, $b.Length)
$o.Flush()
"""
        % numbers
    )


def _exact(name: str, script: bytes, expected: bytes) -> Belief:
    def judge(result: RunResult, output: bytes) -> str:
        if output == expected:
            return ""
        if len(expected) > 200:
            return f"{len(output)} bytes with sha256 {hashlib.sha256(output).hexdigest()}"
        return f"{output[:200]!r} instead of {expected!r}"

    return Belief(name, script, judge, expected=expected)


def _has(expected: bytes) -> Judge:
    return lambda result, output: "" if expected in output else f"no {expected.decode()} in {output[:200]!r}"


def _exits(code: int) -> Judge:
    return lambda result, output: "" if result.exit_code == code else f"exit code {result.exit_code}"


def _errors(result: RunResult, output: bytes) -> str:
    missing = [word for word in (b"to error", b"a word") if word not in result.stderr]
    raw = [b"<Objs"] if b"<Objs" in result.stderr else []
    return "" if not missing and not raw else f"standard error is {result.stderr[:200]!r}"
