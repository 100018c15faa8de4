"""What the exit code says: bits, as in Ansible, so that a cron job can tell hosts apart from mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzers.diagnosis import Verdict


class Exit(IntFlag):
    """The bits of the exit code."""

    OK = 0
    """Every host was reached, and none is as bad as ``--fail-on`` says."""
    ERROR = 1
    """The call, the inventory or ssm-triage itself is at fault, or evidence is damaged."""
    FINDINGS = 2
    """At least one host is as bad as ``--fail-on`` says."""
    UNREACHED = 4
    """At least one host could not be asked."""


INTERRUPTED = 130


class FailOn(StrEnum):
    """From which verdict on the exit code says that there are findings."""

    BROKEN = "broken"
    UNKNOWN = "unknown"
    NEVER = "never"


_FINDINGS: dict[FailOn, set[str]] = {
    FailOn.BROKEN: {"broken"},
    FailOn.UNKNOWN: {"broken", "unknown"},
    FailOn.NEVER: set(),
}
"""By the verdicts' own words: the help page is quicker without the analyzers."""
_UNREACHED = "not-reached"


def exit_code(verdicts: Iterable[Verdict], fail_on: FailOn) -> Exit:
    """The exit code of a run that gave these verdicts."""
    seen: set[str] = set(verdicts)
    code = Exit.OK
    if seen & _FINDINGS[fail_on]:
        code |= Exit.FINDINGS
    if _UNREACHED in seen:
        code |= Exit.UNREACHED
    return code
