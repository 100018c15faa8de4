"""Windows hosts to try the diagnosis on: each fault, on each edition and in each language of Windows Server.

Made by us: what each host prints was put together from documentation and public reports, not captured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from lab.windows.powershell import UnknownScript
from lab.windows_personas.editions import EDITIONS, LANGUAGES
from lab.windows_personas.faults import FAULTS, Fault
from lab.windows_personas.frames import answer

__all__ = ["CASES", "EDITIONS", "FAULTS", "LANGUAGES", "WindowsPersona", "persona"]

CASES = tuple(FAULTS)
_PROBE = re.compile(rb"@\{ id = '([a-z0-9-]+)'; call = ")
_VALUE = re.compile(rb"^\$(Nonce|Region|Imds|LogBudget) = '?([^'\r\n]*)'?$", re.MULTILINE)


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
        given = {key.decode(): value.decode() for key, value in _VALUE.findall(script)}
        named = set(_PROBE.findall(script))
        asked = [probe for probe in WINDOWS if probe.id.encode() in named]
        try:
            known = compile_windows(
                asked,
                nonce=given["Nonce"],
                region=given["Region"] or None,
                imds=given["Imds"],
                log_budget=None if given["LogBudget"].startswith("-") else int(given["LogBudget"]),
            )
        except (KeyError, ValueError):
            raise UnknownScript(script) from None
        if script != known:
            raise UnknownScript(script)
        probes = {name: ("ok", output) for name, output in self.probes.items()}
        probes["agent-logs"] = ("ok" if self.logs else "absent", b"")
        logs = self.logs if b"agent-logs" in named else {}
        return answer(given["Nonce"], [probe.id for probe in asked], probes, logs, self.user)


def persona(case: str, year: int = 2022, language: str = "en") -> WindowsPersona:
    """One of ``CASES`` on one of ``EDITIONS`` in one of ``LANGUAGES``."""
    fault: Fault = FAULTS[case]
    probes, logs = fault.make(EDITIONS[year], LANGUAGES[language])
    return WindowsPersona(f"{case}-{year}-{language}", fault.cause, probes, logs)
