"""The host itself: service, packages, files, resources, configuration, on output as the tools print it."""

# ruff: noqa: E501  real output is as wide as it is

from __future__ import annotations

import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from analyzers.facts import Facts, Known, Unknown
from analyzers.facts.agent_config import parse_agent_config, parse_identity_config, parse_seelog
from analyzers.facts.disk import parse_df, parse_mounts
from analyzers.facts.files import parse_files
from analyzers.facts.identity import parse_registration, parse_stray_credentials
from analyzers.facts.journal import parse_journal
from analyzers.facts.limits import parse_file_limits, parse_inotify, parse_memory, parse_oom
from analyzers.facts.packages import Version, parse_agent_version, parse_packages
from analyzers.facts.processes import parse_processes, parse_sockets
from analyzers.facts.service import parse_service
from analyzers.facts.ssm_cli import parse_diagnostics
from analyzers.facts.system import parse_os_release, parse_uname, parse_virtualization
from collector.evidence import ProbeResult, Status
from collector.evidence.memory import evidence_of

DATA = Path(__file__).parent / "data"


TRAILING_COMMA = 3 if sys.version_info >= (3, 13) else 4
"""Python 3.13 names the line of the comma, older ones that of the brace behind it."""


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        # systemctl show -p LoadState,ActiveState,SubState,UnitFileState
        ("LoadState=loaded ActiveState=active SubState=running UnitFileState=enabled", "running"),
        ("LoadState=loaded ActiveState=active SubState=running UnitFileState=disabled", "running"),
        ("LoadState=loaded ActiveState=activating SubState=auto-restart UnitFileState=enabled", "restarting"),
        ("LoadState=loaded ActiveState=activating SubState=start UnitFileState=enabled", "starting"),
        ("LoadState=loaded ActiveState=failed SubState=failed UnitFileState=enabled", "failed"),
        ("LoadState=loaded ActiveState=inactive SubState=dead UnitFileState=enabled", "stopped"),
        ("LoadState=loaded ActiveState=inactive SubState=dead UnitFileState=disabled", "disabled"),
        ("LoadState=masked ActiveState=inactive SubState=dead UnitFileState=masked", "masked"),
        ("LoadState=masked ActiveState=active SubState=running UnitFileState=masked", "running"),
        ("LoadState=not-found ActiveState=inactive SubState=dead UnitFileState=", "absent"),
        ("LoadState=bad-setting ActiveState=inactive SubState=dead UnitFileState=enabled", "failed"),
        ("LoadState=loaded ActiveState=deactivating SubState=stop-sigterm UnitFileState=enabled", "stopped"),
        ("manager=openrc ActiveState=active", "running"),
        ("manager=upstart ActiveState=inactive", "stopped"),
        ("manager=none", "unknown"),
    ],
)
def test_the_state_of_a_unit(fields: str, state: str) -> None:
    text = "[amazon-ssm-agent.service]\n" + fields.replace(" ", "\n") + "\n"
    assert parse_service(text.encode()).state == state


SERVICE = b"""\
[amazon-ssm-agent.service]
manager=systemd
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled
ExecMainStatus=194
ExecMainCode=1
Result=exit-code
NRestarts=7
User=
MainPID=0
ExecMainStartTimestamp=Mon 2026-11-23 06:38:34 UTC
DropInPaths=/etc/systemd/system/amazon-ssm-agent.service.d/override.conf /run/x.conf
[snap.amazon-ssm-agent.amazon-ssm-agent.service]
manager=systemd
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
MainPID=812
ExecMainStartTimestamp=Mon 2026-11-23 15:38:34 KST
"""


def test_two_units() -> None:
    found = parse_service(SERVICE)
    deb, snap = found.units
    assert (deb.exit_status, deb.exit_code, deb.result, deb.restarts, deb.pid) == (
        194,
        "exited",
        "exit-code",
        7,
        None,
    )
    assert deb.started == datetime(2026, 11, 23, 6, 38, 34, tzinfo=UTC)
    assert deb.drop_ins == ("/etc/systemd/system/amazon-ssm-agent.service.d/override.conf", "/run/x.conf")
    assert snap.started is not None
    assert snap.started.tzinfo is None
    assert found.both
    assert found.main is snap


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.3.1142.0-1", "3.3.1142.0"),
        ("3.3.2299.0", "3.3.2299.0"),
        ("SSM Agent version: 3.1.1732.0", "3.1.1732.0"),
        ("2.3.1205.0", "2.3.1205.0"),
        ("v3.3.40", "3.3.40"),
    ],
)
def test_versions(text: str, version: str) -> None:
    found = Version.parse(text)
    assert found is not None
    assert str(found) == version


@pytest.mark.parametrize("text", ["", "3", "none", "9" * 50 + ".1"])
def test_no_versions(text: str) -> None:
    assert Version.parse(text) is None


def test_versions_compare_by_number() -> None:
    old, new = Version.parse("3.3.40"), Version.parse("3.3.1142.0")
    assert old is not None
    assert new is not None
    assert old < new
    assert old == Version.parse("3.3.40.0")
    assert hash(old) == hash(Version.parse("3.3.40.0"))
    assert new.at_least("3.3.808")
    assert not old.at_least("3.3.808")
    with pytest.raises(ValueError, match="no version"):
        new.at_least("x")


def test_packages() -> None:
    found = parse_packages(
        b"[deb]\nversion=3.3.1142.0-1\nstate=installed\n[snap]\nversion=3.3.2299.0\nstate=disabled\n"
    )
    assert [str(p.version) for p in found.packages] == ["3.3.1142.0", "3.3.2299.0"]
    assert not found.several
    assert parse_packages(b"[rpm]\nversion=3.1.1-1\n[snap]\nversion=3.3.1\nstate=installed\n").several


def test_the_agents_version() -> None:
    found = parse_agent_version((DATA / "healthy-proxy" / "agent_version.txt").read_bytes())
    assert found is not None
    assert found.version.at_least("3.0")
    noisy = parse_agent_version(
        b"Error occurred fetching the seelog config file path:  open x 1.2.3\nSSM Agent version: 3.1.1732.0\n"
    )
    assert noisy is not None
    assert (str(noisy.version), noisy.at.number) == ("3.1.1732.0", 2)


DF = b"""\
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/nvme0n1p1     8376300  1980000   6396300      24% /
/dev/nvme0n1p1     8376300  1980000   6396300      24% /
tmpfs                 2048     2048         0     100% /var/log/amazon
//nas/a share       1000000  1000000         0     100% /mnt/a share
df: /nothere: No such file or directory
"""


def test_disk_space() -> None:
    root, log, share = parse_df(DF, "probes/disk-space").usages
    assert (root.mount, root.percent, root.full) == ("/", 24, False)
    assert (log.full, log.exhausted, log.at.number) == (True, True, 4)
    assert (share.device, share.mount) == ("//nas/a share", "/mnt/a share")


def test_inodes_of_a_file_system_without_any() -> None:
    text = b"Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/xvdb 0 0 0 - /data\noverlay 16777216 16777216 0 100% /\n"
    btrfs, root = parse_df(text, "probes/disk-inodes").usages
    assert (btrfs.percent, btrfs.full, root.full) == (None, False, True)


def test_mounts() -> None:
    found = parse_mounts(
        b"/dev/root / ext4 rw,relatime 0 0\ntmpfs /var/lib/amazon tmpfs ro,relatime 0 0\nx /a\\040b ext4 rw,noexec 0 0\n"
    )
    held = found.holding("/var/lib/amazon/ssm")
    assert held is not None
    assert held.read_only
    root = found.holding("/var/log/amazon/ssm")
    assert root is not None
    assert (root.path, root.read_only) == ("/", False)
    assert (found.mounts[2].path, found.mounts[2].noexec) == ("/a b", True)


@pytest.mark.parametrize(
    ("text", "watches", "instances"),
    [
        (
            "max_user_watches=8192\nroot_watches=8192\nmax_user_instances=128\nroot_instances=12\n",
            True,
            False,
        ),
        (
            "max_user_watches=8192\nroot_watches=8150\nmax_user_instances=128\nroot_instances=128\n",
            True,
            True,
        ),
        ("max_user_watches=524288\n", None, None),
    ],
)
def test_inotify(text: str, watches: bool | None, instances: bool | None) -> None:
    found = parse_inotify(text.encode())
    assert found is not None
    assert (found.watches_exhausted, found.instances_exhausted) == (watches, instances)


def test_file_descriptors() -> None:
    found = parse_file_limits(
        b"[system]\nfile_nr=1024\nfile_max=9223372036854775807\n[pid 64]\nsoft=1024\nhard=unlimited\nused=1024\n"
    )
    assert found is not None
    assert found.exhausted is None or found.exhausted is False
    assert (found.processes[0].exhausted, found.processes[0].hard) == (True, None)


def test_memory_and_load() -> None:
    found = parse_memory(
        b"MemTotal:         498000 kB\nMemFree:           12000 kB\nMemAvailable:      24900 kB\nSwapTotal:             0 kB\n4.00 3.50 2.10 5/123 4567\n"
    )
    assert found is not None
    assert (found.total, found.available_percent, found.load) == (498000, 5.0, (4.0, 3.5, 2.1))
    assert found.at.text.startswith("MemAvailable")


@pytest.mark.parametrize(
    ("line", "process", "agents"),
    [
        ("2026-11-23T06:38:45+0000 ip-10-0-0-1 kernel: Out of memory: Killed process 1234 (ssm-agent-worke) total-vm:718060kB, anon-rss:9020kB", "ssm-agent-worke", True),
        ("Nov 23 06:38:45 ip-10-0-0-1 kernel: Out of memory: Kill process 1234 (java) score 900 or sacrifice child", "java", False),
        ("[ 1234.567890] Memory cgroup out of memory: Killed process 1234 (amazon-ssm-agen) total-vm:718060kB", "amazon-ssm-agen", True),
        ("Killed process 1234 (mysqld), UID 27, total-vm:1kB", "mysqld", False),
    ],
)  # fmt: skip
def test_kills_of_the_oom_killer(line: str, process: str, agents: bool) -> None:
    (kill,) = parse_oom(line.encode())
    assert (kill.process, kill.pid, kill.of_agent) == (process, 1234, agents)


def test_a_config_with_overrides() -> None:
    found = parse_agent_config(
        b'{\n  "Agent": {\n    "Region": "us-esat-1"\n  },\n  "Mgs": {"Endpoint": "vpce-1.ssmmessages.us-east-1.vpce.amazonaws.com", "Region": ""}\n}\n'
    )
    assert found.region is not None
    assert (found.region.value, found.region.at.number) == ("us-esat-1", 3)
    assert list(found.endpoints) == ["ssmmessages"]
    assert [s.path for s in found.overrides] == ["Agent.Region", "Mgs.Endpoint"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n    "Profile":{\n        "ShareCreds" : true,\n    },\n}\n', TRAILING_COMMA),
        ('{\n "Agent": { "Region": \u201cus-east-1\u201d } }', 2),
        ('{"Agent": {}} trailing', 1),
        ("", None),
        ('\ufeff{"Agent": {}}', 1),
        ('{"Agent": {"Limit": NaN}}', 1),
        ("[1, 2]", 1),
        ("[" * 100_000, 1),
    ],
)
def test_a_config_that_go_cannot_read(text: str, line: int | None) -> None:
    found = parse_agent_config(text.encode())
    assert found.error
    assert (found.error_at.number if found.error_at else None) == line
    assert bool(found.typographic) is ("\u201c" in text)


@pytest.mark.parametrize(
    ("text", "level", "silent", "broken"),
    [
        ('<seelog type="adaptive" minlevel="info"><outputs/></seelog>', "info", False, False),
        ('<seelog minlevel="off"></seelog>', "off", True, False),
        ('<seelog minlevel="critical"/>', "critical", True, False),
        ('<seelog levels="critical,error"/>', "error", False, False),
        ('<!-- x -->\n<seelog><exceptions><exception filepattern="test*" minlevel="off"/></exceptions></seelog>', "", False, False),
        ('<seelog type="adaptive" minlevel="info"><outputs>\n', "", False, True),
        ('<!DOCTYPE a [<!ENTITY b "c">]><seelog>&b;</seelog>', "", False, True),
        ("", "", False, True),
    ],
)  # fmt: skip
def test_seelog(text: str, level: str, silent: bool, broken: bool) -> None:
    found = parse_seelog(text.encode())
    assert (found.minimum_level, found.silent, bool(found.error)) == (level, silent, broken)


def test_seelog_elsewhere() -> None:
    text = b'<seelog><outputs><rollingfile filename="/data/ssm.log"/><file path="/var/log/amazon/ssm/errors.log"/></outputs></seelog>'
    assert parse_seelog(text).elsewhere == ("/data/ssm.log",)


def test_the_identity_that_the_agent_last_had() -> None:
    found = parse_identity_config(
        b'{"SchemaVersion":"1.1","InstanceId":"mi-0a1b2c3d4e5f60718","IdentityType":"OnPrem","ShareFile":"/root/.aws/credentials","CredentialsExpiresAt":"2026-11-23T07:36:51.581432587Z","CredentialSource":"SSM"}'
    )
    assert (found.instance_id, found.identity_type, found.credential_source) == (
        "mi-0a1b2c3d4e5f60718",
        "OnPrem",
        "SSM",
    )
    assert found.expires is not None
    assert found.expires.minute == 36
    assert parse_identity_config(b'{"CredentialsExpiresAt":"0001-01-01T00:00:00Z"}').expires is None
    assert parse_identity_config(b"\x00\x00").error


def test_a_registration() -> None:
    found = parse_registration(
        b"[registration]\npath=/var/lib/amazon/ssm/registration\ninstance=mi-0a1b2c3d4e5f60718\nregion=eu-west-1\nmodified=1795420800\n[vault]\nfile=Manifest\nfile=Store/RegistrationKey\n"
    )
    assert (found.hybrid, found.region, found.vault) == (
        True,
        "eu-west-1",
        ("Manifest", "Store/RegistrationKey"),
    )
    assert found.modified == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert parse_registration(b"").at is None


def test_credentials_that_lie_about() -> None:
    file, other, environment = parse_stray_credentials(
        b"[/root/.aws/credentials]\nmodified=1795420800\nmode=600\nprofile=default\nprofile=ci\n[/root/.aws/config]\nprofile=ci\n[environment]\nname=AWS_ACCESS_KEY_ID\n"
    )
    assert (file.profiles, file.read_by_agent) == (("default", "ci"), True)
    assert (other.read_by_agent, environment.read_by_agent) == (False, True)


def test_files_of_the_agent() -> None:
    found = parse_files((DATA / "worker-not-executable" / "ls_files.txt").read_bytes())
    worker, core = found.binary("ssm-agent-worker"), found.binary("amazon-ssm-agent")
    assert worker is not None
    assert core is not None
    assert (worker.executable, core.executable, worker.size) == (False, True, 23851160)
    config = found.entry("/var/lib/amazon/ssm/runtimeconfig/identity_config.json")
    assert config is not None
    assert (config.mode, config.owner) == ("-rw-------", "root")
    assert not found.lacks("ssm-agent-worker")
    assert found.lacks("ssm-session-worker")
    assert found.is_missing("/root/.aws")
    assert not found.is_missing("/root")


def test_a_file_in_place_of_a_folder() -> None:
    ipc = parse_files((DATA / "ipc-path-is-file" / "ls_files.txt").read_bytes()).entry(
        "/var/lib/amazon/ssm/ipc"
    )
    assert ipc is not None
    assert (ipc.kind, ipc.size) == ("file", 0)


def test_files_as_busybox_and_selinux_list_them() -> None:
    found = parse_files(
        b"ls: /root/.aws: No such file or directory\nlrwxrwxrwx. 1 root root 22 Nov 23 2025 /usr/bin/ssm-cli -> /opt/x/ssm-cli\n-rwxr-xr-x    1 root     root      15323288 Nov 23 06:47 /usr/bin/amazon-ssm-agent\n"
    )
    assert found.is_missing("/root/.aws")
    assert [(e.kind, e.target) for e in found.entries] == [("link", "/opt/x/ssm-cli"), ("file", "")]


def test_processes() -> None:
    text = b"""\
USER         PID    PPID                  STARTED COMMAND
root          56       1 Mon Nov 23 06:38:31 2026 /usr/bin/amazon-ssm-agent
nobody        64      56 Mon Nov 23 06:38:32 2026 /usr/bin/ssm-agent-worker -x y
root         812       1 Mon Nov 23 06:38:32 2026 /snap/amazon-ssm-agent/9565/amazon-ssm-agent
"""
    found = parse_processes(text)
    assert [p.pid for p in found.agents] == [56, 812]
    assert [(p.user, p.parent, p.command) for p in found.workers] == [
        ("nobody", 56, "/usr/bin/ssm-agent-worker -x y")
    ]
    assert found.agents[0].started == datetime(2026, 11, 23, 6, 38, 31)  # noqa: DTZ001  the host's local time
    assert [p.snap for p in found.agents] == [False, True]
    assert found.users == {"root", "nobody"}
    assert (
        parse_processes(b"PID   USER     COMMAND\n   56 root     /usr/bin/amazon-ssm-agent\n").agents[0].user
        == "root"
    )


def test_sockets() -> None:
    found = parse_sockets((DATA / "healthy-proxy" / "ss_tnp.txt").read_bytes())
    assert len(found.established) == 3
    assert (found.sockets[0].peer, found.sockets[0].peer_port) == (ip_address("10.77.200.10"), 3128)
    assert (found.sockets[0].process, found.sockets[0].pid) == ("ssm-agent-worke", 67)
    syn = parse_sockets(
        b'SYN-SENT 0 1 [::ffff:10.77.1.25]:40000 [2600::1]:443 users:(("ssm-agent-worke",pid=64,fd=8))\n'
    )
    assert [str(s.peer) for s in syn.waiting] == ["2600::1"]


def test_the_agents_own_checks() -> None:
    found = parse_diagnostics((DATA / "imds-no-route-3.1" / "ssm_cli_get_diagnostics.json").read_bytes())
    assert found is not None
    imds, service = found.check("EC2 IMDS"), found.check("Agent service")
    assert imds is not None
    assert service is not None
    assert imds.failed
    assert "network is unreachable" in imds.note
    assert imds.at.number == 4
    assert len(found.checks) == 13
    assert parse_diagnostics(b"bash: ssm-cli: command not found") is None


@pytest.mark.parametrize(
    ("text", "identity", "version"),
    [
        ('NAME="Amazon Linux"\nVERSION="2"\nID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"\nPRETTY_NAME="Amazon Linux 2"\n', "amzn", "2"),
        ('NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nPLATFORM_ID="platform:al2023"\n', "amzn", "2023"),
        ('PRETTY_NAME="Ubuntu 22.04.5 LTS"\nNAME="Ubuntu"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n', "ubuntu", "22.04"),
        ('NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n', "rhel", "9.4"),
        ('NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n', "alpine", "3.20.3"),
    ],
)  # fmt: skip
def test_os_release(text: str, identity: str, version: str) -> None:
    found = parse_os_release(text.encode())
    assert found is not None
    assert (found.id, found.version) == (identity, version)


def test_the_machine() -> None:
    uname = parse_uname(
        b"Linux ip-10-0-16-7.ec2.internal 6.1.112-124.190.amzn2023.x86_64 #1 SMP PREEMPT_DYNAMIC Tue Oct 22 2024 x86_64 x86_64 x86_64 GNU/Linux\n"
    )
    assert uname is not None
    assert (uname.kernel, uname.machine) == ("6.1.112-124.190.amzn2023.x86_64", "x86_64")
    nitro = parse_virtualization(b"vendor=Amazon EC2\nproduct=t3.small\nasset_tag=i-0a1b2c3d4e5f60718\n")
    elsewhere = parse_virtualization(b"vendor=VMware, Inc.\nproduct=VMware Virtual Platform\n")
    unknown = parse_virtualization(b"hypervisor=\ncontainer=docker\n")
    assert nitro is not None
    assert elsewhere is not None
    assert unknown is not None
    assert (nitro.ec2, nitro.instance_id) == (True, "i-0a1b2c3d4e5f60718")
    assert (elsewhere.ec2, unknown.ec2) == (False, None)


def test_the_journal() -> None:
    text = b"""\
-- Logs begin at Mon 2026-11-23 00:00:00 UTC, end at Mon 2026-11-23 07:00:00 UTC. --
2026-11-23T15:38:34+0900 ip-10-0-0-1 systemd[1]: Started amazon-ssm-agent.
2026-11-23T15:38:37+0900 ip-10-0-0-1 amazon-ssm-agent[56]: Error occurred fetching the seelog config file path: x
2026-11-23T15:38:37+0900 ip-10-0-0-1 systemd[1]: amazon-ssm-agent.service: Main process exited, code=exited, status=1/FAILURE
Nov 23 06:38:45 ip-10-0-0-1 amazon-ssm-agent: by syslog
"""
    found = parse_journal(text)
    assert [line.time for line in found.starts] == [datetime(2026, 11, 23, 6, 38, 34, tzinfo=UTC)]
    assert len(found.exits) == 1
    assert found.containing("seelog config")[0].at.number == 3
    assert (found.lines[-1].identifier, found.lines[-1].time) == ("amazon-ssm-agent", None)


# The container -------------------------------------------------------------------------------------------


def facts(**outputs: bytes | Status) -> Facts:
    results = []
    for name, value in outputs.items():
        probe = name.replace("_", "-")
        known = isinstance(value, bytes)
        results.append(ProbeResult(probe, Status.OK if known else value, value if known else b""))  # type: ignore[arg-type]  narrowed by known
    return Facts(evidence_of(results))


ABSENT_UNIT = b"[amazon-ssm-agent.service]\nLoadState=not-found\nActiveState=inactive\n"


@pytest.mark.parametrize(
    ("outputs", "installed"),
    [
        ({"packages": b"[deb]\nversion=3.3.1\n"}, True),
        ({"agent_version": b"SSM Agent version: 3.1.1732.0\n"}, True),
        ({"packages": b"", "service": ABSENT_UNIT}, False),
        ({"packages": Status.ABSENT, "service": ABSENT_UNIT}, False),
        (
            {
                "packages": b"",
                "agent_files": b"ls: cannot access '/usr/bin/amazon-ssm-agent': No such file or directory\n",
            },
            False,
        ),
        ({"packages": b"", "agent_files": Status.ABSENT}, False),
        ({"packages": Status.TIMEOUT, "service": ABSENT_UNIT}, None),
        ({"packages": b""}, None),
        ({"packages": b"", "service": SERVICE}, True),
        ({}, None),
    ],
)
def test_whether_the_agent_is_installed(outputs: dict[str, bytes | Status], installed: bool | None) -> None:
    assert facts(**outputs).installed.or_none() is installed


@pytest.mark.parametrize(
    "name",
    ["agent_config", "seelog", "identity_config", "registration", "credentials", "hosts_file", "resolvers"],
)
def test_a_file_that_is_not_there_is_known_and_one_that_may_not_be_read_is_not(name: str) -> None:
    probe = {"credentials": "stray-credentials", "hosts_file": "hosts-file", "resolvers": "resolv-conf"}
    probe_id = probe.get(name, name.replace("_", "-"))
    there = Facts(evidence_of([ProbeResult(probe_id, Status.ABSENT)]))
    denied = Facts(evidence_of([ProbeResult(probe_id, Status.DENIED, note="needs root")]))
    assert isinstance(getattr(there, name), Known)
    unknown = getattr(denied, name)
    assert isinstance(unknown, Unknown)
    assert (unknown.reason, unknown.status, unknown.source) == (
        "needs root",
        Status.DENIED,
        f"probes/{probe_id}",
    )


def test_output_that_was_cut_is_known_but_not_complete() -> None:
    cut = Facts(evidence_of([ProbeResult("routes", Status.TRUNCATED, b"default via 10.0.0.1 dev eth0\n")]))
    assert isinstance(cut.routes, Known)
    assert not cut.routes.complete
    assert isinstance(cut.routing, Known)
    assert not cut.routing.complete


def test_a_fact_is_read_once() -> None:
    found = facts(os_release=b"ID=amzn\n")
    assert found.os is found.os
