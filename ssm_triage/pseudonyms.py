"""Stand-ins for what tells a host apart: the same value has the same one all through a call, and its shape.

A stand-in comes from the value and a random key that is never kept, so nobody can guess a value and check.
Addresses keep their first octet (what is private stays private) and their last, and two that share a prefix
share one of the same length afterwards, as in Crypto-PAn (Xu et al., ICNP 2002): a subnet stays a subnet.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

_KEPT_4 = tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
_KEPT_6 = tuple(map(ip_network, ("::/127", "fe80::/10", "fd00:ec2::/32", "ff00::/8")))
_CLASS_BITS = {100: 10, 169: 16, 172: 12, 192: 16, 198: 16}
"""First octets within which private and public networks lie side by side: how many bits tell them apart."""
_PUBLIC_LABELS = frozenset((
    "ac", "amazonaws", "aws", "co", "com", "compute", "corp", "ec2", "edu", "example", "gov", "home",
    "internal", "invalid", "io", "lan", "local", "localdomain", "localhost", "net", "org", "test", "www",
))  # fmt: skip


class Pseudonyms:
    """The stand-ins of one call.  ``used`` is the key map: by kind, what stands for what."""

    def __init__(self, key: bytes) -> None:
        self.used: dict[str, dict[str, str]] = {}
        self._key = key
        self._flip = lru_cache(maxsize=1 << 16)(self._bit)

    def name(self, kind: str, value: str) -> str:
        """A name of its kind: ``user-1f2e3d4c``."""
        return self._known(kind, value, lambda: f"{kind}-{self._hex(kind, value, 8)}")

    def host(self, name: str) -> str:
        """A host or domain name, label by label: hosts of one domain stay in one domain."""
        labels = name.lower().split(".")
        return self._known("host", name, lambda: ".".join(map(self._label, labels)))

    def resource(self, value: str) -> str:
        """``i-0123456789abcdef0`` and its kin: the same prefix, as many digits."""
        prefix, _, digits = value.partition("-")
        return self._known("resource", value, lambda: f"{prefix}-{self._hex('id', value, len(digits))}")

    def account(self, value: str) -> str:
        """Twelve digits."""
        return self._known(
            "account", value, lambda: f"{int(self._hex('account', value, 16), 16) % 10**12:012}"
        )

    def key_id(self, value: str) -> str:
        """``AKIA...``, ``AROA...``: the same four letters, as many others."""
        tail = self._hex("key", value, len(value) - 4).upper()
        return self._known("key-id", value, lambda: value[:4] + tail)

    def fingerprint(self, value: str) -> str:
        """The base64 of a SHA-256 of a key."""
        return self._known("fingerprint", value, lambda: self._hex("fingerprint", value, 43))

    def mac(self, value: str) -> str:
        """The first octet stays: it says whether the address is a local one."""
        octets = bytes.fromhex(re.sub("[:-]", "", value))
        if octets in (bytes(6), b"\xff" * 6):
            return value
        tail = self._hex("mac", octets.hex(), 10)
        digits = [octets[:1].hex(), *(tail[at : at + 2] for at in range(0, 10, 2))]
        return self._known("mac", value, lambda: value[2].join(digits))

    def address(self, address: IPv4Address, prefix: int = 32) -> IPv4Address:
        """An address of version 4; of a network (nothing set behind ``prefix``), the network's."""
        if any(address in kept for kept in _KEPT_4):
            return address
        bits, first = int(address), int(address) >> 24
        mapped = self._mapped(bits, 32, _CLASS_BITS.get(first, 8), 24)
        if prefix < 32 and not bits & ((1 << 32 - prefix) - 1):
            mapped &= ~((1 << 32 - prefix) - 1)
        shown = IPv4Address(mapped)
        self._known("address", str(address), lambda: str(shown))
        return shown

    def address_6(self, address: IPv6Address) -> IPv6Address:
        """An address of version 6; where the lower half is made from a MAC, from that one's stand-in."""
        if address.ipv4_mapped is not None:
            return IPv6Address(b"\0" * 10 + b"\xff\xff" + self.address(address.ipv4_mapped).packed)
        packed = address.packed
        if packed[11:13] == b"\xff\xfe":
            low = _eui_64(self.mac(_mac_of(packed[8:]).hex(":")))
        elif any(address in kept for kept in _KEPT_6):
            return address
        else:
            low = packed[8:] if not any(packed[8:-1]) else self._digest("low", packed[8:])[:8]
        high = packed[:8]
        if not any(address in kept for kept in _KEPT_6):
            high = self._mapped(int.from_bytes(high), 64, 16, 64).to_bytes(8)
        shown = IPv6Address(high + low)
        self._known("address", str(address), lambda: str(shown))
        return shown

    def _mapped(self, bits: int, width: int, start: int, end: int) -> int:
        """Flip bits ``start`` to ``end`` (from the top), each as the bits before it say."""
        for at in range(start, end):
            if self._flip(bits >> (width - at), at, width):
                bits ^= 1 << (width - at - 1)
        return bits

    def _bit(self, before: int, at: int, width: int) -> bool:
        # ``before`` holds bits that were flipped already: as good a name for the branch as the original.
        return bool(self._digest("bit", f"{width}:{at}:{before}".encode())[0] & 1)

    def _label(self, label: str) -> str:
        if label in _PUBLIC_LABELS or (len(label) <= 3 and label.isalpha()) or not label:
            return label
        return f"h{self._hex('label', label, 8)}"

    def _known(self, kind: str, value: str, make: Callable[[], str]) -> str:
        known = self.used.setdefault(kind, {})
        if value not in known:
            known[value] = make()
        return known[value]

    def _hex(self, kind: str, value: str, digits: int) -> str:
        return self._digest(kind, value.encode("utf-8", "surrogateescape")).hex()[:digits]

    def _digest(self, kind: str, value: bytes) -> bytes:
        return hashlib.blake2b(value, key=self._key, person=kind.encode(), digest_size=32).digest()


def _mac_of(interface: bytes) -> bytes:
    """The MAC within a modified EUI-64 (RFC 4291, appendix A)."""
    return bytes([interface[0] ^ 2]) + interface[1:3] + interface[5:]


def _eui_64(mac: str) -> bytes:
    octets = bytes.fromhex(mac.replace(":", ""))
    return bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
