"""Moments that a filter names."""

from __future__ import annotations

from datetime import UTC, datetime


def in_utc(moment: datetime) -> datetime:
    """*moment* in UTC; without a time zone it is local time, as always in Python."""
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        # At either end of the calendar, where the zone's offset decides nothing.
        return moment.replace(tzinfo=UTC)
