"""``ssm-triage probes``."""

from __future__ import annotations

import click

from ssm_triage import options as opt


@click.command("probes")
@click.option("--platform", type=click.Choice(["linux", "windows"]), default="linux", show_default=True)
@click.option("--script", "as_script", is_flag=True, help="Print the script itself, as it would be sent.")
@opt.probe_options
def command(platform: str, as_script: bool, only: tuple[str, ...], skip: tuple[str, ...]) -> int:
    """Show what is looked at on a host: the table of probes, or the exact script."""
    from collector.platforms import PROBES
    from collector.probes.choice import choose
    from collector.probes.compile import compile_script, probe_table
    from collector.probes.windows.compile import compile_windows
    from collector.target import Platform

    every = PROBES[Platform(platform)]
    probes = choose(only, skip, every).of(every)
    asked = [probe for probe in probes if not probe.left_out]
    if as_script:
        nonce = "0" * 32
        script = (
            compile_windows(asked, nonce=nonce)
            if platform == "windows"
            else compile_script(probes, nonce=nonce)
        )
        click.echo(script, nl=False)
        return 0
    rows = [("PROBE", "WHAT", "LANE", "NEEDS", "SECONDS", "BYTES")]
    rows += [
        (row.id, row.title, row.lane, row.privilege, f"{row.timeout_s}", f"{row.max_bytes:,}")
        for row in probe_table(asked)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
