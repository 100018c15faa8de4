"""What all pages share: the template engine, and a content security policy that knows each inlined byte."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from analyzers.collected import collected, outcomes
from analyzers.text import Message
from reports import times, words
from reports.clean import SENTENCE, Clean, clean, one_line
from reports.compiled import CompiledTemplates
from reports.i18n import Translator, translator
from reports.probe_names import PROBES

_TEMPLATES = Path(__file__).with_name("templates")
_TOKEN, _SHORT = 40, 200
_CODE = re.compile("`([^`]+)`")
_PARTICLE = re.compile("\\)(?=[가-힣])")
"""Where a Korean particle hangs on a bracket: a browser would end the line between them."""
_WORD_JOINER = "\u2060"


def render_page(template: str, lang: str, **values: object) -> str:
    """Render one page of ``templates/`` in one language.

    Raises:
        UsageError: there is no such language.
    """
    return _environment(lang).get_template(template).render(**values)


@lru_cache(maxsize=8)
def _environment(lang: str) -> jinja2.Environment:
    translate = translator(lang)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        bytecode_cache=CompiledTemplates(_TEMPLATES, made_with=Path(__file__)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        t=partial(_filled, translate, lru_cache(maxsize=1_024)(partial(_whole_text, translate))),
        tn=translate.ngettext,
        say=partial(_dressed, translate),
        whole=lambda text, limit: Clean(clean(text, limit)),
        plain=partial(_plain, translate, lru_cache(maxsize=1_024)(partial(_whole_text, translate))),
        unmarked=lambda message: one_line(translate.say(message)),
        span=lambda span: times.span_text(span, translate),
        lang=translate.lang,
        words=words,
        probes=PROBES,
        word=words.word,
        in_words=_remembering(collected),
        mark=_mark,
        outcomes=_remembering(outcomes),
        times=times,
        asset=_asset,
        policy=_policy,
        size=_size,
        zero=timedelta(),
        island=_island,
    )
    return environment


def _finalize(value: object) -> object:
    """Nothing is printed uncleaned or boundless, even where a template forgets that it comes from a host."""
    if type(value) is not str and not isinstance(value, Message):
        return value
    return clean(str(value), SENTENCE)


def _whole_text(translate: Translator, msgid: str) -> Markup:
    """A text of ours without gaps, escaped: a page says some of them hundreds of times."""
    return escape(translate.gettext(msgid))


def _filled(
    translate: Translator, whole_text: Callable[[str], Markup], msgid: str, **values: object
) -> str | Markup:
    """A text of ours with its values; one that is markup (a macro's) stays markup, the others are cleaned."""
    if not values:
        return whole_text(msgid)
    if not any(isinstance(value, Markup) for value in values.values()):
        return translate.gettext(msgid, **values)
    return escape(translate.gettext(msgid)).format_map({k: _finalize(v) for k, v in values.items()})


def _plain(translate: Translator, whole_text: Callable[[str], Markup], message: Message) -> str | Markup:
    """A sentence in one line, its values not set off."""
    if message.values:
        return one_line(translate.say(message))
    return whole_text(message.template)


def _remembering(say: Callable[[str], Message]) -> Callable[[str], Message]:
    """The same, quicker for short texts: the collector says the same of many probes and many hosts."""
    remembered = lru_cache(maxsize=1_024)(say)
    return lambda text: remembered(text) if len(text) <= _SHORT else say(text)


@lru_cache(maxsize=8)
def _mark(state: str) -> Markup:
    """A mark whose shape says what its colour says."""
    svg = Markup('<svg class="mark {0}" viewBox="0 0 20 20" aria-hidden="true" focusable="false">{1}</svg>')
    return svg.format(state, Markup('<use href="#m-{0}"/>').format(state))


def _dressed(translate: Translator, message: Message) -> Markup:
    """A sentence with each value isolated, so that right-to-left text in it cannot reorder ours.

    What our own text has between backticks is set as code; backticks in a value are just backticks.
    """
    return Markup(  # noqa: S704 - both parts are escaped
        translate.say(
            message,
            ours=lambda words: _CODE.sub(
                r"<code>\1</code>", _PARTICLE.sub(f"){_WORD_JOINER}", escape(words))
            ),
            theirs=_isolated,
        )
    )


def _isolated(value: str) -> Markup:
    """One value in a sentence; of a name with hyphens, no line ends at one of them."""
    token = "-" in value and len(value) <= _TOKEN and not any(map(str.isspace, value))
    kept = Markup('<bdi class="token">{}</bdi>') if token else Markup("<bdi>{}</bdi>")
    return kept.format(one_line(value))


@lru_cache(maxsize=8)
def _asset(name: str) -> Markup:
    """A style sheet or script of ours, to be inlined as it is."""
    return Markup(files("reports").joinpath("templates", name).read_text("utf-8").strip())  # noqa: S704 - ours


def _island(text: str) -> Markup:
    """The page's own data for programs: JSON of ours, in which no ``<`` stands."""
    return Markup(f'<script type="application/json" id="data">{text}</script>')  # noqa: S704 - no "<" in it


def _policy(styles: str, script: str) -> str:
    """Nothing may load and nothing may run, but these two by their digest."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_digest(styles)}",
            f"script-src {_digest(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(asset: str) -> str:
    digest = b64encode(hashlib.sha256(_asset(asset).encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


_UNITS: Mapping[str, int] = {"GB": 10**9, "MB": 10**6, "kB": 10**3}


def _size(count: int) -> str:
    """Bytes as people read them: ``12.3 kB``."""
    for unit, factor in _UNITS.items():
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
