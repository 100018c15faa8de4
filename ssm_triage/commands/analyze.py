"""``ssm-triage analyze``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ssm_triage import options as opt


@click.command("analyze")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@opt.report_options
@opt.verdict_options
@opt.quiet_option
def command(paths: tuple[Path, ...], **options: Any) -> int:
    """Tell the cause from evidence, or from logs that somebody sent.

    PATH is an evidence file, a run folder, or a folder, tar or zip of agent logs.  Without --reporter, one
    host is told in full, several in a table.
    """
    from ssm_triage.offline import sources_of, tell

    sources = sources_of(paths)
    usual = ["markdown"] if len(sources) == 1 else ["terminal"]
    return tell(sources, options, usual)
