"""All probes of a platform as one script: sent once, read by whoever must allow it."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from collector.errors import UsageError
from collector.probes.linux import LINUX, SHELL_FILES
from collector.probes.model import Lane, Probe

DEFAULT_LOG_BUDGET = 4 * 1024 * 1024
"""Bytes of log that a host is asked for, before packing."""

IMDS_ADDRESS = "169.254.169.254"

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Logins without root often lack the ``sbin`` folders."""

_REGION = re.compile(r"[a-z]{2,6}(-[a-z]+)+-\d{1,2}")
_NONCE = re.compile(r"[0-9a-f]{16,64}")
_NONCE_PLACE = "@NONCE@"


def new_nonce() -> str:
    """A random word for the marker lines of one run on one host: 128 bits in hex."""
    return secrets.token_hex(16)


def compile_script(
    probes: Sequence[Probe] = LINUX,
    *,
    nonce: str,
    region: str | None = None,
    root: str = "",
    log_budget: int | None = DEFAULT_LOG_BUDGET,
    imds: str = IMDS_ADDRESS,
    search: str = SEARCH_PATH,
) -> bytes:
    """The POSIX ``sh`` script that asks all ``probes`` and answers in one framed stream.

    Args:
        probes: what to ask; with ``root``, only those that read files are asked.
        nonce: from `new_nonce`; marks the frames of this answer (``collector/probes/frame.py``).
        region: from the inventory; empty: the host's metadata service or files are asked.
        root: a mounted volume to look at instead of the running system.
        log_budget: bytes of log files to bring home, before packing; ``None``: all of them.
        imds: where the metadata service is; for laboratories.
        search: where tools are looked for beside the login's own ``PATH``.

    Raises:
        UsageError: the region or the root is none.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 16 to 64 hexadecimal digits")
    template = _compiled(tuple(probes), region, root, log_budget, imds, search)
    return template.replace(_NONCE_PLACE.encode(), nonce.encode(), 1)


@lru_cache(maxsize=64)
def _compiled(
    probes: tuple[Probe, ...], region: str | None, root: str, log_budget: int | None, imds: str, search: str
) -> bytes:
    """The script but for the nonce: the same for all hosts that are asked the same."""
    if region and not _REGION.fullmatch(region):
        raise UsageError(f"triage_region: {region!r} is no AWS region; write it as in eu-central-1")
    if root and (not root.startswith("/") or "\n" in root):
        raise UsageError(
            f"triage_root: {root!r} is no absolute path; give the mount point, as in /mnt/rescue"
        )
    asked = [probe for probe in probes if not _why_not(probe, root)]
    parts = [
        "#!/bin/sh",
        "# ssm-triage: why is the SSM Agent of this host broken?",
        "#",
        "# This script only looks.  It writes no file, changes no setting, starts and stops no service, and",
        "# needs no temporary file.  What it finds, it prints; secrets are cut out or covered before that.",
        "",
        "LC_ALL=C",
        "export LC_ALL",
        f"PATH=${{PATH:+$PATH:}}{search}" if search else "",
        "unset HISTFILE ENV BASH_ENV IFS",
        f"NONCE={_NONCE_PLACE}",
        f"REGION={shlex.quote(region or '')}",
        f"ROOT={shlex.quote(root.rstrip('/'))}",
        f"IMDS={shlex.quote(imds)}",
        f"LOG_BUDGET={'' if log_budget is None else max(0, log_budget)}",
        f"NEEDS_ROOT={shlex.quote(_words(probe.id for probe in asked if probe.needs_root))}",
        "",
        *(_shell_file(name) for name in SHELL_FILES),
        "# ---- The probes " + "-" * 95,
        "",
        *(_function(probe) for probe in asked),
        "# ---- The lanes " + "-" * 96,
        "",
        _local_lane([probe for probe in asked if probe.lane is Lane.LOCAL], _left_out(probes, root)),
        _network_lane([probe for probe in asked if probe.lane is Lane.NETWORK]),
        _log_lane([probe for probe in asked if probe.lane is Lane.LOG]),
        _shell_file("main"),
        "main </dev/null",
        "exit 0",
        "",
    ]
    return "\n".join(parts).encode("ascii")


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One row of the table that ``ssm-triage probes`` prints."""

    id: str
    title: str
    lane: str
    privilege: str
    timeout_s: int
    max_bytes: int
    feeds: tuple[str, ...]
    rescue: bool


def probe_table(probes: Iterable[Probe] = LINUX) -> list[ProbeRow]:
    """What is asked, for those who must allow it."""
    return [
        ProbeRow(
            probe.id,
            probe.title,
            probe.lane.value,
            "root" if probe.needs_root else "any",
            probe.timeout_s,
            probe.max_bytes,
            probe.feeds,
            probe.rescue,
        )
        for probe in probes
    ]


def _shell_file(name: str) -> str:
    return (files("collector.probes.linux") / "shell" / f"{name}.sh").read_text("ascii")


def _words(words: Iterable[str]) -> str:
    """A list for the shell's ``case``: every word with a blank on either side."""
    return f" {' '.join(words)} "


def _name(probe: Probe) -> str:
    return "probe_" + probe.id.replace("-", "_")


def _function(probe: Probe) -> str:
    body = f"LIMIT={probe.max_bytes}\n{probe.script.strip()}"
    return f"# {probe.id}: {probe.title}\n{_name(probe)}() {{\n{body}\n}}\n"


def _ask(probe: Probe) -> str:
    return f"bounded {probe.timeout_s} ask {probe.id} {_name(probe)}"


def _why_not(probe: Probe, root: str) -> str:
    """Why a probe is not asked; empty: it is."""
    return probe.left_out or ("a mounted volume: files only" if root and not probe.rescue else "")


def _left_out(probes: Sequence[Probe], root: str) -> list[str]:
    return [
        f"mark end {probe.id} skipped 0 - - {shlex.quote(why)}"
        for probe in probes
        if (why := _why_not(probe, root))
    ]


def _local_lane(probes: Sequence[Probe], left_out: Sequence[str]) -> str:
    return _lane("local_lane", [*left_out, *(_ask(probe) for probe in probes)])


def _network_lane(probes: Sequence[Probe]) -> str:
    """All at once: each reads its forerunner's output while it runs, and prints its own behind it."""
    # The metadata service comes first and needs no region; it is asked while the region is being found.
    first = [_ask(probe) for probe in probes if probe.id == "imds"]
    regional = [_ask(probe) for probe in probes if probe.id != "imds"]
    if not regional:
        return _lane("network_lane", first)
    chain = " |\n        ".join([regional[0], *(f"beside {ask}" for ask in regional[1:])])
    both = f"{first[0]} | beside regional_lane" if first else "regional_lane"
    return _lane("regional_lane", ["find_region", chain]) + "\n" + _lane("network_lane", [both])


def _log_lane(probes: Sequence[Probe]) -> str:
    return _lane("log_lane", [_ask(probe) for probe in probes])


def _lane(name: str, lines: Sequence[str]) -> str:
    return f"{name}() {{\n    " + "\n    ".join([*lines, ":"]) + "\n}\n"
