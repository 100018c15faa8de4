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
from collector.secrets import Literal
from collector.target import Platform, Target, Transport
from lab.windows.host import Setup, WindowsHost
from lab.windows.logins import ntlm_users
from lab.windows_personas import WindowsPersona, persona

USER, PASSWORD = "alice", "open sesame"


@pytest.fixture(autouse=True)
def known_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = ntlm_users(tmp_path / "users", {USER: PASSWORD}, ["WINSIM"])
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


def collected(host: WindowsPersona, folder: Path, piece: int) -> Evidence:
    """What a sweep would keep of this host."""
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
        kept = collect_host(connection, target, CollectOptions(), folder, Deadline.after(40))
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
