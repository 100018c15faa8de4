"""The demo's pages as they were last looked at and found good."""

from __future__ import annotations

from functools import cache

import pytest
from demo_pages import golden, pages, text_of

from reports.i18n import languages

HELD = [(lang, path.stem) for lang in languages() for path in sorted(golden(lang).glob("*.txt"))]


@cache
def rendered(lang: str) -> dict[str, str]:
    return {name: text_of(page) for name, page in pages(lang).items()}


@pytest.mark.parametrize(("lang", "name"), HELD)
def test_a_page_says_what_it_said(lang: str, name: str) -> None:
    """`make golden` renews them; read what it changes before you commit it."""
    kept = (golden(lang) / f"{name}.txt").read_text("utf-8")
    assert rendered(lang).get(name, "").splitlines() == kept.splitlines()


@pytest.mark.parametrize("lang", languages())
def test_every_page_is_held(lang: str) -> None:
    assert sorted(rendered(lang)) == [name for held, name in HELD if held == lang]
