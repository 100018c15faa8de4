"""``ssm-triage redact``."""

from __future__ import annotations

from pathlib import Path

import click

from ssm_triage import options as opt


@click.command("redact")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new folder."
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep what stands for what; for your eyes only.",
)
@opt.quiet_option
def command(paths: tuple[Path, ...], output: Path, map_file: Path | None, quiet: bool) -> int:
    """Make evidence that can be handed outside: names, addresses and ids replaced.

    PATH is an evidence file, a run folder, or logs that somebody sent.  Host, domain, user and role names,
    addresses, account, instance and other ids get stand-ins of the same shape, the same all through one call;
    subnets stay subnets, and the diagnosis stays what it was.  Names of services, regions, versions and times
    stay, and so does the text of the logs: read it before you hand it on.
    """
    import secrets

    from collector.evidence.read import open_evidence
    from reports.clean import one_line
    from ssm_triage.offline import sources_of
    from ssm_triage.pipeline import signed
    from ssm_triage.pseudonyms import Pseudonyms
    from ssm_triage.redaction import Redactor, learn, redact
    from ssm_triage.runfolder import new_folder, write_key_map

    sources = sources_of(paths)
    names = learn(signed(open_evidence(source)) for source in sources)
    pseudonyms = Pseudonyms(secrets.token_bytes(32))
    redactor = Redactor(pseudonyms, names)
    new_folder(output)
    for source in sources:
        click.echo(redact(signed(open_evidence(source)), redactor, output))
    if map_file is not None:
        write_key_map(map_file, pseudonyms.used)
    if not quiet:
        for name in sorted(names.reserved):
            click.echo(
                f"warning: {one_line(name)!r} is a word of the agent's own; it stands wherever it is no name",
                err=True,
            )
    return 0
