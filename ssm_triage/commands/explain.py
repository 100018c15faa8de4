"""``ssm-triage explain``."""

from __future__ import annotations

import click

from ssm_triage import options as opt


@click.command("explain")
@click.argument("slug", required=False)
@opt.lang_option
def command(slug: str | None, lang: str) -> int:
    """Say what a cause is, how it is recognised and fixed; without SLUG, list them all."""
    from analyzers.explain import explain
    from reports.explanation import explanation_text, listing_text
    from reports.i18n import translator

    translate = translator(lang)
    click.echo(explanation_text(explain(slug), translate) if slug else listing_text(translate), nl=False)
    return 0
