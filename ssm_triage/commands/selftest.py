"""``ssm-triage selftest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_triage import options as opt

if TYPE_CHECKING:
    from collector.connections.base import Connection, Deadline
    from collector.target import Target
    from collector.windows_selftest import SelfTest


@click.command("selftest")
@click.argument("host", metavar="HOST")
@opt.source_options
@opt.connection_options
@click.option(
    "--host-deadline", type=opt.Seconds(), default=600, show_default=True, help="For all checks together."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("selftest.json"),
    show_default=True,
    metavar="FILE",
    help="The transcript.",
)
def command(host: str, output: Path, **options: Any) -> int:
    """Ask one Windows host, over WinRM or SSH, whether it is as ssm-triage believes.

    HOST is a host of the inventory.  Each check runs a small script that only looks, and at last the one
    that collects; one line a check goes to stdout, and the exit code is 2 where one failed.  All that the
    host said goes to a transcript, with stand-ins for names, addresses and ids: read it, and hand it on where
    the product does not fit the host.  The lab can play it back.
    """
    import secrets

    from collector.sweep import collect_one
    from reports.clean import one_line
    from ssm_triage import __version__
    from ssm_triage.exits import Exit
    from ssm_triage.pseudonyms import Pseudonyms
    from ssm_triage.runfolder import write_private
    from ssm_triage.sweeping import sweep_settings
    from ssm_triage.transcripts import transcript

    target = _target(host, options)
    outcome = collect_one(target, sweep_settings({**options, "forks": 1}), _ask)
    done = outcome.value
    if done is None:
        click.echo(f"ssm-triage: {one_line(target.name)}: {one_line(str(outcome.failure))}", err=True)
        return Exit.UNREACHED
    for check in done.checks:
        click.echo(f"{check.outcome:<6} {check.name}: {one_line(check.detail)}")
    pseudonyms = Pseudonyms(secrets.token_bytes(32))
    told = transcript(done, target.name, tool=f"ssm-triage {__version__}", pseudonyms=pseudonyms)
    write_private(output, told + "\n", option="--output")
    click.echo(f"transcript: {output}", err=True)
    return Exit.OK if done.passed else Exit.FINDINGS


def _target(host: str, options: dict[str, Any]) -> Target:
    from collector.errors import UsageError
    from ssm_triage.targets import select

    targets = select({**options, "limit": host}).targets()
    if len(targets) > 1:
        raise UsageError(f"{host}: these are {len(targets)} hosts of the inventory; name one")
    return targets[0]


def _ask(connection: Connection, target: Target, deadline: Deadline) -> SelfTest:
    """The unit of work: who answers must be Windows."""
    from collector.connections.platform import as_its_platform
    from collector.errors import UsageError
    from collector.target import Platform
    from collector.windows_selftest import selftest

    spoken, platform = as_its_platform(connection, target, deadline)
    if platform is not Platform.WINDOWS:
        raise UsageError(f"{target.name}: not a Windows host; the self-test asks Windows alone")
    return selftest(spoken, deadline=deadline)
