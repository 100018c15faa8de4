"""The agent's own log files."""

from __future__ import annotations

from collector.probes.model import Lane, Probe

PROBES = (
    Probe(
        id="agent-logs",
        title="The agent's log files",
        lane=Lane.LOG,
        feeds=("logs",),
        rescue=True,
        timeout_s=180,
        script="collect_logs\n",
    ),
)
