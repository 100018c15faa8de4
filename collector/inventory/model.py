"""What an inventory says, and where it says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.errors import InventoryError
from collector.secrets import parse_reference
from collector.target import Secret

if TYPE_CHECKING:
    from collector.inventory.vault import VaultKeys


def one_line(text: str) -> str:
    """``text`` with every character that would not print, such as a terminal's escape, written out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in an inventory, and whose variable stands there."""

    path: str
    """As the user named it; ``<stdin>`` for standard input."""
    line: int | None = None
    """Counted from 1; ``None`` where the format has no lines worth naming (JSON of a program)."""
    owner: str = ""
    """``group web`` or ``host web01``."""

    @property
    def place(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place} ({self.owner})" if self.owner else self.place

    def error(self, what: str, key: object = None) -> InventoryError:
        """One line that names this place and the key."""
        said = what if key is None else f"{key}: {what}"
        return InventoryError(one_line(f"{self.place}: {said}"))


@dataclass(frozen=True, slots=True)
class Var:
    """A variable's value, untemplated, and where it was set.  The value never prints: it may be secret."""

    value: object = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True)
class Vaulted:
    """A value that ``ansible-vault`` encrypted; opened only when something needs it."""

    ciphertext: str = field(repr=False)
    origin: Origin


class Unsafe(str):
    """Text that must not be templated (``!unsafe``)."""

    __slots__ = ()


class Section(dict[object, object]):
    """A mapping of an inventory file that remembers the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[object, int] = {}


@dataclass(frozen=True, slots=True)
class Group:
    """A group, its direct members and its own variables (the inventory's, then ``group_vars/``)."""

    name: str
    hosts: tuple[str, ...]
    children: tuple[str, ...]
    vars: Mapping[str, Var]
    depth: int
    """The longest way down from ``all``; a deeper group's variables win."""
    priority: int
    """``ansible_group_priority``: decides between groups of one depth."""
    members: tuple[str, ...] = ()
    """Every host of the group and of its descendants, in the inventory's order."""


@dataclass(frozen=True, slots=True)
class InventoryHost:
    """A host with every variable that reaches it, of whatever purpose: nothing is hidden."""

    name: str
    groups: tuple[str, ...]
    """All its groups but ``all``, sorted by name."""
    own: Mapping[str, Var] = field(repr=False)
    """What is said of this host alone (the inventory's, then ``host_vars/``)."""
    vars: Mapping[str, Var] = field(repr=False)
    """What holds for it in the end, by Ansible's precedence."""
    home: Inventory = field(repr=False, compare=False)
    """The inventory it stands in."""

    def error(self, what: str, key: str, origin: Origin) -> InventoryError:
        """One line on a variable of this host; it names the host where the variable is a group's."""
        of_host = "" if origin.owner == f"host {self.name}" else f" (host {self.name})"
        return origin.error(what + of_host, key)


@dataclass(eq=False, slots=True)
class Inventory:
    """Hosts and groups in Ansible's order.  Made by :func:`collector.inventory.load`, then read-only."""

    hosts: Mapping[str, InventoryHost]
    groups: Mapping[str, Group]
    sources: tuple[str, ...]
    vault: VaultKeys = field(repr=False)
    warnings: tuple[str, ...] = ()
    """What can be read and is still worth a look, one line each."""
    _secrets: dict[tuple[str, str], Secret] = field(default_factory=dict, repr=False)

    def secret(self, reference: str, origin: Origin, key: str) -> Secret:
        """The secret that a variable refers to: one object for all hosts that share the variable.

        So a prompt asks once, and a command runs once, for a whole group.

        Raises:
            SecretError: ``reference`` is none.
        """
        label = f"{key} of {origin.owner}: "
        return self._secrets.setdefault((reference, label), parse_reference(reference, label))

    def select(self, pattern: str | None = None) -> tuple[InventoryHost, ...]:
        """The hosts that ``-l PATTERN`` leaves, in the inventory's order; all of them for ``None``.

        Raises:
            InventoryError: a part of the pattern matches nothing, or no host is left.
        """
        from collector.inventory.patterns import select

        return select(self, pattern)
