"""Personas behind a real WinRM wire: logged in by NTLM, asked by the script, kept as evidence, diagnosed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzers.diagnose import diagnose
from collector.collect import CollectOptions, collect_host
from collector.connections.base import Deadline
from collector.connections.settings import WinrmSettings
from collector.connections.winrm import WinrmConnector
from collector.evidence import Evidence
from collector.evidence.read import open_evidence, verify
from collector.probes.compile import DEFAULT_LOG_BUDGET
from collector.secrets import Literal
from collector.target import Platform, Target, Transport
from lab.windows.host import Setup, WindowsHost
from lab.windows.logins import ntlm_users
from lab.windows.shells import PIECE
from lab.windows_personas import WindowsPersona, persona

USER, PASSWORD = "alice", "open sesame"


@pytest.fixture(autouse=True)
def known_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = ntlm_users(tmp_path / "users", {USER: PASSWORD}, ["WINSIM"])
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


def collected(
    host: WindowsPersona, folder: Path, piece: int = PIECE, log_budget: int | None = DEFAULT_LOG_BUDGET
) -> Evidence:
    """What a sweep would keep of this host."""
    options = CollectOptions(log_budget=log_budget)
    with WindowsHost(host, Setup(users={USER: PASSWORD}, piece=piece)) as server:
        target = Target(
            host.name,
            server.setup.address,
            Transport.WINRM,
            port=server.port,
            user=USER,
            password=Literal(PASSWORD),
            options=(("ansible_winrm_scheme", "http"),),
        )
        connector = WinrmConnector(WinrmSettings())
        connection = connector.open(target, deadline=Deadline.after(20))
        kept = collect_host(connection, target, options, folder, Deadline.after(90))
        connection.close()
        connector.close()
        assert not server.shells.open, "a shell was left open"
    assert kept.failure is None
    evidence = open_evidence(kept.path)
    verify(evidence)
    return evidence


@pytest.mark.parametrize(
    ("case", "year", "language", "piece"),
    [
        ("stale-persistent-route", 2019, "ko", 97),
        ("container-vswitch", 2025, "ja", 4353),
        ("healthy", 2016, "de", 4353),
    ],
)
def test_a_persona_over_winrm(case: str, year: int, language: str, piece: int, tmp_path: Path) -> None:
    host = persona(case, year, language)
    evidence = collected(host, tmp_path, piece)
    manifest = evidence.manifest
    assert manifest.subject.platform is Platform.WINDOWS
    assert (manifest.ran_as, manifest.privilege) == (host.user, "administrator")
    assert bool(manifest.logs) is bool(host.logs)
    found = diagnose(evidence, now=datetime(2026, 11, 23, 7, 0, tzinfo=UTC))
    assert ([cause.slug for cause in found.causes] or [str(found.verdict)]) == [host.cause]


# A log of 30 MB -----------------------------------------------------------------------------------------

_SIZE = 30 << 20
_NAME = "amazon-ssm-agent.log"
_BEAT = b"2026-11-%02d %02d:%02d:%02d.1000 INFO [ssm-agent-worker] [HealthCheck] reporting agent health.\n"


def _beats(size: int) -> bytes:
    """Days of a log in which nothing happens, before the start that the persona's own log tells of."""
    lines, length, second = [], 0, 0
    while length < size:
        day, rest = divmod(second, 86_400)
        lines.append(_BEAT % (1 + day % 22, rest // 3600, rest // 60 % 60, rest % 60))
        length += len(lines[-1])
        second += 5
    return b"".join(lines)


def _with_long_log(after: int) -> WindowsPersona:
    """A host with a stale route whose log is 30 MB long; ``after`` of these follow its last start."""
    host = persona("stale-persistent-route", 2019)
    own = host.logs[_NAME]
    start, end = own.splitlines(keepends=True)[:7], own.splitlines(keepends=True)[7:]
    quiet = b"2026-11-23 06:36:09.1000 INFO [ssm-agent-worker] [MessageService] waiting\n"
    waiting = quiet * (after // len(quiet))
    before = _beats(_SIZE - len(own) - len(waiting))
    log = b"".join((before, *start, waiting, *end))
    assert len(log) > _SIZE - 1000
    return WindowsPersona(host.name, host.cause, host.probes, {_NAME: log})


def _parts(evidence: Evidence) -> list[tuple[int, bytes]]:
    (log,) = evidence.manifest.logs
    found = []
    for part in log.parts:
        with evidence.open_log(log, part) as stream:
            found.append((part.offset, stream.read()))
    return found


def _is_diagnosed(evidence: Evidence) -> bool:
    found = diagnose(evidence, now=datetime(2026, 11, 23, 7, 0, tzinfo=UTC))
    return [cause.slug for cause in found.causes] == ["win-stale-imds-route"]


@pytest.mark.parametrize("after", [0, 10 << 20], ids=["the start is near", "the start is far"])
def test_thirty_megabytes_within_the_budget(after: int, tmp_path: Path) -> None:
    host = _with_long_log(after)
    whole = host.logs[_NAME]
    evidence = collected(host, tmp_path)
    parts = _parts(evidence)
    assert sum(len(data) for _, data in parts) <= DEFAULT_LOG_BUDGET
    assert all(whole[offset:].startswith(data) for offset, data in parts)
    assert len(parts) == (2 if after else 1), "the head of the last start, where the tail has it not"
    assert b"Proxy environment variables:" in parts[0][1]
    assert whole.endswith(parts[-1][1])
    assert evidence.manifest.logs[0].size == len(whole)
    assert _is_diagnosed(evidence)


def test_thirty_megabytes_in_full(tmp_path: Path) -> None:
    host = _with_long_log(0)
    evidence = collected(host, tmp_path, log_budget=None)
    assert _parts(evidence) == [(0, host.logs[_NAME])]
    assert _is_diagnosed(evidence)
