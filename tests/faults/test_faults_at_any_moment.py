"""A sweep that is interrupted, ended or killed at any moment, and gone on with."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from fault_rig import Bastion, Held, told

CHAINS = [("collect", number) for number in range(7)] + [("run", number) for number in range(3)]
ROUNDS = 5
"""Of each chain; together they are fifty."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL)


def disturb(bastion: Bastion, command: list[str], chance: random.Random) -> tuple[str, int]:
    """Let a sweep get somewhere, and then send it a signal; gives what was done, and the exit code."""
    sent, twice = chance.choice(SIGNALS), chance.random() < 0.3
    wait = chance.choice([chance.uniform(0, 0.8), 0.0])  # in its start, or within the sweep
    steps = chance.randrange(0, 20)
    sweep = bastion.start([*command, "--progress", "json"])
    assert sweep.stderr is not None
    if wait:
        time.sleep(wait)
    else:
        for _ in range(steps):
            if not sweep.stderr.readline():
                break
        time.sleep(chance.uniform(0, 0.02))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(sweep.pid, sent)
        if twice and sent is not signal.SIGKILL:
            time.sleep(chance.uniform(0, 0.05))
            os.killpg(sweep.pid, sent)
    _, said = sweep.communicate(timeout=120)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(sweep.pid, signal.SIGKILL)  # whom a killed sweep left behind
    what = f"{sent.name}{' twice' if twice else ''} after {f'{wait:.2f} s' if wait else f'{steps} events'}"
    assert "Traceback" not in said or wait, f"{what}: {said}"
    unborn = "Fatal Python error" in said  # Python was still looking for its own modules
    return what, -sent if unborn else sweep.returncode


def is_begun(run: Path) -> bool:
    return (run / "run.json").exists()


_UNDISTURBED: list[dict[str, Any]] = []


@pytest.fixture
def undisturbed(bastion: Bastion) -> dict[str, Any]:
    """The same for each test: nothing in it tells one server from another."""
    if not _UNDISTURBED:
        done = bastion.run(bastion.command("run", "-o", "undisturbed"))
        assert done.returncode == 0, done.stderr
        _UNDISTURBED.append(told(bastion.folder / "undisturbed"))
    return _UNDISTURBED[0]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("verb", "seed"), CHAINS)
def test_what_is_resumed_equals_what_was_never_disturbed(
    bastion: Bastion, undisturbed: dict[str, Any], verb: str, seed: int
) -> None:
    chance = random.Random(f"{verb} {seed}")
    run = bastion.folder / "run"
    said = []
    for _ in range(ROUNDS):
        resumed = bastion.again(verb, "run", "--forks", "2")
        begun = bastion.command(verb, "-o", "run", "--forks", "2")
        said.append(disturb(bastion, resumed if is_begun(run) else begun, chance))
        print(f"seed {verb} {seed}: {said[-1][0]}: exit code {said[-1][1]}")
        assert said[-1][1] in (0, 130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT), said
        assert told(run)["evidence"].items() <= undisturbed["evidence"].items(), said
    done = bastion.run(bastion.again("run", "run") if is_begun(run) else bastion.command("run", "-o", "run"))
    assert done.returncode == 0, (said, done.stderr)
    assert told(run) == undisturbed, said


def test_the_first_interrupt_is_gentle_and_the_second_is_not(bastion: Bastion) -> None:
    slowly = ("--forks", "1", "--probe-timeout", "80")
    held = Held(bastion.root / "etc/os-release")
    sweep = bastion.start(bastion.command("run", "-o", "run", *slowly))
    held.wait_for_reader()
    os.killpg(sweep.pid, signal.SIGINT)
    assert sweep.stderr is not None
    assert "hosts under way are finished, no other is begun; once more" in sweep.stderr.readline()
    held.release()
    _, said = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert said.startswith("1 of 6 hosts: ")
    assert "report: run/report/index.html" in said
    assert said.endswith("resume: ssm-triage run --resume run\n")
    run = told(bastion.folder / "run")
    assert len(run["diagnoses"]) == 1, "a report of what is there"

    held = Held(bastion.root / "etc/os-release")
    sweep = bastion.start(bastion.again("run", "run"))
    held.wait_for_reader()
    assert sweep.stderr is not None
    os.killpg(sweep.pid, signal.SIGINT)
    sweep.stderr.readline()
    os.killpg(sweep.pid, signal.SIGINT)
    _, said = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    resume, interrupted = [line for line in said.splitlines() if line]
    assert resume.startswith("resume:   ssm-triage run --resume ")
    assert interrupted == "ssm-triage: interrupted"
    held.release()
