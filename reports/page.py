"""What all pages share: the template engine, and a content security policy that knows each inlined byte."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING

from analyzers.collected import collected, outcomes
from analyzers.text import Message
from reports import times, words
from reports.clean import SENTENCE, Clean, clean, one_line
from reports.i18n import Translator, translator
from reports.probe_names import PROBES

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup


_TOKEN = 40
_CODE = re.compile("`([^`]+)`")


def render_page(template: str, lang: str, **values: object) -> str:
    """Render one page of ``templates/`` in one language.

    Raises:
        UsageError: there is no such language.
    """
    return _environment(lang).get_template(template).render(**values)


@lru_cache(maxsize=8)
def _environment(lang: str) -> jinja2.Environment:
    import jinja2

    translate = translator(lang)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        t=partial(_filled, translate),
        tn=translate.ngettext,
        say=partial(_dressed, translate),
        whole=lambda text, limit: Clean(clean(text, limit)),
        plain=lambda message: one_line(translate.say(message)),
        span=lambda span: times.span_text(span, translate),
        lang=translate.lang,
        words=words,
        probes=PROBES,
        word=words.word,
        in_words=collected,
        outcomes=outcomes,
        times=times,
        asset=_asset,
        policy=_policy,
        size=_size,
        zero=timedelta(),
    )
    return environment


def _finalize(value: object) -> object:
    """Nothing is printed uncleaned or boundless, even where a template forgets that it comes from a host."""
    if type(value) is not str and not isinstance(value, Message):
        return value
    return clean(str(value), SENTENCE)


def _filled(translate: Translator, msgid: str, **values: object) -> str:
    """A text of ours with its values; one that is markup (a macro's) stays markup, the others are cleaned."""
    from markupsafe import Markup, escape

    if not any(isinstance(value, Markup) for value in values.values()):
        return translate.gettext(msgid, **values)
    return escape(translate.gettext(msgid)).format_map({k: _finalize(v) for k, v in values.items()})


def _dressed(translate: Translator, message: Message) -> Markup:
    """A sentence with each value isolated, so that right-to-left text in it cannot reorder ours.

    What our own text has between backticks is set as code; backticks in a value are just backticks.
    """
    from markupsafe import Markup, escape

    return Markup(  # noqa: S704 - both parts are escaped
        translate.say(
            message,
            ours=lambda words: _CODE.sub(r"<code>\1</code>", str(escape(words))),
            theirs=_isolated,
        )
    )


def _isolated(value: str) -> Markup:
    """One value in a sentence; of a name with hyphens, no line ends at one of them."""
    from markupsafe import Markup

    token = "-" in value and len(value) <= _TOKEN and not any(map(str.isspace, value))
    kept = Markup('<bdi class="token">{}</bdi>') if token else Markup("<bdi>{}</bdi>")
    return kept.format(one_line(value))


@lru_cache(maxsize=8)
def _asset(name: str) -> Markup:
    """A style sheet or script of ours, to be inlined as it is."""
    from markupsafe import Markup

    return Markup(files("reports").joinpath("templates", name).read_text("utf-8").strip())  # noqa: S704 - ours


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
