"""``ssm-triage verify``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("verify")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is not whole.")
def command(paths: tuple[Path, ...], quiet: bool) -> int:
    """Check that evidence is whole: every byte against the digests in its manifest.

    PATH is an evidence file or a run folder.  One line a file goes to stdout; the exit code is 1 where one
    is damaged, altered or cannot be read.  Who alters a file may alter its manifest too: compare the SHA-256
    that is shown with the one in the report.
    """
    from ssm_triage.integrity import check_all

    whole = True
    for checked in check_all(paths):
        whole = whole and checked.whole
        if not (quiet and checked.whole):
            click.echo(checked.line)
    return 0 if whole else 1
