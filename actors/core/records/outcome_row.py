"""Outcomes as flat rows, for CSV, Parquet or a DataFrame."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import AgentCrashed, RemoteError
from ..crash import place_of, text_of
from .content import content_of, is_content, text_of_content
from .json_marks import MARK
from .json_value import class_name, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ...errors import ActorsError

    Cell: TypeAlias = str | int | float | bool | None
    Row: TypeAlias = dict[str, Cell]

MOST = 100
"""Columns of one result; what has more of them is JSON alone: a count of words would make a column of each."""
WORDLESS = {"collections.deque", "list", "set", "frozenset", "tuple", "bytes", "bytearray", "dict"}
"""Marks whose value alone would not say what it was."""
_INT64 = 2**63


def row_of(outcome: Mapping[str, Any]) -> Row:
    """The fields of an outcome, by their names, in plain values."""
    usage, total = outcome["usage"], outcome["usage_total"]
    has_key = outcome["key"] is not None
    return {
        **_cells(outcome, "agent_id", "name", *["key"] * has_key, "tag", "status"),
        "ok": outcome["status"] == "completed",
        **_cells(outcome, *["recalled"] * has_key),
        "query": _query_of(outcome["query"]),
        **_result_of(outcome["result"]),
        **_error_of(outcome["error"]),
        **_cells(outcome, "model", *["answered_by"] * (outcome["answered_by"] is not None)),
        **{field.name: cell(getattr(usage, field.name)) for field in fields(usage)},
        **_cells(outcome, "cost_usd", "iterations", "tool_calls"),
        "input_tokens_total": cell(total.input_tokens),
        "output_tokens_total": cell(total.output_tokens),
        **_cells(outcome, "cost_usd_total", "restarts"),
        "started_at": _moment(outcome["started_at"]),
        "ended_at": _moment(outcome["ended_at"]),
        **_cells(outcome, "duration", "parent_id", "depth"),
    }


def aligned(rows: Sequence[Row]) -> list[Row]:
    """*rows* with the same columns in the same order: what one does not have is None."""
    of_results: dict[str, None] = {}
    others: dict[str, None] = {}
    for row in rows:
        for name in row:
            (of_results if name.startswith("result.") else others)[name] = None
    names = [each for name in others for each in ((name, *of_results) if name == "result" else (name,))]
    return [{name: row.get(name) for name in names} for row in rows]


def cell(value: Any) -> Cell:
    """*value* in one cell: texts, numbers and truth values as they are, moments and paths as text, the rest as JSON."""
    return _cell(to_json(value))


def error_type_of(error: ActorsError) -> str:
    """The name of its class; of a crash, that of what the agent's code raised."""
    if isinstance(error, AgentCrashed | RemoteError):
        return error.type_name
    return class_name(type(error)).removeprefix("actors.errors.")


def _cells(outcome: Mapping[str, Any], *names: str) -> Row:
    return {name: cell(outcome[name]) for name in names}


def _query_of(query: Any) -> Cell:
    """It in one cell: content in parts in words, since nobody reads an image there."""
    if not is_content(query):
        return cell(query)
    try:
        return cell(text_of_content(content_of(query)))
    except (TypeError, ValueError):  # a list with other things among them
        return cell(query)


def _error_of(error: ActorsError | None) -> Row:
    if error is None:
        return {"error_type": None, "error": None, "place": None}
    text = error.text if isinstance(error, AgentCrashed | RemoteError) else text_of(error)
    try:
        place = place_of(error)
    except Exception:  # noqa: BLE001 - what a user's class does when it is looked at
        place = None
    return {
        "error_type": cell(error_type_of(error)),
        "error": cell(text),
        "place": None if place is None else cell(str(place)),
    }


def _result_of(result: Any) -> Row:
    look = type.__getattribute__(type(result), "__dict__").get("_glance_")  # of an answer, which is more than its text
    written = to_json(result if look is None else look(result))
    columns: Row = {}
    _flatten("result", written, columns)
    if columns.keys() == {"result"} or len(columns) > MOST:
        return {"result": _cell(written)}
    return {"result": _dumped(written), **columns}


def _flatten(name: str, written: Any, columns: Row) -> None:
    entries = _entries_of(written)
    if not entries:
        columns.setdefault(name, _cell(written))  # of two of one name the first: the JSON has both
    for key, each in entries:
        if len(columns) <= MOST:
            _flatten(f"{name}.{key}", each, columns)


def _entries_of(written: Any) -> list[tuple[str, Any]]:
    if not isinstance(written, dict):
        return []
    if MARK not in written:
        return list(written.items())
    held = written.get("value")
    if written[MARK] != "dict" or not isinstance(held, dict | list):
        return []
    return list(held.items()) if isinstance(held, dict) else [(str(_cell(key)), each) for key, each in held]


def _cell(written: Any) -> Cell:
    """What :func:`to_json` wrote, in one cell: as JSON where it is no plain value."""
    if isinstance(written, int) and not -_INT64 <= written < _INT64:
        return str(written)
    if written is None or isinstance(written, str | int | float):
        return written
    if isinstance(written, dict) and MARK in written and "value" in written and written[MARK] not in WORDLESS:
        if written[MARK] == "float":
            return float(written["value"])
        if isinstance(written["value"], str | int | float):  # a moment, a path, the value of an enumeration
            return _cell(written["value"])
    return _dumped(written)


def _dumped(written: Any) -> str:
    return json.dumps(written, ensure_ascii=False)


def _moment(at: datetime | None) -> str | None:
    """Always to the microsecond: what reads a column takes the form of the first for all."""
    return None if at is None else at.isoformat(timespec="microseconds")
