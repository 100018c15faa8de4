"""Ansible's INI inventories, and with them the plain list of one host per line."""

from __future__ import annotations

import ast
import re
import shlex
import warnings

from collector.inventory.builder import Builder
from collector.inventory.model import Origin

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$")
_GROUP_NAME = re.compile(r"([^:\]\s]+)\s*(?:#.*)?$")
_LOOKS_LIKE_YAML = re.compile(r"(---|[\w.-]+:(\s|$))")


def read_ini(text: str, path: str, builder: Builder) -> None:
    """Add what an INI inventory says.

    Raises:
        InventoryError: with the line that cannot be read.
    """
    _IniReader(path, builder).read(text)


class _IniReader:
    """One pass over the lines.  A group may be named as a child, or get variables, before it is declared."""

    def __init__(self, path: str, builder: Builder) -> None:
        self._path = path
        self._builder = builder
        self._group = "ungrouped"
        self._kind = "hosts"
        self._parents_of: dict[str, list[tuple[str, Origin]]] = {}
        """Children that wait for their own section, and who claims them."""
        self._only_vars: dict[str, Origin] = {}
        """Groups of which only ``[group:vars]`` has been seen."""

    def read(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if line and line[0] not in "#;":
                self._read_line(line, Origin(self._path, number))
        for child, parents in self._parents_of.items():
            parent, origin = parents[-1]
            raise origin.error(f"[{parent}:children] names the group {child!r}, which no section declares")
        for group, origin in self._only_vars.items():
            raise origin.error(f"[{group}:vars] is for the group {group!r}, which no section declares")

    def _read_line(self, line: str, origin: Origin) -> None:
        if section := _SECTION.match(line):
            self._open_section(section[1], section[2] or "hosts", origin)
        elif line.startswith("[") and line.endswith("]"):
            raise origin.error(f"{line!r} is not a section; write [group], [group:children] or [group:vars]")
        elif self._kind == "hosts":
            self._read_host(line, origin)
        elif self._kind == "children":
            self._read_child(line, origin)
        else:
            self._read_group_var(line, origin)

    def _open_section(self, group: str, kind: str, origin: Origin) -> None:
        if kind not in ("hosts", "children", "vars"):
            raise origin.error(
                f"[{group}:{kind}] is not a section; write [group], [group:children] or [group:vars]"
            )
        self._group, self._kind = group, kind
        known = group in self._builder.groups
        self._builder.add_group(group, origin)
        if kind == "vars":
            if not known and group not in self._parents_of:
                self._only_vars[group] = origin
            return
        self._only_vars.pop(group, None)
        for parent, claimed_at in self._parents_of.pop(group, ()):
            self._builder.add_child(parent, group, claimed_at)

    def _read_host(self, line: str, origin: Origin) -> None:
        try:
            name, *assignments = shlex.split(line, comments=True)
        except ValueError as error:
            raise origin.error(f"the host line cannot be split: {str(error).lower()}") from None
        if name.endswith(":") or name == "---":
            hint = "; is this a YAML file? then name it .yaml" if _LOOKS_LIKE_YAML.match(line) else ""
            raise origin.error(f"{name!r} cannot name a host{hint}")
        hosts = self._builder.add_hosts(name, self._group, origin)
        for assignment in assignments:
            key, equals, value = assignment.partition("=")
            if not equals:
                raise origin.error(f"after the host {name!r} only key=value can follow, not {assignment!r}")
            for host in hosts:
                self._builder.set_host_var(host, key, literal(value, key, origin), origin)

    def _read_child(self, line: str, origin: Origin) -> None:
        name = _GROUP_NAME.match(line)
        if not name:
            raise origin.error(f"{line!r} in [{self._group}:children] is not the name of a group")
        if name[1] in self._builder.groups:
            self._builder.add_child(self._group, name[1], origin)
        else:
            self._parents_of.setdefault(name[1], []).append((self._group, origin))

    def _read_group_var(self, line: str, origin: Origin) -> None:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise origin.error(f"in [{self._group}:vars] each line is key=value")
        self._builder.set_group_var(self._group, key, literal(value, key, origin), origin)


def literal(text: str, key: str, origin: Origin) -> object:
    """A value as Ansible understands it: a Python literal where it is one, else the text itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError):
        raise origin.error(
            "the value looks like a Python literal and is none; put it in quotes", key
        ) from None
    return _plain(value)


def _plain(value: object) -> object:
    """Literals that JSON and YAML do not know become the nearest that they do."""
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if value is ...:
        return "..."
    return str(value) if isinstance(value, complex) else value
