"""``verify``: what is whole is said to be, and nothing else is."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from tests.command.conftest import CORPUS, Command, Store


def test_whole(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    file = store("healthy-dhmc", "web-01")
    done = ssm_triage("verify", "evidence")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("evidence/web-01.zip: ok: web-01, ")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in done.stdout
    assert ssm_triage("verify", "evidence", "--quiet").stdout == ""


def test_a_line_for_each_that_is_not(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("healthy-dhmc", "whole")
    cut, log, probe = (store("disk-full-midlife", name) for name in ("cut", "log", "probe"))
    cut.write_bytes(cut.read_bytes()[:3000])
    replace_member(log, "logs/amazon-ssm-agent.log", lambda body: body.replace(b"INFO", b"WARN", 1))
    replace_member(probe, "probes/routes.txt", lambda body: body + b"default via 10.0.0.1 dev eth0\n")
    (tmp_path / "evidence/killed.zip.part").write_bytes(b"PK")
    done = ssm_triage("verify", "evidence", "nowhere.zip", "--quiet")
    assert done.returncode == 1
    damaged = {line.split(": ")[0]: line for line in done.stdout.splitlines()}
    assert sorted(damaged) == [
        *("evidence/cut.zip", "evidence/killed.zip.part", "evidence/log.zip", "evidence/probe.zip"),
        "nowhere.zip",
    ]
    assert "logs/amazon-ssm-agent.log fails its digest" in damaged["evidence/log.zip"]
    assert "probes/routes.txt fails its digest" in damaged["evidence/probe.zip"]
    assert done.stderr == ""


def test_logs_that_somebody_sent_have_no_digests(ssm_triage: Command) -> None:
    done = ssm_triage("verify", CORPUS / "healthy-dhmc/logs")
    assert done.returncode == 0
    assert "carry no digests" in done.stdout


def replace_member(path: Path, name: str, change) -> None:  # type: ignore[no-untyped-def]
    """Alter one member of a zip, and keep the zip itself in order."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    changed = change(members[name])
    assert changed != members[name]
    members[name] = changed
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in members.items():
            archive.writestr(member, body)
