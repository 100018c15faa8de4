"""Reports in other languages: nothing of ours is left in English, nothing of the host is changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser

import pytest
from demo_pages import hosts, pages

from analyzers.causes.catalogue import catalogue
from analyzers.diagnosis import Diagnosis
from analyzers.explain import explain
from analyzers.text import Message, listed, say
from reports.explanation import explanation_text, listing_text
from reports.i18n import languages, translator
from reports.markdown import render_markdown
from reports.times import span_text

OTHERS = [lang for lang in languages() if lang != "en"]
KOREAN = re.compile("[가-힣]")

_NAMES = """
Agent Amazon ARP AWS CA DNS ECS HTTP HTTPS IAM ID IMDS IP JSON NAT NET NRPT RCP SCP SSH SSM STS Support
Manager Session Systems Run Command Sysprep TCP TLS UTC VPC VPN Windows ARN ACL CNI PID URL UTF State Skipped
hosts ifcfg inode inotify iptables journal netplan nftables root snap ssm ssmmessages systemd sysprep kB MB ms
B health ping association fingerprint refused sshd
"""
"""Names of products, services and formats, which stand in Latin letters in a Korean text too."""

_OTHERS_WORDS = frozenset({"code", "pre", "samp", "bdi", "time", "script", "style", "option"})
"""Elements that hold what is not ours to translate: commands, log lines, names and values of the host."""
_VOID = frozenset({"meta", "link", "br", "input", "use", "rect", "path", "circle", "col", "hr", "img"})


class _OurWords(HTMLParser):
    """The words of a page that are our own."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._foreign: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.words += [given[name] for name in ("aria-label", "data-l", "data-text") if name in given]
        if tag in _VOID:
            return
        classes = set(given.get("class", "").split())
        foreign = tag in _OTHERS_WORDS or bool(classes & {"code", "source", "name"})
        self._foreign.append(foreign or bool(self._foreign and self._foreign[-1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is in it."""

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._foreign:
            self._foreign.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not (self._foreign and self._foreign[-1]):
            self.words.append(data)


def _english(text: str) -> list[str]:
    """The English words of a text.  What has a dash, a dot, a digit or a capital within is a name."""
    tokens = re.findall(r"[\w./:{}-]+", text, re.ASCII)
    words = (token.strip("./:-") for token in tokens)
    return [word for word in words if re.fullmatch("[A-Z]?[a-z]+", word) and word not in _NAMES.split()]


@cache
def _pages(lang: str) -> Mapping[str, str]:
    return pages(lang)


@cache
def _diagnoses() -> list[tuple[str, Diagnosis]]:
    return [(name, diagnosis) for name, diagnosis, _ in hosts()]


def _messages(value: object) -> Iterator[Message]:
    if isinstance(value, Message):
        yield value
        yield from _messages(list(value.values.values()))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _messages(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _messages(item)


# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", OTHERS)
def test_no_page_has_an_english_word_of_ours(lang: str) -> None:
    left = {}
    labels = {f"{cause.slug} {cause.scope}" for _, it in _diagnoses() for cause in it.causes}
    for name, page in _pages(lang).items():
        reader = _OurWords()
        reader.feed(page.partition("<body>")[2])
        said = [text.strip() for text in reader.words if text.strip() not in labels]
        english = {text: words for text in said if (words := _english(text))}
        if english:
            left[name] = english
    assert left == {}


def test_the_check_sees_english_where_there_is_some() -> None:
    reader = _OurWords()
    reader.feed('<p aria-label="Routes">The host <code>ip route</code> 호스트 <b>IMDS</b></p>')
    assert [_english(text) for text in reader.words] == [["Routes"], ["The", "host"], [], []]


@pytest.mark.parametrize("lang", OTHERS)
def test_every_message_of_a_diagnosis_is_in_the_catalogue(lang: str) -> None:
    translate = translator(lang)
    untranslated = {
        message.template
        for _, diagnosis in _diagnoses()
        for message in _messages(diagnosis)
        if _english(re.sub(r"\{\w+\}", "", message.template))
        and translate.gettext(message.template) == message.template
    }
    assert untranslated == set()


@pytest.mark.parametrize("lang", OTHERS)
def test_commands_log_lines_and_values_stay_as_they_are(lang: str) -> None:
    ours, english = _pages(lang), _pages("en")
    for name, page in english.items():
        assert re.findall("<pre.*?</pre>", ours[name], re.DOTALL) == re.findall(
            "<pre.*?</pre>", page, re.DOTALL
        )
        assert re.findall("<time [^>]*>", ours[name]) == re.findall("<time [^>]*>", page)


@pytest.mark.parametrize("lang", OTHERS)
def test_a_page_names_its_language(lang: str) -> None:
    assert all(f'<html lang="{lang}">' in page for page in _pages(lang).values())


# Words within words --------------------------------------------------------------------------------------


def test_a_message_within_a_message_is_translated_too() -> None:
    translate = translator("ko")
    inner = say("The agent started (version {version}).", version="3.3.1")
    assert translate.say(say("On Windows: {step}", step=inner)) == (
        "Windows: 에이전트가 시작되었습니다(버전 3.3.1)."
    )
    assert translate.say(listed([say("Healthy"), say("Broken")], ", ")) == "정상, 장애"


def test_no_line_ends_between_a_bracket_and_its_particle() -> None:
    page = _pages("ko")["web-02"]
    assert "프록시(<bdi>http://10.77.200.10:3128</bdi>)\u2060를" in page
    assert "\u2060" not in _pages("en")["web-02"]


def test_a_gap_that_nobody_filled_reads_well_in_korean() -> None:
    told = translator("ko").say(say("Nothing answers for {gateway} on the link.", gateway="<gateway>"))
    assert told.startswith("링크에서 <gateway>")


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (1, "1 s", "1초"),
        (60, "1 min", "1분"),
        (7_800, "2 h 10 min", "2시간 10분"),
        (273_600, "3 d 4 h", "3일 4시간"),
        (86_400_000, "1,000 d", "1,000일"),
    ],
)
def test_spans(seconds: int, english: str, korean: str) -> None:
    told = [span_text(timedelta(seconds=seconds), translator(lang)) for lang in ("en", "ko")]
    assert told == [english, korean]


@pytest.mark.parametrize(
    ("n", "english", "korean"),
    [(0, "0 hosts", "호스트 0대"), (1, "1 host", "호스트 1대"), (1_200, "1,200 hosts", "호스트 1,200대")],
)
def test_counts(n: int, english: str, korean: str) -> None:
    told = [translator(lang).ngettext("{n} host", "{n} hosts", n) for lang in ("en", "ko")]
    assert told == [english, korean]


# Other formats -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", OTHERS)
def test_a_ticket_is_in_the_language(lang: str) -> None:
    for _, diagnosis, told in hosts():
        ticket = render_markdown(diagnosis, told, lang=lang)
        bare = re.sub(r"```text\n.*?```|`+[^`]*`+", "", ticket, flags=re.DOTALL)
        assert _english(bare) == []


@pytest.mark.parametrize("lang", OTHERS)
@pytest.mark.parametrize("slug", sorted(text.slug for text in catalogue()))
def test_every_cause_is_explained_in_the_language(slug: str, lang: str) -> None:
    text = explanation_text(explain(slug), translator(lang))
    sentences = [line for line in text.splitlines() if line and not line.startswith("       ")]
    assert all(KOREAN.search(line) for line in sentences)


@pytest.mark.parametrize("lang", OTHERS)
def test_the_list_of_causes_is_in_the_language(lang: str) -> None:
    causes = [line for line in listing_text(translator(lang)).splitlines() if line.startswith("  ")]
    assert causes
    assert all(KOREAN.search(line) for line in causes)
