"""``ssm-triage explain``."""

from __future__ import annotations

import click


@click.command("explain")
@click.argument("slug", required=False)
def command(slug: str | None) -> int:
    """Say what a cause is, how it is recognised and mended; without SLUG, list them all."""
    from analyzers.explain import explain, listing, render

    if slug is not None:
        click.echo(render(explain(slug)), nl=False)
        return 0
    rows = listing()
    width = max(len(name) for _, name, _ in rows)
    family = ""
    for row in rows:
        if row[0] != family:
            family = row[0]
            click.echo(f"\n{family}")
        click.echo(f"  {row[1]:<{width}}  {row[2]}")
    return 0
