"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.synthetic import MEGABYTE


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one call of ``python -m bench``."""

    runs: int = 3
    few: int = 10
    """Hosts of the rows that take long."""
    hosts: int = 100
    many: int = 300
    """Hosts of the rows that are about many."""
    very_many: int = 1000
    forks: int = 16
    """Hosts at once, on either side."""
    log_bytes: int = 20 * MEGABYTE

    @property
    def most_hosts(self) -> int:
        """As many must stand."""
        return max(self.hosts, self.many, self.very_many)


def quick(**given: int) -> Plan:
    """Everything once, with few hosts and a short log: it shows that the bench works, and nothing else."""
    return replace(Plan(1, 3, 4, 6, 20, 4, 4 * MEGABYTE), **given)
