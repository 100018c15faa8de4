"""The grammar of the agent's logs, of every generation.

A line that begins an entry is ``TIME LEVEL MESSAGE``: ``2026-11-23 06:26:14.7432 INFO ...`` from 3.3.808
on, without the fraction before; hibernate.log never has it. errors.log puts ``[function @ file.line]``
before the message. Then come contexts in brackets, outermost first. Every line that does not begin with a
time continues the entry before it: ``caused by``, HTML, hex dumps, stack traces. A full disk tears lines,
so that the next entry begins in the middle of one. The times are the host's local ones and carry no zone.

What comes in another dress (UTF-16, CRLF, journal and syslog prefixes, Go's own ``2006/01/02 15:04:05``,
the pattern of a custom seelog.xml) is first brought into this form, line by line, so that line numbers stay
true."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

BLOCK = 1 << 18
MAX_ENTRY = 8192
"""Bytes of an entry that are looked at: its first and its last half; what is longer was never the agent's
words."""

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
_HEAD = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))? ?(?:(?P<level>"
    + "|".join(LEVELS)
    + r") )?"
)
_FUNCTION = re.compile(r"\[([^\]\s]{1,120} @ [^\]\n]{1,160})\] ")
_CONTEXT = re.compile(r"\[([^\[\]\n]{1,160})\] ?|(EC2RoleProvider|SSMService) ")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, taken apart."""

    time: datetime | None
    """Naive: the host's local time."""
    level: str
    func: str
    context: tuple[str, ...]
    message: str
    body: str
    """Contexts and message: what signatures are searched in."""


def parse_entry(text: str) -> Entry:
    """Take one entry apart.  Never fails: what is not there is empty."""
    head = _HEAD.match(text)
    time, level, start = None, "", 0
    if head:
        time, level, start = _time(head["time"], head["fraction"]), head["level"] or "", head.end()
    function = _FUNCTION.match(text, start)
    start = function.end() if function else start
    body = text[start:]
    context: list[str] = []
    position = 0
    while len(context) < 12 and (part := _CONTEXT.match(body, position)):
        context.append(part[1] or part[2])
        position = part.end()
    return Entry(time, level, function[1] if function else "", tuple(context), body[position:], body)


def _time(text: str, fraction: str | None) -> datetime | None:
    try:
        micro = int((fraction or "0").ljust(6, "0")[:6])
        return datetime.fromisoformat(text).replace(microsecond=micro)
    except ValueError:
        return None


def bounded(entry: bytes) -> bytes:
    """An entry cut to ``MAX_ENTRY`` bytes, in the middle; the deepest cause stands at its end."""
    if len(entry) <= MAX_ENTRY:
        return entry
    return entry[: MAX_ENTRY // 2] + b"\n[...]\n" + entry[-MAX_ENTRY // 2 :]


_USERINFO = re.compile(r"(?P<scheme>\b\w{1,12}://)[^\s/@'\"]{1,512}@")


def text_of(entry: bytes) -> str:
    """An entry as text; user and password in URLs are masked."""
    text = bounded(entry).decode("utf-8", "replace").rstrip("\n")
    return _USERINFO.sub(r"\g<scheme>***@", text) if "@" in text else text


# -- other dresses -----------------------------------------------------------------------------------------


def plain_blocks(read: Callable[[int], bytes], *, console: bool = False) -> Iterator[bytes]:
    """The bytes of a log in the default form, in blocks that may end anywhere.

    ``read`` gives the next bytes, up to so many; none at the end. ``console`` says that it is what the agent
    printed (a journal, a syslog), not a log file of its own.
    """
    blocks = _decoded(iter(lambda: read(BLOCK), b""))
    first = next(blocks, b"")
    rewrite = _rewriter(first, console=console)
    everything = _chain(first, blocks)
    if rewrite is None:
        yield from everything
    else:
        yield from _by_line(everything, rewrite)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def _decoded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 without BOM, carriage returns and NUL bytes."""
    first = next(blocks, b"")
    encoding, skip = _encoding(first)
    decode = codecs.getincrementaldecoder(encoding)("replace") if encoding != "utf-8" else None
    for block in _chain(first[skip:], blocks):
        text = decode.decode(block).encode("utf-8", "replace") if decode else block
        if b"\r" in text:
            text = text.replace(b"\r", b"")
        yield text.replace(b"\0", b"") if b"\0" in text else text


def _encoding(start: bytes) -> tuple[str, int]:
    for bom, name in _BOMS:
        if start.startswith(bom):
            return name, len(bom)
    sample = start[:512]
    if len(sample) >= 8 and sample.count(0) * 3 > len(sample):
        return ("utf-16-le", 0) if sample[1::2].count(0) > sample[::2].count(0) else ("utf-16-be", 0)
    return "utf-8", 0


_DEFAULT = re.compile(
    rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})? (?:TRACE|DEBUG|INFO|WARN|ERROR|CRITICAL) ", re.M
)
_JOURNAL = re.compile(
    rb"^(?P<date>\d{4}-\d\d-\d\d)T(?P<clock>\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)? "
    rb"[^\s]{1,255} [^\s:\[]{1,100}(?:\[\d{1,10}\])?: ?",
    re.M,
)
_SYSLOG = re.compile(
    rb"^(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\s]{1,255} [^\s:\[]{1,100}(?:\[\d{1,10}\])?: ?",
    re.M,
)
_STDLIB = re.compile(rb"^(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)(?:\.\d{1,9})? ")
_CONSOLE = re.compile(
    rb"Error (?:occurred|parsing)|Initializing new seelog|New Seelog|Found config file|Applying config|"
    rb"seelog internal|Failed to (?:unmarshal|create|write|load)|panic: |fatal error: |runtime: |"
    rb"Using AWS credentials|datastore file"
)
NO_TIME = "0000-00-00 00:00:00 "
"""Put before a line that begins an entry and has no time; no part of what is cited."""
_NO_TIME = NO_TIME.encode()
_Rewrite = Callable[[bytes], bytes]


def _rewriter(start: bytes, *, console: bool) -> _Rewrite | None:
    """How the lines of a log must be rewritten, by its beginning; ``None``: not at all."""
    sample = start[:65536]
    if not console and _DEFAULT.match(sample):
        return None  # and a line of a syslog further down is quoted
    if console or _JOURNAL.search(sample) or _SYSLOG.search(sample):
        return _from_console
    if sample.strip() and not _DEFAULT.search(sample) and _custom(sample):
        return _from_custom
    return None


def _by_line(blocks: Iterable[bytes], rewrite: _Rewrite) -> Iterator[bytes]:
    pending = b""
    for block in blocks:
        lines = (pending + block).split(b"\n")
        pending = lines.pop()
        if len(pending) > BLOCK:
            pending = bounded(pending)
        if lines:
            yield b"".join([rewrite(line) + b"\n" for line in lines])
    if pending:
        yield rewrite(pending)


def _from_console(line: bytes) -> bytes:
    """A line of a journal or syslog, or of bare console output."""
    stamp = b""
    if prefix := _JOURNAL.match(line):
        stamp = prefix["date"] + b" " + prefix["clock"] + b" "
    else:
        prefix = _SYSLOG.match(line)
    if prefix:
        line = line[prefix.end() :].replace(b"#011", b"\t")
    if own := _STDLIB.match(line):
        return b"%s-%s-%s %s " % own.groups() + line[own.end() :]
    return (stamp or _NO_TIME) + line if _CONSOLE.match(line) else line


_CUSTOM_TIME = re.compile(
    rb"(\d{4})[-/.](\d\d)[-/.](\d\d)[T _](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?:Z|[+-]\d\d:?\d\d)?"
)
_CUSTOM_LEVEL = re.compile(
    rb"(?i)(?:^|[\[<(|\s=\"])(trace|trc|debug|dbg|info|inf|warning|warn|wrn|error|err|critical|crt|crit)"
    rb"(?=$|[\]>)|\s:,\"])"
)
_LEVEL_NAMES = {
    b"TR": b"TRACE",
    b"DE": b"DEBUG",
    b"DB": b"DEBUG",
    b"IN": b"INFO",
    b"WA": b"WARN",
    b"WR": b"WARN",
}
_CUSTOM_REST = re.compile(rb"[\s\]\[<>()|:,=-]{0,12}")


def _custom(sample: bytes) -> bool:
    """Whether at least a line looks like the agent's, written with a pattern of a custom seelog.xml."""
    return any(_from_custom(line) is not line for line in sample.split(b"\n")[:400])


def _from_custom(line: bytes) -> bytes:
    """``[ERROR] 2026/11/23 06:26:14 message`` and its kin, with or without a time."""
    time = _CUSTOM_TIME.search(line[:80])
    level = _CUSTOM_LEVEL.search(line[:140])
    if level is None or (level.start() > 40 and time is None):
        return line
    stamp = _NO_TIME
    if time:
        fraction = b"." + time[5] if time[5] else b""
        stamp = b"%s-%s-%s %s" % (time[1], time[2], time[3], time[4]) + fraction + b" "
    end = max(level.end(), time.end() if time else 0)
    rest = _CUSTOM_REST.match(line, end)
    name = level[1].upper()
    full = _LEVEL_NAMES.get(name[:2]) or (b"CRITICAL" if name[:2] == b"CR" else b"ERROR")
    message = line[rest.end() if rest else end :]
    return stamp + full + b" " + message
