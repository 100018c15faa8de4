"""``diff``: what matters shows, what is volatile does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssm_triage.volatile import masked
from tests.command.conftest import Command, Store


def test_before_and_after(ssm_triage: Command, store: Store) -> None:
    before = store("imds-lost-midlife", "web-01", "before")
    after = store("healthy-dhmc", "web-01", "after")
    done = ssm_triage("diff", before, after)
    assert done.returncode == 2, done.stderr
    said = done.stdout.splitlines()
    assert "verdict: broken -> healthy" in said
    assert "  - gone  imds-no-route" in said
    assert "  - blackhole 169.254.169.254" in said
    assert "  imds 169.254.169.254" in done.stdout
    assert "Two hosts" not in done.stdout


def test_a_host_beside_its_sibling(ssm_triage: Command, store: Store, tmp_path: Path) -> None:
    """Two looks at one kind of host: the other's own name, id and address are no difference."""
    sick = store("imds-lost-midlife", "web-01")
    done = ssm_triage("diff", sick, store("healthy-dhmc", "web-02"), "--json")
    assert done.returncode == 2, done.stderr
    told = json.loads(done.stdout)
    assert told["one_host"] is False
    assert told["same_verdict"] is False
    assert told["causes"] == [{"fate": "gone", "slug": "imds-no-route", "scope": None}]
    changed = {probe["probe"]: probe for probe in told["probes"]}
    assert changed["routes"]["removed"] == ["blackhole 169.254.169.254"]
    assert next(iter(changed)) in ("route-get", "routes", "imds"), "what the verdict rests on comes first"
    assert {"hostname", "addresses", "neighbours"} <= set(told["alike"])
    assert "clock" in told["not_compared"]


def test_the_same_is_the_same(ssm_triage: Command, store: Store) -> None:
    one, other = store("disk-full-midlife", "db-01", "a"), store("disk-full-midlife", "db-01", "b")
    done = ssm_triage("diff", one, other)
    assert done.returncode == 0, done.stderr
    assert "  = same  disk-full space" in done.stdout.splitlines()
    assert "\n  - " not in done.stdout


def test_exit_zero_and_several_hosts(ssm_triage: Command, store: Store) -> None:
    one, other = store("disk-full-midlife", "db-01"), store("healthy-dhmc", "db-02")
    assert ssm_triage("diff", one, other, "--exit-zero").returncode == 0
    done = ssm_triage("diff", "evidence", other)
    assert done.returncode == 1
    assert "holds 2 hosts" in done.stderr


@pytest.mark.parametrize(
    ("probe", "one", "other"),
    [
        ("service", "MainPID=812\nNRestarts=3\n", "MainPID=9123\nNRestarts=417\n"),
        ("service", "ActiveEnterTimestamp=Mon 2026-11-23 06:38:45 UTC", "ActiveEnterTimestamp=n/a"),
        (
            "processes",
            "root 812 1 Mon Nov 23 06:38:45 2026 /usr/bin/amazon-ssm-agent",
            "root 90 1 Tue Nov 24 16:08:00 2026 /usr/bin/amazon-ssm-agent",
        ),
        ("neighbours", "10.0.0.1 dev eth0 lladdr 0a:00 STALE", "10.0.0.1 dev eth0 lladdr 0a:00 REACHABLE"),
        ("imds", "[token]\nconnect_s=0.000104\nhttp=200", "[token]\nconnect_s=0.2\nhttp=200"),
        ("iptables", ":INPUT ACCEPT [12:840]", ":INPUT ACCEPT [99999:1]"),
        ("disk-space", "/dev/xvda1 100 40 60 40% /", "/dev/xvda1 100 45 55 45% /"),
        ("routes", "default via 10.0.0.1 expires 12sec", "default via 10.0.0.1 expires 3599sec"),
        ("sockets", "ESTAB 0 0 10.0.0.5:41234 1.2.3.4:443", "ESTAB 0 36 10.0.0.5:58112 1.2.3.4:443"),
        (
            "agent-files",
            "-rw------- 1 root root 12 Nov 23 06:38 x",
            "-rw------- 1 root root 99 Nov 24 2025 x",
        ),
    ],
)
def test_volatile(probe: str, one: str, other: str) -> None:
    assert masked(probe, one) == masked(probe, other)


@pytest.mark.parametrize(
    ("probe", "one", "other"),
    [
        ("service", "NRestarts=0", "NRestarts=1"),
        ("service", "ActiveState=active", "ActiveState=failed"),
        ("imds", "[token]\nhttp=200", "[token]\nhttp=403"),
        ("imds", "[token]\nhttp=200\n[v1]\nhttp=401", "[token]\nhttp=401\n[v1]\nhttp=200"),
        ("disk-space", "/dev/xvda1 100 40 60 40% /", "/dev/xvda1 100 99 1 99% /"),
        (
            "agent-files",
            "-rw------- 1 root root 12 Nov 23 06:38 x",
            "-rw------- 1 ssm root 12 Nov 23 06:38 x",
        ),
        ("agent-version", "SSM Agent version: 3.1.1732.0", "SSM Agent version: 3.3.40.0"),
        ("routes", "default via 10.0.0.1 dev eth0", "default via 10.0.0.2 dev eth0"),
        ("processes", "root 1 1 x /usr/bin/amazon-ssm-agent", ""),
    ],
)
def test_not_volatile(probe: str, one: str, other: str) -> None:
    assert masked(probe, one) != masked(probe, other)
