"""What a sweep may leave out, mute, and hand over."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from datetime import date
from pathlib import Path

import pytest

from collector.errors import UsageError
from collector.evidence import Status
from collector.evidence.read import open_evidence
from collector.probes.choice import choose
from collector.probes.compile import compile_script
from collector.probes.linux import LINUX
from lab.demo import Demo
from ssm_triage.mutes import load_mutes
from tests.command.conftest import CORPUS, Command, Store

NO_CONFIG = ("--ssh-config", "none")


def test_only_and_skip(ssm_triage: Command, tmp_path: Path) -> None:
    """The real script, on this machine."""
    done = ssm_triage(
        *("collect", "-i", "here,", "--connection", "local", "-o", "run"),
        *("--only", "hostname,os-release", "--only", "imds,log", "--skip", "imds,log"),
    )
    assert done.returncode == 0, done.stderr
    evidence = open_evidence(tmp_path / "run/evidence/here.zip")
    asked = {probe.probe for probe in evidence.manifest.probes if probe.status is not Status.SKIPPED}
    assert asked == {"hostname", "os-release"}
    assert len(evidence.manifest.probes) == len(LINUX), "each has a status"
    assert evidence.probe("hosts-file").note == "left out by --only"
    assert evidence.probe("imds").note == "left out by --skip"
    assert evidence.probe("agent-logs").status is Status.SKIPPED
    assert evidence.probe("hostname").output.strip()


@pytest.mark.parametrize("only", ["network", "imds", "endpoint-ssm", "route-get,imds", "log", "local"])
def test_every_choice_is_a_script(only: str) -> None:
    script = compile_script(choose([only], [], LINUX).of(LINUX), nonce="0" * 32)
    assert subprocess.run(["sh", "-n"], input=script, check=False).returncode == 0
    lanes = script.split(b"# ---- The lanes ")[1]
    asked = set(re.findall(r" ask (\S+) probe_", lanes.decode()))
    assert asked == {probe.id for probe in LINUX if {probe.id, probe.lane} & set(only.split(","))}


def test_a_plan_of_a_part(ssm_triage: Command, demo: Demo) -> None:
    done = ssm_triage("run", "-i", demo.inventory, "-l", "web-01", "--dry-run", "--only", "imds,network")
    assert "5 of " in done.stdout
    assert "probes --script --only imds,network" in done.stderr
    script = ssm_triage("probes", "--script", "--only", "imds").stdout
    assert "probe_imds" in script
    assert "probe_routes" not in script
    assert ssm_triage("probes", "--skip", "network").stdout.count("network") == 0


def test_muted_causes_do_not_count(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("disk-full-midlife", "db-01")
    store("imds-lost-midlife", "web-01")
    mutes = tmp_path / "mutes.yaml"
    mutes.write_text("- {slug: disk-full, hosts: db-*, reason: disk ordered}\n")
    done = ssm_triage("analyze", "evidence", "--mute", mutes)
    assert done.returncode == 2, "web-01 still counts"
    assert "muted:    db-01: disk-full: disk ordered" in done.stderr.splitlines()
    assert "disk-full" in done.stdout, "the report tells it all the same"
    mutes.write_text(
        "- {slug: 'imds-*', reason: known}\n- {slug: disk-full, reason: known, until: 2999-01-01}\n"
    )
    assert ssm_triage("analyze", "evidence", "--mute", mutes, "--reporter", "csv").returncode == 0
    mutes.write_text("- {slug: '*', reason: known, until: 2020-01-01}\n")
    done = ssm_triage("analyze", "evidence", "--mute", mutes)
    assert done.returncode == 2
    assert "entry 1: ran out on 2020-01-01" in done.stderr


def test_a_mute_holds_to_its_last_day(tmp_path: Path) -> None:
    file = tmp_path / "mutes.yaml"
    file.write_text("- {slug: disk-full, hosts: [web*, db*], reason: known, until: 2026-11-24}\n")
    assert load_mutes([file], date(2026, 11, 24)).active
    assert not load_mutes([file], date(2026, 11, 25)).active


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slug: disk-full", "must be a list"),
        ("- [", "is not YAML (line"),
        ("- disk-full", "entry 1: is not a mapping"),
        ("- {slug: disk-full}", "has no reason"),
        ("- {reason: x}", "has no slug"),
        ("- {slug: disk-ful, reason: x}", "did you mean disk-full"),
        ("- {slug: disk-full, reason: x, until: soon}", "as in 2026-12-31"),
        ("- {slug: disk-full, reason: x, hosts: 3}", "hosts must be a pattern"),
        ("- {slug: disk-full, reason: x, host: db}", "unknown key 'host'"),
    ],
)
def test_a_mute_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mutes.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=re.escape(str(file))) as error:
        load_mutes([file], date(2026, 11, 24))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_package_beside_the_usual_reports(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    done = ssm_triage(
        *("run", "-i", demo.inventory, "-l", "db-01", "-o", "run", "--package", "out.zip", *NO_CONFIG)
    )
    assert done.returncode == 2, done.stderr
    assert (tmp_path / "run/report/index.html").is_file()
    with zipfile.ZipFile(tmp_path / "out.zip") as package:
        assert "tickets/host.md" in package.namelist()
        told = json.loads(package.read("json/db-01.json"))
    assert told["evidence"]["file"] == "evidence/db-01.zip", "not where it lies on this machine"
    assert str(tmp_path) not in (tmp_path / "run/report/diagnosis.json").read_text()


def test_logs_that_somebody_sent_name_us(ssm_triage: Command) -> None:
    done = ssm_triage("analyze", CORPUS / "healthy-dhmc/logs", "--reporter", "json:-")
    evidence = json.loads(done.stdout)["hosts"][0]["evidence"]
    assert evidence["tool"].startswith("ssm-triage ")
    assert not evidence["file"].startswith("/")


def test_a_language(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    store("disk-full-midlife", "db-01")
    done = ssm_triage("report", "evidence", "--lang", "en", "--exit-zero")
    assert done.returncode == 0, done.stderr
    assert '<html lang="en"' in (tmp_path / "report/index.html").read_text()
