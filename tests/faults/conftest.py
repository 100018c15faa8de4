"""Hosts to sweep, and a bastion on which things go wrong."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "ssh"))

from fault_rig import bastion, mounts, mute
from ssh_rig import keys, start_sshd

__all__ = ["bastion", "keys", "mounts", "mute", "start_sshd"]
