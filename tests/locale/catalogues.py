"""The catalogues of translations: what is in them, what should be, and how they are brought up to date.

``make messages`` runs this: it extracts the message ids, brings each ``.po`` in step with them, compiles it,
and prints what is wrong with each (nothing: all is well).  A new language begins with ``make messages`` after
an empty folder ``reports/locale/LANG/LC_MESSAGES`` was made.
"""

from __future__ import annotations

import io
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "reports" / "locale"
NAME = "ssm-triage"
KEYWORDS = {
    "say": None, "ready": None, "gettext": None, "ngettext": (1, 2), "t": None, "tn": (1, 2),
}  # fmt: skip
"""What marks a message, in our Python and in the templates."""


def extracted() -> Catalog:
    """Every message of the sources, as ``pyproject.toml`` says where they are."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["babel"]
    methods, options = [], {}
    for mapping in settings["mappings"]:
        method, patterns = mapping.pop("method"), mapping.pop("pattern")
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            methods.append((pattern, settings["extractors"].get(method, method)))
            options[pattern] = mapping
    catalog = Catalog()
    found = extract_from_dir(ROOT, methods, options, KEYWORDS)
    for file, line, message, comments, _ in sorted(found, key=lambda one: one[:2]):
        catalog.add(message, None, [(file, line)], auto_comments=comments)
    return catalog


def languages() -> list[str]:
    """Those that have a catalogue; English needs none."""
    return sorted(path.parent.name for path in LOCALE.glob("*/LC_MESSAGES"))


def po_of(lang: str) -> Path:
    return LOCALE / lang / "LC_MESSAGES" / f"{NAME}.po"


def read(lang: str) -> Catalog:
    with po_of(lang).open("rb") as source:
        return read_po(source, locale=lang)


def compiled(catalog: Catalog) -> bytes:
    """As the program reads it."""
    stream = io.BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


# What may be wrong ---------------------------------------------------------------------------------------


def faults(catalog: Catalog, wanted: Catalog) -> Iterator[str]:
    """A line for everything that a catalogue lacks or has too much."""
    there = {message.id for message in catalog if message.id}
    needed = {message.id for message in wanted if message.id}
    yield from (f"missing: {one!r}" for one in needed - there)
    yield from (f"unused: {one!r}" for one in there - needed)
    yield from (f"unused: {one!r}" for one in catalog.obsolete)
    for message in catalog:
        if message.id:
            yield from (f"{fault}: {message.id!r}" for fault in _faults(message))


def _faults(message: Message) -> Iterator[str]:
    if message.fuzzy:
        yield "fuzzy"
    ids, texts = _several(message.id), _several(message.string or "")  # none yet: it is new
    if not texts or not all(text.strip() for text in texts):
        yield "empty"
        return
    gaps = {frozenset(_gaps(one)) for one in ids}
    code = sorted(_CODE.findall(ids[-1]))
    for text in texts:
        if frozenset(_gaps(text)) not in gaps:
            yield "other gaps"
        if sorted(_CODE.findall(text)) != code:
            yield "other code between backticks"
        if re.search("[<>]", text) and not re.search("[<>]", ids[-1]):
            yield "markup"


_CODE = re.compile("`([^`]+)`")


def _several(text: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _gaps(text: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(text) if name)


# Bringing up to date -------------------------------------------------------------------------------------


def update(lang: str, wanted: Catalog) -> Catalog:
    """The catalogue of one language with all that is needed and nothing else; what is new is empty."""
    catalog = read(lang) if po_of(lang).exists() else Catalog(lang, NAME, project=NAME)
    catalog.update(wanted, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.project, catalog.version = NAME, "1"
    catalog.msgid_bugs_address = catalog.last_translator = catalog.language_team = NAME
    with po_of(lang).open("wb") as target:
        write_po(target, catalog, width=0, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    return catalog


def main() -> int:
    wanted, wrong = extracted(), 0
    for lang in languages():
        catalog = update(lang, wanted)
        po_of(lang).with_suffix(".mo").write_bytes(compiled(catalog))
        for fault in faults(catalog, wanted):
            wrong += 1
            sys.stdout.write(f"{lang}: {fault}\n")
    sys.stdout.write(f"{len(wanted)} messages, {', '.join(languages())}: {wrong} to be seen to\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
