"""Reads the events of a run from the lines of ``actors run --events``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from ..core.records.event import Event
from ..inside.lives.notes import TAKERS
from ..inside.timeline import Timeline
from .events import word_of
from .refusal import RefusedError
from .wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FEW: Final = 3
"""So many problems of a line are told."""


@dataclass(slots=True)
class EventLines:
    """What was read.

    Args:
        timeline: Of the last run in the file.
        runs: How many there are: ``--resume`` goes on with a file.
        is_torn: Was the last line broken off?
        others: How many events were of kinds that are not known here.
    """

    timeline: Timeline
    runs: int = 1
    is_torn: bool = False
    others: int = 0
    kinds: Mapping[str, type[Event]] = field(default_factory=lambda: {word_of(kind): kind for kind in TAKERS})


def read_events(lines: Iterable[bytes], place: str) -> EventLines:
    """Make a timeline of *lines*. The last one may be half: the process that wrote it may have been killed.

    Raises:
        RefusedError: A line is no event; it names the line.
    """
    read = EventLines(Timeline())
    last_seq = -1
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{place}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if line.endswith(b"\n"):
                raise RefusedError(
                    f"{where}: is no JSON: an event stands on each line, as --events writes it"
                ) from None
            read.is_torn = True
            break
        if not isinstance(record, dict) or not isinstance(record.get("event"), str):
            raise RefusedError(f"{where}: is no event: it has no field 'event', as what --events writes has")
        event = _event(record, where, read)
        if event is None:
            continue
        if event.seq < last_seq:  # another process has gone on with the file, and begins at 1 again
            read.timeline = Timeline()
            read.runs += 1
        last_seq = event.seq
        try:
            read.timeline(event)
        except ValueError as error:
            raise RefusedError(f"{where}: {one_line(str(error), 500)}") from None
    if last_seq < 0 and not read.others:
        raise RefusedError(f"{place}: has no events")
    return read


def _event(record: dict[str, Any], where: str, read: EventLines) -> Event | None:
    """The event of one line; None: its kind is not known."""
    kind = read.kinds.get(record["event"])
    if kind is None or kind is Event:
        read.others += 1
        return None
    known = {name: value for name, value in record.items() if name in kind.model_fields}
    try:
        known["moment"] = _moment(record)
        return kind(**known)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:FEW]]
        raise RefusedError(f"{where}: is no {record['event']}: {one_line('; '.join(problems), 500)}") from None
    except (TypeError, ValueError) as error:
        raise RefusedError(f"{where}: is no {record['event']}: {one_line(str(error), 500)}") from None


def _moment(record: Mapping[str, Any]) -> float:
    """On the monotonic clock; of lines that were written before there were moments the time of day."""
    moment = record.get("moment")
    if moment is None:
        at = record.get("at")
        if not isinstance(at, str):
            raise ValueError("it has neither a moment nor a time")
        return datetime.fromisoformat(at).timestamp()
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not math.isfinite(moment):
        raise ValueError(f"moment is no number of seconds: {moment!r}")
    return float(moment)
