"""``ssm-triage demo``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ssm_triage import options as opt


@click.command("demo")
@opt.output_options
@opt.lang_option
@opt.quiet_option
def command(output: str | None, lang: str, quiet: bool) -> int:
    """Sweep a few lab hosts on this machine.

    The hosts are SSH servers on loopback that play recorded faults of the real agent.  Connections,
    collection, analysis and reports are the real thing.
    """
    from lab.demo import demo_hosts
    from ssm_triage.cli import run

    with tempfile.TemporaryDirectory(prefix="ssm-triage-demo-") as work, demo_hosts(Path(work)) as demo:
        call = ["run", "-i", str(demo.inventory), "--ssh-config", "none", "--exit-zero", "--lang", lang]
        call += ["-o", output] if output else []
        if quiet:
            call.append("--quiet")
        else:
            click.echo(f"demo: {demo.hosts} lab hosts on loopback", err=True)
        return run(call)
