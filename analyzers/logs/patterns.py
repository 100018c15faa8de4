"""What can be known of a regular expression from its text: a literal that every match contains, and its
digits.

The first makes it cheap to say that a pattern does not match. The second makes it sound to keep one verdict
for all entries that differ in digits only: the digits that no pattern asks for can be masked."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLASSES = frozenset("dDwWsSbBAZ0123456789")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_GROUP = re.compile(r"\((?:\?(?:P<\w+>|:|=|!|<=|<!|P=\w+|[aiLmsux-]+:?))?")
_BRACES = re.compile(r"\{\d*(?:,\d*)?\}")
_HEX = re.compile(r"[0-9a-f]{8}")
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*(?:[*+]|\{\d*,\})(?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,\})")
MASK = bytes.maketrans(b"123456789", b"000000000")


@dataclass(frozen=True, slots=True)
class PatternText:
    """What the text of one pattern tells."""

    literal: str
    """The longest text that every match contains; empty: none could be told."""
    numbers: tuple[str, ...]
    """Every text with a digit that a match may depend on, its digits written as ``0``."""

    @staticmethod
    def of(pattern: str) -> PatternText:
        """Raises: ValueError: the pattern could take unbounded time, or asks for the value of an id, which
        is masked."""
        if _NESTED.search(pattern):
            raise ValueError("a repetition inside a repetition; give the inner or the outer one a bound")
        if _HEX.search(pattern):
            raise ValueError("it asks for the value of one id")
        walker = _Walker(pattern)
        walker.walk()
        flagged = "(?i" in pattern or "(?x" in pattern
        required = [] if walker.alternates or flagged else walker.required
        numbers = {run.translate(_ZERO) for run in walker.runs if any(c.isdigit() for c in run)}
        return PatternText(max(required, key=len, default=""), tuple(sorted(numbers)))


_ZERO = str.maketrans("123456789", "000000000")


class _Walker:
    """Walks over a pattern and gathers its runs of literal text.

    Needs not understand everything: what it does not understand ends a run, which is always safe for
    ``required``; and for digits, every digit of the pattern ends up in some run."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0
        self.alternates = False
        self.run = ""
        self.required: list[str] = []
        self.runs: list[str] = []

    def walk(self) -> None:
        while self.position < len(self.pattern):
            self._step(self.pattern[self.position])
        self._end()

    def _step(self, char: str) -> None:
        self.position += 1
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            group = _GROUP.match(self.pattern, self.position - 1)
            self.position = group.end() if group else self.position
            self._end()
            self.depth += 1
        elif char == ")":
            self._end()
            self.depth -= 1
        elif char == "|":
            self._end()
            self.alternates = self.alternates or self.depth == 0
        elif char in "*?{":
            self._optional(char)
        elif char in ".^$+":
            self._end()
        else:
            self.run += char

    def _end(self) -> None:
        if self.run:
            self.runs.append(self.run)
            if self.depth == 0:
                self.required.append(self.run)
        self.run = ""

    def _optional(self, char: str) -> None:
        """The last character may be missing, or stand more than once."""
        if char == "{" and (braces := _BRACES.match(self.pattern, self.position - 1)):
            self.position = braces.end()
        if self.run:
            self.runs.append(self.run)
        self.run = self.run[:-1]
        self._end()

    def _escape(self) -> None:
        char = self.pattern[self.position : self.position + 1]
        self.position += 1
        if char in _CLASSES:
            self._end()
        else:
            self.run += _ESCAPES.get(char, char)

    def _class(self) -> None:
        end = self.position
        if self.pattern.startswith("^", end):
            end += 1
        end += 1  # a bracket that comes first is a member
        while end < len(self.pattern) and self.pattern[end] != "]":
            end += 2 if self.pattern[end] == "\\" else 1
        members = self.pattern[self.position : end].replace("0-9", "").replace("\\d", "")
        self.position = end + 1
        if not any(member.isdigit() for member in members):
            self._end()
        elif members.isdigit():
            # one of some digits: as good as a digit, but not a text that every match contains
            before, self.run = self.run, ""
            if before:
                self.runs.append(before)
                if self.depth == 0:
                    self.required.append(before)
            self.runs.append(f"{before}0")
        else:
            self._end()
            self.runs.append("0")
