"""The collecting script itself, whole: what a host makes of it, and whether it comes as it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from collector.connections.base import Connection, Deadline
from collector.errors import ConnectionFailed
from collector.evidence.model import LogHead, ProbeResult, Status
from collector.probes.compile import new_nonce
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from collector.probes.windows_frame import WindowsFrameReader
from collector.windows_selftest.model import Check, HostSaid, LogSaid, judged

LOG_BUDGET = 256 << 10
"""Bytes of logs: enough to see how they come, little enough for a transcript to be read."""
_MAX_BYTES = 64 << 20
_DEADLINE_S = 240.0
_KEPT_ROUTE = re.compile(r"\d+(\.\d+){3},\d+(\.\d+){3},\d+(\.\d+){3},-?\d+")
"""destination,mask,gateway,metric: the name of a value beneath ``PersistentRoutes``."""


def collect(connection: Connection, deadline: Deadline) -> tuple[HostSaid | None, list[Check]]:
    """Run the collecting script; what it gave, and the checks of that."""
    kept, nonce = _Kept(), new_nonce()
    reader = WindowsFrameReader(nonce, kept, WINDOWS)
    script = compile_windows(nonce=nonce, log_budget=LOG_BUDGET)
    wrong = ""
    try:
        result = connection.run(
            script, reader.feed, deadline=deadline.sooner(_DEADLINE_S), max_bytes=_MAX_BYTES
        )
        said = " ".join(result.stderr[:300].decode("utf-8", "replace").split())
        wrong = "" if reader.complete else f"exit code {result.exit_code} {said}".strip()
    except ConnectionFailed as failure:
        wrong = f"{failure.kind}: {failure.detail}"
    reader.finish(wrong)
    checks = [judged("the collecting script comes to its end", wrong)]
    if not reader.hello:
        return None, checks
    host = HostSaid(dict(reader.hello), tuple(kept.probes), tuple(kept.logs))
    return host, [*checks, *_of_facts(host)]


def _of_facts(host: HostSaid) -> Iterator[Check]:
    """What was only read of, and shows in the facts of a host."""
    lost = [
        f"{p.probe} ({p.status}: {p.note})" for p in host.probes if p.status in (Status.ERROR, Status.TIMEOUT)
    ]
    yield judged("every probe comes to an end of its own", ", ".join(lost), f"{len(host.probes)} probes")
    texts = [
        p.output.decode("utf-8", "replace") for p in host.probes if p.probe not in ("exhibits", "update")
    ]
    foreign = [p.probe for p, text in zip(host.probes, texts, strict=False) if "\ufffd" in text]
    yield judged("what comes is UTF-8", ", ".join(foreign))
    values = list(_kept_routes(host))
    odd = [value for value in values if not _KEPT_ROUTE.fullmatch(value)]
    yield judged("kept routes are named as believed", ", ".join(map(repr, odd[:3])), f"{len(values)} to see")
    shut = [
        f"{log.name} ({log.status}: {log.note})"
        for log in host.logs
        if log.status in (Status.ERROR, Status.DENIED)
    ]
    yield judged("a log is read beside its writer", ", ".join(shut), f"{len(host.logs)} parts of logs")


def _kept_routes(host: HostSaid) -> Iterator[str]:
    for probe in host.probes:
        for line in probe.output.splitlines() if probe.probe == "persistent-routes" else ():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict) and found.get("kind") == "value":
                yield str(found.get("value"))


class _Kept:
    """Keeps what comes (``collector.probes.frame.FrameSink``)."""

    def __init__(self) -> None:
        self.probes: list[ProbeResult] = []
        self.logs: list[LogSaid] = []

    def probe(self, result: ProbeResult) -> None:
        self.probes.append(result)

    def log_begin(self, head: LogHead) -> None:
        self.logs.append(
            LogSaid(
                head.name,
                head.path,
                head.size,
                head.modified,
                head.offset,
                head.first_line,
                b"",
                Status.TRUNCATED,
                "",
            )
        )

    def log_data(self, data: bytes) -> None:
        self.logs[-1] = replace(self.logs[-1], body=self.logs[-1].body + data)

    def log_end(self, status: Status, note: str = "") -> None:
        self.logs[-1] = replace(self.logs[-1], status=status, note=note)
