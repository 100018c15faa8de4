"""Personas behind a real WinRM wire: logged in by NTLM, asked by the script, read as it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from windows_support import Kept

from analyzers.diagnose import diagnose
from collector.connections.base import Deadline
from collector.connections.settings import WinrmSettings
from collector.connections.winrm import WinrmConnector
from collector.evidence import Subject
from collector.evidence.memory import evidence_of
from collector.probes.compile import new_nonce
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from collector.probes.windows_frame import WindowsFrameReader
from collector.secrets import Literal
from collector.target import Platform, Target, Transport
from lab.windows.host import Setup, WindowsHost
from lab.windows.logins import ntlm_users
from lab.windows_personas import persona

USER, PASSWORD = "alice", "open sesame"


@pytest.fixture(autouse=True)
def known_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = ntlm_users(tmp_path / "users", {USER: PASSWORD}, ["WINSIM"])
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


@pytest.mark.parametrize("piece", [97, 4353])
@pytest.mark.parametrize(
    ("case", "year", "language"),
    [("stale-persistent-route", 2019, "ko"), ("container-vswitch", 2025, "ja"), ("healthy", 2016, "de")],
)
def test_a_persona_over_winrm(case: str, year: int, language: str, piece: int) -> None:
    host, nonce, kept = persona(case, year, language), new_nonce(), Kept()
    reader = WindowsFrameReader(nonce, kept, WINDOWS)
    with WindowsHost(host, Setup(users={USER: PASSWORD}, piece=piece)) as server:
        target = Target(
            "win",
            server.setup.address,
            Transport.WINRM,
            port=server.port,
            user=USER,
            password=Literal(PASSWORD),
            options=(("ansible_winrm_scheme", "http"),),
        )
        connector = WinrmConnector(WinrmSettings())
        connection = connector.open(target, deadline=Deadline.after(20))
        connection.run(
            compile_windows(nonce=nonce), reader.feed, deadline=Deadline.after(30), max_bytes=8 << 20
        )
        connection.close()
        connector.close()
        assert not server.shells.open, "a shell was left open"
    reader.finish()
    assert reader.complete
    logs = {log[0]: body for log, body in zip(kept.logs, kept.bodies, strict=True)}
    evidence = evidence_of(kept.probes.values(), logs, subject=Subject("win", platform=Platform.WINDOWS))
    found = diagnose(evidence, now=datetime(2026, 11, 23, 7, 0, tzinfo=UTC))
    assert ([cause.slug for cause in found.causes] or [str(found.verdict)]) == [host.cause]
