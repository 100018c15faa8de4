"""What of this project is a message id: Babel's extraction methods for our Python and our YAML.

``pyproject.toml`` names them beneath ``[tool.babel]``; ``make messages`` runs them.  Each has Babel's
signature (https://babel.pocoo.org/en/latest/messages.html#writing-extraction-methods) and yields, per
message, the line, the function that marks it, the message or messages, and comments.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

Extracted = tuple[int, str | None, "str | tuple[str, ...]", list[str]]

_SAID = frozenset({"title", "what", "seen", "means"})
"""Texts without gaps: their braces are shown as they are."""
_FILLED = frozenset({"sentence", "text", "otherwise"})
"""Texts with ``{gaps}``, and what is said where a gap's value is not known."""


def python(
    source: BinaryIO, keywords: Collection[str], comment_tags: Collection[str], options: Mapping[str, Any]
) -> Iterator[Extracted]:
    """The literals that are given to one of ``keywords``, whether as a function or as a method.

    Babel's own method reads tokens: of ``say("a" if x else "b")`` it would make one message ``ab``.

    Raises:
        SyntaxError: an f-string is given, which no catalogue can hold.
    """
    calls = (node for node in ast.walk(ast.parse(source.read())) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        name = _name(call.func)
        if name not in keywords:
            continue
        if len(literals := tuple(map(_literal, call.args[:2]))) == 2 and all(literals):
            yield call.lineno, name, tuple(text for text in literals if text), []
            continue
        for text in _alternatives(call.args[0]) if call.args else ():
            yield call.lineno, name, text, []


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _alternatives(argument: ast.expr) -> Iterator[str]:
    if isinstance(argument, ast.IfExp):
        yield from _alternatives(argument.body)
        yield from _alternatives(argument.orelse)
    elif isinstance(argument, ast.JoinedStr):
        problem = f"line {argument.lineno}: an f-string is no message id; give its values by name"
        raise SyntaxError(problem)  # noqa: TRY004 - the mistake is in the source, not in a value
    elif text := _literal(argument):
        yield text


def _literal(argument: ast.expr) -> str | None:
    match argument:
        case ast.Constant(value=str(text)):
            return text
    return None


def yaml(
    source: BinaryIO, keywords: Collection[str], comment_tags: Collection[str], options: Mapping[str, Any]
) -> Iterator[Extracted]:
    """The texts for readers in a file of causes or of signatures."""
    import yaml

    yield from ((0, None, text, []) for text in _texts(yaml.safe_load(source)))


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _SAID and isinstance(value, str):
            yield " ".join(value.split()).replace("{", "{{").replace("}", "}}")
        elif key in _FILLED:
            yield from value.values() if isinstance(value, dict) else (value,)
        else:
            yield from _texts(value)
