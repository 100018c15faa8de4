"""The floor: ``xargs -P`` with the OpenSSH client, which sends the same script to the same hosts.

The key exchange is curve25519: the default of OpenSSH before version 10 (sntrup761) costs the client six
times as much, so this is the fair and the harder measure.
"""

from __future__ import annotations

from pathlib import Path

from bench.rig import Rig

SSH_OPTIONS = ("-o", "KexAlgorithms=curve25519-sha256")
NAME = "xargs -P ssh"


def command(rig: Rig, script: Path, forks: int) -> list[str | Path]:
    """Each host's answer goes into a file of its name in ``$OUT``."""
    ssh = f"ssh -F {rig.config} {' '.join(SSH_OPTIONS)}"
    each = f'exec {ssh} "$1" sh < {script} > "$OUT/$1"'
    return ["xargs", "-a", rig.folder / "hosts", "-P", str(forks), "-n", "1", "sh", "-c", each, "each"]
