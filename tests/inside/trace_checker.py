"""Reads Chrome's Trace Event JSON as strictly as Perfetto would wish."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]


def ns(microseconds: float) -> int:
    """Exactly, for comparisons."""
    return round(microseconds * 1_000)


def refuse(word: str) -> None:
    """No JSON has NaN and infinities."""
    raise AssertionError(f"{word} is no JSON")


class Trace:
    """A file that was checked: its events by kind.

    Guarantees: it is JSON that UTF-8 can encode; every event is of a known kind; no two slices of a track overlap;
    times never run back; each arrow has one beginning and one end, in that order, with an id of its own, inside slices
    of their tracks; each track that has something has a name.
    """

    def __init__(self, text: str) -> None:
        text.encode()
        self.whole = json.loads(text, parse_constant=refuse)
        self.events: list[Event] = self.whole["traceEvents"]
        self.slices = self.of("X")
        self.arrows = [*self.of("s"), *self.of("f")]
        self._check_order()
        self._check_tracks()
        self._check_arrows()

    @classmethod
    def read(cls, path: Path) -> Trace:
        """That file."""
        return cls(path.read_bytes().decode())

    def of(self, kind: str) -> list[Event]:
        """All of one kind."""
        return [event for event in self.events if event["ph"] == kind]

    def track(self, number: int) -> str:
        """What a track is called."""
        (name,) = [e["args"]["name"] for e in self.of("M") if e["name"] == "thread_name" and e["tid"] == number]
        return str(name)

    def _check_order(self) -> None:
        assert {event["ph"] for event in self.events} <= set("XsfiCM")
        assert {event["pid"] for event in self.events} <= {1}
        times = [event["ts"] for event in self.events if event["ph"] != "M"]
        assert times == sorted(times)
        assert all(time >= 0 for time in times)

    def _check_tracks(self) -> None:
        tracks: defaultdict[int, list[Event]] = defaultdict(list)
        for event in self.slices:
            assert event["dur"] >= 0
            tracks[event["tid"]].append(event)
        for of_track in tracks.values():
            end = 0
            for event in of_track:
                assert ns(event["ts"]) >= end, f"{event} begins before another one on its track has ended"
                end = max(end, ns(event["ts"]) + ns(event["dur"]))
        named = Counter(e["tid"] for e in self.of("M") if e["name"] == "thread_name")
        assert set(named.values()) <= {1}
        assert set(tracks) <= set(named)

    def _check_arrows(self) -> None:
        tails = {event["id"]: event for event in self.of("s")}
        tips = {event["id"]: event for event in self.of("f")}
        assert len(tails) == len(self.of("s"))
        assert tails.keys() == tips.keys()
        for number, tail in tails.items():
            tip = tips[number]
            assert ns(tail["ts"]) <= ns(tip["ts"])
            for event in (tail, tip):
                assert any(self._is_around(each, event) for each in self.slices), f"{event} is in no slice"

    @staticmethod
    def _is_around(each: Event, event: Event) -> bool:
        begin, end = ns(each["ts"]), ns(each["ts"]) + ns(each["dur"])
        return bool(each["tid"] == event["tid"] and begin <= ns(event["ts"]) <= end)
