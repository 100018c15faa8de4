"""``ssm-triage collect``."""

from __future__ import annotations

from typing import Any

import click

from ssm_triage import options as opt


@click.command("collect")
@opt.inventory_options
@opt.connection_options
@opt.sweep_options
@opt.output_options
@opt.quiet_option
@opt.verbose_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Bring home evidence; one file a host.  `ssm-triage analyze` goes on from there."""
    from ssm_triage.sweeping import ask_hosts

    return ask_hosts(options, given=opt.given(context), analyze=False)
