"""Secrets that arrive although the host should have masked them: found in the stream, replaced by ``***``.

What is looked for: AWS secret keys and session tokens, presigned signatures, private keys in PEM,
``user:password@`` in URLs, and ``Authorization`` headers.  Only the secret is replaced: key names, schemes,
hosts and line breaks stay, so that a masked log still says the same and keeps its line numbers.

The search must not slow a sweep down, so each kind has one cheap pass over the bytes (a literal that
``re`` or ``find`` skips to) and looks closer only where that pass stops.  Secrets in UTF-16 are not found;
probes answer in UTF-8 and the agent logs in it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

MASK = b"***"
MAX_LINE = 64 * 1024
"""A line longer than this, in bytes, is handed on in pieces."""
MAX_PEM = 16 * 1024
"""The longest private key that is looked for, in bytes."""

Span = tuple[int, int]

_CONTEXT = 160
"""How far from a value its name, or the access key id beside it, may stand."""
_OVERLAP = 8 * 1024

# Keys and tokens are long runs without a break.  Mapped to one byte, a run is found at the speed of memcmp.
_RUN = 40
_RUN_ALPHABET = (string.ascii_letters + string.digits + "/+_%-").encode()
_RUN_TABLE = bytes(ord("a") if byte in _RUN_ALPHABET else ord(" ") for byte in range(256))
_RUN_PAD = re.compile(rb"[=.A-Za-z0-9/+_%-]*")
_DELIMITERS = b" \t:=\"'\\["
_TOKEN_NAMES = (b"token", b"tokenvalue", b"signature")
_ACCESS_KEY_ID = re.compile(rb"(?:AKIA|ASIA)[A-Z0-9]{12,16}")

_USERINFO = re.compile(rb"://([^\s/@:\"'<>]{0,256}:[^\s/\"'<>]{1,256})@")
_PEM_MARK = b"PRIVATE KEY-----"
_PEM_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----")
_PEM_END = re.compile(rb"-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----")
_PEM_LINES = re.compile(rb"(?:[A-Za-z0-9+/=:,\\ \t-]*\r?\n?){0,400}")
_AUTHORIZATION = re.compile(
    rb"uthorization[\"'\\]{0,3}\s{0,4}[:=]\s{0,4}[\"'\\\[]{0,3}"
    rb"(?:(?i:basic|bearer|negotiate|ntlm)[ \t]+([^\s\"'\\,\]]+)"
    rb"|(?i:aws4-hmac-sha256|digest)[ \t]+([^\r\n\"'\\\]]+))"
)


def find_secrets(data: bytes) -> list[Span]:
    """Where in ``data`` secrets stand, in order and without overlap."""
    found = [*_long_runs(data), *_userinfo(data), *_private_keys(data), *_authorization(data)]
    found.sort()
    apart: list[Span] = []
    for start, end in found:
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def mask_secrets(data: bytes) -> tuple[bytes, int]:
    """``data`` with its secrets masked, and how many there were."""
    if not data:
        return data, 0
    spans = find_secrets(data)
    return _without(data, spans), len(spans)


class Masker:
    """Masks a stream in pieces: what comes out depends on the bytes alone, not on where they were cut.

    Whole lines are handed on; the last, unfinished one waits for the rest of it.
    """

    def __init__(self) -> None:
        self.count = 0
        """Secrets masked so far."""
        self.settled = 0
        """Bytes of the input that have been looked at and handed on."""
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; returns what is settled, masked."""
        held = self._held + data if self._held else data
        if len(held) <= MAX_LINE and b"\n" not in data:
            self._held = held
            return b""
        spans = find_secrets(held)
        cut = _safe_cut(held, spans)
        self._held = held[cut:]
        return self._mask(held[:cut], [span for span in spans if span[0] < cut])

    def finish(self) -> bytes:
        """The stream has ended; returns the rest, masked."""
        held, self._held = self._held, b""
        return self._mask(held, find_secrets(held))

    def _mask(self, data: bytes, spans: list[Span]) -> bytes:
        self.settled += len(data)
        self.count += len(spans)
        return _without(data, spans)


def _without(data: bytes, spans: list[Span]) -> bytes:
    """``data`` with those places masked."""
    if not spans:
        return data
    pieces: list[bytes] = []
    at = 0
    for start, end in spans:
        pieces += (data[at:start], _masked(data[start:end]))
        at = end
    pieces.append(data[at:])
    return b"".join(pieces)


def _masked(secret: bytes) -> bytes:
    """The mask, once a line: a private key of many lines keeps its line breaks."""
    return b"\n".join(MASK if line.strip() else line for line in secret.split(b"\n"))


def _safe_cut(held: bytes, spans: list[Span]) -> int:
    """How much of ``held`` can be handed on: what comes later cannot change what is a secret in it."""
    cut = held.rfind(b"\n") + 1
    if len(held) - cut > MAX_LINE:
        cut = len(held) - _OVERLAP
    open_key = _unfinished_key(held)
    if open_key is not None:
        cut = min(cut, open_key)
    for start, end in spans:
        if start - _CONTEXT < cut < end:
            cut = max(0, held.rfind(b"\n", 0, start) + 1, start - _CONTEXT)
            break
    return cut if cut or len(held) <= 2 * MAX_LINE else len(held)


def _unfinished_key(held: bytes) -> int | None:
    """Where a private key begins of which the end has not come yet, but may."""
    if b"-----BEGIN " not in held[-MAX_PEM:]:
        return None
    start = held.rfind(b"-----BEGIN ", len(held) - min(len(held), MAX_PEM))
    begin = _PEM_BEGIN.match(held, start)
    if begin and not _PEM_END.search(held, begin.end()):
        return start
    return None


def _long_runs(data: bytes) -> Iterator[Span]:
    """Secret keys, session tokens, signatures: long runs behind a telling name or beside a key id."""
    if len(data) < _RUN:
        return
    mapped = data.translate(_RUN_TABLE)
    needle = b"a" * _RUN
    start = mapped.find(needle)
    while start >= 0:
        end = mapped.find(b" ", start + _RUN)
        end = len(data) if end < 0 else end
        is_value = start and data[start - 1] in _DELIMITERS
        if (is_value and _named_secret(data, start)) or (
            end - start == _RUN and _beside_key_id(data, start, end)
        ):
            padded = _RUN_PAD.match(data, end)
            end = padded.end() if padded else end
            yield start, end
        start = mapped.find(needle, end)


def _named_secret(data: bytes, start: int) -> bool:
    """Whether what stands before a run is the name of a secret: ``"SecretAccessKey" : "``."""
    before = data[max(0, start - 48) : start]
    name = before.rstrip(_DELIMITERS)
    delimiters = before[len(name) :]
    name = name[-24:].lower()
    if name.endswith(_TOKEN_NAMES):
        return b":" in delimiters or b"=" in delimiters
    return name.endswith(b"key") and b"secret" in name


def _beside_key_id(data: bytes, start: int, end: int) -> bool:
    """Whether an access key id stands on the same line, not far away."""
    before = data[max(0, start - _CONTEXT) : start].rpartition(b"\n")[2]
    after = data[end : end + _CONTEXT].partition(b"\n")[0]
    return bool(_ACCESS_KEY_ID.search(before) or _ACCESS_KEY_ID.search(after))


def _userinfo(data: bytes) -> Iterator[Span]:
    if b"@" not in data:
        return
    for match in _USERINFO.finditer(data):
        if match[1].partition(b":")[2].strip(b"*"):
            yield match.span(1)


def _private_keys(data: bytes) -> Iterator[Span]:
    if _PEM_MARK not in data:
        return
    at = 0
    while begin := _PEM_BEGIN.search(data, at):
        end = _PEM_END.search(data, begin.end(), begin.end() + MAX_PEM)
        lines = None if end else _PEM_LINES.match(data, begin.end(), begin.end() + MAX_PEM)
        at = end.start() if end else lines.end() if lines else begin.end()
        if data[begin.end() : at].strip(b"* \t\r\n"):
            yield begin.end(), at


def _authorization(data: bytes) -> Iterator[Span]:
    if b"uthorization" not in data:
        return
    for match in _AUTHORIZATION.finditer(data):
        group = 1 if match[1] is not None else 2
        if match[group].strip(b"*"):
            yield match.span(group)
