"""Files of signatures: YAML, ours and a user's own, read and checked key by key.

The keys are the fields of :class:`~analyzers.logs.signatures.Signature`.  Patterns are Python regular
expressions, searched in the entry without its time and level (and without errors.log's function).  A user's
own files come before the built-in ones, so that they can overrule them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from analyzers.logs.model import Kind, Leg
from analyzers.logs.patterns import PatternText
from analyzers.logs.signatures import Axis, Signature, Signatures
from collector.errors import SignatureError


def load_signatures(*folders: Path) -> Signatures:
    """The built-in signatures, behind those of the ``*.yaml`` files in a user's own folders.

    An own signature with the id of a built-in one takes its place.

    Raises: SignatureError: a file cannot be read, is not valid, or an example does not match; names file
    and line."""
    if not folders:
        return _built_in()
    own = [
        signature
        for folder in folders
        for file in _files_in(folder)
        for signature in read_signatures(_text_of(file), str(file))
    ]
    _refuse_twins(own)
    names = {signature.id for signature in own}
    both = Signatures([*own, *(s for s in _built_in().all if s.id not in names)])
    for signature in own:
        check_examples(both, signature)
    return both


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SignatureError(f"{folder}: no such folder of signatures; give a folder with *.yaml files")
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise SignatureError(f"{folder}: no *.yaml file in this folder of signatures")
    return files


@functools.lru_cache(maxsize=1)
def _built_in() -> Signatures:
    folder = resources.files("analyzers.logs") / "signatures"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name
    )
    signatures = [
        signature
        for file in files
        for signature in read_signatures(file.read_text("utf-8"), f"signatures/{file.name}", proven=True)
    ]
    _refuse_twins(signatures)
    return Signatures(signatures)


def check_examples(signatures: Signatures, signature: Signature) -> None:
    """Every example of a signature must be found to be of it.

    Raises:
        SignatureError: one is not.
    """
    from analyzers.logs.grammar import parse_entry

    for example in signature.examples:
        entry = parse_entry(example)
        meaning = signatures.classify(entry.level, entry.body)
        found = {part.id for part in (meaning.signature, meaning.operation) if part} if meaning else set()
        if signature.id not in found:
            instead = f"it is {', '.join(sorted(found))}" if found else "nothing matches it"
            what = f"example is not of this signature, {instead}: {example[:120]!r}"
            raise SignatureError(f"{signature.origin}: {signature.id}: {what}")


def _refuse_twins(signatures: Iterable[Signature]) -> None:
    seen: dict[str, Signature] = {}
    for signature in signatures:
        if twin := seen.get(signature.id):
            raise SignatureError(
                f"{signature.origin}: {signature.id}: the same id stands at {twin.origin}; rename one"
            )
        seen[signature.id] = signature


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SignatureError(f"{file}: cannot be read as UTF-8 text: {error}") from None


# -- one file ----------------------------------------------------------------------------------------------

_LINE = "__line__"
_Choice = TypeVar("_Choice", bound=StrEnum)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}(?:\.[a-z0-9][a-z0-9-]{0,59}){1,3}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,59}")
_KEYS = frozenset(
    [
        "id",
        "axis",
        "kind",
        "leg",
        "where",
        "target",
        "area",
        "action",
        "pattern",
        "means",
        "supports",
        "excludes",
        "scope",
        "state",
        "proves",
        "levels",
        "context",
        "versions",
        "generic",
        "vague",
        "examples",
    ]
)
_LEVELS = frozenset({"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL", ""})


def read_signatures(text: str, name: str, *, proven: bool = False) -> list[Signature]:
    """The signatures of one file's text; ``name`` is for errors.

    ``proven`` says that every pattern is known to be a regular expression, as our tests know of the built-in
    ones: compiling them all takes longer than reading them.

    Raises:
        SignatureError: with file and line, what is wrong and what would be right.
    """
    document = _load(text, name)
    if not isinstance(document, dict) or not isinstance(document.get("signatures"), list):
        raise SignatureError(f"{name}:1: a signature file is a mapping with a list under 'signatures'")
    unknown = set(document) - {_LINE, "family", "signatures"}
    if unknown:
        raise SignatureError(
            f"{name}:1: unknown key {sorted(map(str, unknown))[0]!r}; known: family, signatures"
        )
    return [_Item(item, name, proven=proven).signature() for item in document["signatures"]]


def _load(text: str, name: str) -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # the base is chosen at run time: libyaml's where it is there
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        pairs: dict[Any, Any] = {_LINE: node.start_mark.line + 1}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise SignatureError(
                    f"{name}:{key_node.start_mark.line + 1}: a key must be text, not {key!r}"
                )
            if key in pairs:
                raise SignatureError(f"{name}:{key_node.start_mark.line + 1}: the key {key!r} stands twice")
            pairs[key] = loader.construct_object(value_node, deep=True)
        return pairs

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise SignatureError(
            f"{name}:{line}: not valid YAML: {getattr(error, 'problem', None) or error}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"{name}:1: not valid YAML: {error}") from None


class _Item:
    """One item of the list, checked key by key."""

    def __init__(self, item: Any, file: str, *, proven: bool) -> None:
        if not isinstance(item, dict):
            raise SignatureError(f"{file}:1: a signature must be a mapping, not {item!r}")
        self.item = item
        self.origin = f"{file}:{item.get(_LINE, 1)}"
        self.name = str(item.get("id", "?"))
        self.proven = proven

    def signature(self) -> Signature:
        unknown = sorted(set(self.item) - _KEYS - {_LINE})
        if unknown:
            raise self.wrong(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}")
        if not _ID.fullmatch(self.text("id", needed=True)):
            raise self.wrong("id must be like 'family.what-it-is', in lower case")
        regex, text = self.pattern()
        axis = self.choice("axis", Axis) or Axis.ENTRY
        kind = self.choice("kind", Kind)
        if axis is Axis.ENTRY and kind is None:
            raise self.wrong(f"an entry needs a kind; one of: {', '.join(Kind)}")
        return Signature(
            id=self.name,
            axis=axis,
            regex=regex,
            means=self.text("means", needed=True),
            origin=self.origin,
            literals=text.literals,
            numbers=text.numbers,
            kind=kind,
            leg=self.choice("leg", Leg),
            where=tuple(self.leg(value) for value in self.texts("where")),
            target=self.text("target"),
            area=self.text("area"),
            action=self.text("action"),
            supports=self.by_leg("supports"),
            excludes=self.by_leg("excludes"),
            scope=self.text("scope") or None,
            state=self.state(),
            proves=self.texts("proves"),
            levels=self.levels(),
            context=self.text("context"),
            versions=self.text("versions"),
            generic=self.flag("generic"),
            vague=self.flag("vague"),
            examples=self.examples(),
        )

    def wrong(self, what: str) -> SignatureError:
        return SignatureError(f"{self.origin}: {self.name}: {what}")

    def text(self, key: str, *, needed: bool = False) -> str:
        value = self.item.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.wrong(f"{key!r} must be text" + (", and is needed" if needed else ""))
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.item.get(key, [])
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise self.wrong(f"{key!r} must be a list of texts")
        return tuple(value)

    def flag(self, key: str) -> bool:
        value = self.item.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{key!r} must be true or false")
        return value

    def choice(self, key: str, among: type[_Choice]) -> _Choice | None:
        value = self.text(key)
        if not value:
            return None
        try:
            return among(value)
        except ValueError:
            raise self.wrong(f"{key!r} is {value!r}; one of: {', '.join(among)}") from None

    def leg(self, value: str) -> Leg:
        try:
            return Leg(value)
        except ValueError:
            raise self.wrong(f"no such leg: {value!r}; one of: {', '.join(Leg)}") from None

    def pattern(self) -> tuple[str, PatternText]:
        source = self.text("pattern", needed=True)
        try:
            if not self.proven:
                re.compile(source)
            return source, PatternText.of(source)
        except re.error as error:
            raise self.wrong(f"'pattern' is no regular expression: {error}") from None
        except (ValueError, OverflowError, RecursionError) as error:
            raise self.wrong(f"'pattern' cannot be used: {error}") from None

    def by_leg(self, key: str) -> Mapping[str, tuple[str, ...]]:
        value = self.item.get(key, {})
        if isinstance(value, list):
            value = {"": value}
        if not isinstance(value, dict):
            raise self.wrong(f"{key!r} must be a list of causes, or such lists by leg")
        found = {}
        for leg, slugs in value.items():
            if leg == _LINE:
                continue
            if leg:
                self.leg(leg)
            if not isinstance(slugs, list) or not all(
                isinstance(s, str) and _SLUG.fullmatch(s) for s in slugs
            ):
                raise self.wrong(f"{key!r} must list causes like 'imds-no-route'")
            found[leg] = tuple(slugs)
        return found

    def state(self) -> tuple[str, str] | None:
        value = self.item.get("state")
        if value is None:
            return None
        if not isinstance(value, dict) or set(value) - {_LINE} != {"aspect", "value"}:
            raise self.wrong("'state' must be a mapping of aspect and value")
        return str(value["aspect"]), str(value["value"])

    def levels(self) -> tuple[str, ...]:
        levels = self.texts("levels")
        if bad := [level for level in levels if level not in _LEVELS]:
            raise self.wrong(f"no such level: {bad[0]!r}; one of: {', '.join(sorted(_LEVELS))}")
        return levels

    def examples(self) -> tuple[str, ...]:
        examples = self.texts("examples")
        if not examples:
            raise self.wrong("'examples' must have at least one line that it matches")
        return tuple(example.replace("\\n", "\n").replace("\\t", "\t") for example in examples)
