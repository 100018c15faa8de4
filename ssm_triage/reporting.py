"""Which reports are asked for, and what they are told of the sweep."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ssm_triage.pipeline import TOOL

if TYPE_CHECKING:
    from reports.base import Reporter
    from reports.registry import ReporterSpec


def specs_of(options: Mapping[str, Any], usual: Sequence[str] = ()) -> tuple[ReporterSpec, ...]:
    """The reporters of ``--reporter``, else the ``usual`` ones; and ``--package`` beside either.

    Raises:
        UsageError: an unknown format, a destination that does not suit, or two that would mix.
    """
    from reports.registry import parse_reporters

    package = [f"package:{options['package']}"] if options["package"] else []
    return parse_reporters([*(options["reporters"] or usual), *package])


def opened(
    specs: Sequence[ReporterSpec],
    options: Mapping[str, Any],
    *,
    started: datetime | None = None,
    finished: datetime | None = None,
) -> AbstractContextManager[Reporter]:
    """All of them as one.  ``started`` and ``finished`` (UTC) are the sweep's, where they are known."""
    from reports.base import SweepInfo
    from reports.registry import open_reporters

    sweep = SweepInfo(TOOL, lang=options["lang"], started=started, finished=finished)
    return open_reporters(specs, sweep, sys.stdout)
