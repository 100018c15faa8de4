"""Whether a script is the collecting script of this very version, and what it asks for."""

from __future__ import annotations

import re

from collector.probes.model import Probe
from collector.probes.windows import WINDOWS
from collector.probes.windows.compile import compile_windows
from lab.windows.powershell import UnknownScript

_PROBE = re.compile(rb"@\{ id = '([a-z0-9-]+)'; call = ")
_VALUE = re.compile(rb"^\$(Nonce|Region|Imds|LogBudget) = '?([^'\r\n]*)'?$", re.MULTILINE)


def asked_by(script: bytes) -> tuple[str, list[Probe]]:
    """The nonce of a collecting script, and the probes that are in it.

    Raises:
        UnknownScript: it is not what this version compiles; there is no PowerShell here.
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
    return given["Nonce"], asked
