"""Runs the command as a user does: as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.evidence.model import LogHead
from collector.evidence.store import EvidenceWriter
from lab.corpus import load_case
from lab.demo import Demo, demo_hosts

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Store = Callable[..., Path]

CORPUS = Path(__file__).parents[1] / "corpus"


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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """``store("disk-full-midlife", host="db-01")``: a case of the corpus as an evidence file."""

    def write(case: str, host: str = "", folder: str = "evidence") -> Path:
        evidence = load_case(CORPUS / case)
        name = host or evidence.manifest.subject.name
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        with EvidenceWriter(tmp_path / folder, name) as writer:
            for result in evidence.manifest.probes:
                writer.probe(result)
            for log in evidence.manifest.logs:
                for part in log.parts:
                    writer.log_begin(
                        LogHead(
                            log.name,
                            log.path,
                            log.size,
                            log.modified,
                            part.offset,
                            part.first_line,
                            packed=False,
                        )
                    )
                    writer.log_data(evidence.open_log(log, part).read())
                    writer.log_end(log.status, log.note)
            subject = replace(evidence.manifest.subject, name=name)
            return writer.finish(replace(evidence.manifest, subject=subject))

    return write


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The lab hosts of the demo, with the inventory that leads to them."""
    with demo_hosts(tmp_path_factory.mktemp("demo")) as hosts:
        yield hosts
