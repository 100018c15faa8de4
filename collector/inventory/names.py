"""How an inventory names hosts: ``web01``, ``web01:2222``, ``web[01:20]``, ``[2001:db8::1]:22``.

The rules are Ansible's (docs: "Adding ranges of hosts"): a range is ``[begin:end]`` or
``[begin:end:step]`` over numbers, kept to the width of a begin with leading zeros, or over single
letters, and both ends belong to it.
"""

from __future__ import annotations

import ipaddress
import math
import re
import string

MAX_HOSTS = 100_000
"""More than this from one line is a slip of the finger."""

_HOST_IN_BRACKETS = re.compile(r"\[(.+)\]:([0-9]+)$")
_HOST_AND_PORT = re.compile(r"((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$")
_NAME_RANGE = re.compile(r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]", re.IGNORECASE)
_IPV6_RANGE = re.compile(r"(?:^|(?<=:))\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\](?=:|$)", re.IGNORECASE)
_LABEL = r"(?:\w[\w-]*)?[^\W_]"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*$")


class BadName(ValueError):
    """Why a name or range cannot be used; a reader adds file and line."""


def split_port(text: str) -> tuple[str, int | None] | None:
    """Host (perhaps with ranges) and port of ``text``, or ``None`` where it is not shaped like a host."""
    for shape in (_HOST_IN_BRACKETS, _HOST_AND_PORT):
        if (found := shape.match(text)) and _is_host(found[1]):
            return found[1], int(found[2])
    return (text, None) if _is_host(text) else None


def expand(text: str) -> tuple[list[str], int | None]:
    """The hosts that ``text`` stands for, and the port that it gives to all of them.

    Raises:
        BadName: a range is not one.
    """
    host, port = split_port(text) or (text, None)
    return _expand_ranges(host), port


def _is_host(host: str) -> bool:
    if _HOSTNAME.match(_NAME_RANGE.sub("0", host)):
        return True
    try:
        ipaddress.IPv6Address(_IPV6_RANGE.sub("1", host))
    except ValueError:
        return False
    return True


def _expand_ranges(text: str) -> list[str]:
    """Every name of ``text``; the first range turns slowest."""
    pieces = re.split(r"\[([^\[\]]*)\]", text)
    if any("[" in literal or "]" in literal for literal in pieces[::2]):
        raise BadName(f"the brackets of {text!r} do not match")
    choices = [_range(bounds) for bounds in pieces[1::2]]
    if math.prod(len(choice) for choice in choices) > MAX_HOSTS:
        raise BadName(f"{text!r} stands for more than {MAX_HOSTS} hosts")
    names = [pieces[0]]
    for choice, literal in zip(choices, pieces[2::2], strict=True):
        names = [name + value + literal for name in names for value in choice]
    return names


def _range(bounds: str) -> list[str]:
    begin, separator, rest = bounds.partition(":")
    end, *more = rest.split(":")
    if not separator or len(more) > 1:
        raise BadName(f"the range [{bounds}] must be [begin:end] or [begin:end:step]")
    if not end:
        raise BadName(f"the range [{bounds}] must say where it ends")
    begin = begin or "0"
    step = more[0] if more else "1"
    if not _is_number(step) or int(step) == 0:
        raise BadName(f"the step of the range [{bounds}] must be a number from 1 up")
    if _is_number(begin) and _is_number(end):
        return _numbers(begin, end, int(step), bounds)
    letters = string.ascii_letters
    if len(begin) == len(end) == 1 and begin in letters and end in letters:
        if letters.index(begin) > letters.index(end):
            raise BadName(f"the range [{bounds}] runs backwards")
        return list(letters[letters.index(begin) : letters.index(end) + 1 : int(step)])
    raise BadName(f"the ends of the range [{bounds}] must be two numbers or two letters")


def _numbers(begin: str, end: str, step: int, bounds: str) -> list[str]:
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and width != len(end):
        raise BadName(f"the ends of the range [{bounds}] must have the same number of digits")
    numbers = range(int(begin), int(end) + 1, step)
    if not numbers:
        raise BadName(f"the range [{bounds}] runs backwards")
    if len(numbers) > MAX_HOSTS:
        raise BadName(f"the range [{bounds}] stands for more than {MAX_HOSTS} hosts")
    return [str(number).zfill(width) for number in numbers]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
