"""The JSON of ``ansible-inventory --list``, which inventory scripts print too."""

from __future__ import annotations

from collector.inventory.builder import Builder
from collector.inventory.model import Origin

GROUP_KEYS = ("hosts", "vars", "children")


def is_json_list(data: object) -> bool:
    """Whether JSON is the answer of a program: its hosts are lists, where a file has mappings."""
    if not isinstance(data, dict):
        return False
    return "_meta" in data or any(
        isinstance(group, list) or (isinstance(group, dict) and isinstance(group.get("hosts"), list))
        for group in data.values()
    )


def read_json_list(data: dict[str, object], path: str, builder: Builder) -> None:
    """Add what the program said.

    Raises:
        InventoryError: it is not the shape that Ansible asks of programs.
    """
    origin = Origin(path)
    for name, content in data.items():
        if name != "_meta":
            _read_group(name, content, origin, builder)
    meta = data.get("_meta", {})
    hostvars = meta.get("hostvars", {}) if isinstance(meta, dict) else None
    if not isinstance(hostvars, dict):
        raise origin.error("must be an object of hosts and their variables", "_meta.hostvars")
    for host, values in hostvars.items():
        if not isinstance(values, dict):
            raise origin.error("must be an object of variables", f"_meta.hostvars.{host}")
        if host not in builder.hosts:
            builder.warnings.append(f"{path}: _meta.hostvars names {host!r}, which is in no group: left out")
            continue
        for key, value in values.items():
            builder.set_host_var(host, key, value, origin)


def _read_group(name: str, content: object, origin: Origin, builder: Builder) -> None:
    group = builder.add_group(name, origin)
    if isinstance(content, list):
        content = {"hosts": content}
    if not isinstance(content, dict) or (content and not content.keys() & set(GROUP_KEYS)):
        raise origin.error("a group must be an object with hosts, vars or children", group)
    for host in _list(content, "hosts", group, origin):
        if not isinstance(host, str) or not host or not host.isprintable():
            raise origin.error(f"{host!r} cannot name a host", f"{group}.hosts")
        builder.add_host(host, group, origin)
    values = content.get("vars") or {}
    if not isinstance(values, dict):
        raise origin.error("must be an object of variables", f"{group}.vars")
    for key, value in values.items():
        builder.set_group_var(group, key, value, origin)
    for child in _list(content, "children", group, origin):
        builder.add_child(group, builder.add_group(child, origin), origin)


def _list(content: dict[str, object], key: str, group: str, origin: Origin) -> list[object]:
    found = content.get(key) or []
    if not isinstance(found, list):
        raise origin.error("must be a list of names", f"{group}.{key}")
    return found
