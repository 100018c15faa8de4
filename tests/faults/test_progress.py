"""What is told while a sweep goes on: to a person, to a program, to nobody."""

from __future__ import annotations

import json
import os
import subprocess

from fault_rig import Bastion


def test_events_for_programs(bastion: Bastion) -> None:
    bastion.names.append("gone")
    bastion.of_host["gone"] = {"ansible_port": 1}
    done = bastion.run(bastion.command("run", "-o", "run", "--progress", "json"))
    assert done.returncode == 4
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["begin", "end"]
    assert events[0]["hosts"] == 7
    told = {name: [e for e in events if e["event"] == name] for name in ("host-collected", "host-diagnosed")}
    assert sorted(event["host"] for event in told["host-collected"]) == sorted(bastion.names)
    failures = {event["host"]: event["failure"] for event in told["host-collected"] if event["failure"]}
    assert failures == {"gone": "refused"}
    assert {event["host"]: event["cause"] for event in told["host-diagnosed"]}["gone"] == "not-reached"
    end = events[-1]
    assert (end["hosts"], end["collected"], end["not_reached"], end["exit_code"]) == (7, 7, 1, 4)
    assert end["verdicts"]["not-reached"] == 1
    assert end["interrupted"] is False
    assert end["retry"] == "-l @run/unreached.retry"

    again = bastion.run(bastion.again("run", "run", "--progress", "json"))
    events = [json.loads(line) for line in again.stderr.splitlines()]
    asked = {event["host"] for event in events if event["event"] == "host-begun"}
    assert asked <= {"gone"}, "hosts whose evidence is whole are not asked again"
    assert sum(event["event"] == "host-diagnosed" for event in events) == 7


def test_nothing_noisy_in_cron(bastion: Bastion) -> None:
    (line,) = bastion.run(bastion.command("collect", "-o", "one")).stderr.splitlines()
    assert line.startswith("6 hosts in ")
    quiet = bastion.run(bastion.command("collect", "-o", "two", "--quiet"))
    assert (quiet.stdout, quiet.stderr) == ("", "")
    lines = bastion.run(bastion.command("collect", "-o", "three", "--progress", "lines")).stderr.splitlines()
    assert [line.split("]")[0] for line in lines[:-1]] == [f"[{number}/6" for number in range(1, 7)]


def test_a_live_view_on_a_terminal(bastion: Bastion, mute: int) -> None:
    bastion.add("mute", mute)  # else all is over before anything can be seen
    ours, theirs = os.openpty()
    sweep = subprocess.Popen(
        bastion.command("run", "-o", "run", "--host-deadline", "3"), cwd=bastion.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
        env=bastion.environ(TERM="xterm", COLUMNS="120", LINES="40"),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # how a terminal says that the other side is gone
        pass
    os.close(ours)
    assert sweep.wait(60) == 4, shown
    view = shown.decode()
    parts = ("sweep", "/7", "a second", "asking: mute", "causes: not-reached 1", "evidence:", "report:")
    for part in (*parts, "7 hosts: 1 not reached, 6 ok"):
        assert part in view, view
