"""Our side of a sweep, in a process of its own: ``python -m bench.client WORK RIG FORKS OUT``.

It is the product's engine, connections, probes and evidence; only the inventory is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.work import HELLO, REGION, WORKS
from collector.target import Target

if TYPE_CHECKING:
    from collector.connections.base import Connection, Deadline


def main(arguments: Sequence[str]) -> int:
    """Sweep the hosts; says on standard error which could not be asked, and ends with 1 if any could not."""
    from collector.connections.settings import SshSettings
    from collector.sweep import SweepSettings, sweep

    work, rig, forks, out = arguments
    hosts = (Path(rig) / "hosts").read_text().split()
    targets = [Target(host, host, region=REGION) for host in hosts]
    settings = SweepSettings(forks=int(forks), ssh=SshSettings(config_file=f"{rig}/ssh_config"))
    failures = [one.failure for one in sweep(targets, settings, _collect(work, Path(out))) if one.failure]
    print(*failures[:3], sep="\n", file=sys.stderr)
    return 1 if failures else 0


def _collect(work: str, out: Path) -> Callable[[Connection, Target, Deadline], object]:
    if not WORKS[work].lanes:
        return partial(_hello, out)
    from collector.collect import collect_host

    def evidence(connection: Connection, target: Target, deadline: Deadline) -> None:
        collect_host(connection, target, WORKS[work].options, out, deadline)

    return evidence


def _hello(out: Path, connection: Connection, target: Target, deadline: Deadline) -> None:
    with (out / target.name).open("wb") as file:

        def keep(data: bytes) -> None:
            file.write(data)

        connection.run(HELLO, keep, deadline=deadline, max_bytes=1000)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
