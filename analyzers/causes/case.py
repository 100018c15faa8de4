"""One host's case, as the rules look at it: its facts and its log side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from analyzers.causes.values import values_of
from analyzers.causes.versions import Abilities, Change
from analyzers.facts import Facts
from analyzers.facts.base import Known, Line, Unknown
from analyzers.facts.endpoints import Endpoint
from analyzers.facts.imds import Imds
from analyzers.facts.packages import Version
from analyzers.facts.proxy import ProxyLayer, ProxySettings, ProxyVariable
from analyzers.facts.routing import Routing
from analyzers.facts.service import Unit
from analyzers.logs.model import Leg, LogReading, Sighting, StateChange
from collector.evidence import Manifest
from collector.target import Platform

_WINDOWS = re.compile(r"connectex: |wsarecv: |wsasend: |getaddrinfow: |winapi error #|C:\\ProgramData\\")
"""Words that Go has on Windows only."""
SERVICES = ("ssm", "ssmmessages", "ec2messages")


def _of_hybrid_hosts(sighting: Sighting) -> bool:
    """Whether only a host with a registration by activation writes this.

    The providers of EC2 wrap what the service answers in words of their own (ec2_role_provider.go), and no
    other host asks for the role of an ``mi-``.
    """
    asked = "error occurred in RequestManagedInstanceRoleToken" in sighting.last.message
    bare = sighting.operation == "creds.refresh" and sighting.leg is Leg.SERVICE
    return asked or bare or (sighting.capture("instance") or "").startswith("mi-")


@dataclass(frozen=True)
class Case:
    """What a rule may look at.  Unknown is never taken as fine."""

    manifest: Manifest
    facts: Facts
    logs: LogReading
    now: datetime
    """By our clock, UTC; only to reckon what is next."""

    def knows(self, need: str) -> bool:
        """Whether a fact (or ``logs``) is there to be looked at."""
        if need == "logs":
            return bool(self.logs.sightings) or self.logs.has_entries
        fact = getattr(self.facts, need)
        facts = fact.values() if isinstance(fact, dict) else (fact,)
        return any(isinstance(one, Known) for one in facts)

    # Who the agent is ------------------------------------------------------------------------------------

    @cached_property
    def version(self) -> Version | None:
        """Of the agent that runs or ran last: its log's word before the package's, which may be newer."""
        logged = Version.parse(self.logs.version) if self.logs.version else None
        return logged or self.facts.version.or_none()

    @cached_property
    def abilities(self) -> Abilities:
        return Abilities(self.version)

    def has(self, change: Change) -> bool | None:
        return self.abilities.has(change)

    @cached_property
    def unit(self) -> Unit | None:
        service = self.facts.service.or_none()
        return service.main if service else None

    @cached_property
    def identity(self) -> str | None:
        """``EC2``, ``OnPrem`` ... as the agent took it last."""
        last = self.last_state("identity")
        if last is not None:
            return last.value
        if self.logs.identity:
            return "OnPrem" if self.logs.identity.startswith("mi-") else "EC2"
        if any(map(_of_hybrid_hosts, self.logs.current)):
            return "OnPrem"
        kept = self.facts.identity_config.or_none()
        return (kept.identity_type or None) if kept else None

    @cached_property
    def hybrid(self) -> bool:
        """Whether the agent acts as a host registered by an activation."""
        return self.identity == "OnPrem"

    def last_state(self, aspect: str) -> StateChange | None:
        """The last word of the log on one aspect."""
        return next((state for state in reversed(self.logs.states) if state.aspect == aspect), None)

    @cached_property
    def windows(self) -> bool:
        """Whether this is a Windows host; there each of the agent's programs has a log of its own."""
        names = {log.name for log in self.manifest.logs}
        told = self.manifest.subject.platform is Platform.WINDOWS or "ssm-agent-worker.log" in names
        return told or any(_WINDOWS.search(sighting.last.message) for sighting in self.logs.sightings)

    @property
    def windows_tls_is_old(self) -> bool:
        """Whether Windows' own TLS has 1.2 switched off.  It made the handshakes with the endpoints, so that
        one that broke says nothing of the agent, which brings a TLS of its own."""
        host = self.facts.windows.or_none()
        return host is not None and host.tls.tls12_off is not None

    # How it is connected ---------------------------------------------------------------------------------

    @cached_property
    def imds(self) -> Imds | None:
        return self.facts.imds.or_none()

    @cached_property
    def routing(self) -> Routing | None:
        return self.facts.routing.or_none()

    def endpoint(self, service: str) -> Endpoint | None:
        return self.facts.endpoints.get(service, Unknown("")).or_none()

    @cached_property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Those that were looked at."""
        return {service: found for service in SERVICES if (found := self.endpoint(service)) is not None}

    @cached_property
    def proxy(self) -> ProxySettings | None:
        """What the agent itself uses: by its environment, else as it printed them at its last start."""
        layers = self.facts.proxy.or_none()
        seen = layers.agent if layers else None
        used = seen or self._printed_proxy
        old_go = self.has(Change.HTTP_PROXY_APART) is False
        return replace(used, old_go=True) if used is not None and old_go else used

    @property
    def _printed_proxy(self) -> ProxySettings | None:
        block = self.logs.proxy
        if block is None:
            return None
        at = Line(f"logs/{block.event.file}", block.event.text, block.event.line)
        told = {"http_proxy": block.http_proxy, "https_proxy": block.https_proxy, "no_proxy": block.no_proxy}
        return ProxySettings(
            ProxyLayer.PROCESS,
            tuple(
                ProxyVariable(at, k, v, ProxyLayer.PROCESS, block.event.file) for k, v in told.items() if v
            ),
        )

    @property
    def proxied(self) -> bool | None:
        """Whether the agent reaches the endpoints by a proxy; ``None``: not known, as where only the Go that
        built it could tell."""
        if self.proxy is None:
            return None
        direct = self.proxy.variable("https_proxy") is None
        return None if direct and self.proxy.for_https is not None else not direct

    @cached_property
    def connected(self) -> bool:
        """Whether the log's last word is an open channel to ssmmessages."""
        return self.logs.channel == "ssmmessages"

    def failures(self, *legs: Leg, target: str = "") -> Iterator[Sighting]:
        """What the log says is wrong now, on these legs."""
        for sighting in self.logs.failures():
            if (not legs or sighting.leg in legs) and (not target or sighting.target == target):
                yield sighting

    # Values for the texts --------------------------------------------------------------------------------

    @cached_property
    def values(self) -> dict[str, str]:
        """This host's values for the gaps of the texts; what is not known is left out."""
        return values_of(self)
