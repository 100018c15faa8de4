"""``ssm-triage report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ssm_triage import options as opt


@click.command("report")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@opt.report_options
@opt.verdict_options
@opt.quiet_option
def command(paths: tuple[Path, ...], **options: Any) -> int:
    """Write reports from evidence or from a diagnosis.

    PATH is an evidence file, a run folder, logs that somebody sent, or a diagnosis.json.  Without --reporter,
    HTML goes to the folder `report`.
    """
    from ssm_triage.offline import report_diagnoses, sources_of, tell

    usual = ["html:report"]
    if all(path.suffix == ".json" for path in paths):
        return report_diagnoses(paths, options, usual)
    return tell(sources_of(paths), options, usual)
