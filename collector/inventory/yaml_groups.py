"""Ansible's YAML inventories: groups of ``hosts``, ``vars`` and ``children``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from collector.inventory.builder import Builder
from collector.inventory.model import Origin, Section

PARTS = ("hosts", "vars", "children")


def read_yaml_groups(data: object, path: str, builder: Builder) -> None:
    """Add the groups of a YAML inventory (or of JSON with the same shape).

    Raises:
        InventoryError: something in it is not Ansible's YAML; with line and key.
    """
    if data is None:
        return
    if not isinstance(data, dict):
        raise Origin(path, 1).error(f"must be a mapping of groups such as 'all:', not a {_kind(data)}")
    if "plugin" in data:
        raise _at(data, "plugin", path).error(
            f"{data['plugin']!r} is an inventory plugin, which only Ansible runs; "
            f"pipe its answer: ansible-inventory -i {path} --list | ssm-triage run -i -",
            "plugin",
        )
    for name, content in data.items():
        _read_group(name, content, path, _at(data, name, path), builder)


def _read_group(name: object, content: object, path: str, origin: Origin, builder: Builder) -> str:
    group = builder.add_group(name, origin)
    if content is None:
        return group
    if not isinstance(content, dict):
        raise origin.error(f"a group is a mapping of {', '.join(PARTS)}, not a {_kind(content)}", group)
    for part, value in content.items():
        at = _at(content, part, path)
        if part not in PARTS:
            raise at.error(f"a group holds only {', '.join(PARTS)}{_suggestion(part)}", f"{group}.{part}")
        members = {value: None} if isinstance(value, str) else value
        if members is None:
            continue
        if not isinstance(members, dict):
            raise at.error(
                f"must be a mapping, not a {_kind(value)}; end each name with a colon", f"{group}.{part}"
            )
        _read_part(str(part), members, group, path, at, builder)
    return group


def _read_part(
    part: str, members: Mapping[object, object], group: str, path: str, at: Origin, builder: Builder
) -> None:
    for key, value in members.items():
        origin = _at(members, key, path) if isinstance(members, Section) else at
        if part == "vars":
            builder.set_group_var(group, key, value, origin)
        elif part == "children":
            child = _read_group(key, value, path, origin, builder)
            builder.add_child(group, child, origin)
        else:
            _read_host(key, value, group, path, origin, builder)


def _read_host(key: object, values: object, group: str, path: str, origin: Origin, builder: Builder) -> None:
    hosts = builder.add_hosts(key, group, origin)
    if values is None:
        return
    if not isinstance(values, dict):
        raise origin.error(f"a host's variables are a mapping, not a {_kind(values)}", str(key))
    for name, value in values.items():
        at = _at(values, name, path)
        for host in hosts:
            builder.set_host_var(host, name, value, at)


def _at(mapping: Mapping[object, object], key: object, path: str) -> Origin:
    return Origin(path, mapping.lines.get(key) if isinstance(mapping, Section) else None)


def _kind(value: object) -> str:
    names = {list: "list", str: "text", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), type(value).__name__)


def _suggestion(part: object) -> str:
    close = get_close_matches(str(part), PARTS, n=1)
    return f"; did you mean {close[0]!r}?" if close else "; a group inside a group goes under children"
