"""From verdicts to the exit code: what was found, less what is muted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzers.diagnosis import Diagnosis, Verdict
from ssm_triage.exits import Exit, FailOn, exit_code
from ssm_triage.mutes import load_mutes

if TYPE_CHECKING:
    from reports.base import Muted


class Count:
    """Takes in each host's diagnosis, and knows the exit code at the end."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Reads the files of ``--mute``.

        Raises:
            UsageError: one of them is not as it must be.
        """
        self._mutes = load_mutes([Path(path) for path in options["mutes"]], datetime.now(UTC).date())
        self._fail_on = FailOn(options["fail_on"])
        self._exit_zero = options["exit_zero"]
        self._quiet = options["quiet"]
        self._verdicts: list[Verdict] = []
        self._muted: list[str] = []
        self._troubles = 0
        for mute in () if self._quiet else self._mutes.expired:
            click.echo(f"warning: --mute {mute.origin}: ran out on {mute.until}; it counts again", err=True)

    def add(self, diagnosis: Diagnosis, trouble: str = "") -> None:
        """One more host; ``trouble``: why its evidence could not be told of, where that is not its fault."""
        from reports.clean import one_line

        self._troubles += bool(trouble)
        self._verdicts.append(self._mutes.counted(diagnosis))
        for cause, mute in self._mutes.of(diagnosis):
            until = f" (until {mute.until})" if mute.until else ""
            name = one_line(diagnosis.subject.name)
            self._muted.append(f"muted:    {name}: {cause.slug}: {one_line(mute.reason)}{until}")

    def muted(self, diagnosis: Diagnosis) -> tuple[Muted, ...]:
        """The causes of one host that are muted, as a report tells them."""
        from reports.base import Muted

        return tuple(Muted(cause.slug, mute.reason, mute.until) for cause, mute in self._mutes.of(diagnosis))

    def say_muted(self) -> None:
        """On stderr: which causes stand in the reports and yet do not count."""
        if not self._quiet:
            for line in self._muted:
                click.echo(line, err=True)

    def code(self) -> Exit:
        """The exit code so far."""
        code = Exit.OK if self._exit_zero else exit_code(self._verdicts, self._fail_on)
        return code | Exit.ERROR if self._troubles else code
