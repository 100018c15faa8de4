"""Moments and spans as a report writes them: ISO dates, which read the same in every language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from reports.i18n import Translator

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def utc_text(moment: datetime) -> str:
    """``2026-11-23 06:37:35 UTC``; without the zone where the host's was not known."""
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def host_text(moment: datetime, offset: timedelta | None) -> str:
    """``15:37:35 +09:00``, as the host's wall clock shows it; empty where that tells nothing new.

    The date comes along where it is another day there.
    """
    if moment.tzinfo is None or not offset:
        return ""
    try:
        there = moment.astimezone(timezone(offset))
    except (ValueError, OverflowError):  # a host may claim any offset, and any year
        return ""
    day = "" if there.date() == moment.astimezone(UTC).date() else f"{there:%Y-%m-%d} "
    sign, seconds = ("-", -offset) if offset < timedelta() else ("+", offset)
    hours, minutes = divmod(int(seconds.total_seconds()) // _MINUTE, 60)
    return f"{day}{there:%H:%M:%S} {sign}{hours:02d}:{minutes:02d}"


def attribute(moment: datetime) -> str:
    """The value of ``<time datetime>``."""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="seconds")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def between(earlier: datetime | None, later: datetime | None) -> timedelta | None:
    """How long; ``None`` where one moment is missing or only one of them knows its zone."""
    if earlier is None or later is None or (earlier.tzinfo is None) != (later.tzinfo is None):
        return None
    return later - earlier


def span_text(span: timedelta, translate: Translator) -> str:
    """``3 d 4 h``, ``2 h 10 min``, ``45 s``: the two largest units that say something."""
    seconds = abs(int(span.total_seconds()))
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        large, small = (
            translate.gettext("{n} d", n=f"{days:,}"),
            hours and translate.gettext("{n} h", n=hours),
        )
    elif hours:
        large, small = (
            translate.gettext("{n} h", n=hours),
            minutes and translate.gettext("{n} min", n=minutes),
        )
    elif minutes:
        large, small = translate.gettext("{n} min", n=minutes), 0
    else:
        large, small = translate.gettext("{n} s", n=seconds), 0
    return f"{large} {small}" if small else large


def sortable(moment: datetime) -> datetime:
    """Aware, so that moments with and without a zone can stand in one order."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
