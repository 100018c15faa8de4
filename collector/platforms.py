"""What each platform is asked, in which language, and who reads its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from collector.connections.platform import told
from collector.errors import ConnectionFailed, FailureKind
from collector.evidence.model import ProbeResult, Status
from collector.probes.choice import Choice
from collector.probes.compile import compile_script
from collector.probes.frame import FrameReader, FrameSink
from collector.probes.linux import LINUX
from collector.probes.model import Probe
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from collector.probes.windows_frame import WindowsFrameReader
from collector.target import Platform, Target

PROBES: dict[Platform, tuple[Probe, ...]] = {Platform.LINUX: LINUX, Platform.WINDOWS: WINDOWS}
"""What each platform is asked; an id that two of them have means the same on both."""


class Reader(Protocol):
    """Reads a host's answer as it comes; see ``FrameReader``."""

    hello: dict[str, str]
    noise: bytes
    complete: bool

    def feed(self, data: bytes) -> None: ...

    def finish(self, reason: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Question:
    """The script for one host, and what reads its answer."""

    script: bytes
    reader: Callable[[FrameSink], Reader]


Probes = tuple[Probe, ...]

Ask = Callable[[Target, Probes, str, int | None], Question]
"""From the host, the probes, the nonce and the log budget to the question."""


def expected(target: Target) -> Platform:
    """Which kind of host this is, as far as the inventory tells; who answers decides."""
    return Platform.WINDOWS if told(target) is Platform.WINDOWS else Platform.LINUX


@lru_cache(maxsize=64)
def chosen(choice: Choice, probes: Probes) -> Probes:
    """The probes with the choice among them marked; made once for all hosts."""
    return choice.of(probes)


def _ask_linux(target: Target, probes: Probes, nonce: str, log_budget: int | None) -> Question:
    script = compile_script(
        probes, nonce=nonce, region=target.region, root=target.root, log_budget=log_budget
    )
    return Question(script, lambda sink: FrameReader(nonce, sink, probes))


def _ask_windows(target: Target, probes: Probes, nonce: str, log_budget: int | None) -> Question:
    if target.root:
        raise ConnectionFailed(
            FailureKind.PROTOCOL,
            f"{target.name}: a mounted volume ({target.root}) can only be looked at on Linux",
            "mount it on a Linux host, or leave out triage_root and --root",
        )
    asked = [probe for probe in probes if not probe.left_out]
    script = compile_windows(asked, nonce=nonce, region=target.region, log_budget=log_budget)

    def reader(sink: FrameSink) -> WindowsFrameReader:
        _skip(probes, sink)
        return WindowsFrameReader(nonce, sink, asked)

    return Question(script, reader)


def _skip(probes: Sequence[Probe], sink: FrameSink) -> None:
    for probe in probes:
        if probe.left_out:
            sink.probe(ProbeResult(probe.id, Status.SKIPPED, note=probe.left_out))


ASK: dict[Platform, Ask] = {Platform.LINUX: _ask_linux, Platform.WINDOWS: _ask_windows}
"""How each platform is asked."""
