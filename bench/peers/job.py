"""What a peer is to do, as the programs in this folder read it: ``$BENCH_JOB`` names a file of JSON.

It stands alone: some of those programs run in an environment of their own, without the product.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple


class Job(NamedTuple):
    """One kind of work on some hosts."""

    hosts: list[str]
    port: int
    user: str
    key: str
    known_hosts: str
    config: str
    """An ssh_config for all hosts."""
    forks: int
    script: str
    """File with our script, lent to the peer; empty: it works as its users do, by the rest."""
    commands: dict[str, str]
    """By name; each asked on its own."""
    files: list[str]
    """Small ones, to be fetched."""
    log: str
    """A log to be fetched; empty: none."""
    tail_bytes: int
    """Of the log; 0: all of it."""


def read() -> Job:
    """The job that this process was started for."""
    return Job(**json.loads(Path(os.environ["BENCH_JOB"]).read_text()))


def keep(host: str, name: str, data: bytes) -> None:
    """Keep something of a host, as a collector has to."""
    folder = Path(os.environ["OUT"]) / host
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def place(host: str, name: str) -> str:
    """Where to download something of a host to."""
    folder = Path(os.environ["OUT"]) / host
    folder.mkdir(exist_ok=True)
    return str(folder / name)


def quoted(script: str) -> str:
    """A script as one word for a remote shell: ``sh -c 'script'``."""
    return "sh -c '" + script.replace("'", "'\\''") + "'"
