"""Each catalogue says all that is to be said and nothing else, and is compiled as it stands."""

from __future__ import annotations

import gettext
import io
from functools import cache

import catalogues
import extraction
import pytest
from babel.messages import Catalog

from reports.i18n import languages


@cache
def extracted() -> Catalog:
    return catalogues.extracted()


@pytest.mark.parametrize("lang", catalogues.languages())
def test_a_catalogue_lacks_nothing_and_has_nothing_too_much(lang: str) -> None:
    """`make messages` brings it up to date, and names what is to be translated."""
    assert sorted(catalogues.faults(catalogues.read(lang), extracted())) == []


@pytest.mark.parametrize("lang", catalogues.languages())
def test_what_the_program_reads_is_what_was_written(lang: str) -> None:
    with catalogues.po_of(lang).with_suffix(".mo").open("rb") as stream:
        installed = gettext.GNUTranslations(stream)
    made = gettext.GNUTranslations(io.BytesIO(catalogues.compiled(catalogues.read(lang))))
    for message in extracted():
        for one in (message.id,) if isinstance(message.id, str) else message.id:
            assert installed.gettext(one) == made.gettext(one)


def test_english_and_korean_are_offered() -> None:
    assert languages() == ("en", "ko")
    assert catalogues.languages() == ["ko"]


# That the checks find what they are for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("{path}에 `df -h`", None),
        ("`df -h`", "other gaps"),
        ("{paht}에 `df -h`", "other gaps"),
        ("{path}에 `df -i`", "other code between backticks"),
        ("{path}에 df -h", "other code between backticks"),
        ("<b>{path}</b>에 `df -h`", "markup"),
    ],
)
def test_a_translation_that_does_not_fit_is_told(text: str, fault: str | None) -> None:
    wanted, catalog = Catalog(), Catalog("ko")
    wanted.add("See {path} with `df -h`.")
    catalog.add("See {path} with `df -h`.", text)
    told = [line.partition(":")[0] for line in catalogues.faults(catalog, wanted)]
    assert told == ([] if fault is None else [fault])


def test_what_is_missing_unused_or_fuzzy_is_told() -> None:
    wanted, catalog = Catalog(), Catalog("ko")
    wanted.add("new")
    wanted.add("doubtful")
    catalog.add("old", "옛것")
    catalog.add("doubtful", "의심", flags=["fuzzy"])
    told = {line.partition(":")[0] for line in catalogues.faults(catalog, wanted)}
    assert told == {"missing", "unused", "fuzzy"}


def test_a_count_that_is_new_is_told() -> None:
    wanted, catalog = Catalog(), Catalog("ko")
    wanted.add(("{n} host", "{n} hosts"))
    catalog.update(wanted)
    assert list(catalogues.faults(catalog, wanted)) == ["empty: ('{n} host', '{n} hosts')"]


def test_a_count_needs_its_gap_in_every_form() -> None:
    wanted, catalog = Catalog(), Catalog("ko")
    wanted.add(("{n} host", "{n} hosts"))
    catalog.add(("{n} host", "{n} hosts"), ("호스트",))
    assert list(catalogues.faults(catalog, wanted)) == ["other gaps: ('{n} host', '{n} hosts')"]


# Extraction ----------------------------------------------------------------------------------------------


def _python(source: str) -> list[str | tuple[str, ...]]:
    keywords = catalogues.KEYWORDS
    return [found[2] for found in extraction.python(io.BytesIO(source.encode()), keywords, (), {})]


def test_python_gives_up_its_messages() -> None:
    assert _python('say("a" "b", x=say("c"))') == ["ab", "c"]
    assert _python('translate.gettext("a" if x else ("b" if y else z))') == ["a", "b"]
    assert _python('tn("{n} a", "{n} as", 3)') == [("{n} a", "{n} as")]
    assert _python('say(template, a="b"); other("c"); say()') == []


def test_an_f_string_is_no_message() -> None:
    with pytest.raises(SyntaxError, match="give its values by name"):
        _python('say(f"{x} is wrong")')


def test_yaml_gives_up_its_texts() -> None:
    source = b"""
disk-full:
  title: A {title}
  sentence: "{path} is full."
  otherwise: {path: a folder}
  what: >
    Two
    lines.
  mend:
    - text: Do it.
      lines: [df -h]
"""
    found = [message for _, _, message, _ in extraction.yaml(io.BytesIO(source), (), (), {})]
    assert found == ["A {{title}}", "{path} is full.", "a folder", "Two lines.", "Do it."]
