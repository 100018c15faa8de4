"""What goes wrong on the machine that sweeps: its disk, its clock, its limits, a second sweep."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from fault_rig import Bastion, Mount, one_error, read, told, with_noise

SMALL, ENOUGH = "420k", "20m"


def test_a_full_disk_ends_the_sweep_and_what_was_finished_is_kept(bastion: Bastion, mounts: Mount) -> None:
    with_noise(bastion)
    (bastion.folder / "disk").mkdir()
    first = bastion.command("collect", "-o", "disk/run", "--forks", "2")
    then = bastion.again("run", "disk/run")
    steps = (
        f"mount -t tmpfs -o size={SMALL} tmpfs disk",
        f"{shlex.join(first)} 2>first.err || echo $? >first.code",
        "cp -r disk/run kept",
        f"mount -o remount,size={ENOUGH} disk",
        f"{shlex.join(then)} 2>then.err || echo $? >then.code",
        "cp -r disk/run whole",
    )
    done = bastion.run([*mounts(*steps), "true"])
    assert done.returncode == 0, done.stderr

    said = (bastion.folder / "first.err").read_text().splitlines()
    assert (bastion.folder / "first.code").read_text() == "1\n", said
    assert len(said) == 2, said
    assert said[0].startswith("ssm-triage: disk/run/evidence/host")
    assert "No space left on device; free some space" in said[0]
    assert said[1].endswith("resume: ssm-triage collect --resume disk/run")
    kept = told(bastion.folder / "kept")
    assert 1 <= len(kept["evidence"]) < 6
    told_of = int(said[1].partition(" of 6 hosts")[0])
    assert told_of == len(kept["evidence"])
    assert kept["left over"] == []

    assert not (bastion.folder / "then.code").exists(), (bastion.folder / "then.err").read_text()
    whole = told(bastion.folder / "whole")
    assert len(whole["evidence"]) == len(whole["diagnoses"]) == 6
    assert kept["evidence"].items() <= whole["evidence"].items(), "nobody was asked twice"


def test_reports_that_find_no_room_cost_no_evidence(bastion: Bastion, mounts: Mount) -> None:
    (bastion.folder / "disk").mkdir()
    command = bastion.command("run", "-o", "run", "--reporter", "html:disk/pages")
    done = bastion.run([*mounts("mount -t tmpfs -o size=64k tmpfs disk"), *command])
    assert done.returncode == 1
    assert "disk/pages" in one_error(done)
    assert "No space left on device" in one_error(done)
    assert "6 of 6 hosts" in done.stderr
    assert len(told(bastion.folder / "run")["evidence"]) == 6


def test_a_folder_that_cannot_be_written_to(bastion: Bastion, mounts: Mount) -> None:
    command = bastion.command("collect", "-o", "fixed/run")
    assert bastion.run(command).returncode == 0
    before = told(bastion.folder / "fixed/run")
    read_only = mounts("mount --bind fixed fixed", "mount -o remount,ro,bind fixed")
    for refused, says in (
        (bastion.command("run", "-o", "fixed/other"), "fixed/other: cannot make the folder: Read-only file"),
        (bastion.again("run", "fixed/run"), "fixed/run: cannot be written to: Read-only file system"),
    ):
        done = bastion.run([*read_only, *refused])
        assert done.returncode == 1
        assert says in one_error(done)
        assert len(done.stderr.splitlines()) == 1
    assert told(bastion.folder / "fixed/run") == before
    assert bastion.run([*read_only, *bastion.again("analyze", "x")[:3], "analyze", "fixed/run"]).stdout


def test_few_open_files_are_enough(bastion: Bastion) -> None:
    """Forty hosts, and room for a dozen connections beside what is open anyway."""
    bastion.names = [f"host{number}" for number in range(40)]
    command = bastion.command("collect", "-o", "run", "--forks", "4")
    done = bastion.run(["sh", "-c", 'ulimit -n 72; exec "$@"', "sh", *command])
    assert done.returncode == 0, done.stderr
    assert len(told(bastion.folder / "run")["evidence"]) == 40


def test_too_few_open_files_are_told_before_any_host_is_asked(bastion: Bastion) -> None:
    command = bastion.command("collect", "-o", "run", "--forks", "100")
    done = bastion.run(["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", *command])
    assert done.returncode == 1
    assert one_error(done) == (
        "ssm-triage: --forks 100: needs 349 open files, and this system allows 200; "
        "raise the limit (ulimit -n) or lower --forks"
    )
    assert list((bastion.folder / "run/evidence").iterdir()) == []


def test_two_sweeps_at_once_into_one_folder(bastion: Bastion, mute: int) -> None:
    bastion.add("mute", mute)
    command = bastion.command("collect", "-o", "run", "--progress", "json")
    first = bastion.start(command)
    try:
        assert first.stderr is not None
        while next(read(first.stderr)).get("host") != "mute":
            pass
        for second, says in (
            (bastion.again("run", "run"), f"another ssm-triage (process {first.pid}) works in this folder"),
            (command, "the folder is not empty; name a new one with --output, or go on with --resume"),
        ):
            done = bastion.run(second)
            assert done.returncode == 1
            assert says in one_error(done)
    finally:
        first.kill()
        first.communicate()
    del bastion.names[-1]
    bastion.command("list")  # the inventory without the host that hangs
    assert bastion.run(bastion.again("run", "run")).returncode == 0
    assert len(told(bastion.folder / "run")["diagnoses"]) == 6


SET_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_SHIFT"), "r");
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (!code && id == CLOCK_REALTIME) at->tv_sec += shift();
    return code;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""
"""The wall clock of one process, as a file says it is set; libfaketime breaks ``clock_nanosleep``."""


@pytest.mark.parametrize("days", [400, -400])
def test_a_clock_that_is_set_in_the_middle(bastion: Bastion, mute: int, days: int) -> None:
    """A deadline is a span of time, and no time of day."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing, to build a clock that can be set (package gcc)")
    library = bastion.folder / "clock.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], input=SET_CLOCK.encode(), check=True
    )
    bastion.add("mute", mute)
    clock = bastion.folder / "clock"
    command = bastion.command("run", "-o", "run", "--progress", "json", "--host-deadline", "6")
    sweep = bastion.start(command, LD_PRELOAD=str(library), CLOCK_SHIFT=str(clock))
    assert sweep.stderr is not None
    events = []
    for event in read(sweep.stderr):
        events.append(event)
        if event.get("host") == "mute" and not clock.exists():
            clock.write_text(str(days * 86_400))
    assert sweep.wait(60) & 4, "the host that never answered was given up at its deadline"
    assert len({event["time"][:7] for event in events}) > 1, "the clock did jump"
    seconds = [event["seconds"] for event in events if event["event"] in ("host-collected", "end")]
    assert all(0 <= one < 100 for one in seconds), seconds
    run = told(bastion.folder / "run")
    assert run["evidence"]["mute.zip"]["failure"] == "timeout", run["evidence"]["mute.zip"]["why"]
    assert run["diagnoses"]["mute"] == ("not-reached", ["not-reached"])
    assert len(run["diagnoses"]) == 7
