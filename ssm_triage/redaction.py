"""Evidence with stand-ins for names, addresses and ids: for others to read, and to diagnose the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from collector.evidence import (
    ConnectionFacts,
    Evidence,
    Failure,
    LogFile,
    LogPart,
    Manifest,
    ProbeResult,
    Subject,
)
from collector.evidence.model import LogHead
from collector.evidence.store import SUFFIX, EvidenceWriter, file_name
from ssm_triage.names import ACCOUNT, HOST, ISSUER, Names, is_address, vocabulary
from ssm_triage.pseudonyms import Pseudonyms

MARK = "pseudonyms"
"""What the manifest of redacted evidence says."""

_AGENT_VERSION = re.compile(r"[1-3]\.\d\.\d{1,4}\.0")
"""The agent's versions look like addresses; none of them ends otherwise."""
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_JOINTS = re.compile(r"([._-])")
_MOST_JOINTS = 24
_DISTINCT = re.compile(r"[\d_-]")
"""What a name must have to be told from the word next to it: ``web-01`` in ``web-01-backup``, not ``web``."""
_BY_FORM = r"""
    SHA256:(?P<fingerprint>[A-Za-z0-9+/]{43})
  | \b(?P<keyid>(?:AKIA|ASIA|AROA|AIPA|AIDA|ANPA|AGPA)[A-Z0-9]{12,17})\b
  | \b(?P<dashed>(?:ip|ec2)(?:-\d{1,3}){4})\b
  | (?<![\w:-])(?P<mac>[0-9a-fA-F]{2}(?:(?P<sep>[:-])[0-9a-fA-F]{2})(?:(?P=sep)[0-9a-fA-F]{2}){4})(?![\w:-]\w)
  | (?<![\w:.])(?P<six>[0-9a-fA-F]{0,4}:(?:[0-9a-fA-F]{0,4}:){1,6}
        (?:[0-9a-fA-F]{1,4}|\d{1,3}(?:\.\d{1,3}){3})?)(?![\w:])
  | (?<![\w.-])(?P<four>\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<prefix>\d{1,2}))?(?![\w-]|\.\d)
  | \b(?P<resource>(?:i|mi|ami|eni|vol|snap|subnet|vpc|vpce|sg|rtb|acl|igw|nat|eipalloc|r|lt)-
        (?:[0-9a-f]{17}|[0-9a-f]{8})(?![0-9a-f]))
"""


class Redactor:
    """Replaces, in any text, what is known by its form or was learned as a name."""

    def __init__(self, pseudonyms: Pseudonyms, names: Names) -> None:
        self._stand_in = pseudonyms
        self._kinds = names.kinds
        self._word = lru_cache(maxsize=1 << 16)(self._find_in_word)
        phrases = [name for name in self._kinds if not _WORD.fullmatch(name)]
        longest_first = sorted(map(re.escape, phrases), key=len, reverse=True)
        phrase = rf"(?<!\w)(?P<phrase>(?i:{'|'.join(longest_first)}))(?!\w)" if phrases else "(?!)"
        by_form = re.sub(r"\s+", "", _BY_FORM)
        self._pattern = re.compile(f"{by_form}|{phrase}|(?P<word>{_WORD.pattern})")

    def text(self, text: str) -> str:
        """``text`` with stand-ins."""
        return self._pattern.sub(self._replaced, text)

    def data(self, data: bytes) -> bytes:
        """The same for bytes of which most are UTF-8."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def host(self, name: str) -> str:
        """A host's name, known to be one."""
        shown = self.text(name)
        return shown if shown != name or not name or is_address(name) else self._stand_in.host(name)

    def name(self, kind: str, name: str) -> str:
        """A name of some other kind, known to be one; none stays none."""
        return self._stand_in.name(kind, name) if name else name

    def routes(self, output: bytes) -> bytes:
        """``/proc/net/route``: addresses as the hexadecimal of four octets in the kernel's (little) order."""
        lines = [line.split(b"\t") for line in output.split(b"\n")]
        for line in lines:
            if len(line) > 7 and all(re.fullmatch(rb"[0-9A-F]{8}", line[at]) for at in (1, 2, 7)):
                prefix = int.from_bytes(bytes.fromhex(line[7].decode()), "little").bit_count()
                line[1], line[2] = self._hexadecimal(line[1], prefix), self._hexadecimal(line[2], 32)
        return b"\n".join(map(b"\t".join, lines))

    def _hexadecimal(self, digits: bytes, prefix: int) -> bytes:
        address = IPv4Address(bytes.fromhex(digits.decode())[::-1])
        return self._stand_in.address(address, prefix).packed[::-1].hex().upper().encode()

    def _replaced(self, found: re.Match[str]) -> str:
        whole, kind = found.group(), found.lastgroup
        match kind:
            case "fingerprint":
                return f"SHA256:{self._stand_in.fingerprint(found['fingerprint'])}"
            case "keyid":
                return self._stand_in.key_id(whole)
            case "dashed":
                prefix, _, digits = whole.partition("-")
                return f"{prefix}-{self._four(digits.replace('-', '.')).replace('.', '-')}"
            case "mac":
                return self._stand_in.mac(whole)
            case "six":
                return self._six(whole)
            case "four" | "prefix":
                return self._four(found["four"], found["prefix"])
            case "resource":
                return self._stand_in.resource(whole)
            case "phrase":
                return self._named(whole)
            case _:
                return self._word(whole)

    def _find_in_word(self, word: str) -> str:
        """``web-01.corp.example``, ``backup-web-01``: what of it is a name, the longest first."""
        if word.lower() in self._kinds:
            return self._named(word)
        pieces = _JOINTS.split(word, _MOST_JOINTS)
        for length in range(len(pieces) - 2, 0, -2):
            for start in range(0, len(pieces) - length + 1, 2):
                end = start + length
                part = "".join(pieces[start:end])
                whole_labels = {*pieces[start - 1 : start], *pieces[end : end + 1]} <= {"."}
                if part.lower() in self._kinds and (whole_labels or _DISTINCT.search(part)):
                    before, after = "".join(pieces[:start]), "".join(pieces[end:])
                    return self._find_in_word(before) + self._named(part) + self._find_in_word(after)
        return word

    def _named(self, name: str) -> str:
        kind = self._kinds[name.lower()]
        if kind == HOST:
            return self._stand_in.host(name)
        if kind == ACCOUNT:
            return self._stand_in.account(name)
        return self._stand_in.name("name" if kind == ISSUER else kind, name)

    def _four(self, text: str, prefix: str | None = None) -> str:
        tail = f"/{prefix}" if prefix else ""
        if not prefix and _AGENT_VERSION.fullmatch(text):
            return text
        try:
            return f"{self._stand_in.address(IPv4Address(text), min(int(prefix or 32), 32))}{tail}"
        except ValueError:
            return text + tail

    def _six(self, text: str) -> str:
        if "::" not in text and text.count(":") < 6:
            return text  # a time of day
        try:
            return str(self._stand_in.address_6(IPv6Address(text)))
        except ValueError:
            return text[0] + self.text(text[1:])


def learn(evidences: Iterable[Evidence]) -> Names:
    """The names in all that is to be handed on, their logs included.

    Raises:
        EvidenceError: a log is damaged.
    """
    from collector.probes.compile import compile_script
    from collector.probes.windows.compile import compile_windows

    nonce = "0" * 32
    names = Names(vocabulary([compile_script(nonce=nonce).decode(), compile_windows(nonce=nonce).decode()]))
    for evidence in evidences:
        names.learn(evidence)
        for log in evidence.manifest.logs:
            for part in log.parts:
                for piece in _pieces(evidence, log, part):
                    names.learn_text(piece)
    return names


def redact(evidence: Evidence, redactor: Redactor, folder: Path) -> Path:
    """Write the evidence of one host anew, with stand-ins; returns its file, ``NAME.redacted.zip``.

    Raises:
        EvidenceError: a log is damaged, or the file cannot be written.
    """
    manifest = _manifest(evidence.manifest, redactor)
    with EvidenceWriter(folder, _free_name(folder, manifest.subject.name)) as writer:
        for result in evidence.manifest.probes:
            writer.probe(_probe(result, redactor))
            writer.probes[-1] = replace(
                writer.probes[-1], redacted=result.redacted + writer.probes[-1].redacted
            )
        for log in evidence.manifest.logs:
            _copy_log(evidence, log, redactor, writer)
        return writer.finish(manifest)


def _free_name(folder: Path, host: str) -> str:
    """Two looks at one host have the same stand-in and yet two files."""
    base = f"{file_name(host).removesuffix(SUFFIX)}.redacted"
    names = (base, *(f"{base}-{number}" for number in range(2, 10_000)))
    return next(name for name in names if not (folder / file_name(name)).exists())


def _probe(result: ProbeResult, redactor: Redactor) -> ProbeResult:
    output = redactor.routes(result.output) if result.via == "/proc/net/route" else result.output
    return replace(
        result,
        output=redactor.data(output),
        note=redactor.text(result.note),
        via=redactor.text(result.via),
        ran_as=redactor.text(result.ran_as),
        sha256="",  # the writer's to reckon
    )


def _copy_log(evidence: Evidence, log: LogFile, redactor: Redactor, writer: EvidenceWriter) -> None:
    name, path = redactor.text(log.name), redactor.text(log.path)
    if not log.parts:
        writer.logs.append(replace(log, name=name, path=path, note=redactor.text(log.note)))
        return
    for part in log.parts:
        writer.log_begin(
            LogHead(name, path, log.size, log.modified, part.offset, part.first_line, packed=False)
        )
        for piece in _pieces(evidence, log, part):
            writer.log_data(redactor.text(piece).encode("utf-8", "surrogateescape"))
        writer.log_end(log.status, redactor.text(log.note))
        # A part keeps its place in the host's file, whatever length the stand-ins have.
        written = writer.logs[-1]
        placed = replace(written.parts[-1], length=part.length, redacted=part.redacted)
        writer.logs[-1] = replace(written, parts=(*written.parts[:-1], placed))


def _pieces(evidence: Evidence, log: LogFile, part: LogPart) -> Iterator[str]:
    """The lines of a part, many at once."""
    with evidence.open_log(log, part) as stream:
        while lines := stream.readlines(1 << 18):
            if b"\0" in lines[0]:
                lines.append(stream.read())
                yield b"".join(lines).decode("utf-16", "replace")
                return
            yield b"".join(lines).decode("utf-8", "surrogateescape")


def _manifest(manifest: Manifest, redactor: Redactor) -> Manifest:
    return replace(
        manifest,
        subject=_subject(manifest.subject, redactor),
        connection=manifest.connection and _connection(manifest.connection, redactor),
        failure=manifest.failure and _failure(manifest.failure, redactor),
        ran_as=redactor.text(manifest.ran_as),
        redaction=MARK,
        probes=(),
        logs=(),
    )


def _subject(subject: Subject, redactor: Redactor) -> Subject:
    return replace(
        subject,
        name=redactor.host(subject.name),
        address=redactor.host(subject.address),
        groups=tuple(redactor.name("group", group) for group in subject.groups),
        instance_id=subject.instance_id and redactor.text(subject.instance_id),
        zone=subject.zone and redactor.name("zone", subject.zone),
        root=redactor.text(subject.root),
    )


def _connection(facts: ConnectionFacts, redactor: Redactor) -> ConnectionFacts:
    return replace(
        facts,
        address=redactor.host(facts.address),
        user=redactor.text(facts.user),
        auth_method=redactor.text(facts.auth_method),
        host_key=redactor.text(facts.host_key),
        jump=tuple(map(redactor.text, facts.jump)),
        server=redactor.text(facts.server),
        notes=tuple(map(redactor.text, facts.notes)),
    )


def _failure(failure: Failure, redactor: Redactor) -> Failure:
    return replace(failure, detail=redactor.text(failure.detail), try_next=redactor.text(failure.try_next))
