"""Which proxy a Go program uses, and for what: the agent's settings, judged as the agent judges them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from analyzers.facts.base import IPAddress, Line, Section, address, integer, sections_of
from analyzers.facts.service import UnitFiles


class ProxyLayer(StrEnum):
    """Where a proxy variable was set.  The agent sees the first two only."""

    PROCESS = "process"
    """The environment of the running agent: the truth."""
    UNIT = "unit"
    """The unit or its drop-ins: what the next start will have."""
    SYSTEM = "system"
    """/etc/environment, /etc/profile.d ...: shells see it, a service does not."""
    LOGIN = "login"
    """The login that collected."""


@dataclass(frozen=True, slots=True)
class ProxyVariable:
    """One variable, as set in one place."""

    at: Line
    name: str
    """As written: ``https_proxy`` or ``HTTPS_PROXY``."""
    value: str
    """Masked."""
    layer: ProxyLayer
    origin: str
    """The path, or the process."""


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """A proxy as Go reads it: ``host:port`` without a scheme is ``http://``."""

    scheme: str
    host: str
    port: int | None
    raw: str

    @property
    def valid(self) -> bool:
        return bool(self.host) and self.scheme in ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The effective settings of one layer.

    Go: the upper-case variable wins unless it is empty; an http request uses ``http_proxy`` only, an https
    request ``https_proxy`` only; ``no_proxy`` spares names; localhost and loopback are always spared.  Builds
    by a Go before 1.16 took ``http_proxy`` for https too where ``https_proxy`` is not set.
    """

    layer: ProxyLayer
    variables: tuple[ProxyVariable, ...] = ()
    """As set, in order; of the same name the last wins."""
    old_go: bool = False
    """Whether the agent was built by a Go before 1.16."""

    @property
    def for_https(self) -> ProxyVariable | None:
        """The variable that names the proxy of https requests."""
        return self.variable("https_proxy") or (self.variable("http_proxy") if self.old_go else None)

    def variable(self, name: str) -> ProxyVariable | None:
        """The effective ``http_proxy``, ``https_proxy`` or ``no_proxy``; ``None`` where unset or empty."""
        for wanted in (name.upper(), name.lower()):
            found = next((v for v in reversed(self.variables) if v.name == wanted), None)
            if found is not None and found.value:
                return found
        return None

    @property
    def any(self) -> bool:
        """Whether an http or https proxy is set."""
        return bool(self.variable("http_proxy") or self.variable("https_proxy"))

    @property
    def no_proxy(self) -> str:
        found = self.variable("no_proxy")
        return found.value if found else ""

    def proxy_for(self, scheme: str, host: str, port: int | None = None) -> ProxyVariable | None:
        """The variable whose proxy a request to ``scheme://host[:port]`` takes; ``None``: it goes direct."""
        found = self.for_https if scheme == "https" else self.variable(f"{scheme}_proxy")
        if found is None or parse_proxy_url(found.value) is None:
            return None
        return None if self.spares(host, port or (443 if scheme == "https" else 80)) else found

    def spares(self, host: str, port: int) -> bool:
        """Whether ``no_proxy`` (or being local) lets ``host:port`` go direct."""
        return spared(self.no_proxy, host, port)

    @property
    def imds(self) -> ProxyVariable | None:
        """The proxy that requests to the metadata service (plain http) go through; ``None``: direct."""
        return self.proxy_for("http", "169.254.169.254", 80)

    def endpoint(self, host: str) -> ProxyVariable | None:
        """The proxy that a service endpoint (https) is reached through; ``None``: direct."""
        return self.proxy_for("https", host, 443)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Every layer; ``None`` where a layer could not be seen."""

    process: ProxySettings | None
    """``None`` too where the agent does not run."""
    unit: ProxySettings | None
    system: ProxySettings | None
    login: ProxySettings | None

    @property
    def agent(self) -> ProxySettings | None:
        """What the agent uses: the running process's, else what its unit would give it."""
        return self.process or self.unit

    @property
    def elsewhere(self) -> tuple[ProxyVariable, ...]:
        """Proxies that are set where a service cannot see them."""
        layers = (layer for layer in (self.system, self.login) if layer is not None)
        found = (layer.variable(name) for layer in layers for name in ("https_proxy", "http_proxy"))
        return tuple(variable for variable in found if variable is not None)

    @property
    def restart_pending(self) -> bool:
        """Whether the unit sets what the running process does not have: a change without a restart."""
        if self.process is None or self.unit is None:
            return False
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            wanted, has = self.unit.variable(name), self.process.variable(name)
            if wanted is not None and (has is None or has.value != wanted.value):
                return True
        return False


# As Go judges --------------------------------------------------------------------------------------------


def parse_proxy_url(text: str) -> ProxyUrl | None:
    """A proxy's URL as golang.org/x/net/http/httpproxy reads it; ``None`` where Go would ignore it.

    What has no scheme, or cannot be read, is tried again behind ``http://``.
    """
    url = _url(text)
    if url is not None and url.host:
        return url
    return _url("http://" + text) if text else None


_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#@]*@)?(?P<host>\[[0-9A-Fa-f:.%]*\]|[^/?#:@\[\]\s]*)"
    r"(?::(?P<port>[0-9]*))?(?:[/?#].*)?"
)


def _url(text: str) -> ProxyUrl | None:
    match = _URL.fullmatch(text) if len(text) < 4096 else None
    if match is None:
        return None
    return ProxyUrl(match["scheme"].lower(), match["host"].strip("[]"), integer(match["port"]), text)


Matcher = Callable[[str, int, IPAddress | None], bool]


def spared(no_proxy: str, host: str, port: int) -> bool:
    """Whether ``host:port`` goes direct, as ``useProxy`` of httpproxy decides it.

    ``no_proxy`` is a list between commas: ``*``; an address, or ``address:port``; a CIDR range; a domain,
    which takes its subdomains too; ``.domain`` or ``*.domain``, which take only those.
    """
    host = host.strip().lower()
    ip = address(host)
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return True
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return any(_matches(entry, host, port, ip) for entry in entries if entry)


def _matches(entry: str, host: str, port: int, ip: IPAddress | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return ip is not None and ip in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted_port = _host_port(entry)
    if not name:
        return False
    wanted = address(name)
    if wanted is not None:
        fits = ip == wanted
    else:
        name = name[1:] if name.startswith("*.") else name
        suffix = name if name.startswith(".") else "." + name
        fits = host.endswith(suffix) or (not name.startswith(".") and host == name)
    return fits and wanted_port in ("", str(port))


def _host_port(entry: str) -> tuple[str, str]:
    """As ``net.SplitHostPort``; an entry without a port (a bare IPv6 address too) is all host."""
    match = re.fullmatch(r"\[([^\]]*)\](?::(.*))?|([^:]*):([^:]*)", entry)
    if match is None:
        return entry, ""
    return (match[1], match[2] or "") if match[1] is not None else (match[3], match[4])


# Reading -------------------------------------------------------------------------------------------------

SYSTEMD = "/etc/systemd/system.conf"
"""Its ``DefaultEnvironment=`` reaches every service."""
_NAMES = frozenset(("http_proxy", "https_proxy", "no_proxy", "all_proxy"))
_ASSIGNMENT = re.compile(
    r"(?:^|[\s;\"'=])(?P<name>https?_proxy|no_proxy|all_proxy)(?:=|\s+)(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s;]*)",
    re.IGNORECASE,
)


def parse_agent_environ(output: bytes, source: str = "probes/agent-environ") -> ProxySettings | None:
    """Of the running agent's environment; ``None`` where no process of it was seen.

    The core process counts; its workers inherit from it.
    """
    sections = list(sections_of(output, source))
    if not sections:
        return None
    core = next((s for s in sections if s.name.split()[-1].endswith("amazon-ssm-agent")), sections[0])
    found = []
    for line in core.lines:
        name, equals, value = line.text.partition("=")
        if equals and name.lower() in _NAMES:
            found.append(ProxyVariable(line, name, value.strip(), ProxyLayer.PROCESS, core.name))
    return ProxySettings(ProxyLayer.PROCESS, tuple(found))


def parse_proxy_files(
    output: bytes, source: str = "probes/proxy-files"
) -> tuple[ProxySettings, ProxySettings, dict[str, tuple[ProxyVariable, ...]]]:
    """Of the files that set proxy variables: the system's layer, the login's, and each file's by path."""
    by_path: dict[str, tuple[ProxyVariable, ...]] = {}
    for section in sections_of(output, source):
        layer = ProxyLayer.LOGIN if section.name == "login" else ProxyLayer.SYSTEM
        by_path[section.name] = by_path.get(section.name, ()) + tuple(_assignments(section, layer))
    login = by_path.pop("login", ())
    shells = (variables for path, variables in by_path.items() if path != SYSTEMD)
    system = tuple(variable for variables in shells for variable in variables)
    return ProxySettings(ProxyLayer.SYSTEM, system), ProxySettings(ProxyLayer.LOGIN, login), by_path


def _assignments(section: Section, layer: ProxyLayer) -> Iterable[ProxyVariable]:
    for line in section.lines:
        if line.text.lstrip().startswith("#"):
            continue
        for match in _ASSIGNMENT.finditer(line.text):
            value = match["value"].strip("\"'")
            yield ProxyVariable(line, match["name"], value, layer, section.name)


def unit_proxy(files: UnitFiles, by_path: dict[str, tuple[ProxyVariable, ...]]) -> ProxySettings:
    """What the unit and its drop-ins give the next start: ``Environment=``, then ``EnvironmentFile=``.

    ``by_path`` holds what the proxy variables of such files are, where those were collected.
    """
    found = [ProxyVariable(v.at, v.name, v.value, ProxyLayer.UNIT, SYSTEMD) for v in by_path.get(SYSTEMD, ())]
    for setting in files.values("Environment"):
        for word in _words(setting.value):
            name, equals, value = word.partition("=")
            if equals and name.lower() in _NAMES:
                found.append(ProxyVariable(setting.at, name, value, ProxyLayer.UNIT, setting.path))
    for setting in files.values("EnvironmentFile"):
        path = setting.value.lstrip("-").strip()
        found += [ProxyVariable(v.at, v.name, v.value, ProxyLayer.UNIT, path) for v in by_path.get(path, ())]
    for setting in files.values("env"):  # upstart's override file
        name, _, value = setting.value.partition("=")
        if name.lower() in _NAMES:
            found.append(ProxyVariable(setting.at, name, value.strip("\"'"), ProxyLayer.UNIT, setting.path))
    return ProxySettings(ProxyLayer.UNIT, tuple(found))


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
