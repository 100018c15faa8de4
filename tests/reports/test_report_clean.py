"""What a host may print, and what of it is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.clean import clean, one_line

SHOWN = {
    "plain": ("plain", "plain"),
    "colour": ("\x1b[31mERROR\x1b[0m", "ERROR"),
    "eight-bit colour": ("\x9b31mERROR", "ERROR"),
    "cursor up and overwrite": ("fine\x1b[1A\x1b[2K", "fine"),
    "window title keeps its text": ("\x1b]0;owned\x07", "⟨U+001B⟩]0;owned⟨U+0007⟩"),
    "half a sequence": ("a\x1b[3", "a⟨U+001B⟩[3"),
    "carriage return that overwrites": ("bad\rgood", "bad⟨U+000D⟩good"),
    "Windows line ends": ("a\r\nb", "a\nb"),
    "NUL": ("a\0b", "a⟨U+0000⟩b"),
    "backspace": ("a\bb", "a⟨U+0008⟩b"),
    "bidi override": ("gpj.\u202eexe", "gpj.⟨U+202E⟩exe"),
    "bidi isolate": ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
    "zero width": ("ad\u200bmin", "ad⟨U+200B⟩min"),
    "byte order mark": ("\ufeffx", "⟨U+FEFF⟩x"),
    "soft hyphen": ("a\u00adb", "a⟨U+00AD⟩b"),
    "line separator": ("a\u2028b", "a⟨U+2028⟩b"),
    "Hangul filler": ("a\u3164b", "a⟨U+3164⟩b"),
    "variation selector": ("a\ufe0fb", "a⟨U+FE0F⟩b"),
    "tag characters": ("a\U000e0041", "a⟨U+E0041⟩"),
    "bytes that were no UTF-8": (b"a\xffb".decode("utf-8", "surrogateescape"), "a⟨U+DCFF⟩b"),
    "not a character": ("a\ufffe", "a⟨U+FFFE⟩"),
    "Korean": ("서울 리전", "서울 리전"),
    "accents": ("é" + "e\u0301", "é" + "e\u0301"),
    "a tower of accents": ("e" + "\u0301" * 50, "e\u0301\u0301⟨+48⟩"),
    "no-break space": ("a\u00a0b", "a\u00a0b"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_shown(name: str) -> None:
    text, shown = SHOWN[name]
    assert clean(text) == shown


def test_a_megabyte_is_cut_and_counted() -> None:
    shown = clean("A" * 1_048_576, 100)
    assert shown == "A" * 100 + "… ⟨+1,048,476⟩"


def test_one_line_is_one_line() -> None:
    assert one_line("a\nb\tc\x0bd") == "a⟨U+000A⟩b c⟨U+000B⟩d"


def test_markup_is_left_to_the_formats() -> None:
    assert clean("<script>") == "<script>"


@given(st.text(st.characters(codec=None), max_size=300), st.integers(1, 400))
def test_nothing_unseen_comes_through(text: str, limit: int) -> None:
    shown = clean(text, limit)
    hidden = [char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(hidden) <= {"\n", "\t"}
    assert len(shown) <= limit + 24
    shown.encode("utf-8")


@given(st.text(st.characters(codec=None), max_size=200))
def test_clean_text_stays_as_it_is(text: str) -> None:
    assert clean(clean(text)) == clean(text)
