"""``-l PATTERN``: which hosts of an inventory a sweep goes to.

Ansible's language (docs: "Patterns: targeting hosts and groups"): names, globs and ``~regex`` of groups
and hosts; ``,`` or ``:`` joins, ``:&`` intersects, ``:!`` excludes, ``group[0:3]`` counts, ``@file``
holds one pattern per line.  One thing is stricter here: a part that matches nothing is an error, for a
slip in an exclusion would otherwise sweep what it was to spare.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from collector.errors import InventoryError
from collector.inventory.model import Inventory, InventoryHost, one_line
from collector.inventory.names import split_port

_PART = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a pattern."""

    text: str
    sign: str = ""
    """``&`` intersects, ``!`` excludes, nothing adds."""
    place: str = ""
    """The file and line that it comes from, if any."""

    def error(self, what: str) -> InventoryError:
        return InventoryError(one_line(f"--limit: {self.sign}{self.text}{self.place}: {what}"))


def select(inventory: Inventory, pattern: str | None) -> tuple[InventoryHost, ...]:
    """The hosts that ``pattern`` leaves, in the inventory's order.

    Raises:
        InventoryError: a part matches nothing, a file is missing, or no host is left.
    """
    everyone = inventory.groups["all"].members
    if pattern is None:
        return tuple(inventory.hosts[name] for name in everyone)
    chosen = _evaluate(inventory, list(_terms(pattern)))
    if not chosen:
        raise InventoryError(f"--limit: {pattern}: leaves no host of {len(everyone)}; see --list-hosts")
    return tuple(inventory.hosts[name] for name in everyone if name in chosen)


def split(pattern: str) -> list[str]:
    """The parts of a pattern.  Without a comma, ``:`` separates, unless the whole is a host's address."""
    if "," in pattern:
        parts = pattern.split(",")
    elif split_port(pattern):
        parts = [pattern]
    else:
        parts = _PART.findall(pattern)
    return [part.strip() for part in parts if part.strip()]


def _terms(pattern: str) -> Iterator[Term]:
    for part in split(pattern):
        if part[0] == "@":
            yield from _terms_of_file(part[1:])
        else:
            yield _term(part)


def _terms_of_file(path: str) -> Iterator[Term]:
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InventoryError(f"--limit: @{path}: cannot be read: {reason}") from None
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.strip().startswith("#"):
            yield _term(line.strip(), f" ({path}:{number})")


def _term(part: str, place: str = "") -> Term:
    return Term(part[1:], part[0], place) if part[0] in "&!" else Term(part, place=place)


def _evaluate(inventory: Inventory, terms: list[Term]) -> set[str]:
    """Additions first, then intersections, then exclusions, in whatever order they were written."""
    added = [term for term in terms if not term.sign] or [Term("all")]
    chosen = {host for term in added for host in _matches(inventory, term)}
    for term in terms:
        if term.sign == "&":
            chosen.intersection_update(_matches(inventory, term))
    for term in terms:
        if term.sign == "!":
            chosen.difference_update(_matches(inventory, term))
    return chosen


def _matches(inventory: Inventory, term: Term) -> list[str]:
    if not term.text:
        raise term.error("is empty; give the name of a host or group")
    if not term.sign and term.text in inventory.hosts:
        return [term.text]
    expression, subscript = _split_subscript(term.text)
    groups = list(_match_names(inventory.groups, expression, term))
    hosts = [host for group in groups for host in inventory.groups[group].members]
    if not groups or expression[0] == "~" or set(".?*[") & set(expression):
        hosts += _match_names(inventory.hosts, expression, term)
    if not hosts and not groups:
        names = [*inventory.hosts, *inventory.groups]
        close = get_close_matches(term.text, names, n=1)
        raise term.error("matches no host and no group" + (f"; did you mean {close[0]!r}?" if close else ""))
    picked = hosts[subscript] if subscript else hosts  # a host of two groups counts twice, as in Ansible
    if hosts and not picked:
        raise term.error(f"counts beyond the {len(hosts)} hosts of {expression!r}")
    return picked


def _match_names(names: Iterable[str], expression: str, term: Term) -> Iterator[str]:
    try:
        regex = re.compile(expression[1:] if expression[0] == "~" else fnmatch.translate(expression))
    except re.error as error:
        raise term.error(f"is not a regular expression: {error}") from None
    return (name for name in names if regex.match(name))


def _split_subscript(text: str) -> tuple[str, slice | None]:
    """``web[0:3]`` as ``web`` and what to take of its hosts; both ends belong to it."""
    found = None if text[0] == "~" else _SUBSCRIPT.match(text)
    if not found:
        return text, None
    expression, index, first, last = found.groups()
    if index is not None:
        start = int(index)
        return expression, slice(start, start + 1 if start != -1 else None)
    return expression, slice(int(first), int(last) + 1 if last else None)
