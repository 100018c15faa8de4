"""All probes of a Windows host as one PowerShell script: sent once, read by whoever must allow it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

from collector.errors import UsageError
from collector.probes.compile import DEFAULT_LOG_BUDGET, IMDS_ADDRESS
from collector.probes.model import Lane, Probe
from collector.probes.windows import POWERSHELL_FILES, WINDOWS

_REGION = re.compile(r"[a-z]{2,6}(-[a-z]+)+-\d{1,2}")
_NONCE = re.compile(r"[0-9a-f]{16,64}")
_PLACE = re.compile(r"[0-9A-Za-z.:\[\]-]{1,255}")
_NO_LIMIT = -1

_HEAD = """\
# ssm-triage: why is the SSM Agent of this host broken?
#
# This script only looks.  It writes no file, changes no setting, starts no service, makes no task.
# What it finds, it prints; secrets are cut out or covered before that.  Windows PowerShell 3.0 and later.

if ($PSVersionTable.PSVersion.Major -lt 3) {
    'ssm-triage needs Windows Management Framework 3.0; here is PowerShell ' + $PSVersionTable.PSVersion
    exit 95
}
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
"""


def compile_windows(
    probes: Sequence[Probe] = WINDOWS,
    *,
    nonce: str,
    region: str | None = None,
    log_budget: int | None = DEFAULT_LOG_BUDGET,
    imds: str = IMDS_ADDRESS,
) -> bytes:
    """The PowerShell script, in ASCII, that asks all ``probes`` and answers in a run of frames.

    Args:
        probes: what to ask.
        nonce: from `collector.probes.compile.new_nonce`; marks the frames of this answer
            (``collector/probes/windows_frame.py``).
        region: from the inventory; empty: the host's metadata service is asked.
        log_budget: bytes of log files to bring home, before packing; ``None``: all of them.
        imds: where the metadata service is; for laboratories.

    Raises:
        UsageError: the region is none.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 16 to 64 hexadecimal digits")
    if not _PLACE.fullmatch(imds):
        raise ValueError("the metadata service is at a host, or host:port")
    if region and not _REGION.fullmatch(region):
        raise UsageError(f"triage_region: {region!r} is no AWS region; write it as in eu-central-1")
    network = _in(Lane.NETWORK, probes)
    parts = [
        _HEAD,
        f"$Nonce = '{nonce}'",
        f"$Region = '{region or ''}'",
        f"$RegionSource = '{'inventory' if region else ''}'",
        f"$Imds = '{imds}'",
        f"$LogBudget = {_NO_LIMIT if log_budget is None else max(0, log_budget)}",
        _table("FirstProbes", (probe for probe in network if probe.id == "imds")),
        _table("LocalProbes", _in(Lane.LOCAL, probes)),
        _table("NetworkProbes", (probe for probe in network if probe.id != "imds")),
        _table("LogProbes", _in(Lane.LOG, probes)),
        "# What the probes are made of; each place that they run in gets its own copy.",
        "$Library = {",
        *(powershell_file(name) for name in POWERSHELL_FILES),
        "}",
        ". $Library",
        "",
        powershell_file("main"),
        "Main",
        "",
    ]
    return "\n".join(parts).encode("ascii")


def powershell_file(name: str) -> str:
    """The text of one ``powershell/NAME.ps1``."""
    return (files("collector.probes.windows") / "powershell" / f"{name}.ps1").read_text("ascii")


def _in(lane: Lane, probes: Iterable[Probe]) -> list[Probe]:
    return [probe for probe in probes if probe.lane is lane]


def _table(name: str, probes: Iterable[Probe]) -> str:
    return f"${name} = @(\n" + ",\n".join(_row(probe) for probe in probes) + "\n)\n"


def _row(probe: Probe) -> str:
    bounds = f"limit = {probe.timeout_s}; max = {probe.max_bytes}"
    return f"    @{{ id = '{probe.id}'; call = {_quoted(probe.script)}; {bounds} }}"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
