"""What the tests of evidence share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from evidence_samples import LOG_LINE, send_log, small_manifest

from collector.evidence.model import ProbeResult, Status
from collector.evidence.store import EvidenceWriter


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes the evidence of a small host: two probes, two logs, one of them in two parts."""

    def _write(name: str = "web-1", folder: Path = tmp_path) -> Path:
        with EvidenceWriter(folder, name) as writer:
            writer.probe(ProbeResult("hostname", Status.OK, b"web-1\n", 0, 3))
            writer.probe(ProbeResult("nft", Status.ABSENT, note="no nft here"))
            send_log(writer, "errors.log", LOG_LINE * 50)
            send_log(writer, "amazon-ssm-agent.log", LOG_LINE * 3, size=10_000_000)
            send_log(writer, "amazon-ssm-agent.log", LOG_LINE * 4000, offset=9_000_000, size=10_000_000)
            return writer.finish(small_manifest())

    return _write
