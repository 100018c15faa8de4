"""``run`` and its stages, end to end, over real SSH connections to the lab's hosts."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.demo import Demo
from tests.command.conftest import Command

CAUSES = {
    "api-01": "imds-wrong-route",
    "api-02": "imds-no-route",
    "batch-01": "iam-access-denied",
    "batch-02": "iam-no-instance-profile",
    "cache-01": "endpoint-unreachable",
    "db-01": "disk-full",
    "rebuilt-host": "not-reached",
    "switched-off": "not-reached",
    "web-02": "proxy-no-noproxy-imds",
    "win-02": "win-stale-imds-route",
}
HEALTHY = {"web-01", "win-01"}
NO_CONFIG = ("--ssh-config", "none")


def causes(diagnosis: Path) -> dict[str, str]:
    hosts = json.loads(diagnosis.read_text())["hosts"]
    return {host["subject"]["name"]: host["causes"][0]["slug"] for host in hosts if host["causes"]}


def test_a_sweep_from_inventory_to_reports(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    done = ssm_triage("run", "-i", demo.inventory, "-o", "run", *NO_CONFIG)

    assert done.returncode == 6, done.stderr
    run = tmp_path / "run"
    assert causes(run / "report/diagnosis.json") == CAUSES
    assert (run / "report/index.html").is_file()
    pages = {page.stem for page in (run / "report/hosts").iterdir()}
    assert pages == {*CAUSES, *HEALTHY}
    assert set((run / "unreached.retry").read_text().split()) == {"rebuilt-host", "switched-off"}
    assert {path.stem for path in (run / "evidence").glob("*.zip")} == pages
    private = [path for path in [run, *run.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert private == []
    assert "imds-wrong-route" in done.stdout
    assert "12 hosts: 8 broken, 2 not reached, 2 ok" in done.stderr


def test_each_stage_alone_gives_the_same(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    collected = ssm_triage("collect", "-i", demo.inventory, "-o", "run", "--quiet", *NO_CONFIG)
    assert (collected.returncode, collected.stdout, collected.stderr) == (4, "", "")

    analyzed = ssm_triage("analyze", "run", "--reporter", "json:diagnosis.json", "--quiet")
    assert analyzed.returncode == 6, analyzed.stderr
    assert causes(tmp_path / "diagnosis.json") == CAUSES

    reported = ssm_triage("report", "diagnosis.json", "--reporter", "html:pages", "--exit-zero")
    assert reported.returncode == 0, reported.stderr
    assert len(list((tmp_path / "pages/hosts").iterdir())) == len(CAUSES) + len(HEALTHY)


def test_limit_and_retry(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "again.retry").write_text("web-01\nweb-02\n")
    done = ssm_triage(
        "run", "-i", demo.inventory, "-l", "@again.retry:!web-02", "--reporter", "json:-", *NO_CONFIG
    )
    assert done.returncode == 0, done.stderr
    assert [host["subject"]["name"] for host in json.loads(done.stdout)["hosts"]] == ["web-01"]


@pytest.mark.parametrize(("fail_on", "code"), [("broken", 2), ("unknown", 2), ("never", 0)])
def test_fail_on(ssm_triage: Command, demo: Demo, fail_on: str, code: int) -> None:
    done = ssm_triage("run", "-i", demo.inventory, "-l", "db-01", "--fail-on", fail_on, *NO_CONFIG)
    assert done.returncode == code, done.stderr


def test_hosts_and_plan_ask_nobody(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    listed = ssm_triage("run", "-i", demo.inventory, "-l", "web-01", "--list-hosts")
    assert listed.returncode == 0, listed.stderr
    assert "inventory.yaml:" in listed.stdout
    planned = ssm_triage("run", "-i", demo.inventory, "--dry-run", "-J", "bastion", "-b")
    assert planned.returncode == 0, planned.stderr
    assert "web-01: ssh to 127.0.0.1" in planned.stdout
    assert "by way of bastion, then sudo to root" in planned.stdout
    assert not (tmp_path / "ssm-triage-runs").exists()


def test_interrupted_once_it_reports_what_is_there(ssm_triage: Command, demo: Demo, tmp_path: Path) -> None:
    """A host that accepts and never answers holds the sweep; Ctrl-C ends it with the others' reports kept."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        inventory = tmp_path / "inventory.yaml"
        mute_host = f"        mute:\n          ansible_port: {mute.getsockname()[1]}\n"
        inventory.write_text(demo.inventory.read_text() + mute_host)
        command = [sys.executable, "-m", "ssm_triage", "run", "-i", str(inventory), "-o", "run", *NO_CONFIG]
        sweep = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        evidence = tmp_path / "run/evidence/web-01.zip"
        until = time.monotonic() + 60
        while not evidence.exists() and time.monotonic() < until:
            time.sleep(0.05)
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate(timeout=90)
    assert sweep.returncode == 130, said
    assert b"stopping" in said
    assert "web-01" in (tmp_path / "run/report/diagnosis.json").read_text()
    assert (tmp_path / "run/report/index.html").is_file()


def test_the_demo(ssm_triage: Command, tmp_path: Path) -> None:
    done = ssm_triage("demo", "-o", "demo")
    assert done.returncode == 0, done.stderr
    assert causes(tmp_path / "demo/report/diagnosis.json") == CAUSES
    assert "demo/report/index.html" in done.stderr
