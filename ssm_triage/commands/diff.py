"""``ssm-triage diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ssm_triage import options as opt


@click.command("diff")
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--all", "every_line", is_flag=True, help="Every line that differs, not the first few.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever differs.")
@opt.signature_option
def command(
    before: Path, after: Path, as_json: bool, every_line: bool, exit_zero: bool, **options: Any
) -> int:
    """Compare two evidences: before and after a change, or a sick host and a healthy sibling.

    A and B are evidence files, or logs that somebody sent, of one host each.  Told are the causes that are
    gone, new or the same, and the probes that answer otherwise.  Times, process ids and counters are masked;
    of two hosts also their own names, ids and addresses.

    Exit code: 0 where the verdict and its causes are the same, 2 where they are not.
    """
    import json

    from ssm_triage import pipeline
    from ssm_triage.comparison import Side, compare
    from ssm_triage.comparison_text import to_document, to_text
    from ssm_triage.exits import Exit

    diagnose = pipeline.diagnoser([Path(folder) for folder in options["signatures"]])
    sides = (pipeline.evidence_at(path) for path in (before, after))
    comparison = compare(*(Side(evidence, diagnose(evidence)) for evidence in sides))
    if as_json:
        click.echo(json.dumps(to_document(comparison), indent=2))
    else:
        for line in to_text(comparison, every_line=every_line):
            click.echo(line.encode("utf-8", "backslashreplace"))
    return Exit.OK if exit_zero or comparison.same_verdict else Exit.FINDINGS
