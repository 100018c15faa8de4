"""What can be known of a regular expression from its text: texts of which every match contains one, and its
digits.

The first makes it cheap to say that a pattern does not match. The second makes it sound to keep one verdict
for all entries that differ in digits only: the digits that no pattern asks for can be masked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CLASSES = frozenset("dDwWsSbBAZ123456789")
_BY_NUMBER = frozenset("0xuUN")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_GROUP = re.compile(r"\((?:\?(?:P<\w+>|:|=|!|<=|<!|P=\w+|[aiLmsux-]+:?))?")
_LOOKS_ROUND = ("(?=", "(?!", "(?<=", "(?<!")
_BRACES = re.compile(r"\{\d*(?:,\d*)?\}")
_HEX = re.compile(r"[0-9a-f]{8}")
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*(?:[*+]|\{\d*,\})(?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,\})")
MASK = bytes.maketrans(b"123456789", b"000000000")


Literals = tuple[str, ...]
"""Texts of which every match contains at least one; none: no such texts are known."""


@dataclass(frozen=True, slots=True)
class PatternText:
    """What the text of one pattern tells."""

    literals: Literals
    numbers: tuple[str, ...]
    """Every text with a digit that a match may depend on, its digits written as ``0``."""

    @staticmethod
    def of(pattern: str) -> PatternText:
        """Raises: ValueError: the pattern could take unbounded time, asks for the value of an id, which is
        masked, or spells a character as its number."""
        if _NESTED.search(pattern):
            raise ValueError("a repetition inside a repetition; give the inner or the outer one a bound")
        if _HEX.search(pattern):
            raise ValueError("it asks for the value of one id")
        walker = _Walker(pattern)
        walker.walk()
        numbers = {run.translate(_ZERO) for run in walker.runs if any(c.isdigit() for c in run)}
        return PatternText(walker.literals(), tuple(sorted(numbers)))


_ZERO = str.maketrans("123456789", "000000000")
_SELECTIVE = 5
"""Characters of a text that few entries have by chance."""


def _worth(literals: Literals) -> tuple[bool, int, int]:
    """What spares most searches: texts that are long enough, and then few."""
    shortest = min(map(len, literals))
    return shortest >= _SELECTIVE, -len(literals), shortest


def _either(branches: list[Literals]) -> Literals:
    """What is known of a choice: something of every branch, or else nothing."""
    return tuple(dict.fromkeys(sum(branches, ()))) if all(branches) else ()


@dataclass(slots=True)
class _Group:
    """What is known so far of a group, or of the whole pattern."""

    counts: bool = True
    """Whether what is in it is part of the match."""
    branches: list[Literals] = field(default_factory=list)
    branch: list[Literals] = field(default_factory=list)
    """What each match of the branch at hand contains: one text of every item."""

    def end_branch(self) -> None:
        self.branches.append(max(self.branch, key=_worth, default=()))
        self.branch = []


class _Walker:
    """Walks over a pattern and gathers its runs of literal text.

    Needs not understand everything: what it does not understand ends a run, which is always safe for
    literals; and for digits, every digit of the pattern ends up in some run."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.unsure = "(?i" in pattern or "(?x" in pattern
        self.run = ""
        self.groups = [_Group()]
        self.runs: list[str] = []

    def literals(self) -> Literals:
        """Once all of it has been walked over."""
        return () if self.unsure or len(self.groups) != 1 else _either(self.groups[0].branches)

    def walk(self) -> None:
        while self.position < len(self.pattern):
            self._step(self.pattern[self.position])
        self._end()
        self.groups[-1].end_branch()

    def _step(self, char: str) -> None:
        self.position += 1
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            self._end()
            self._open()
        elif char == ")":
            self._end()
            self._close()
        elif char == "|":
            self._end()
            self.groups[-1].end_branch()
        elif char in "*?{":
            self._optional(char)
        elif char in ".^$+":
            self._end()
        else:
            self.run += char

    def _end(self) -> None:
        if self.run:
            self.runs.append(self.run)
            self.groups[-1].branch.append((self.run,))
        self.run = ""

    def _open(self) -> None:
        group = _GROUP.match(self.pattern, self.position - 1)
        kind = group[0] if group else "("
        self.position += len(kind) - 1
        self.unsure = self.unsure or (kind == "(" and self.pattern.startswith("?", self.position))
        self.groups.append(_Group(kind not in _LOOKS_ROUND))

    def _close(self) -> None:
        if len(self.groups) == 1:
            self.unsure = True
            return
        group = self.groups.pop()
        group.end_branch()
        may_be_missing = self.pattern[self.position : self.position + 1] in ("?", "*", "{")
        if group.counts and not may_be_missing and (literals := _either(group.branches)):
            self.groups[-1].branch.append(literals)

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
        if char in _BY_NUMBER:
            raise ValueError(f"it spells a character as its number (\\{char}); write the character itself")
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
            before = self.run
            self._end()
            self.runs.append(f"{before}0")
        else:
            self._end()
            self.runs.append("0")
