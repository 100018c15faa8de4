"""Reads a kept log as the product does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from log_samples import case_logs

from analyzers.logs import LogReading, read_logs
from collector.evidence import ProbeResult, Status
from collector.evidence.memory import evidence_of


@pytest.fixture
def read_case() -> Callable[..., LogReading]:
    """Read the logs of one case, with its zone if given, plus or instead of some files."""

    def read(case: str, *, offset: str = "", utc: str = "", **logs: bytes) -> LogReading:
        clock = ProbeResult("clock", Status.OK, f"offset={offset}\nutc={utc}\n".encode())
        return read_logs(evidence_of([clock] if offset else [], {**case_logs(case), **logs}))

    return read
