"""``--list-hosts``: what each host comes down to, and who said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from collector.inventory.model import InventoryHost
from collector.inventory.resolve import Overrides, resolve
from collector.target import Target, Transport

UNSAID = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and where it came from: ``inventory.yaml:12 (group web)``, ``command line (--user)``."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class HostRow:
    """One line of ``--list-hosts``; the fields are its columns."""

    host: Cell
    address: Cell
    port: Cell
    user: Cell
    connection: Cell
    jump: Cell


COLUMNS = tuple(column.name for column in fields(HostRow))


def list_hosts(hosts: Iterable[InventoryHost], overrides: Overrides | None = None) -> tuple[HostRow, ...]:
    """A row for each host.

    Raises:
        InventoryError: as :func:`~collector.inventory.resolve.resolve`.
    """
    return tuple(_row(host, resolve(host, overrides)) for host in hosts)


def _row(host: InventoryHost, target: Target) -> HostRow:
    origins = dict(target.origins)

    def cell(field_name: str, value: object) -> Cell:
        if value is None:
            return Cell(UNSAID, "ssh_config" if target.transport is Transport.SSH else "default")
        return Cell(str(value), origins.get(field_name, "default"))

    return HostRow(
        host=Cell(host.name, f"group {', '.join(host.groups)}"),
        address=cell("address", target.address),
        port=cell("port", target.port),
        user=cell("user", target.user),
        connection=cell("transport", target.transport),
        jump=cell("jump", target.jump),
    )
