"""The five layers of proxy settings that the agent looks at on Windows, and the login's, which it does not.

The first layer that sets a proxy wins whole: the environment of the agent's service, the machine's, that of
LocalSystem, LocalSystem's WinINET, WinHTTP (AWS Systems Manager User Guide, "Configure SSM Agent to use a
proxy for Windows Server instances").
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzers.facts.proxy import Proxy, ProxyLayer, ProxySettings, ProxyVariable
from analyzers.facts.windows.objects import Thing, things_of

AGENT_LAYERS = ("service", "machine", "system-user", "system-inet", "winhttp")


def parse_layers(output: bytes, source: str = "probes/proxy-layers") -> Proxy | None:
    """Of the ``proxy-layers`` probe; ``None`` where it looked at no layer."""
    things = list(things_of(output, source, "setting", "looked"))
    if not things:
        return None
    looked = {thing.text("layer") for thing in things}
    by_layer = {
        name: ProxySettings(_layer(name), tuple(_variables(things, name)))
        for name in (*AGENT_LAYERS, "login")
    }
    winner = next((by_layer[name] for name in AGENT_LAYERS if by_layer[name].any), None)
    # Without a proxy in any of them, the agent has none: that is known too, if all of them were seen.
    unit = winner or (ProxySettings(ProxyLayer.UNIT) if looked.issuperset(AGENT_LAYERS) else None)
    return Proxy(None, unit, None, by_layer["login"])


def _layer(name: str) -> ProxyLayer:
    return ProxyLayer.LOGIN if name == "login" else ProxyLayer.UNIT


def _variables(things: list[Thing], layer: str) -> Iterator[ProxyVariable]:
    for thing in things:
        if thing.kind == "setting" and thing.text("layer") == layer:
            for name, value in _as_variables(thing.text("name").lower(), thing.text("value")):
                yield ProxyVariable(thing.at, name, value, _layer(layer), thing.text("origin"))


def _as_variables(name: str, value: str) -> Iterator[tuple[str, str]]:
    """A setting as the environment variables that it amounts to."""
    if name in ("http_proxy", "https_proxy", "no_proxy"):
        yield name, value
    elif name == "server":
        for scheme in ("http", "https"):
            server = server_for(value, scheme)
            if server:
                yield f"{scheme}_proxy", server
    elif name == "bypass":
        yield "no_proxy", ",".join(part for part in value.replace(";", " ").split() if part != "<local>")


def server_for(text: str, scheme: str) -> str:
    """Of ``proxy:3128``, or ``http=proxy:3128;https=proxy:3129``, the server for a scheme."""
    parts = text.replace(";", " ").split()
    if "=" not in text:
        return parts[0] if parts else ""
    pairs = (part.partition("=") for part in parts)
    return next((value for name, _, value in pairs if name.lower() == scheme), "")
