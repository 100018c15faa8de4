"""Room to work: disks, inodes, mounts."""

from __future__ import annotations

from collector.probes.model import Probe

_FOLDERS = "/ /var/lib/amazon/ssm /var/log/amazon/ssm /etc/amazon/ssm /tmp"

PROBES = (
    Probe(
        id="disk-space",
        title="Free space where the agent writes",
        feeds=("disk",),
        rescue=True,
        script=f"disk_use -Pk {_FOLDERS}\n",
    ),
    Probe(
        id="disk-inodes",
        title="Free inodes where the agent writes",
        feeds=("disk",),
        rescue=True,
        script=f"disk_use -Pi {_FOLDERS}\n",
    ),
    Probe(
        id="mounts",
        title="Mounts that hold the agent's folders",
        feeds=("mounts",),
        script=r"""
places='/|/usr|/usr/bin|/etc|/etc/amazon.*|/var|/var/lib|/var/lib/amazon.*|/var/log|/var/log/amazon.*|/tmp|/root'
grep -E " ($places) " /proc/mounts | cut_stream
""",
    ),
)
