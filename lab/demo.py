"""The hosts of ``ssm-triage demo``, on loopback.

The Linux ones are SSH servers that play recorded faults of the real agent; the Windows ones are WinRM servers
that play faults made by us (``lab.windows_personas``).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import paramiko

from lab.corpus import load_case
from lab.replay import replay
from lab.ssh_host import Persona, SshHost
from lab.timeshift import mover, shift_to, to_now
from lab.windows.host import Setup, WindowsHost
from lab.windows.logins import ntlm_users
from lab.windows_personas import persona

PERSONAS = Path(__file__).parent / "personas"
USER = "triage"
WINDOWS = {"win-01": ("healthy", 2022, "en"), "win-02": ("stale-persistent-route", 2019, "ko")}
"""Condition, edition and language of each Windows host."""
WINDOWS_USER = "Administrator"


@dataclass(frozen=True)
class Demo:
    """Where the demo's hosts are written down."""

    inventory: Path
    hosts: int


@contextmanager
def demo_hosts(work: Path) -> Iterator[Demo]:
    """Start every host, and write the inventory, key and known_hosts that lead to them into ``work``.

    Two more stand in the inventory than are well-behaved: one that nobody serves, and one whose host key is
    not the one that is known.
    """
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(work / "id_ecdsa"))
    with ExitStack() as running:
        hosts = {
            recorded.name: running.enter_context(SshHost(_player(recorded), USER, key))
            for recorded in sorted(PERSONAS.iterdir())
            if (recorded / "logs").is_dir()
        }
        known = {host.port: host.key for host in hosts.values()}
        first = next(iter(hosts))
        changed = running.enter_context(SshHost(_player(PERSONAS / first), USER, key))
        known[changed.port] = paramiko.ECDSAKey.generate()
        password = secrets.token_urlsafe()
        running.enter_context(_ntlm_users(work, password))
        windows = {
            name: running.enter_context(_windows_host(*made, password)) for name, made in WINDOWS.items()
        }
        ports = {name: host.port for name, host in hosts.items()}
        ports |= {"rebuilt-host": changed.port, "switched-off": 1}
        _write_known_hosts(work / "known_hosts", known)
        inventory = _write_inventory(work, ports, windows, password)
        yield Demo(inventory, len(ports) + len(windows))


def _player(case: Path) -> Persona:
    recorded = load_case(case)
    return lambda script: replay(to_now(recorded, datetime.now(UTC)), script)


@contextmanager
def _ntlm_users(work: Path, password: str) -> Iterator[None]:
    """The users that the Windows hosts know, where the NTLM library looks for them."""
    before = os.environ.get("NTLM_USER_FILE")
    os.environ["NTLM_USER_FILE"] = str(ntlm_users(work / "ntlm-users", {WINDOWS_USER: password}, ["WINSIM"]))
    try:
        yield
    finally:
        del os.environ["NTLM_USER_FILE"]
        if before is not None:
            os.environ["NTLM_USER_FILE"] = before


def _windows_host(case: str, year: int, language: str, password: str) -> WindowsHost:
    made = persona(case, year, language)
    moved = mover(shift_to(datetime.now(UTC), made.probes["clock"]))
    now = replace(
        made,
        probes={probe: moved(output) for probe, output in made.probes.items()},
        logs={name: moved(body) for name, body in made.logs.items()},
    )
    return WindowsHost(now, Setup(users={WINDOWS_USER: password}))


def _write_known_hosts(path: Path, known: dict[int, paramiko.PKey]) -> None:
    lines = [f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n" for port, key in known.items()]
    path.write_text("".join(lines))


def _write_inventory(
    work: Path, ports: dict[str, int], windows: dict[str, WindowsHost], password: str
) -> Path:
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
    for name, server in windows.items():
        lines += [
            f"        {name}:",
            f"          ansible_port: {server.port}",
            "          ansible_connection: winrm",
            "          ansible_winrm_scheme: http",
            f"          ansible_user: {WINDOWS_USER}",
            f"          ansible_password: {password!r}",
        ]
    path = work / "inventory.yaml"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
    return path
