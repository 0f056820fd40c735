"""Names of tools and ids of calls that servers make up."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from actors.drivers.edge.names import CallIds, ToolNames
from actors.drivers.edge.profiles import PROFILES

from ..target import Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


MOST = 2_000
"""Texts of one input: an answer has fewer."""


class Names(Target):
    """A list of texts, as JSON; else each line is one."""

    about = "names of tools and ids of calls"
    words = (b'"call"', b'"_2"', b"_2", b"functions.", b":0", b'"", ', b'"a", "a", ')

    def seeds(self) -> Iterable[bytes]:
        """As servers make them up."""
        return (
            b'["wipe", "math.add", "math_add", "math:add", "1up", "_1up", ""]',
            b'["call_1", "call_1", "functions.f:0", "toolu_01A", "call", "", "abcdefghi", "abcdefghi_2"]',
            json.dumps(["x" * 64, "x" * 65, "x" * 63 + "_2", "\u00e9", "\ud800", "\u0661"]).encode(),
        )

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """Each is said as servers take it, and means what it meant."""
        texts = _texts(data)[:MOST]
        names = ToolNames(texts)
        said = {name: names.said(name) for name in texts}
        hold(all(map(NAME.fullmatch, said.values())), "names are such as servers take", said)
        hold(len(set(said.values())) == len(said), "each tool has a name of its own", said)
        hold(all(names.meant(other) == name for name, other in said.items()), "each name means its tool", said)
        for profile in PROFILES.values():
            pattern = re.compile(profile.call_id)
            ids = CallIds(pattern, profile.call_id_length)
            seen = []
            for text in texts:
                seen.append(ids.of_call(text))
                hold(ids.of_result(text) == seen[-1], "each result has the id of its call", text)
            hold(all(map(pattern.fullmatch, seen)), "ids are such as the server takes", seen)
            hold(len(set(seen)) == len(seen), "each call has an id of its own", seen)
        return min(len(texts), 3), len(set(texts)) == len(texts), any(name != other for name, other in said.items())

    def grown(self, data: bytes, times: int) -> bytes | None:
        """So many of each."""
        texts = _texts(data)
        return json.dumps(texts * times).encode() if len(texts) * times <= MOST else None


def _texts(data: bytes) -> list[str]:
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        given = None
    if isinstance(given, list):
        return [text for text in given if isinstance(text, str)]
    return data.decode(errors="replace").split("\n")


TARGET = Names()
