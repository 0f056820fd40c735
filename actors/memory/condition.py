"""What a filter demands, in SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .moment import in_utc
from .stored_text import stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ..agent.ports import MemoryFilter


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows of ``fragment``.

    Args:
        sql: With leading " AND "; names of columns alone, no values.
    """

    sql: str
    values: tuple[Any, ...]

    def among(self, connection: sqlite3.Connection, numbers: Iterable[int]) -> set[int]:
        """Those of *numbers* that fulfil it."""
        found = connection.execute(
            f"SELECT number FROM fragment WHERE number IN (SELECT value FROM json_each(?)){self.sql}",  # noqa: S608
            (json.dumps(list(numbers)), *self.values),
        )
        return {number for (number,) in found}


def condition_of(filter: MemoryFilter | None) -> Condition | None:  # noqa: A002 - as in recall
    """What *filter* demands of a fragment; None when it demands nothing."""
    if filter is None:
        return None
    parts: list[str] = []
    values: list[Any] = []
    if filter.agent is not None:
        parts.append(" AND fragment.agent = ?")
        values.append(stored(filter.agent))
    if filter.source is not None:
        parts.append(" AND fragment.source = ?")
        values.append(str(filter.source))
    if filter.since is not None:
        parts.append(" AND fragment.at >= ?")
        values.append(in_utc(filter.since).timestamp())
    return Condition("".join(parts), tuple(values)) if parts else None
