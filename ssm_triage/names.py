"""The names that tell a host apart, found where evidence says what they are.

An address or an id shows by its form; a name does not.  So names are learned from places where only a
name can stand (the host's own, URLs, proxy settings, ARNs, home folders), and replaced wherever they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from collector.evidence import Evidence
from collector.evidence.records import parse_records

HOST, ROLE, USER, ACCOUNT, ISSUER = "host", "role", "user", "account", "issuer"

_PUBLIC = re.compile(
    r"(?i)(?:^|\.)(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|(?:aws\.)?amazon\.com|amazonlinux\.com|"
    r"amazontrust\.com|localhost\d?|localdomain\d?|ip6-[a-z]+|centos\.org|debian\.org|fedoraproject\.org|github\.com|golang\.org|"
    r"go\.dev|microsoft\.com|opensuse\.org|oracle\.com|redhat\.com|rockylinux\.org|almalinux\.org|suse\.com|"
    r"ubuntu\.com|canonical\.com|w3\.org|(?:ec2|compute)\.internal|\d+)$"
)
_KEPT_USERS = frozenset((
    "root", "ec2-user", "ubuntu", "centos", "admin", "debian", "fedora", "rocky", "almalinux", "core",
    "bitnami", "suse", "cloud-user", "opc", "ssm-user", "nobody", "daemon", "bin", "sys", "adm",
    "Administrator", "SYSTEM", "ContainerAdministrator", "local",
))  # fmt: skip
_KEPT_DOMAINS = frozenset(("NT AUTHORITY", "NT SERVICE", "BUILTIN"))
_KEPT_ISSUER = re.compile(r"(?i)amazon|starfield|digicert|^us$")
_KEPT_ROLE = re.compile(r"AWS|Amazon|aws[-:]|ec2-instance$|m?i-[0-9a-f]{8,17}$")
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*|(?:ip|ec2)(?:-\d{1,3}){4}|m?i-[0-9a-f]{8,17}")

_IN_TEXT = (
    (ACCOUNT, re.compile(r"arn:aws[\w-]*:[\w-]*:[\w-]*:(\d{12}):")),
    (ACCOUNT, re.compile(r"(?i)\baccount(?:[ _-]?id)?\b[\"' :=]{1,8}(\d{12})\b")),
    (ROLE, re.compile(r"arn:aws[\w-]*:(?:iam|sts)::\d{12}:[a-z-]+/([\w+=,.@/-]+)")),
    (ROLE, re.compile(r"/security-credentials/([\w+=,.@-]+)")),
    (HOST, re.compile(r"(?i)\bhttps?://(?:[^\s/@\"']{0,64}@)?([a-z0-9][a-z0-9.-]*[a-z0-9])")),
    (HOST, re.compile(r"(?im)^(?:no_proxy|(?:https?|all)_proxy)=(\S+)")),
    (HOST, re.compile(r"(?m)^\S+ (\S+) (?:amazon-ssm-agent|ssm-agent-worker)(?:\.\S+)?\[\d+\]:")),
    (HOST, re.compile(r"\blookup ([A-Za-z0-9.-]+)[ :]")),
    (USER, re.compile(r"/home/([A-Za-z0-9._-]+)")),
    (USER, re.compile(r"(?i)[A-Z]:\\+Users\\+([A-Za-z0-9._-]+)")),
)


class Names:
    """What was learned: by lower-case name, which kind it is."""

    def __init__(self, reserved: frozenset[str]) -> None:
        """``reserved``: words that the agent and the probes use themselves; they stay where they stand."""
        self.kinds: dict[str, str] = {}
        self.reserved: set[str] = set()
        """Names that are such words, and so were not replaced everywhere."""
        self._words = reserved

    def learn(self, evidence: Evidence) -> None:
        """Learn from one host's evidence, its logs left out."""
        manifest = evidence.manifest
        subject, connection = manifest.subject, manifest.connection
        self._add(HOST, subject.name, subject.address)
        self._account(manifest.ran_as)
        if connection is not None:
            self._add(HOST, connection.address)
            self._account(connection.user)
            for hop in connection.jump:
                user, _, host = hop.rpartition("@")
                self._add(USER, user)
                self._add(HOST, host.partition(":")[0])
        for probe in manifest.probes:
            self.learn_text(probe.output.decode("utf-8", "surrogateescape"))
            self.learn_text(probe.note)
        if manifest.failure is not None:
            self.learn_text(manifest.failure.detail)
        self._from_probes(evidence)

    def learn_text(self, text: str) -> None:
        """Learn from anything that a host printed."""
        for kind, pattern in _IN_TEXT:
            for found in pattern.findall(text):
                self._add(kind, *re.split(r"[,/]" if kind in (HOST, ROLE) else r"\0", found))

    def _from_probes(self, evidence: Evidence) -> None:
        lines = {
            probe: evidence.probe(probe).output.decode("utf-8", "surrogateescape").splitlines()
            for probe in ("hostname", "uname", "resolv-conf", "hosts-file")
        }
        self._add(HOST, *lines["hostname"][:1], *(line.split()[1] for line in lines["uname"] if " " in line))
        for line in (*lines["resolv-conf"], *lines["hosts-file"]):
            key, *names = line.partition("#")[0].split() or [""]
            if key in ("search", "domain") or _ADDRESS.fullmatch(key):
                self._add(HOST, *names)
        for record in parse_records(evidence.probe("whoami").output):
            self._account(record.get("user"), record.get("login"))
        for record in parse_records(evidence.probe("imds").output):
            if record.name == "role" and record.get("http") == "200":
                self._add(ROLE, *record.body.split()[:1])
        for service in ("ssm", "ssmmessages", "ec2messages"):
            for record in parse_records(evidence.probe(f"endpoint-{service}").output):
                for name in (record.get("issuer"), record.get("subject")):
                    self._add(ISSUER, *re.findall(r"\b(?:CN|OU?) ?= ?([^,/\n]{3,64})", name))

        self._from_objects(evidence)

    def _from_objects(self, evidence: Evidence) -> None:
        """What a Windows host keeps as objects, one of JSON on each line (docs/evidence.md)."""
        for probe in ("resolv-conf", "proxy-layers", "service"):
            for told in _objects(evidence.probe(probe).output):
                self._account(_text(told.get("account")))
                for key in ("list", "domain", "dhcp_domain", "value", "names"):
                    found = told.get(key)
                    for text in found if isinstance(found, list) else [found]:
                        for word in re.split(r"[;,=\s]+", _text(text)):
                            self._add(HOST, re.sub(r"^[a-z]+://(?:[^/@]*@)?", "", word).partition("/")[0])

    def _account(self, *accounts: str) -> None:
        """``alice``, ``DOMAIN\\alice``, ``alice@corp.example``; what Windows itself has stays."""
        for account in accounts:
            domain, backslash, user = account.rpartition("\\")
            user, _, realm = user.partition("@")
            if domain.upper() not in _KEPT_DOMAINS or not backslash:
                self._add(USER, user)
                self._add(HOST, domain.lstrip("."), realm)

    def add(self, kind: str, *names: str) -> None:
        """Learn names of which somebody else knows the kind."""
        self._add(kind, *names)

    def _add(self, kind: str, *names: str) -> None:
        for name in names:
            name = name.strip().strip(".*").removeprefix("http:").removeprefix("https:")
            if kind == HOST:
                name = re.sub(r":\d+$", "", name)
            if _tells(kind, name):
                if name.lower() in self._words:
                    self.reserved.add(name)
                else:
                    self.kinds.setdefault(name.lower(), kind)
                    self._parents(kind, name)

    def _parents(self, kind: str, name: str) -> None:
        """Of a host with a domain, its short name and its domain too."""
        if kind == HOST and name.count(".") > 1:
            short, _, domain = name.partition(".")
            self._add(HOST, domain, *([short] if len(short) > 3 else []))


def _tells(kind: str, name: str) -> bool:
    """Whether a name tells something that others need not know."""
    if kind == ACCOUNT:
        return True
    if kind == ISSUER:
        return not _KEPT_ISSUER.search(name)
    if len(name) < 3 or not _PLAIN.fullmatch(name) or _ADDRESS.fullmatch(name):
        return False
    if kind == USER:
        return name not in _KEPT_USERS
    if kind == ROLE:
        return not _KEPT_ROLE.match(name)
    return not _PUBLIC.search(name)


def _objects(output: bytes) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        try:
            value = json.loads(line) if line.startswith(b"{") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def is_address(name: str) -> bool:
    """Whether it is an address rather than a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """The words of these texts: what must not be taken for a name."""
    return frozenset(word for text in texts for word in re.findall(r"[a-z][a-z0-9_-]+", text.lower()))
