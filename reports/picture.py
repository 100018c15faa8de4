"""The picture of the path that the agent needs: what works, what fails, and where it stops.

Geometry only; ``templates/picture.j2`` draws it.  The host stands at the left, its gateway below it.  What
lies behind the gateway hangs on the gateway, endpoints hang on the proxy where one is in use.  Instance
metadata is link-local and hangs on the host itself.  What works although the gateway does not must have
another way, and hangs on the host too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from analyzers.diagnosis import Hop
from reports.clean import one_line

ROW, BOX, MARK = 60, 46, 9
_NEAR, _PROXY, _LEAF, _GAP = 138, 166, 380, 50
"""Widths: of the host and the gateway, the proxy, what lies at the end, and of the room between."""
_LEAF_PROXIED = 252
WIDTH = _NEAR + _GAP + _PROXY + _GAP + _LEAF_PROXIED
"""At most."""
_DRAWN = ("unused", "unknown", "failed", "ok")
"""Legs in this order: of a line that several share, a failure shows only where it leaves what works."""
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

    @property
    def bottom(self) -> int:
        return self.y + BOX


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
    # Each box takes a row at least: the host its own, a proxy with nothing behind it too; a gateway takes
    # two, so that the line down to it has room for its mark.
    behind_proxy = len(proxied) or (1 if proxy else 0)
    behind_gateway = max(len(routed) + behind_proxy, 2 if gateway else 0)
    beside_host = max(len(direct), 1 if gateway or not behind_gateway else 0)
    rows = beside_host + behind_gateway

    root = _box(Hop("host", host, "ok"), 0, _midway(0, beside_host if gateway else rows), _NEAR)
    boxes, legs = [root], []
    exit_box = proxy_box = root
    if gateway:
        exit_box = _box(gateway, 0, _midway(beside_host, behind_gateway), _NEAR)
        boxes.append(exit_box)
        legs.append(_drop(root, exit_box))
    if proxy:
        row = beside_host + len(routed)
        proxy_box = _box(proxy, exit_box.right + _GAP, _midway(row, behind_proxy), _PROXY)
        boxes.append(proxy_box)
        legs.append(_leg(exit_box, proxy_box))
    else:
        proxy_box = exit_box
    width = _LEAF_PROXIED if proxy else _LEAF
    x = _NEAR + _GAP + (_PROXY + _GAP if proxy else 0)
    starts = [root] * len(direct) + [exit_box] * len(routed) + [proxy_box] * len(proxied)
    places = [*range(len(direct)), *range(beside_host, rows)]
    for row, start, hop in zip(places, starts, direct + routed + proxied, strict=False):
        boxes.append(_box(hop, x, row * ROW, width))
        legs.append(_leg(start, boxes[-1]))
    legs.sort(key=lambda leg: (not leg.cut_off, _DRAWN.index(leg.state)))
    return Picture(x + width, rows * ROW, tuple(boxes), tuple(legs))


def _midway(first_row: int, rows: int) -> int:
    """Where a box stands that is midway beside its rows."""
    return (first_row * 2 + rows - 1) * ROW // 2


def _is_direct(hop: Hop, gateway: Hop | None, proxy: Hop | None) -> bool:
    if hop.kind == "imds":
        return True
    stopped = gateway is not None and gateway.state == "failed"
    return stopped and hop.state == "ok" and not (proxy and hop.kind == "endpoint")


def _box(hop: Hop, x: int, y: int, width: int) -> Box:
    return Box(hop, x, y + (ROW - BOX) // 2, width, fit(one_line(hop.name, 80), width - 24))


def _drop(start: Box, end: Box) -> Leg:
    """A line straight down, with its mark midway."""
    x, mark = start.x + start.width // 2, (start.bottom + end.y) // 2
    reached, beyond = f"M{x} {start.bottom}V{mark - MARK}", f"M{x} {mark + MARK}V{end.y}"
    return Leg(end.hop.state, False, reached, beyond, x, mark)


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
    if char in "ijlt.,:;'|! ":
        return 5.4
    return 10.5 if char.isupper() or char in "⟨⟩" else 8.7
