"""The hosts of ``ssm-triage demo``: SSH servers on loopback that play recorded faults of the real agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import paramiko

from lab.corpus import load_case
from lab.replay import replay
from lab.ssh_host import Persona, SshHost
from lab.timeshift import to_now

PERSONAS = Path(__file__).parent / "personas"
USER = "triage"


@dataclass(frozen=True)
class Demo:
    """Where the demo's hosts are written down."""

    inventory: Path
    hosts: int


@contextmanager
def demo_hosts(work: Path) -> Iterator[Demo]:
    """Start a host per persona, and write the inventory, key and known_hosts that lead to them into ``work``.

    Two more stand in the inventory than are well-behaved: one that nobody serves, and one whose host key is
    not the one that is known.
    """
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(work / "id_ecdsa"))
    with ExitStack() as running:
        hosts = {
            persona.name: running.enter_context(
                SshHost(_player(persona), USER, key),
            )
            for persona in sorted(PERSONAS.iterdir())
            if (persona / "logs").is_dir()
        }
        known = {host.port: host.key for host in hosts.values()}
        first = next(iter(hosts))
        changed = running.enter_context(SshHost(_player(PERSONAS / first), USER, key))
        known[changed.port] = paramiko.ECDSAKey.generate()
        ports = {name: host.port for name, host in hosts.items()}
        ports |= {"rebuilt-host": changed.port, "switched-off": 1}
        _write_known_hosts(work / "known_hosts", known)
        yield Demo(_write_inventory(work, ports), len(ports))


def _player(persona: Path) -> Persona:
    recorded = load_case(persona)
    return lambda script: replay(to_now(recorded, datetime.now(UTC)), script)


def _write_known_hosts(path: Path, known: dict[int, paramiko.PKey]) -> None:
    lines = [f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n" for port, key in known.items()]
    path.write_text("".join(lines))


def _write_inventory(work: Path, ports: dict[str, int]) -> Path:
    lines = [
        "all:",
        "  vars:",
        "    ansible_host: 127.0.0.1",
        f"    ansible_user: {USER}",
        f"    ansible_ssh_private_key_file: {work / 'id_ecdsa'}",
        f"    ansible_ssh_common_args: -o UserKnownHostsFile={work / 'known_hosts'} -o IdentitiesOnly=yes",
        "  children:",
        "    demo:",
        "      hosts:",
    ]
    for name, port in ports.items():
        lines += [f"        {name}:", f"          ansible_port: {port}"]
    path = work / "inventory.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path
