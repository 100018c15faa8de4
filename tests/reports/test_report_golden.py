"""The demo's pages as they were last looked at and found good."""

from __future__ import annotations

from functools import cache

import pytest
from demo_pages import GOLDEN, pages, text_of

NAMES = sorted(path.stem for path in GOLDEN.glob("*.txt"))


@cache
def rendered() -> dict[str, str]:
    return {name: text_of(page) for name, page in pages().items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_it_said(name: str) -> None:
    """`make golden` renews them; read what it changes before you commit it."""
    assert rendered().get(name, "").splitlines() == (GOLDEN / f"{name}.txt").read_text("utf-8").splitlines()


def test_every_page_is_held() -> None:
    assert sorted(rendered()) == NAMES
