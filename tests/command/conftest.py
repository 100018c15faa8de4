"""Runs the command as a user does: as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.demo import Demo, demo_hosts

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ssm_triage(tmp_path: Path) -> Command:
    """``ssm_triage("run", "-i", ...)`` in a folder of its own, without a terminal."""

    def run(*args: str | Path, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ssm_triage", *map(str, args)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The lab hosts of the demo, with the inventory that leads to them."""
    with demo_hosts(tmp_path_factory.mktemp("demo")) as hosts:
        yield hosts
