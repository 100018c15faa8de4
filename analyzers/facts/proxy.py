"""Which proxy a Go program uses, and for what: the agent's settings, judged as the agent judges them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from analyzers.facts.base import Line


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
    request ``https_proxy`` only; ``no_proxy`` spares names; localhost and loopback are always spared.
    """

    layer: ProxyLayer
    variables: tuple[ProxyVariable, ...] = ()
    """As set, in order; of the same name the last wins."""

    def variable(self, name: str) -> ProxyVariable | None:
        """The effective ``http_proxy``, ``https_proxy`` or ``no_proxy``; ``None`` where unset or empty."""
        raise NotImplementedError

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
        raise NotImplementedError

    def spares(self, host: str, port: int) -> bool:
        """Whether ``no_proxy`` lets ``host:port`` go direct."""
        raise NotImplementedError

    @property
    def imds(self) -> ProxyVariable | None:
        """The proxy that requests to the metadata service (plain http) go through; ``None``: direct."""
        return self.proxy_for("http", "169.254.169.254", 80)

    def endpoint(self, host: str) -> ProxyVariable | None:
        """The proxy that a service endpoint (https) is reached through; ``None``: direct."""
        return self.proxy_for("https", host, 443)


def parse_proxy_url(text: str) -> ProxyUrl:
    """A proxy's URL as golang.org/x/net/http/httpproxy reads it."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Proxy:
    """Every layer."""

    process: ProxySettings | None
    """``None``: the agent does not run, or its environment could not be read."""
    unit: ProxySettings | None
    """``None``: the unit could not be read."""
    system: ProxySettings | None
    login: ProxySettings | None

    @property
    def agent(self) -> ProxySettings | None:
        """What the agent uses: the running process's, else what its unit would give it."""
        return self.process or self.unit

    @property
    def elsewhere(self) -> tuple[ProxyVariable, ...]:
        """Proxies set where a service cannot see them."""
        raise NotImplementedError

    @property
    def restart_pending(self) -> bool:
        """Whether the unit says otherwise than the running process has."""
        raise NotImplementedError
