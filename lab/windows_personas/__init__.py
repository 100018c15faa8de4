"""Windows hosts to try the diagnosis on: each fault, on each edition and in each language of Windows Server.

Made by us: what each host prints was put together from documentation and public reports, not captured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.probes.model import Lane
from lab.windows_personas.asked import asked_by
from lab.windows_personas.editions import EDITIONS, LANGUAGES
from lab.windows_personas.faults import FAULTS, Fault
from lab.windows_personas.frames import answer

__all__ = ["CASES", "EDITIONS", "FAULTS", "LANGUAGES", "WindowsPersona", "persona"]

CASES = tuple(FAULTS)


@dataclass(frozen=True)
class WindowsPersona:
    """One host: what its probes print, and what its logs hold."""

    name: str
    cause: str
    """The slug that it must be diagnosed with; ``healthy`` too."""
    probes: Mapping[str, bytes] = field(repr=False)
    logs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    user: str = "WIN\\Administrator"

    def __call__(self, script: bytes) -> bytes:
        """What the collecting script would put out on this host.

        Raises:
            UnknownScript: it is not the script that this version compiles; there is no PowerShell here.
        """
        asked = asked_by(script)
        probes = {name: ("ok", output) for name, output in self.probes.items()}
        probes["agent-logs"] = ("ok" if self.logs else "absent", b"")
        logs = self.logs if any(probe.lane is Lane.LOG for probe in asked.probes) else {}
        names = [probe.id for probe in asked.probes]
        return answer(asked.nonce, names, probes, logs, self.user, asked.log_budget)


def persona(case: str, year: int = 2022, language: str = "en") -> WindowsPersona:
    """One of ``CASES`` on one of ``EDITIONS`` in one of ``LANGUAGES``."""
    fault: Fault = FAULTS[case]
    probes, logs = fault.make(EDITIONS[year], LANGUAGES[language])
    return WindowsPersona(f"{case}-{year}-{language}", fault.cause, probes, logs)
