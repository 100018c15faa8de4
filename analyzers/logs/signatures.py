"""Signatures: what a log entry means, as data.

A signature is one of three:

- an **operation** says what the agent was doing (``ssm.register``), and towards which target;
- a **failure** says how it went wrong (``net.dial-timeout``), in the words of Go, Windows, IMDS or AWS;
- an **entry** says all by itself (a start, a state, noise, a full disk).

An entry of the log is first held against the entry signatures. If none fits, its meaning is operation x
failure, where the failure is looked for in the deepest ``caused by`` first: wrappers lie. The *leg* of the
way that the operation took (IMDS, endpoint, proxy) then chooses among the causes that a failure supports.

The files are YAML; ``docs`` of the keys are the fields of :class:`Signature`. Patterns are Python regular
expressions, searched in the entry without its time and level (and without errors.log's function). A user's
own files come before the built-in ones, so that they can overrule them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from analyzers.logs.model import Kind, Leg
from analyzers.logs.patterns import PatternText
from collector.errors import SignatureError


class Axis(StrEnum):
    OPERATION = "operation"
    FAILURE = "failure"
    ENTRY = "entry"


@dataclass(frozen=True, eq=False)
class Signature:
    """One signature as its file has it."""

    id: str
    axis: Axis
    regex: str
    means: str
    """One English sentence."""
    origin: str
    """``file:line``, for errors and ``explain``."""
    literals: tuple[str, ...] = ()
    """Texts of which every match contains one; none: no such texts are known.  Found from the pattern."""
    numbers: tuple[str, ...] = ()
    """The texts with digits that the pattern asks for, digits as ``0``.  Found from the pattern."""
    kind: Kind | None = None
    leg: Leg | None = None
    """Fixes the leg, where the text alone tells it."""
    where: tuple[Leg, ...] = ()
    """Legs outside of which the signature does not apply; empty: none."""
    target: str = ""
    area: str = ""
    """What must prove to work for this to be over; empty: the action, or else the target."""
    action: str = ""
    """Of an operation: the IAM action that the call needs."""
    supports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Cause slugs by leg; under the empty key: on every leg."""
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope: str | None = None
    state: tuple[str, str] | None = None
    """Aspect and value of the state that it tells."""
    proves: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    """Levels outside of which it does not apply; empty: all."""
    context: str = ""
    """A bracketed context that the entry must have, without the brackets."""
    versions: str = ""
    """Agent versions that write it, as ``>=3.2.1630 <3.3.40``; for readers only."""
    generic: bool = False
    """Of a failure: tried only when no other fits, in whichever ``caused by``."""
    vague: bool = False
    examples: tuple[str, ...] = ()

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first searched for: a fleet's logs need few of them all."""
        return re.compile(self.regex)

    def applies(self, level: str, body: str) -> bool:
        return (not self.levels or level in self.levels) and (not self.context or f"[{self.context}]" in body)

    def search(self, text: str) -> re.Match[str] | None:
        return self.pattern.search(text)


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What one entry means. There is one object for all entries that mean the same: they are one
    sighting."""

    signature: Signature
    operation: Signature | None
    leg: Leg | None
    target: str
    kind: Kind
    area: str
    """What must prove to work for this to be over."""
    state: tuple[str, str] | None
    fails: bool
    """Whether it is a failure or the symptom of one."""
    loud: bool
    """Whether each entry counts by itself and in its place: a failure, a start, a stop, and a state whose
    value stands in the entry."""
    bears_on: frozenset[str]
    """Areas among whose failures its place tells something: what it proves to work, and speaks of."""

    @property
    def topic(self) -> Meaning | str:
        """The aspect of the agent's state that it tells of; itself, where it tells of none."""
        return self.state[0] if self.state else self


def _meaning(signature: Signature, operation: Signature | None, leg: Leg | None, target: str) -> Meaning:
    kind = (operation.kind if operation else None) or signature.kind or Kind.FAILURE
    state = signature.state or (operation.state if operation else None)
    area = _area(signature, operation, leg, target)
    fails = kind in (Kind.FAILURE, Kind.SYMPTOM)
    loud = fails or kind in (Kind.START, Kind.STOP) or (state is not None and state[1].startswith("{"))
    bears_on = frozenset(filter(None, (*signature.proves, area, target)))
    return Meaning(signature, operation, leg, target, kind, area, state, fails, loud, bears_on)


def _area(signature: Signature, operation: Signature | None, leg: Leg | None, target: str) -> str:
    if signature.area or operation is None:
        return signature.area or target
    if operation.area:
        return operation.area
    return operation.action if leg is Leg.SERVICE and operation.action else target


_URL = re.compile(
    r'\b(?:Get|Post|Put|Head|Patch) "?((?:https?|wss?)://[^\s"]{1,400}?)"?:(?=\s|$)|\b(wss://[^\s"]{1,400})'
)
_HOST = re.compile(r"^\w+://(?:[^/@\s]*@)?(\[[0-9a-fA-F:.%]+\]|[^/:\s?]+)")
_IMDS = ("169.254.169.254", "[fd00:ec2::254]")
_SERVICES = ("ssm", "ssmmessages", "ec2messages", "s3", "kms", "logs", "monitoring", "sts")
_LABELS = tuple(
    (service, re.compile(service.replace("2", r"\d").replace("3", r"\d") + r"(?:-fips)?"))
    for service in _SERVICES
)
_DIALLED_IMDS = re.compile(r"dial tcp[46]? (?:169\.254\.169\.254|\[fd00:ec2::254\]):")
_OWN_NUMBERS = ("000.000.000.000", "[fd00:ec0::000]")
"""The digits, masked, that this module itself looks at."""
_SPEAKING = frozenset({"WARN", "ERROR", "CRITICAL", "DEBUG", ""})
"""Levels at which a failure without a known operation is one: an INFO line may quote anything."""


class Signatures:
    """A set of signatures, in the order in which they are tried."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self.all = tuple(signatures)
        self.by_id = {signature.id: signature for signature in self.all}
        self._by_literal: dict[str, list[int]] = {}
        for number, signature in enumerate(self.all):
            for literal in signature.literals or ("",):
                self._by_literal.setdefault(literal, []).append(number)
        own = {*_OWN_NUMBERS, *(s.context for s in self.all if any(char.isdigit() for char in s.context))}
        self._meanings: dict[tuple[str, str, Leg | None, str], Meaning] = {}
        self.numbers = tuple(sorted(own.union(*(s.numbers for s in self.all))))
        """Every text with digits that a verdict may depend on, its digits written as ``0``."""
        self.learnt: dict[bytes, Any] = {}
        """What the scan has learnt of entries without their digits and ids: the hosts of a fleet write the
        same ones."""

    def classify(self, level: str, body: str) -> Meaning | None:
        """What an entry means, or ``None`` where no signature knows it.

        ``body`` is the entry without time, level and function, cut to a bounded length.
        """
        possible = self._possible(level, body)
        for entry in possible[Axis.ENTRY]:
            if entry.search(body):
                return self._one(entry, None, entry.leg, entry.target)
        operation = next((s for s in possible[Axis.OPERATION] if s.search(body)), None)
        if operation is None and level not in _SPEAKING:
            return None
        leg, target = _way(body, operation)
        failure = _deepest([f for f in possible[Axis.FAILURE] if not f.where or leg in f.where], body)
        if failure is not None and failure.generic and operation is None and not level:
            return None  # the end of an entry whose beginning was lost
        if failure is not None:
            return self._one(failure, operation, failure.leg or leg, target)
        return self._one(operation, operation, leg, target) if operation is not None else None

    def _possible(self, level: str, body: str) -> dict[Axis, list[Signature]]:
        """Those that apply and of whose literals the entry has one, in the order in which they are tried."""
        found = {number for literal, those in self._by_literal.items() if literal in body for number in those}
        possible: dict[Axis, list[Signature]] = {axis: [] for axis in Axis}
        for number in sorted(found):
            signature = self.all[number]
            if signature.applies(level, body):
                possible[signature.axis].append(signature)
        return possible

    def _one(
        self, signature: Signature, operation: Signature | None, leg: Leg | None, target: str
    ) -> Meaning:
        key = signature.id, operation.id if operation else "", leg, target
        try:
            return self._meanings[key]
        except KeyError:
            return self._meanings.setdefault(key, _meaning(signature, operation, leg, target))

    def captures(self, meaning: Meaning, body: str) -> Iterator[tuple[str, str]]:
        """The values in one entry of that meaning; names with a number at the end are spellings of one
        name."""
        for signature in (meaning.operation, meaning.signature):
            match = signature.search(body) if signature is not None else None
            for name, value in (match.groupdict() if match else {}).items():
                if value is not None and value.strip():
                    yield name.rstrip("0123456789"), value.strip()
        url = _last_url(body)
        if url:
            yield "url", url
            if host := _HOST.match(url):
                yield "host", host[1]


def _deepest(failures: Sequence[Signature], body: str) -> Signature | None:
    """Which of them the deepest ``caused by`` tells of; the generic ones come last."""
    segments = body.split("caused by: ")[::-1]
    for generic in (False, True):
        for segment in segments:
            for failure in failures:
                if failure.generic is generic and failure.search(segment):
                    return failure
    return None


def _way(body: str, operation: Signature | None) -> tuple[Leg, str]:
    """The leg that an operation took and its target, as far as the text shows them."""
    url = _last_url(body)
    host = _HOST.match(url) if url else None
    to_imds = host[1] in _IMDS if host else _DIALLED_IMDS.search(body) is not None
    if not host and not to_imds and operation is not None and operation.target == "imds":
        to_imds = True
    target = "imds" if to_imds else _service(host[1]) if host else operation.target if operation else ""
    if "proxyconnect tcp" in body:
        return (Leg.IMDS_PROXY if to_imds else Leg.PROXY), target
    return (Leg.IMDS if to_imds else Leg.ENDPOINT), target


def _last_url(body: str) -> str | None:
    urls = _URL.findall(body) if "://" in body else []
    return (urls[-1][0] or urls[-1][1]) if urls else None


def _service(host: str) -> str:
    """The AWS service that an endpoint's name stands for; ``other`` for hosts that are none of the
    agent's."""
    for label in host.lower().split(".")[:12]:
        for service, spelling in _LABELS:
            if spelling.fullmatch(label):
                return service
    return "other"


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


# -- the YAML form -----------------------------------------------------------------------------------------

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
