"""Ten thousand hosts of which one has a hostile name; and evidence that is damaged once it is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_rig import Bastion, told, told_of

HOSTILE = "../../../tmp/pwned !all,@/etc/passwd <script>alert(1)</script>$(id)`id`' \u00e9\ud55c" + "x" * 300
"""As bad as an inventory lets it be: what cannot be printed names no host."""


@pytest.mark.timeout(600)
def test_one_hostile_name_among_ten_thousand(bastion: Bastion) -> None:
    """All but three refuse the connection; a port that nobody listens on is cheap."""
    well = ["host-a", "host-b", HOSTILE]
    gone = [f"gone{number:04}" for number in range(9997)]
    bastion.names = [*gone[:5000], *well, *gone[5000:]]
    bastion.of_host = {name: {"ansible_host": "127.0.0.1", "ansible_port": 1} for name in gone}
    command = bastion.command("collect", "-o", "run", "--rate", "10000", "--progress", "json")
    with (bastion.folder / "events").open("w") as events:
        assert bastion.start_to(events, command).wait(500) == 4
    run = bastion.folder / "run"
    files = {path.name for path in (run / "evidence").iterdir()}
    assert len(files) == 10_000
    (hostile,) = files - {f"{name}.zip" for name in bastion.names}
    assert hostile.startswith("tmp-pwned-all")
    assert told_of(run / "evidence" / hostile)["name"] == HOSTILE
    assert [path for path in bastion.folder.parent.rglob("*pwned*") if path.name != hostile] == []

    lines = (bastion.folder / "events").read_text().splitlines()
    finished = [event for event in map(json.loads, lines) if event["event"] == "host-collected"]
    assert sorted(event["host"] for event in finished) == sorted(bastion.names)
    assert (run / "unreached.retry").read_text().splitlines() == gone

    report = [*bastion.again("report", "")[:3], "report", f"run/evidence/{hostile}"]
    done = bastion.run([*report, "--reporter", "html:run/report"])
    assert done.returncode == 0, done.stderr
    assert "<script>alert" not in (run / "report/index.html").read_text()


def test_a_hostile_name_can_be_retried(bastion: Bastion) -> None:
    """The file of those who were not reached means them, and nobody else."""
    bastion.names = [HOSTILE, "!host1", "#host2", " host3", "~host.*", "host[0:9]", "host1"]
    bastion.of_host = {name: {"ansible_port": 1} for name in bastion.names if name != "host1"}
    done = bastion.run(bastion.command("collect", "-o", "run"))
    assert done.returncode == 4, done.stderr
    again = bastion.run(bastion.command("collect", "-l", "@run/unreached.retry", "-o", "again"))
    assert again.returncode == 4, again.stderr
    names = {host["name"] for host in told(bastion.folder / "again")["evidence"].values()}
    assert len(names) == 6
    assert "host1" not in names


# --- Evidence that is damaged between collect and analyze ------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut, empty, flip_a_bit, make_a_folder])
def test_evidence_that_is_damaged_costs_nobody_else_a_verdict(
    bastion: Bastion, damage: Callable[[Path], None]
) -> None:
    assert bastion.run(bastion.command("collect", "-o", "run")).returncode == 0
    run = bastion.folder / "run"
    whole = told(run)["evidence"]
    damage(run / "evidence/host3.zip")

    analyze = [*bastion.again("analyze", "")[:3], "analyze", "run", "--reporter", "json:told.json"]
    done = bastion.run(analyze)
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("ssm-triage: ")]
    assert len(said) == 1, done.stderr
    assert "run/evidence/host3.zip" in said[0]
    hosts = json.loads((bastion.folder / "told.json").read_text())["hosts"]
    assert len(hosts) == 6
    (unknown,) = [host for host in hosts if host["subject"]["name"] == "host3"]
    assert unknown["verdict"] == "unknown"
    assert "cannot be read" in unknown["headline"]["text"]

    if damage is make_a_folder:
        shutil.rmtree(run / "evidence/host3.zip")
    again = bastion.run(bastion.again("run", "run"))
    assert again.returncode == 0, again.stderr
    assert told(run)["evidence"] == whole
