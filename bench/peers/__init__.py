"""Other programs that could do the same: how each is installed, and how it is told what to do."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import floor
from bench.peers import ansible
from bench.peers.job import Job

HERE = Path(__file__).parent
ENVIRONMENTS = Path("build/peers")
"""Of those whose needs clash with ours, each its own."""
PYINFRA = ENVIRONMENTS / "pyinfra/bin/pyinfra"

Command = Callable[[Job], list[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """One program, and how it is called."""

    name: str
    command: Command
    missing: Callable[[], str]
    """Why it cannot be run here; empty: it can."""
    lent: str
    """How it runs our script."""


def environment(job: Job, folder: Path) -> dict[str, str]:
    """What a peer's process finds the job by."""
    path = folder / "job.json"
    path.write_text(json.dumps(job._asdict()))
    return {
        "BENCH_JOB": str(path),
        "BENCH_PEERS": str(HERE),
        "PDSH_SSH_ARGS_APPEND": f"-F {job.config} {' '.join(floor.SSH_OPTIONS)}",
    }


def install() -> None:
    """Get those that are not in our own environment; what cannot be had is told by ``missing``."""
    if not PYINFRA.exists():
        _run(sys.executable, "-m", "venv", ENVIRONMENTS / "pyinfra")
        _run(ENVIRONMENTS / "pyinfra/bin/pip", "--disable-pip-version-check", "-q", "install", "pyinfra")
    if shutil.which("pdsh") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "pdsh")


def _run(*command: str | Path) -> None:
    """Where it fails, the peer is missing, which its rows say."""
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def _python(script: str) -> Command:
    return lambda job: [sys.executable, str(HERE / script)]


def _pyinfra(job: Job) -> list[str]:
    hosts, deploy = HERE / "pyinfra_inventory.py", HERE / "pyinfra_deploy.py"
    folder = str(Path(job.config).parent)  # it leaves a file where it is called, should it fail
    options = ["-y", "--parallel", str(job.forks)]
    return ["env", "-C", folder, str(PYINFRA.absolute()), *options, str(hosts), str(deploy)]


def _pdsh(job: Job) -> list[str]:
    """One call for each command, or one with the script as the command; one file for all."""
    hosts = Path(job.config).with_name("hosts")
    pdsh = f"pdsh -R ssh -f {job.forks} -l {job.user} -w ^{hosts}"
    if job.script:
        # it would put names of its own in the place of what follows a percent sign
        return ["sh", "-c", f'{pdsh} "$(sed s/%/%%/g {job.script})" > "$OUT/answers"']
    commands = [*job.commands.values(), *(f"cat {path}" for path in job.files)]
    if job.log:
        commands.append(f"tail -c {job.tail_bytes} {job.log}" if job.tail_bytes else f"cat {job.log}")
    return ["sh", "-c", f'for line; do {pdsh} "$line"; done > "$OUT/answers"', "pdsh", *commands]


def _without_module(module: str) -> Callable[[], str]:
    """Extra ``bench`` of this project."""
    return lambda: "" if importlib.util.find_spec(module) else "not installed (pip install '.[bench]')"


def _without_program(program: str | Path, how: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(program) else f"not installed ({how})"


_ONE_COMMAND = "as one command"
PEERS = (
    Peer("asyncssh", _python("with_asyncssh.py"), _without_module("asyncssh"), "on stdin, packed"),
    Peer("parallel-ssh", _python("with_parallel_ssh.py"), _without_module("pssh"), "on stdin"),
    Peer("Fabric", _python("with_fabric.py"), _without_module("fabric"), _ONE_COMMAND),
    Peer(
        "pyinfra",
        _pyinfra,
        _without_program(PYINFRA, "in build/peers, from the package index"),
        "as one operation",
    ),
    Peer("pdsh", _pdsh, _without_program("pdsh", "apt install pdsh"), _ONE_COMMAND),
    Peer("Ansible", ansible.command, ansible.missing, "as one `raw` task"),
)
