"""``ssm-triage run``."""

from __future__ import annotations

from typing import Any

import click

from ssm_triage import options as opt


@click.command("run")
@opt.inventory_options
@opt.connection_options
@opt.sweep_options
@opt.output_options
@opt.report_options
@opt.verdict_options
@opt.quiet_option
@opt.verbose_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Collect, analyze and report in one go.

    Leaves a run folder with evidence, reports and diagnosis.json, and prints a summary.
    """
    from ssm_triage.sweeping import ask_hosts

    return ask_hosts(options, given=opt.given(context), analyze=True)
