"""Every persona, through the script, the frame and the facts, to its diagnosis."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from windows_support import Kept

from analyzers.causes import built_in
from analyzers.causes.catalogue import DIALECTS, CauseText, catalogue
from analyzers.causes.texts import steps
from analyzers.diagnose import case_of, diagnose
from analyzers.diagnosis import Diagnosis, Judgement
from collector.evidence import Evidence, Status, Subject
from collector.evidence.memory import evidence_of
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from collector.probes.windows_frame import WindowsFrameReader
from collector.target import Platform
from lab.windows.powershell import UnknownScript
from lab.windows_personas import CASES, EDITIONS, LANGUAGES, WindowsPersona, persona

NONCE = "0123456789abcdef" * 2
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def collected(host: WindowsPersona) -> Evidence:
    """What comes of sending the script to a persona."""
    kept = Kept()
    reader = WindowsFrameReader(NONCE, kept, WINDOWS)
    reader.feed(host(compile_windows(nonce=NONCE)))
    reader.finish()
    assert reader.complete
    logs = {log[0]: body for log, body in zip(kept.logs, kept.bodies, strict=True)}
    return evidence_of(kept.probes.values(), logs, subject=Subject(host.name, platform=Platform.WINDOWS))


def judged(case: str, year: int = 2022, language: str = "en") -> Diagnosis:
    return diagnose(collected(persona(case, year, language)), now=NOW)


def told(diagnosis: Diagnosis) -> list[str]:
    return [cause.slug for cause in diagnosis.causes] or [str(diagnosis.verdict)]


def copied(diagnosis: Diagnosis) -> list[str]:
    cause = diagnosis.causes[0]
    return [line for step in (*cause.remedy, *cause.verify) for line in step.lines]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("year", EDITIONS)
@pytest.mark.parametrize("case", CASES)
def test_each_is_diagnosed_right(case: str, year: int, language: str) -> None:
    assert told(judged(case, year, language)) == [persona(case, year, language).cause]


@pytest.mark.parametrize(
    "case", [case for case in CASES if persona(case).cause not in ("healthy", "unknown")]
)
def test_nothing_to_copy_is_of_another_system(case: str) -> None:
    lines = copied(judged(case))
    assert lines
    assert not [line for line in lines if "sudo" in line or "systemctl" in line or "/etc/" in line]


_LINUX_ONLY = {"duplicate-agent", "filesystem-read-only", "inotify-exhausted", "fd-limit"}
_LINUX = re.compile(
    r"\bsudo\b|/etc/|/var/|/usr/|systemctl|getent|(?<!\w)curl(?!\.exe)|\bip (route|neigh|link)|\bdig "
    r"|openssl|\bgrep\b|\bfree -|\bps aux|dmesg|\bhead\b"
)


@pytest.mark.parametrize("text", [t for t in catalogue() if t.slug not in _LINUX_ONLY], ids=lambda t: t.slug)
def test_every_cause_of_a_windows_host_is_mended_with_its_own_tools(text: CauseText) -> None:
    values = _Everything()
    for step in (*steps(text.mend, values), *steps(text.verify, values)):
        assert not [line for line in step.lines if _LINUX.search(line)]


class _Everything(dict[str, str]):
    """Every value is known, and the host is a Windows one."""

    def get(self, key: str, default: object = None) -> str:
        return "" if key in DIALECTS - {"windows"} else "x"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_arithmetic_of_a_stale_route(language: str) -> None:
    found = judged("stale-persistent-route", 2019, language)
    sentence = str(found.causes[0].sentence)
    for value in (
        "172.31.48.1",
        "172.31.48.0",
        "10.0.16.0/20",
        "10.0.16.1",
        "interface 5",
        "persistent store",
    ):
        assert value in sentence
    assert copied(found)[:3] == [
        "$stale = -split '169.254.169.254 169.254.169.253 169.254.169.250 169.254.169.251 169.254.169.123 "
        "169.254.169.249'",
        "$stale | ForEach-Object { route.exe delete $_; foreach ($store in 'ActiveStore', 'PersistentStore') "
        '{ Remove-NetRoute -DestinationPrefix "$_/32" -PolicyStore $store -Confirm:$false '
        "-ErrorAction SilentlyContinue } }",
        "$stale | ForEach-Object { route.exe -p add $_ mask 255.255.255.255 10.0.16.1 metric 1 if 5 }",
    ]
    cited = " ".join(str(citation.text) for citation in found.causes[0].evidence)
    for number in ("254", "250", "251", "253", "123", "249"):
        assert f"169.254.169.{number}/32" in cited


@pytest.mark.parametrize(
    ("year", "added", "launch"),
    [
        (2016, "route.exe -p add $_", "Ec2Launch.psd1"),
        (2022, "route.exe add $_", r"EC2Launch\EC2Launch.exe"),
    ],
)
def test_routes_are_kept_only_where_nobody_makes_them_at_each_start(
    year: int, added: str, launch: str
) -> None:
    """Version 2 of EC2Launch does; a kept one would be the next image's stale one."""
    lines = copied(judged("stale-persistent-route", year))
    assert any(added in line for line in lines)
    assert [launch in line for line in lines if "launch" in line.lower()] == [True]


def test_the_table_shows_that_the_sisters_go_astray_too() -> None:
    rows = {row.target: row for row in judged("stale-persistent-route", 2019, "ko").routes}
    for number, purpose in (("254", "imds"), ("253", "amazon-dns"), ("250", "activation"), ("123", "time")):
        row = rows[f"169.254.169.{number}"]
        assert (row.purpose, row.judgement) == (purpose, Judgement.BAD)
        assert row.expected == "next_hop: 10.0.16.1; if_alias: 이더넷"
        assert "172.31.48.1" in str(row.why)
    assert rows["8.8.8.8"].judgement is Judgement.GOOD
    assert {row.judgement for row in judged("healthy", 2019).routes} == {Judgement.GOOD}


def test_the_rule_that_blocks_is_named() -> None:
    lines = copied(judged("firewall-blocks-imds"))
    assert "Disable-NetFirewallRule -Name '{1}'" in lines


def test_a_route_that_is_not_kept_is_not_blamed_on_the_image() -> None:
    sentence = str(judged("stale-active-route").causes[0].sentence)
    assert "not kept" in sentence
    assert "image" not in sentence


def test_of_two_routes_the_lower_metric_is_named() -> None:
    sentence = str(judged("two-routes").causes[0].sentence)
    assert "metric 16" in sentence
    assert "172.31.48.1" in sentence


def test_a_vanished_interface_is_named() -> None:
    sentence = str(judged("vanished-interface", 2016, "ko").causes[0].sentence)
    assert "이더넷 2" in sentence
    assert "interface 5" in sentence


def test_activation_that_fails_corroborates() -> None:
    host = persona("stale-persistent-route")
    failed = (
        b'{"kind":"event","log":"Application","provider":"Microsoft-Windows-Security-SPP","id":8198,'
        b'"time":"2026-11-23T06:00:00Z","values":["hr=0xC004F074"]}\n'
    )
    more = WindowsPersona(host.name, host.cause, {**host.probes, "service-events": failed}, host.logs)
    evidence = diagnose(collected(more), now=NOW).causes[0].evidence
    assert any("0xC004F074" in str(citation.text) for citation in evidence)


def test_no_kept_route_on_2022_is_normal() -> None:
    host = persona("healthy", 2022)
    assert b"169.254" not in host.probes["persistent-routes"]
    assert told(judged("healthy", 2022)) == ["healthy"]


def test_a_default_route_alone_is_no_fault() -> None:
    assert b"169.254.169.254/32" not in persona("no-route-of-its-own").probes["routes"]
    assert told(judged("no-route-of-its-own")) == ["healthy"]


def test_a_stale_route_is_no_fault_while_the_service_answers() -> None:
    """What works is not broken: the route may be on its way out."""
    good, bad = persona("healthy"), persona("stale-active-route")
    mixed = {**bad.probes, "imds": good.probes["imds"], "sockets": good.probes["sockets"]}
    found = diagnose(collected(WindowsPersona("mixed", "healthy", mixed)), now=NOW)
    assert told(found) == ["healthy"]


def test_events_before_the_boot_are_history() -> None:
    host = persona("service-start-timeout")
    old = host.probes["service-events"].replace(b"2026-11-23", b"2026-11-20")
    before = WindowsPersona(host.name, "agent-stopped", {**host.probes, "service-events": old})
    assert told(diagnose(collected(before), now=NOW)) == ["agent-stopped"]


def test_a_full_disk_is_seen() -> None:
    host = persona("healthy")
    full = b'{"kind":"disk","device":"C:","size":32210153472,"free":4096}\n'
    found = diagnose(
        collected(WindowsPersona("full", "disk-full", {**host.probes, "disk-space": full})), now=NOW
    )
    assert told(found) == ["disk-full"]


def test_every_rule_of_windows_tells_something_of_some_persona() -> None:
    rules = [rule for rule in built_in() if rule.name.startswith("windows")]
    cases = [case_of(collected(persona(case)), now=NOW) for case in CASES]
    speaking = {rule.name for rule in rules for case in cases if any(rule(case))}
    assert {rule.name for rule in rules} - speaking == {"windows.disk_full"}, "tried above"


def test_an_unknown_script_fails_loudly() -> None:
    host = persona("healthy")
    for script in (b"Get-Date", compile_windows(nonce=NONCE) + b"\n# more"):
        with pytest.raises(UnknownScript):
            host(script)


def test_the_script_may_carry_other_values() -> None:
    host = persona("healthy")
    assert host(compile_windows(nonce=NONCE, region="us-east-1", log_budget=None))


def test_a_part_of_the_probes_may_be_asked() -> None:
    some, kept = [probe for probe in WINDOWS if probe.id in ("clock", "routes")], Kept()
    reader = WindowsFrameReader(NONCE, kept, some)
    reader.feed(persona("healthy")(compile_windows(some, nonce=NONCE)))
    reader.finish()
    assert {probe: result.status for probe, result in kept.probes.items()} == {
        "clock": Status.OK,
        "routes": Status.OK,
    }
