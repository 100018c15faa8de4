"""Cases of real agents, as folders of logs and plain command output, read as evidence.

A case is ``logs/`` (the agent's log tree), ``facts/`` (one file per command; ``INDEX.json`` has each command
and its exit code; a command that printed nothing has no file) and ``label.json`` (the answer, for scoring
only).  The facts are put into the forms that the product's own probes print (docs/evidence.md), so that the
product is scored through the same door that a sweep uses.  What a case does not hold is not collected.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from collector.evidence.log_folder import recognise
from collector.evidence.memory import SCHEMA, MemoryEvidence
from collector.evidence.model import LogFile, LogPart, Manifest, ProbeResult, Status, Subject
from collector.evidence.secrets_scan import mask_secrets
from collector.evidence.trees import FolderTree
from collector.target import Platform
from lab.corpus_network import endpoint_record, imds_records, masked_url, region_of
from lab.corpus_records import Facts, RecordText, write_records

UNIT = "amazon-ssm-agent.service"
DROP_INS = "/etc/systemd/system/amazon-ssm-agent.service.d"
DROP_IN = f"{DROP_INS}/override.conf"
SERVICES = ("ssm", "ssmmessages", "ec2messages")
_Maker: TypeAlias = Callable[[Facts], bytes | None]

# Files that hold what the probe of the same subject prints, byte for byte.
RAW = {
    "hostname": "hostname.txt",
    "uname": "uname.txt",
    "os-release": "os_release.txt",
    "agent-version": "agent_version.txt",
    "agent-files": "ls_files.txt",
    "processes": "ps_ef.txt",
    "rules": "ip_rule.txt",
    "addresses": "ip_addr.txt",
    "neighbours": "ip_neigh.txt",
    "resolv-conf": "resolv.conf",
    "hosts-file": "hosts",
    "iptables": "iptables_save.txt",
    "nft": "nft_ruleset.txt",
    "agent-config": "amazon-ssm-agent.json",
    "seelog": "seelog.xml",
    "identity-config": "identity_config.json",
    "ssm-cli": "ssm_cli_get_diagnostics.json",
    "sockets": "ss_tnp.txt",
    "journal": "agent_stdout_journal.txt",
}
VIA = {"routes": "ip", "rules": "ip", "addresses": "ip", "neighbours": "ip", "journal": "stdout"}

_PROXY_NAME = re.compile(r"(?i)^(?:https?|all|no|ftp)_proxy$")


@dataclass(frozen=True, slots=True)
class Label:
    """The answer to a case."""

    cause: str
    scope: str | None
    log_alone_suffices: bool
    agent_version: str
    document: dict[str, Any]
    """All of ``label.json``."""


def load_label(folder: Path) -> Label:
    """The label of a case."""
    document = json.loads((folder / "label.json").read_text("utf-8"))
    return Label(
        document["cause"],
        document.get("scope"),
        bool(document.get("log_alone_suffices")),
        document.get("agent_version", ""),
        document,
    )


def load_case(folder: Path, *, with_facts: bool = True, without: Container[str] = ()) -> MemoryEvidence:
    """The evidence of a case.

    Args:
        folder: of the case; its own name and its label say nothing to the evidence.
        with_facts: whether the facts are known, or the logs alone, as when somebody sent them.
        without: files of the facts to leave out, as if they had been lost.
    """
    logs, contents = _logs(folder / "logs")
    windows = any(b"OS: windows" in body for body in contents.values())
    subject = Subject("host", platform=Platform.WINDOWS if windows else Platform.LINUX)
    if not with_facts:
        return MemoryEvidence(Manifest(SCHEMA, "", "log-folder", subject, logs=logs), contents)
    facts = Facts(folder / "facts", without)
    name = facts.text("hostname.txt").strip()
    manifest = Manifest(
        SCHEMA,
        "",
        "collected",
        Subject(name or "host", platform=_platform(facts, subject), region=region_of(facts)),
        ran_as="root",
        privilege="root",
        probes=tuple(_probes(facts)),
        logs=logs,
    )
    return MemoryEvidence(manifest, contents)


def _platform(facts: Facts, subject: Subject) -> Platform:
    """Of the host that the facts are of: beneath an agent for Windows it may be a Linux one."""
    linux = any(file.startswith("ip_") for file in facts)
    return Platform.LINUX if linux else subject.platform


def _logs(folder: Path) -> tuple[tuple[LogFile, ...], dict[tuple[str, int], bytes]]:
    files: list[LogFile] = []
    contents: dict[tuple[str, int], bytes] = {}
    for entry in FolderTree(folder).entries():
        if recognise(entry) is None:
            continue
        body, _ = mask_secrets((folder / entry.name).read_bytes())
        contents[entry.name, 0] = body
        files.append(
            LogFile(
                entry.name,
                f"/var/log/amazon/ssm/{entry.name}",
                Status.OK,
                entry.size,
                parts=(LogPart(0, entry.size),),
                sha256=hashlib.sha256(body).hexdigest(),
            )
        )
    return tuple(files), contents


def _probes(facts: Facts) -> Iterator[ProbeResult]:
    """Every probe that the facts of the case can answer."""
    for probe, file in RAW.items():
        if file in facts:
            yield _raw(probe, facts, file)
    for probe, source, make in _MADE:
        output = _made(make, facts) if source in facts else None
        if output is not None:
            yield _result(probe, Status.OK, output, facts.exit_code(source), VIA.get(probe, ""))
    asked = {"imds": _asks(imds_records)}
    asked |= {f"endpoint-{s}": _asks(partial(endpoint_record, service=s)) for s in SERVICES}
    for probe, make in asked.items():
        if output := _made(make, facts):
            yield _result(probe, Status.OK, output, 0)


def _made(make: _Maker, facts: Facts) -> bytes | None:
    """The output that a probe would have had; of facts that are damaged, none."""
    try:
        return make(facts)
    except (ValueError, IndexError):
        return None


def _asks(records: Callable[[Facts], Iterable[RecordText]]) -> _Maker:
    return lambda facts: write_records(records(facts))


def _routes(facts: Facts) -> bytes:
    return facts.bytes("ip_route_table_all.txt")


def _main_routes(facts: Facts) -> bytes | None:
    """The main table alone is better than nothing."""
    return facts.bytes("ip_route.txt") if "ip_route_table_all.txt" not in facts else None


def _raw(probe: str, facts: Facts, file: str) -> ProbeResult:
    output, exit_code = facts.bytes(file), facts.exit_code(file)
    if exit_code and b"No such file or directory" in output and output.startswith(b"cat: "):
        return ProbeResult(
            probe, Status.ABSENT, exit_code=exit_code, note=output.decode("utf-8", "replace").strip()
        )
    if exit_code == 127:
        return ProbeResult(probe, Status.ABSENT, exit_code=exit_code, note="the tool is not on the host")
    return _result(probe, Status.OK, output, exit_code, VIA.get(probe, ""))


def _result(probe: str, status: Status, output: bytes, exit_code: int | None, via: str = "") -> ProbeResult:
    output, redacted = mask_secrets(output)
    digest = hashlib.sha256(output).hexdigest()
    return ProbeResult(probe, status, output, exit_code, via=via, sha256=digest, redacted=redacted)


def _utc(facts: Facts) -> datetime | None:
    return _moment(facts.text("date_utc.txt").strip())


def _clock(facts: Facts) -> bytes | None:
    """UTC is in the facts; the zone is that in which ``dig`` printed the time of its question."""
    now = _utc(facts)
    if now is None:
        return None
    fields = [("utc", f"{now:%Y-%m-%dT%H:%M:%SZ}"), ("epoch", f"{now.timestamp():.0f}")]
    for service in SERVICES:
        said = re.search(r"WHEN: \w+ (\w+ \d+ [\d:]+) (\S+) (\d{4})", facts.text(f"dig_{service}.txt"))
        if said:
            local = datetime.strptime(f"{said[3]} {said[1]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
            minutes = round((local - now) / timedelta(minutes=15)) * 15
            sign = "-" if minutes < 0 else "+"
            fields += [("offset", f"{sign}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"), ("zone", said[2])]
            break
    return write_records([("", fields, "")])


def _service(facts: Facts) -> bytes | None:
    """What ``systemctl show`` would say: the manager's starts and exits, and the processes that are there.
    Where the list of processes was lost, the manager's own record has the word.

    The manager restarts always, after 90 s (agents of 2.x: 900 s).  An agent that has ended and waits for
    that is ``auto-restart``; one whose time is over stays down.
    """
    fields = [("manager", "systemd"), ("LoadState", "loaded"), ("Restart", "always")]
    events = _service_events(facts)
    fields.append(("NRestarts", str(max(0, sum(event == "Started" for _, event in events) - 1))))
    running = re.search(
        r"(?m)^(\S+)\s+(\d+)\s+\d+\s+(\w+ \w+\s+\d+ [\d:]+ \d+) \S*/amazon-ssm-agent\b",
        facts.text("ps_ef.txt"),
    )
    unseen = "ps_ef.txt" not in facts
    if unseen and (not events or events[-1][1] == "Started"):
        fields += [("ActiveState", "active"), ("SubState", "running")] if events else []
    elif running:
        fields += [("ActiveState", "active"), ("SubState", "running"), ("MainPID", running[2])]
        fields += [
            ("User", running[1]),
            ("Result", "success"),
            ("ExecMainStatus", "0"),
            ("ExecMainCode", "0"),
        ]
    else:
        fields += [("MainPID", "0"), *_ended(events, _utc(facts), facts)]
    starts = [time for time, event in events if event == "Started"]
    if starts:
        fields.append(("ExecMainStartTimestamp", f"{starts[-1]:%a %Y-%m-%d %H:%M:%S} UTC"))
    if _drop_in_text(facts):
        fields.append(("DropInPaths", DROP_IN))
    return write_records([(UNIT, fields, "")])


def _service_events(facts: Facts) -> list[tuple[datetime, str]]:
    """Starts and exits up to the moment of collection."""
    now = _utc(facts)
    events = []
    for line in facts.text("service_starts.txt").splitlines():
        time, _, event = line.partition(f" {UNIT}: ")
        at = _moment(time) if event else None
        if at is not None and (now is None or at <= now):
            events.append((at, event))
    return events


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _ended(
    events: list[tuple[datetime, str]], now: datetime | None, facts: Facts
) -> Iterator[tuple[str, str]]:
    told = ((time, re.search(r"exited, status=(\d+)$", event)) for time, event in events)
    exits = [(time, int(exited[1])) for time, exited in told if exited]
    if not exits:
        yield from (("ActiveState", "inactive"), ("SubState", "dead"))
        return
    time, status = exits[-1]
    killed = status > 128
    rest = timedelta(seconds=90 if re.search(r"version: 3\.", facts.text("agent_version.txt")) else 900)
    waiting = now is None or now - time < rest
    failed = "failed" if status else "inactive"
    yield "ActiveState", "activating" if waiting else failed
    yield "SubState", "auto-restart" if waiting else ("failed" if status else "dead")
    yield "Result", "signal" if killed else "exit-code" if status else "success"
    yield "ExecMainCode", "2" if killed else "1"
    yield "ExecMainStatus", str(status - 128 if killed else status)


def _drop_in_text(facts: Facts) -> str:
    """The drop-ins of the unit; values of ``AWS_*`` variables are not shown."""
    if facts.exit_code("systemd_dropins.txt"):
        return ""
    text = facts.text("systemd_dropins.txt")
    return re.sub(r"(AWS_\w+)=[^\s\"']*", r"\1=(set)", masked_url(text))


def _unit(facts: Facts) -> bytes | None:
    text = _drop_in_text(facts)
    return f"# {DROP_IN}\n{text}".encode() if text else None


def _environ(facts: Facts) -> bytes:
    """Of each process: the proxy variables, and the names of ``AWS_*`` variables."""
    lines = []
    for line in facts.text("agent_environ.txt").splitlines():
        name, equals, value = line.partition("=")
        if line.startswith("# pid "):
            lines.append(line.rstrip())
        elif equals and _PROXY_NAME.match(name):
            lines.append(f"{name}={masked_url(value)}")
        elif equals and name.startswith("AWS_"):
            lines.append(f"{name}=(set)")
    return _text(lines)


def _route_get(facts: Facts) -> bytes:
    lines = ["# 169.254.169.254", *facts.text("ip_route_get_169.254.169.254.txt").splitlines()]
    for service in SERVICES:
        answer = facts.text(f"ip_route_get_{service}.txt")
        address = facts.text(f"getent_{service}.txt").partition(" ")[0]
        if address and answer and not answer.startswith("need "):
            lines += [f"# {address} {service}", *answer.splitlines()]
    return _text(lines)


def _proxy_files(facts: Facts) -> bytes:
    lines = [
        masked_url(line)
        for line in facts.text("etc_environment.txt").splitlines()
        if _PROXY_NAME.match(line.removeprefix("export ").partition("=")[0].strip())
    ]
    return _text(["# /etc/environment", *lines]) if lines else b""


def _df(facts: Facts) -> tuple[list[str], list[str], list[str]]:
    """``df -hP``, ``df -iP`` and the lines of ``/proc/mounts``, which stand in one file."""
    space: list[str] = []
    inodes: list[str] = []
    mounts: list[str] = []
    part = mounts
    for line in facts.text("df.txt").splitlines():
        if line.startswith("Filesystem "):
            part = inodes if "Inodes" in line else space
        if part is inodes and re.search(r" (?:rw|ro),.* 0 0$", line):
            part = mounts
        if not line.startswith(("df: ", "grep: ")):
            part.append(line)
    return space, inodes, mounts


def _disk_space(facts: Facts) -> bytes | None:
    """In blocks of 1,024 bytes, as ``df -Pk`` prints; the facts have them rounded (``252G``)."""
    space, _, _ = _df(facts)
    if not space:
        return None
    lines = ["Filesystem 1024-blocks Used Available Capacity Mounted on"]
    rows = (line.split(None, 5) for line in space[1:])
    for name, *sizes, used, mount in (row for row in rows if len(row) == 6):
        lines.append(" ".join((name, *(str(_blocks(size)) for size in sizes), used, mount)))
    return _text(dict.fromkeys(lines))


def _blocks(size: str) -> int:
    power = " KMGTP".find(size[-1])
    return round(float(size[:-1]) * 1024 ** (power - 1)) if power > 0 else round(float(size) / 1024)


def _disk_inodes(facts: Facts) -> bytes | None:
    _, inodes, _ = _df(facts)
    return _text(dict.fromkeys(inodes)) if inodes else None


def _mounts(facts: Facts) -> bytes | None:
    _, _, mounts = _df(facts)
    return _text(mounts) if mounts else None


def _inotify(facts: Facts) -> bytes:
    found = re.findall(r"fs\.inotify\.(\w+) = (\d+)", facts.text("sysctl_inotify.txt"))
    return write_records([("", found, "")])


def _stray_credentials(facts: Facts) -> bytes:
    """Which files there are, with their profiles; never a value."""
    records: list[tuple[str, list[tuple[str, str]], str]] = []
    for line in facts.text("aws_credentials_masked.txt").splitlines():
        if line.startswith("# /"):
            path = line[2:].strip()
            mode, modified = _listed(facts, str(Path(path).parent), Path(path).name)
            known = [("modified", modified), ("mode", mode)]
            records.append((path, [(key, value) for key, value in known if value], ""))
        elif records and (profile := re.fullmatch(r"\[(?:profile )?(.+)\]", line.strip())):
            records[-1][1].append(("profile", profile[1]))
    names = re.findall(r"(AWS_\w+)=", _drop_in_text(facts))
    if names:
        records.append(("environment", [("name", name) for name in names], ""))
    return write_records(records)


def _registration(facts: Facts) -> bytes:
    """Of a hybrid activation, the file's presence; whose it is, the identity file says."""
    _, modified = _listed(facts, "/var/lib/amazon/ssm", "registration")
    if not modified:
        return b""
    fields = [("path", "/var/lib/amazon/ssm/registration"), ("modified", modified)]
    instance = re.search(r'"InstanceId":"(mi-\w+)"', facts.text("identity_config.json"))
    if instance:
        fields.append(("instance", instance[1]))
    return write_records([("registration", fields, "")])


def _listed(facts: Facts, folder: str, name: str) -> tuple[str, str]:
    """Mode and time (epoch) of a file in the listing of ``ls -la``; empty where it is not listed."""
    now = _utc(facts)
    _, found, listing = facts.text("ls_files.txt").partition(f"{folder}:\n")
    listed = re.search(
        rf"(?m)^([-dl]\S+)\s+\d+ \S+ \S+\s+\d+ (\w+ +\d+ [\d:]+) {re.escape(name)}$",
        listing.partition("\n\n")[0],
    )
    if not found or not listed or now is None:
        return "", ""
    time = datetime.strptime(f"{now.year} {listed[2]}", "%Y %b %d %H:%M").replace(tzinfo=UTC)
    return listed[1], f"{time.timestamp():.0f}"


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


_MADE: tuple[tuple[str, str, _Maker], ...] = (
    ("routes", "ip_route_table_all.txt", _routes),
    ("routes", "ip_route.txt", _main_routes),
    ("clock", "date_utc.txt", _clock),
    ("whoami", "date_utc.txt", lambda _: b"uid=0\nuser=root\nlogin=root\nprivilege=root\n"),
    ("service", "service_starts.txt", _service),
    ("unit", "systemd_dropins.txt", _unit),
    ("agent-environ", "agent_environ.txt", _environ),
    ("route-get", "ip_route_get_169.254.169.254.txt", _route_get),
    ("proxy-files", "etc_environment.txt", _proxy_files),
    ("disk-space", "df.txt", _disk_space),
    ("disk-inodes", "df.txt", _disk_inodes),
    ("mounts", "df.txt", _mounts),
    ("inotify", "sysctl_inotify.txt", _inotify),
    ("stray-credentials", "aws_credentials_masked.txt", _stray_credentials),
    ("registration", "ls_files.txt", _registration),
)
"""Probes whose output is made of a file: the probe, the file, and how."""
