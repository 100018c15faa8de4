"""The instance metadata service, stage by stage, directly and as the agent's proxy settings would have it."""

from __future__ import annotations

from collector.probes.model import Lane, Probe

PROBES = (
    Probe(
        id="imds",
        title="Instance metadata service: token, identity, role, state of the credentials",
        lane=Lane.NETWORK,
        feeds=("imds",),
        timeout_s=20,
        script="look_at_imds\n",
    ),
)
