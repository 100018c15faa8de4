"""The picture of the path that the agent needs: what works, what fails, and where it stops.

Geometry only; ``templates/picture.j2`` draws it.  The host stands at the left.  What lies behind the gateway
hangs on the gateway, endpoints hang on the proxy where one is in use.  Instance metadata is link-local and
hangs on the host itself.  What works although the gateway does not must have another way, and hangs on the
host too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from analyzers.diagnosis import Hop
from reports.clean import one_line

ROW, BOX, MARK = 62, 46, 9
WIDTH = 700
_HOST, _GATEWAY, _PROXY, _GAP, _LEAF = 110, 124, 166, 40, 290
MOST = 16
"""Hops drawn at most; the list beside the picture has them all."""


@dataclass(frozen=True, slots=True)
class Box:
    """One hop, in pixels of the picture."""

    hop: Hop
    x: int
    y: int
    width: int
    name: str
    """Cut to what the box holds."""

    @property
    def middle(self) -> int:
        return self.y + BOX // 2

    @property
    def right(self) -> int:
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Leg:
    """The line to one hop, with its mark.  Of a failed leg only ``reached`` is drawn firmly."""

    state: str
    cut_off: bool
    """It begins at a hop that is itself not reached."""
    reached: str
    beyond: str
    mark_x: int
    mark_y: int


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    boxes: tuple[Box, ...]
    legs: tuple[Leg, ...]


def draw(host: str, hops: Sequence[Hop]) -> Picture:
    """Lay out the path of one host."""
    gateway = next((hop for hop in hops if hop.kind == "gateway"), None)
    proxy = next((hop for hop in hops if hop.kind == "proxy" and hop.state != "unused"), None)
    leaves = [hop for hop in hops if hop is not gateway and hop is not proxy][:MOST]
    direct = [hop for hop in leaves if _is_direct(hop, gateway, proxy)]
    proxied = [hop for hop in leaves if proxy and hop.kind == "endpoint"]
    routed = [hop for hop in leaves if hop not in direct and hop not in proxied]
    # A gateway or proxy with nothing behind it takes a row of its own.
    behind_proxy = len(proxied) or (1 if proxy else 0)
    behind_gateway = len(routed) + behind_proxy or (1 if gateway else 0)
    bottom = max(len(direct) + behind_gateway, 1) * ROW

    root = _box(Hop("host", host, "ok"), 0, (bottom - ROW) // 2, _HOST)
    boxes, legs = [root], []

    def add(start: Box, hop: Hop, x: int, y: int, width: int) -> Box:
        box = _box(hop, x, y, width)
        boxes.append(box)
        legs.append(_leg(start, box))
        return box

    def between(start: Box, hop: Hop | None, width: int, first_row: int, rows: int) -> Box:
        """A box midway beside its rows; where there is no such hop, what follows hangs on ``start``."""
        if hop is None:
            return start
        return add(start, hop, start.right + _GAP, (first_row * 2 + rows - 1) * ROW // 2, width)

    exit_box = between(root, gateway, _GATEWAY, len(direct), behind_gateway)
    proxy_box = between(exit_box, proxy, _PROXY, len(direct) + len(routed), behind_proxy)
    width = min(_LEAF, WIDTH - proxy_box.right - _GAP)
    starts = [root] * len(direct) + [exit_box] * len(routed) + [proxy_box] * len(proxied)
    for row, (start, hop) in enumerate(zip(starts, direct + routed + proxied, strict=True)):
        add(start, hop, WIDTH - width, row * ROW, width)
    legs.sort(key=lambda leg: (not leg.cut_off, leg.state == "failed"))
    return Picture(WIDTH, bottom, tuple(boxes), tuple(legs))


def _is_direct(hop: Hop, gateway: Hop | None, proxy: Hop | None) -> bool:
    if hop.kind == "imds":
        return True
    stopped = gateway is not None and gateway.state == "failed"
    return stopped and hop.state == "ok" and not (proxy and hop.kind == "endpoint")


def _box(hop: Hop, x: int, y: int, width: int) -> Box:
    return Box(hop, x, y + (ROW - BOX) // 2, width, fit(one_line(hop.name, 80), width - 22))


def _leg(start: Box, end: Box) -> Leg:
    """A line that leaves ``start`` level, turns once, and comes to ``end`` level."""
    turn, mark = start.right + _GAP // 3, end.x - _GAP // 3
    way = f"M{start.right} {start.middle}H{turn - 6}"
    if start.middle != end.middle:
        step = 6 if end.middle > start.middle else -6
        way += f"Q{turn} {start.middle} {turn} {start.middle + step}V{end.middle - step}"
        way += f"Q{turn} {end.middle} {turn + 6} {end.middle}"
    cut_off = start.hop.state == "failed"
    return Leg(
        end.hop.state,
        cut_off,
        f"{way}H{mark - MARK}",
        f"M{mark + MARK} {end.middle}H{end.x}",
        mark,
        end.middle,
    )


def fit(text: str, pixels: int) -> str:
    """``text`` in the picture's bold 13 px letters, its end left out where it would not fit."""
    if _width(text) <= pixels:
        return text
    text = text.removesuffix(".amazonaws.com")
    while text and _width(text) > pixels - 9:
        text = text[:-1]
    return f"{text}…"


def _width(text: str) -> float:
    """Pixels, reckoned for a wide font: every reader has another one."""
    return sum(map(_letter, text))


def _letter(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF" or char in "MWmw@%":
        return 14.5
    return 10.5 if char.isupper() or char in "⟨⟩" else 8.4
