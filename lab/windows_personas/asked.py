"""Whether a script is the collecting script of this very version, and what it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from collector.probes.model import Probe
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from lab.windows.powershell import UnknownScript

_PROBE = re.compile(rb"@\{ id = '([a-z0-9-]+)'; call = ")
_VALUE = re.compile(rb"^\$(Nonce|Region|Imds|LogBudget) = '?([^'\r\n]*)'?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a collecting script wants to know."""

    nonce: str
    probes: tuple[Probe, ...]
    log_budget: int | None
    """Bytes of logs; ``None``: all."""


def asked_by(script: bytes) -> Asked:
    """What is in a collecting script.

    Raises:
        UnknownScript: it is not what this version compiles; there is no PowerShell here.
    """
    given = {key.decode(): value.decode() for key, value in _VALUE.findall(script)}
    named = set(_PROBE.findall(script))
    probes = tuple(probe for probe in WINDOWS if probe.id.encode() in named)
    try:
        budget = None if given["LogBudget"].startswith("-") else int(given["LogBudget"])
        asked = Asked(given["Nonce"], probes, budget)
        region, imds = given["Region"] or None, given["Imds"]
        known = compile_windows(probes, nonce=asked.nonce, region=region, imds=imds, log_budget=budget)
    except (KeyError, ValueError):
        raise UnknownScript(script) from None
    if script != known:
        raise UnknownScript(script)
    return asked
