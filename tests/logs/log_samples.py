"""Real logs of the agent, kept in ``data/``: one folder a case, as its log folder was."""

from __future__ import annotations

from pathlib import Path

from analyzers.logs import LogReading, read_logs
from collector.evidence import ProbeResult, Status
from collector.evidence.memory import evidence_of

DATA = Path(__file__).parent / "data"


def case_logs(case: str) -> dict[str, bytes]:
    folder = DATA / case
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def read_bytes(*, offset: str = "", utc: str = "", **logs: bytes) -> LogReading:
    """Read logs whose names have ``_`` for the dots and dashes of ``amazon-ssm-agent.log``."""
    names = {
        "agent": "amazon-ssm-agent.log",
        "errors": "errors.log",
        "hibernate": "hibernate.log",
        "worker": "ssm-agent-worker.log",
    }
    clock = ProbeResult("clock", Status.OK, f"offset={offset}\nutc={utc}\n".encode())
    return read_logs(evidence_of([clock] if offset else [], {names.get(k, k): v for k, v in logs.items()}))
