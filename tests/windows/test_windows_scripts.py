"""The PowerShell that is sent: read by both grammars and by our own lint, which is itself put to the test.

There is no PowerShell here.  What these tests cannot show is what a cmdlet answers on a live host.
"""

from __future__ import annotations

import itertools
import re

import pytest
from powershell_lint import CMDLETS, functions, lint

from collector.errors import UsageError
from collector.probes.model import Lane, Probe
from collector.probes.windows import POWERSHELL_FILES, WINDOWS
from collector.probes.windows.compile import compile_windows, powershell_file
from collector.target import Platform

NONCE = "0123456789abcdef" * 2
FILES = (*POWERSHELL_FILES, "main")
OURS = frozenset(itertools.chain.from_iterable(functions(powershell_file(f).encode()) for f in FILES))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_clean(name: str) -> None:
    assert lint(powershell_file(name).encode(), OURS) == []


@pytest.mark.parametrize("region", [None, "us-gov-west-1"])
def test_the_compiled_script_is_clean(region: str | None) -> None:
    assert lint(compile_windows(nonce=NONCE, region=region, log_budget=None)) == []


def test_each_probe_calls_a_function_of_ours() -> None:
    for probe in WINDOWS:
        if probe.lane is not Lane.LOG:
            assert probe.script.split()[0] in OURS, probe.id


def test_every_function_is_used() -> None:
    whole = compile_windows(nonce=NONCE).decode()
    for name in OURS:
        assert len(re.findall(rf"\b{name}\b", whole)) > 1, name


def test_probes_are_windows_and_named_once() -> None:
    assert {probe.platform for probe in WINDOWS} == {Platform.WINDOWS}
    assert len({probe.id for probe in WINDOWS}) == len(WINDOWS)


def test_what_came_later_than_2012_is_not_needed() -> None:
    """Each cmdlet of 2012's modules stands behind a question whether it is there."""
    whole = compile_windows(nonce=NONCE).decode()
    for name, (first, _) in CMDLETS.items():
        assert first in ("2008R2", "2012")
        if name in ("Get-NetAdapter", "Get-NetRoute", "Find-NetRoute", "Get-NetNeighbor", "Resolve-DnsName"):
            assert f"Has '{name}'" in whole


def test_the_values_are_in_the_script() -> None:
    script = compile_windows(nonce=NONCE, region="eu-central-1", log_budget=1000).decode("ascii")
    assert f"$Nonce = '{NONCE}'" in script
    assert "$Region = 'eu-central-1'" in script
    assert "$LogBudget = 1000" in script
    assert "$LogBudget = -1" in compile_windows(nonce=NONCE, log_budget=None).decode()


def test_only_the_probes_that_are_asked_are_in_it() -> None:
    some = [probe for probe in WINDOWS if probe.id in ("clock", "imds")]
    script = compile_windows(some, nonce=NONCE).decode()
    assert "id = 'clock'" in script
    assert "id = 'routes'" not in script


def test_a_hostile_call_stays_one_string() -> None:
    evil = Probe("evil", "x", "'; Bad; '", Platform.WINDOWS)
    assert "call = '''; Bad; '''" in compile_windows([evil], nonce=NONCE).decode()


@pytest.mark.parametrize("region", ["us-east-1'; x", "nowhere", "$(x)"])
def test_a_region_that_is_none(region: str) -> None:
    with pytest.raises(UsageError, match="triage_region"):
        compile_windows(nonce=NONCE, region=region)


@pytest.mark.parametrize(("nonce", "imds"), [("'", "169.254.169.254"), (NONCE, "x' y")])
def test_what_no_inventory_can_say_is_refused(nonce: str, imds: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|metadata"):
        compile_windows(nonce=nonce, imds=imds)


# Secrets -------------------------------------------------------------------------------------------------


def test_secrets_do_not_leave_the_host() -> None:
    """The document of keys is picked apart, the token not told, and what is not to be read not named."""
    whole = compile_windows(nonce=NONCE).decode()
    assert "-eq 'token') { return }" in whole
    assert "'Code', 'Message', 'LastUpdated', 'Expiration', 'Type'" in whole
    assert "RegistrationKey" not in whole
    assert "user-data" not in whole
    assert "orchestration" not in whole
    value = re.findall(r"value = (?!\$name|\(CoveredProxy)(.{0,30})", powershell_file("proxy"))
    assert all("layer" not in one for one in value), "a proxy's value that is not covered"


# The lint, put to the test -------------------------------------------------------------------------------

GOOD = b"function Probe {\n    try { Get-Service -Name 'x' -ErrorAction Stop }\n    catch { 'no' }\n}\n"
BAD = {
    "try without catch": "try { 1 }",
    "else without if": "else { 2 }",
    "empty operand": "$x = = 3",
    "and-and": "Probe && Probe",
    "or-or": "Probe || Probe",
    "ternary": "$x = $y ? 1 : 2",
    "null coalescing": "$x = $y ?? 1",
    "null assignment": "$x ??= 1",
    "null conditional": "${x}?.Length",
    "switch with a flag": "switch -Regex ($x) { 'a' { 1 } }",
    "alias": "gci C:\\",
    "alias of where": "Get-Service -ErrorAction Stop | ? { $_ }",
    "alias of foreach": "Probe | % { $_ }",
    "setting": "Set-Service -Name 'x' -Status Running",
    "removing": "Remove-Item C:\\x",
    "starting": "Start-Service x",
    "making a file": "New-Item C:\\x",
    "writing a file": "'x' | Out-File C:\\x",
    "redirecting": "Probe > C:\\x",
    "writing by .NET": "[IO.File]::WriteAllText('x', 'y')",
    "deleting": "[IO.File]::Delete('x')",
    "running text": "Invoke-Expression $x",
    "running what is not known": "& $x",
    "a host's console": "Write-Host 'x'",
    "a slow test": "Test-NetConnection 169.254.169.254",
    "the repairing class": "Get-WmiObject -Class Win32_Product -ErrorAction Stop",
    "a log without bound": "Get-WinEvent -FilterHashtable @{ LogName = 'System' } -ErrorAction Stop",
    "a file without bound": "Get-Content C:\\x",
    "a translated message": "$x = $_.Exception.Message",
    "a translated caption": "(Cim 'x').Caption",
    "a killed process": "$x.Kill()",
    "a value in the registry": "$key.SetValue('a', 'b')",
    "another tool": "sc.exe stop AmazonSSMAgent",
    "a tool with other words": "netsh.exe winhttp reset proxy",
    "another process": "[Diagnostics.Process]::Start('x')",
    "a web client": "New-Object Net.WebClient",
    "a cmdlet that trusts errors": "Get-NetRoute -PolicyStore ActiveStore",
    "a parameter that is not on the list": "Get-NetRoute -AsJob -ErrorAction Stop",
    "not ASCII": "'\u2026'",
    "a job": "Start-Job { 1 }",
    "words within a string": '"$(Remove-Item x)"',
    "an unclosed brace": "if ($x) { 1",
    "an unclosed string": "$x = 'a",
}


def test_the_lint_lets_good_script_pass() -> None:
    assert lint(GOOD) == []


@pytest.mark.parametrize("what", BAD)
def test_the_lint_sees(what: str) -> None:
    bad = GOOD + (BAD[what] + "\n").encode()
    assert lint(bad, frozenset({"Probe", "Cim"})), f"{what} passes"


@pytest.mark.parametrize("mark", ["{", "}", "(", ")"])
@pytest.mark.parametrize("name", ["system", "proxy"])
def test_a_lost_brace_is_seen(name: str, mark: str) -> None:
    """One brace or parenthesis less: nearly each loss is seen (a few leave a script that is valid, too)."""
    source = powershell_file(name)
    places = [found.start() for found in re.finditer(re.escape(mark), _outside_of_strings(source))][::4]
    seen = sum(bool(lint((source[:at] + source[at + 1 :]).encode(), OURS)) for at in places)
    assert seen >= 0.9 * len(places), f"{seen} of {len(places)}"


def _outside_of_strings(source: str) -> str:
    blank = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|#[^\n]*")
    return blank.sub(lambda found: " " * len(found[0]), source)
