"""Putting an inventory together from what its sources say, by Ansible's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.inventory.model import Group, Inventory, InventoryHost, Origin, Var
from collector.inventory.names import BadName, expand

if TYPE_CHECKING:
    from collector.inventory.vault import VaultKeys

Layer = Mapping[str, Var]
Vars = dict[str, Var]
VarFiles = Callable[[str, str], list[Vars]]
"""``("group_vars" | "host_vars", name)`` -> what the folder beside each source says, in order."""

HIGHEST_PORT = 65535


@dataclass(slots=True)
class DraftGroup:
    """A group while sources are still being read; names point into the builder."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    vars: Vars = field(default_factory=dict)
    priority: int = 1


class Builder:
    """Collects hosts, groups and variables; the readers speak to it.  Sources add up, the later one wins."""

    def __init__(self) -> None:
        self.groups: dict[str, DraftGroup] = {name: DraftGroup(name) for name in ("all", "ungrouped")}
        self.hosts: dict[str, Vars] = {}
        self.warnings: list[str] = []
        self._link("all", "ungrouped")

    def add_group(self, name: object, origin: Origin) -> str:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise origin.error(f"{name!r} cannot name a group; put the name in quotes")
        self.groups.setdefault(name, DraftGroup(name))
        return name

    def add_child(self, parent: str, child: str, origin: Origin) -> None:
        if child == parent or parent in self._descendants(child):
            raise origin.error(
                f"group {parent!r} cannot contain {child!r}: {child!r} already contains {parent!r}"
            )
        self._link(parent, child)

    def add_hosts(self, text: object, group: str, origin: Origin) -> list[str]:
        """The hosts that a name or range stands for, now members of ``group``."""
        if not isinstance(text, str) or not text or not text.isprintable():
            raise origin.error(f"{text!r} cannot name a host; put the name in quotes")
        try:
            names, port = expand(text)
        except BadName as error:
            raise origin.error(str(error)) from None
        if port is not None and not 0 < port <= HIGHEST_PORT:
            raise origin.error(f"{text!r}: {port} is not a port; give a number from 1 to {HIGHEST_PORT}")
        for name in names:
            self.add_host(name, group, origin, port)
        return names

    def add_host(self, name: str, group: str, origin: Origin, port: int | None = None) -> None:
        """As in Ansible, only the first mention of a host gives it its ``:port``."""
        if name not in self.hosts:
            self.hosts[name] = {}
            if port is not None:
                self.set_host_var(name, "ansible_port", port, origin)
        self.groups[group].hosts[name] = None

    def set_group_var(self, group: str, key: object, value: object, origin: Origin) -> None:
        name = _var_name(key, origin)
        if name == "ansible_group_priority":
            self.groups[group].priority = _priority(value, origin)
        else:
            self.groups[group].vars[name] = Var(value, _owned(origin, f"group {group}"))

    def set_host_var(self, host: str, key: object, value: object, origin: Origin) -> None:
        """A group of the same name takes the variable, as in Ansible; its hosts then inherit it."""
        if host in self.groups:
            self.set_group_var(host, key, value, origin)
        else:
            self.hosts[host][_var_name(key, origin)] = Var(value, _owned(origin, f"host {host}"))

    def finish(self, sources: tuple[str, ...], var_files: VarFiles, vault: VaultKeys) -> Inventory:
        """The inventory, whole: loose ends tied as Ansible ties them, ``group_vars/`` and its kin read."""
        self._tie_loose_ends()
        depths = self._depths()
        group_files = {name: var_files("group_vars", name) for name in self.groups}
        hosts: dict[str, InventoryHost] = {}
        groups = {
            group.name: Group(
                name=group.name,
                hosts=tuple(group.hosts),
                children=tuple(group.children),
                vars=_merged(group.vars, *group_files[group.name]),
                depth=depths[group.name],
                priority=group.priority,
                members=self._members(group.name),
            )
            for group in self.groups.values()
        }
        inventory = Inventory(hosts, groups, sources, vault, tuple(self.warnings))
        groups_of = self._groups_of_hosts()
        for name, own in self.hosts.items():
            ranked = sorted(groups_of[name] - {"all"}, key=lambda g: (depths[g], groups[g].priority, g))
            host_files = var_files("host_vars", name)
            hosts[name] = InventoryHost(
                name=name,
                groups=tuple(sorted(ranked)),
                own=_merged(own, *host_files),
                vars=_merged(
                    self.groups["all"].vars,
                    *(self.groups[group].vars for group in ranked),
                    *group_files["all"],
                    *_by_source([group_files[group] for group in ranked]),
                    own,
                    *host_files,
                ),
                home=inventory,
            )
        return inventory

    def _link(self, parent: str, child: str) -> None:
        self.groups[parent].children[child] = None
        self.groups[child].parents[parent] = None

    def _tie_loose_ends(self) -> None:
        """Every group hangs below ``all``; who has no other group is in ``ungrouped``, and nobody else."""
        for group in self.groups.values():
            if group.name != "all" and not group.parents:
                self.add_child("all", group.name, Origin("inventory"))
        ungrouped = self.groups["ungrouped"].hosts
        direct: dict[str, set[str]] = {host: set() for host in self.hosts}
        for group in self.groups.values():
            for host in group.hosts:
                direct[host].add(group.name)
        for host, names in direct.items():
            if names - {"all", "ungrouped"}:
                ungrouped.pop(host, None)
            else:
                ungrouped[host] = None
        self.warnings += [
            f"{name!r} is both a group and a host: the host's variables are the group's, as in Ansible"
            for name in self.hosts
            if name in self.groups
        ]

    def _descendants(self, name: str) -> Iterator[str]:
        """The groups below ``name``, nearest first, each once."""
        seen: dict[str, None] = {}
        level = list(self.groups[name].children)
        while level:
            fresh = [child for child in dict.fromkeys(level) if child not in seen]
            seen.update(dict.fromkeys(fresh))
            level = [grandchild for child in fresh for grandchild in self.groups[child].children]
        return iter(seen)

    def _members(self, name: str) -> tuple[str, ...]:
        members = dict(self.groups[name].hosts)
        for child in self._descendants(name):
            members.update(self.groups[child].hosts)
        return tuple(members)

    def _groups_of_hosts(self) -> dict[str, set[str]]:
        groups_of: dict[str, set[str]] = {host: set() for host in self.hosts}
        for name in self.groups:
            for host in self._members(name):
                groups_of[host].add(name)
        return groups_of

    def _depths(self) -> dict[str, int]:
        """The longest way from ``all`` down to each group."""
        depths = dict.fromkeys(self.groups, 0)
        waiting = {name: len(group.parents) for name, group in self.groups.items()}
        ready = [name for name, parents in waiting.items() if not parents]
        while ready:
            name = ready.pop()
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        return depths


def _merged(*layers: Layer) -> Vars:
    """The last layer that names a variable has it, whole: Ansible's ``hash_behaviour = replace``."""
    merged: Vars = {}
    for layer in layers:
        merged.update(layer)
    return merged


def _by_source(of_groups: list[list[Vars]]) -> Iterator[Vars]:
    """``group_vars`` go source by source, and only within a source from group to group."""
    for of_one_source in zip(*of_groups, strict=True):
        yield from of_one_source


def _var_name(key: object, origin: Origin) -> str:
    if not isinstance(key, str) or not key or not key.isprintable():
        raise origin.error(f"{key!r} cannot name a variable")
    return key


def _priority(value: object, origin: Origin) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise origin.error("must be a whole number", "ansible_group_priority") from None


def _owned(origin: Origin, owner: str) -> Origin:
    return Origin(origin.path, origin.line, owner)
