"""What reg.exe, sc.exe, route.exe and curl.exe print, brought to the form of the probes (docs/evidence.md).

Only what no language of Windows touches is read: names and values of the registry, the numbers of sc.exe in
their order, the rows of addresses of ``route print``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

_VALUE = re.compile(r"    (?P<name>.*?)    (?P<kind>REG_[A-Z_]+)(?:    (?P<data>.*))?")
"""``    Start    REG_DWORD    0x2``: four blanks between the parts, in every language."""
_SECRET = re.compile(r"://[^\s/\"'<>]*@")


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "replace").splitlines()


def values_of(text: bytes) -> Iterator[tuple[str, str, str]]:
    """Each value of ``reg query``: its key, its name, its data (numbers as decimals)."""
    key = ""
    for line in _lines(text):
        if line.startswith("HKEY_"):
            key = line.strip()
        elif found := _VALUE.fullmatch(line):
            data = found["data"] or ""
            if found["kind"] in ("REG_DWORD", "REG_QWORD") and re.fullmatch(r"0x[0-9a-fA-F]{1,16}", data):
                data = str(int(data, 16))
            yield key, found["name"], data


def _named(text: bytes) -> dict[str, str]:
    return {name.lower(): data for _, name, data in values_of(text)}


def _objects(*found: Mapping[str, Any]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in found).encode("ascii")


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,18}", text) else None


# One reader for each probe -------------------------------------------------------------------------------


def hostname(text: bytes) -> bytes:
    """``hostname``."""
    return text.strip() + b"\n" if text.strip() else b""


def whoami(text: bytes) -> bytes:
    """``whoami``, and whether the group of administrators is among the account's."""
    lines = [line.strip() for line in _lines(text) if line.strip()]
    if not lines:
        return b""
    privilege = "administrator" if any("S-1-5-32-544" in line for line in lines[1:]) else "none"
    return f"user={lines[0]}\nlogin={lines[0]}\nprivilege={privilege}\nlanguage=\n".encode()


def os_release(text: bytes) -> bytes:
    """``CurrentVersion``."""
    found = _named(text)
    if "productname" not in found:
        return b""
    major, minor = found.get("currentmajorversionnumber", "6"), found.get("currentminorversionnumber", "3")
    version = f"{major}.{minor}.{found.get('currentbuildnumber', '')}.{found.get('ubr', '')}"
    return f"ID=windows\nVERSION_ID={version}\nPRETTY_NAME={found['productname']}\n".encode()


def image_state(text: bytes) -> bytes:
    """``Setup\\State`` and ``SYSTEM\\Setup``."""
    found = _named(text)
    if "imagestate" not in found:
        return b""
    progress = _number(found.get("systemsetupinprogress"))
    return _objects({"kind": "image-state", "state": found["imagestate"], "setup_in_progress": progress})


_STATES = {1: "Stopped", 2: "Start Pending", 3: "Stop Pending", 4: "Running", 5: "Continue Pending",
           6: "Pause Pending", 7: "Paused"}  # fmt: skip
_STARTS = {"2": "Auto", "3": "Manual", "4": "Disabled"}
_NO_SUCH_SERVICE = "1060"


def service(text: bytes) -> bytes:
    """``sc queryex``, whose numbers stand in a fixed order, and the service's key."""
    key = _named(text)
    told = [
        line for line in _lines(text) if not line.startswith(("HKEY_", "    ")) or re.match(r" {8}", line)
    ]
    numbers = [found[1] for line in told if (found := re.search(r" *: (\d+|0x[0-9a-fA-F]+)(?: |$)", line))]
    if "start" not in key and len(numbers) < 3:
        absent = any(_NO_SUCH_SERVICE in line for line in told)
        return _objects({"kind": "service", "name": "AmazonSSMAgent", "exists": False}) if absent else b""
    state = _STATES.get(_number(numbers[1]) or 0, "") if len(numbers) > 1 else ""
    return _objects(
        {
            "kind": "service", "name": "AmazonSSMAgent", "exists": True, "state": state,
            "start_mode": _STARTS.get(key.get("start", ""), ""), "start": _number(key.get("start")),
            "delayed": _number(key.get("delayedautostart")), "account": key.get("objectname", ""),
            "path": key.get("imagepath", ""), "exit_code": _number(numbers[2]) if len(numbers) > 2 else None,
            "pid": _number(numbers[6]) if len(numbers) > 6 else None,
            "failure_actions": key.get("failureactions"),
        }
    )  # fmt: skip


def persistent_routes(text: bytes) -> bytes:
    """The values' names beneath ``PersistentRoutes``."""
    found = [{"kind": "value", "store": "registry", "value": name} for _, name, _ in values_of(text)]
    routes = [one for one in found if one["value"].count(",") == 3]
    return _objects(*routes, {"kind": "looked", "cmdlet": False, "registry": bool(routes)})


_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
_ROUTE = re.compile(rf"\s*({_ADDRESS})\s+({_ADDRESS})\s+(\S.*?)\s+({_ADDRESS})\s+(\d{{1,9}})\s*")


def routes(text: bytes) -> bytes:
    """The rows of ``route print -4`` in force: destination, mask, gateway (a word: on the link), interface's
    address, metric.  Kept routes have a column less."""
    found = []
    for line in _lines(text):
        row = _ROUTE.fullmatch(line)
        if row is None:
            continue
        hop = row[3] if re.fullmatch(_ADDRESS, row[3]) else "0.0.0.0"  # noqa: S104  none
        prefix = f"{row[1]}/{_prefix_length(row[2])}"
        route = {"kind": "route", "store": "active", "prefix": prefix, "next_hop": hop}
        found.append({**route, "if_alias": row[4], "metric": int(row[5])})
    return _objects(*found)


def _prefix_length(mask: str) -> int:
    try:
        return IPv4Network(f"0.0.0.0/{mask}").prefixlen
    except ValueError:
        return 32


_ADAPTER = re.compile(r" *(\d{1,9})\.\.\.(?:[0-9a-f]{2} ){6}\.+(.*)")
"""``  5...0a 1b 2c 3d 4e 5f ......Amazon Elastic Network Adapter``, of the list before the routes."""


def addresses(text: bytes) -> bytes:
    """The interfaces' keys: an interface is named by its address, as the rows of ``route print`` do.

    Nothing here says which adapter has which address; only one and one belong together.
    """
    found = list(_own_addresses(text))
    listed = list(filter(None, map(_ADAPTER.fullmatch, _lines(text))))
    only = {"if_index": int(listed[0][1])} if len(listed) == len(found) == 1 else {}
    return _objects(
        *({"kind": "adapter", **only, "name": ip, "status": 1} for ip, _ in found),
        *({"kind": "address", **only, "if_alias": ip, "address": ip, "mask": mask} for ip, mask in found),
    )


def _own_addresses(text: bytes) -> Iterator[tuple[str, str]]:
    """Address and mask of each interface that has one; that of DHCP before one that was set."""
    for _, one in _by_key(text):
        for kind in ("dhcp", ""):
            ip = one.get(f"{kind}ipaddress", "").partition("\\0")[0]
            if _is_address(ip) and ip != "0.0.0.0":  # noqa: S104  none
                yield ip, one.get(f"{kind}subnetmask", "").partition("\\0")[0]
                break


def _by_key(text: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    by_key: dict[str, dict[str, str]] = {}
    for key, name, data in values_of(text):
        by_key.setdefault(key, {})[name.lower()] = data
    yield from by_key.items()


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def resolvers(text: bytes) -> bytes:
    """The name servers of the interfaces' keys, and the name resolution policy."""
    found: list[Mapping[str, Any]] = []
    for key, one in _by_key(text):
        if "dnspolicyconfig" in key.lower():
            names = one.get("name", "").split("\\0")
            found.append(
                {"kind": "nrpt", "names": names, "servers": one.get("genericdnsservers", ""), "path": key}
            )
            continue
        servers = (one.get("nameserver") or one.get("dhcpnameserver") or "").replace(",", " ").split()
        if servers:
            found.append({"kind": "servers", "if_alias": one.get("dhcpipaddress", ""), "servers": servers})
    return _objects(*found)


_LAYERS = (
    ("amazonssmagent", "service"),
    ("session manager", "machine"),
    ("s-1-5-18\\environment", "system-user"),
    ("internet settings", "system-inet"),
)
"""What the key holds, and the layer that it is."""
_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


def proxies(text: bytes) -> bytes:
    """Four of the five layers; WinHTTP's is binary, and not read here."""
    found: list[Mapping[str, Any]] = []
    for key, one in _by_key(text):
        layer = next((name for word, name in _LAYERS if word in key.lower()), "")
        pairs = [part.partition("=") for part in one.get("environment", "").split("\\0")]
        named = {name.lower(): value for name, _, value in pairs} if layer == "service" else one
        if layer == "system-inet":
            on = one.get("proxyenable") == "1"
            named = (
                {"server": one.get("proxyserver", ""), "bypass": one.get("proxyoverride", "")} if on else {}
            )
        for name in (*_VARIABLES, "server", "bypass"):
            if layer and named.get(name):
                value = _SECRET.sub("://***@", named[name])
                found.append({"kind": "setting", "layer": layer, "origin": key, "name": name, "value": value})
    looked = [{"kind": "looked", "layer": layer} for _, layer in _LAYERS]
    return _objects(*found, *looked)


def firewall(text: bytes) -> bytes:
    """The profiles' keys, and the outbound rules that block."""
    found: list[Mapping[str, Any]] = []
    for key, one in _by_key(text):
        name = key.rpartition("\\")[2]
        if name.endswith("Profile"):
            enabled, outbound = _number(one.get("enablefirewall")), _number(one.get("defaultoutboundaction"))
            found.append(
                {"kind": "profile", "name": name, "enabled": enabled, "outbound": outbound, "policy": False}
            )
    rules = [(name, data) for _, name, data in values_of(text) if "|Dir=Out|" in data]
    return _objects(*found, *({"kind": "rule", "name": n, "rule": d, "policy": False} for n, d in rules))


_CURL = re.compile(r"http=([0-9]{3}) exit=([0-9]{1,5})")
_CURL_EXITS = {"0": "answered", "28": "timeout"}
"""curl(1), "EXIT CODES"; 7, no connection, may be many things."""


def imds(text: bytes) -> bytes:
    """Two requests by curl.exe (Server 2019 and later): a token, and the instance's id without one."""
    asked = (("token", "PUT"), ("v1", "GET"))
    told = _CURL.findall(text.decode("utf-8", "replace"))
    records = (
        f"[{name}]\ntool=curl\nmethod={method}\noutcome={_CURL_EXITS.get(code, 'error')}\nhttp={status}\n"
        for (name, method), (status, code) in zip(asked, told, strict=False)
    )
    return "".join(records).encode()


READ: Mapping[str, Callable[[bytes], bytes]] = {
    "hostname": hostname, "whoami": whoami, "os-release": os_release, "image-state": image_state,
    "service": service, "persistent-routes": persistent_routes, "routes": routes, "addresses": addresses,
    "resolv-conf": resolvers, "proxy-layers": proxies, "firewall": firewall, "imds": imds,
}  # fmt: skip
"""By probe."""
