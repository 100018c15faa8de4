"""A probe: one thing looked at on a host, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from collector.target import Platform


class Lane(StrEnum):
    """How a probe is scheduled within the script."""

    LOCAL = "local"
    """Reads files and asks the kernel or the service manager; runs in order."""
    NETWORK = "network"
    """May wait for the network; all of these run side by side."""
    LOG = "log"
    """Brings home log files, last of all, within the byte budget."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing looked at on a host: a command, a file, a network attempt.

    ``script`` is a piece of POSIX ``sh`` (Linux) or PowerShell (Windows).  It prints what it found, never
    changes anything, and reads nothing from standard input.
    """

    id: str
    """Stable and never reused; lower case with dashes.  It names the evidence and is cited in reports."""
    title: str
    """What is looked at, in a few words, for the table of probes and the report."""
    script: str
    platform: Platform = Platform.LINUX
    lane: Lane = Lane.LOCAL
    feeds: tuple[str, ...] = ()
    """The facts parsed from the output (``analyzers/facts``)."""
    needs_root: bool = False
    """Whether a login without privilege cannot see it; it is then ``denied``, not asked."""
    timeout_s: int = 5
    max_bytes: int = 65_536
    rescue: bool = False
    """Whether it reads files only, and so works on a mounted volume (``triage_root``)."""
    left_out: str = ""
    """Why it is not to be asked this time, in plain words; it is then ``skipped`` with that note."""

    def __hash__(self) -> int:
        """Of the id, which is never reused: what is made of many probes is looked up for every host."""
        return hash(self.id)
