"""What Windows is told of names and certificates: name resolution policy, SChannel, the machine's roots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from analyzers.facts.base import IPAddress, Line, address, utc
from analyzers.facts.windows.objects import things_of

# Names ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NameRule:
    """One rule of the name resolution policy table (NRPT): whom Windows asks for some names.

    It outweighs the name servers of the adapters ([MS-GPNRPT] 2.2.2).
    """

    at: Line
    names: tuple[str, ...]
    """``.amazonaws.com`` for all names beneath, ``ssm.eu-central-1.amazonaws.com`` for one, ``.`` for any."""
    servers: tuple[IPAddress, ...]
    """Empty: a rule that exempts, or that sets something else than servers."""

    def fit(self, host: str) -> int:
        """How closely a name of the rule fits ``host``, in characters; 0: none of them does."""
        wanted = host.rstrip(".").lower()
        return max((len(name) for name in self.names if _takes(name.lower(), wanted)), default=0)


def _takes(name: str, host: str) -> bool:
    if name.startswith("."):
        return name == "." or host.endswith(name)
    return name == host


def parse_name_rules(output: bytes, source: str = "probes/resolv-conf") -> tuple[NameRule, ...]:
    """Of the ``resolv-conf`` probe: the rules as the registry keeps them, the policy's and the machine's."""
    return tuple(
        NameRule(
            thing.at,
            tuple(name.strip() for name in thing.texts("names") if name.strip()),
            tuple(_servers(thing.text("servers"))),
        )
        for thing in things_of(output, source, "nrpt")
    )


def _servers(text: str) -> Iterator[IPAddress]:
    for word in re.split(r"[;,\s]+", text):
        found = address(word) if word else None
        if found is not None:
            yield found


# TLS -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What SChannel, Windows' own TLS, may use as a client.

    The agent brings a TLS of its own (Go's); .NET, PowerShell and this program's look at the endpoints go
    by these settings.
    """

    tls12_off: Line | None = None
    """The setting that switches TLS 1.2 off; ``None``: Windows has it on."""


def parse_schannel(output: bytes, source: str = "probes/schannel") -> TlsSettings:
    """Of the ``schannel`` probe.  Without a value the version is on, as it is from Server 2012 on."""
    for thing in things_of(output, source, "protocol"):
        if thing.text("name").lower() == "tls 1.2" and thing.number("enabled") == 0:
            return TlsSettings(thing.at)
    return TlsSettings()


# Certificates --------------------------------------------------------------------------------------------

_AMAZON = re.compile(r"Amazon Root CA|Starfield", re.IGNORECASE)
"""Of the subjects of the roots beneath which Amazon's endpoints have their certificates."""


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """One certificate of a store of the machine's."""

    at: Line
    store: str
    """``Root``, ``AuthRoot`` (Microsoft's list) or ``Disallowed``."""
    subject: str
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class RootStore:
    """What of the machine's root certificates matters for the endpoints."""

    at: Line
    """The machine's own store as a whole."""
    certificates: tuple[RootCertificate, ...] = ()
    no_update: Line | None = None
    """The policy that keeps Windows from fetching a root that it lacks."""

    @property
    def amazon(self) -> tuple[RootCertificate, ...]:
        """The roots of Amazon that the machine trusts."""
        return tuple(c for c in self._of_amazon() if c.store != "Disallowed")

    @property
    def disallowed(self) -> tuple[RootCertificate, ...]:
        """The roots of Amazon that the machine is told not to trust."""
        return tuple(c for c in self._of_amazon() if c.store == "Disallowed")

    def _of_amazon(self) -> Iterator[RootCertificate]:
        return (c for c in self.certificates if _AMAZON.search(c.subject))


def parse_roots(output: bytes, source: str = "probes/roots") -> RootStore | None:
    """Of the ``roots`` probe; ``None`` where it did not look into the machine's own store."""
    things = list(things_of(output, source, "store", "certificate", "policy"))
    own = next((t.at for t in things if t.kind == "store" and t.text("store") == "Root"), None)
    if own is None:
        return None
    return RootStore(
        own,
        tuple(
            RootCertificate(t.at, t.text("store"), t.text("subject"), utc(t.text("not_after")))
            for t in things
            if t.kind == "certificate"
        ),
        next(
            (t.at for t in things if t.kind == "policy" and t.number("disable_root_auto_update") == 1), None
        ),
    )
