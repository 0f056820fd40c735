"""One row of the results: what was asked, and how it ended."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..core.crash import place_of, text_of as error_text
from ..core.places import PACKAGE
from ..core.records.json_value import to_json
from ..core.records.loop_result import AgentLoopResult
from ..core.records.outcome_row import error_type_of
from ..errors import AgentCrashed, RemoteError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..core.records.outcome import AgentOutcome
    from ..errors import ActorsError
    from .job import Job

COLUMNS = (
    *("key", "agent_id", "name", "query", "tag", "status", "result", "error", "place", "traceback", "model", "usage"),
    *("tokens", "iterations", "tool_calls", "cost_usd", "started_at", "ended_at", "seconds"),
)
"""What a row of JSON has, in order, beside the fields of its input."""
CSV_END = ("error", "place", "traceback", "model", "input_tokens", "output_tokens", "tokens", "cost_usd", "seconds")
"""The last columns of CSV."""


def row_of(job: Job, key: str, outcome: AgentOutcome[Any]) -> dict[str, Any]:
    """The row of one agent. Every one has every column; what does not apply is null.

    Args:
        job: What it was started for.
        key: Tells its row from all others.
    """
    started, error, usage = outcome.started_at, outcome.error, outcome.usage
    return {
        "key": key,
        **{input_name(name): value for name, value in job.fields.items()},
        "agent_id": outcome.agent_id,
        "name": outcome.name,
        "query": outcome.query,
        "tag": job.tag,
        "status": outcome.status,
        "result": outcome.result.text if isinstance(outcome.result, AgentLoopResult) else outcome.result,
        "error": None if error is None else error_fields(error),
        "place": place_text(outcome),
        "traceback": outcome.traceback,
        "model": outcome.model,
        "usage": asdict(usage),
        "tokens": usage.total,
        "iterations": outcome.iterations,
        "tool_calls": outcome.tool_calls,
        "cost_usd": outcome.cost_usd,
        "started_at": None if started is None else started.isoformat(),
        "ended_at": outcome.ended_at.isoformat(),
        "seconds": round(outcome.duration, 6),
    }


def input_name(field: str) -> str:
    """The column of a field of the input: its own name, unless a row has a column of that name. No two fields share
    one: rows that are the input of a further run may have both ``key`` and ``input_key``.
    """
    bare = field
    while bare.startswith("input_") and bare not in CSV_END:
        bare = bare.removeprefix("input_")
    return f"input_{field}" if bare in COLUMNS or bare in CSV_END else field


class CsvShape:
    """Which columns a file of CSV has, and what stands in them.

    Args:
        fields: Of the input, that come back.
        results: Fields of the results, which then have columns of their own; None: they stand in one, ``result``.
        queries: Are the queries none of the fields?
        tags: Does a job have a tag?
    """

    def __init__(self, fields: Sequence[str], results: Sequence[str] | None, *, queries: bool, tags: bool) -> None:
        inputs = [input_name(field) for field in fields]
        first = ["key", *inputs, "name", *["query"] * queries, *["tag"] * tags, "status"]
        taken = {*first, *COLUMNS, *CSV_END}
        self._results: dict[str, str] = {}
        for field in results or ():
            self._results[field] = column = free_name(field, taken)
            taken.add(column)
        self.columns = [*first, *(self._results.values() or ["result"]), *CSV_END]

    def flat(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """*row*, with what its columns need."""
        error, usage = row["error"], row["usage"]
        return {
            **row,
            **self._result(row["result"]),
            "error": None if error is None else error_line(error),
            "input_tokens": usage["input_tokens"],
            "output_tokens": usage["output_tokens"],
        }

    def _result(self, result: Any) -> dict[str, Any]:
        written = to_json(result) if self._results else None
        if not isinstance(written, dict):
            return {}
        return {column: written.get(field) for field, column in self._results.items()}


def free_name(field: str, taken: Collection[str]) -> str:
    """The column of a field of the results: its own name, or with ``result.`` before it until nothing has that name."""
    while field in taken:
        field = f"result.{field}"
    return field


def error_fields(error: ActorsError) -> dict[str, str]:
    """What is told of *error*: for a crash, the exception that the agent's code raised."""
    text = error.text if isinstance(error, AgentCrashed | RemoteError) else error_text(error)
    return {"type": error_type_of(error), "text": text}


def error_line(error: Mapping[str, str]) -> str:
    """``KeyError: 'b'``."""
    return f"{error['type']}: {error['text']}" if error["text"] else error["type"]


def place_text(outcome: AgentOutcome[Any]) -> str | None:
    """``file:line in function``, where the agent's code raised; the file as seen from the current folder. A line of
    this package helps nobody: what such an error says is for its reader.
    """
    place = None if outcome.error is None else place_of(outcome.error)
    return (
        None
        if place is None or place.file.startswith(PACKAGE)
        else f"{near(place.file)}:{place.line} in {place.function}"
    )


def near(path: str) -> str:
    """*path* as seen from the current folder, if it is in there."""
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here) if len(path) > len(here) else path


def text_of(outcome: AgentOutcome[Any]) -> str:
    """The result, or the error, as a text for people."""
    if outcome.error is not None:
        return error_text(outcome.error) or type(outcome.error).__name__
    result = outcome.result
    if isinstance(result, AgentLoopResult):
        return result.text
    if result is None:
        return ""
    if isinstance(result, BaseModel | dict | list):
        return json.dumps(to_json(result), ensure_ascii=False)
    try:
        return str(result)
    except Exception as error:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<{type(result).__qualname__}, whose str raised {type(error).__name__}>"
