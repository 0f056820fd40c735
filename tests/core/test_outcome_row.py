"""Outcomes as flat rows."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentLoopResult,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    ImagePart,
    Outcomes,
    ScriptedDriver,
    SpawnConfig,
)
from actors.errors import AgentError, InferenceFailed, RemoteError
from actors.ports import TokenUsage

from .test_json_value import Color, Hostile, Thing, Word
from .test_outcome_json import AT, Refused, outcome

COLUMNS = """agent_id name tag status ok query result error_type error place model input_tokens output_tokens
cached_input_tokens cache_write_tokens reasoning_tokens cost_usd iterations tool_calls input_tokens_total
output_tokens_total cost_usd_total restarts started_at ended_at duration parent_id depth""".split()  # noqa: SIM905


class Verdict(BaseModel):
    """A result with names in it."""

    label: str
    scores: dict[str, float] = {}
    tags: list[str] = []


def result_of(result: Any) -> dict[str, Any]:
    """The columns of a result."""
    return {name: value for name, value in outcome(result=result).to_row().items() if name.startswith("result")}


def test_a_row_has_all_of_it() -> None:
    """In this order, in plain values."""
    spent = {
        "usage": TokenUsage(9, 5, 4, 3, 2),
        "usage_total": TokenUsage(10, 6),
        "cost_usd": 0.5,
        "cost_usd_total": 0.75,
    }
    told = outcome(tag="t", result=7, model="m", iterations=2, tool_calls=1, parent_id=3, depth=1, **spent)
    assert list(told.to_row()) == COLUMNS
    assert list(told.to_row().values()) == [
        *(1, "job", "t", "completed", True, "q", 7, None, None, None, "m", 9, 5, 4, 3, 2, 0.5, 2, 1, 10, 6, 0.75, 0),
        *("2026-01-02T03:04:05.000000+00:00", "2026-01-02T03:04:05.000000+00:00", 0.5, 3, 1),
    ]
    assert outcome(started_at=None).to_row()["started_at"] is None
    assert (
        outcome(ended_at=datetime(2026, 1, 2, 3, 4, 5, 60, UTC)).to_row()["ended_at"]
        == "2026-01-02T03:04:05.000060+00:00"
    )


@pytest.mark.parametrize(
    ("result", "columns"),
    [
        (None, {"result": None}),
        ("text", {"result": "text"}),
        (True, {"result": True}),
        ([1, "a"], {"result": '[1, "a"]'}),
        ({}, {"result": "{}"}),
        (Word.YES, {"result": "yes"}),
        (Color.RED, {"result": 1}),
        (Path("a"), {"result": "a"}),
        (AT, {"result": "2026-01-02T03:04:05+00:00"}),
        (2**70, {"result": str(2**70)}),
        ("\ud800", {"result": "\\ud800"}),
        ({1, 2}, {"result": '{"not_json": "set", "value": [1, 2]}'}),
        (b"x", {"result": '{"not_json": "bytes", "value": "eA=="}'}),
        (Thing(), {"result": f'{{"not_json": "{Thing.__module__}.Thing", "text": "<Thing>"}}'}),
        ({"a": {"b": 1}, "c": [2]}, {"result": '{"a": {"b": 1}, "c": [2]}', "result.a.b": 1, "result.c": "[2]"}),
        ({1: "a"}, {"result": '{"not_json": "dict", "value": [[1, "a"]]}', "result.1": "a"}),
        ({"a.b": 1, "a": {"b": 2}}, {"result": '{"a.b": 1, "a": {"b": 2}}', "result.a.b": 1}),
        (AgentLoopResult("said", TokenUsage(1, 2), 1, 0, 0.0, ()), {"result": "said"}),
        (
            Verdict(label="a", scores={"x": 0.5}, tags=["t"]),
            {
                "result": '{"label": "a", "scores": {"x": 0.5}, "tags": ["t"]}',
                "result.label": "a",
                "result.scores.x": 0.5,
                "result.tags": '["t"]',
            },
        ),
    ],
    ids=lambda value: repr(value)[:30] if not isinstance(value, dict) else "",
)
def test_a_result_with_names_has_a_column_for_each(result: Any, columns: dict[str, Any]) -> None:
    """And its JSON in one; what has no names is one value."""
    assert result_of(result) == columns


def test_numbers_that_are_none_stay_numbers() -> None:
    """A column of numbers is one of numbers."""
    row = outcome(result={"x": math.inf}).to_row()
    assert row["result.x"] == math.inf
    assert math.isnan(result_of(math.nan)["result"])


def test_a_result_of_many_names_is_its_json_alone() -> None:
    """A count of words is no table."""
    assert list(result_of({str(number): number for number in range(100)}))[:2] == ["result", "result.0"]
    assert list(result_of({str(number): number for number in range(101)})) == ["result"]


@pytest.mark.parametrize(
    ("error", "type_name", "words"),
    [
        (InferenceFailed("no"), "InferenceFailed", "no"),
        (Refused(7, None), f"{Refused.__module__}.Refused", "refused: 7"),
        (RemoteError("app.Broken", "it"), "app.Broken", "it"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_told_by_its_class_and_its_words(error: Any, type_name: str, words: str) -> None:
    """The library's own without their module."""
    row = outcome(error=error).to_row()
    assert (row["ok"], row["error_type"], row["error"], row["place"]) == (False, type_name, words, None)


def boom() -> None:
    """Crashes in a line of this file."""
    raise KeyError("b")


def test_a_crash_has_its_place() -> None:
    """Also when it was read from JSON."""
    with AgentPool() as pool:
        crashed = pool.submit(boom).outcome(30)
    line = boom.__code__.co_firstlineno + 2
    for told in (crashed, AgentOutcome.model_validate_json(crashed.model_dump_json())):
        row = told.to_row()
        assert (row["status"], row["error_type"], row["error"]) == ("crashed", "KeyError", "'b'")
        assert row["place"] == f"{__file__}:{line} in boom"


def test_rows_have_the_same_columns() -> None:
    """In the same order, however each ended; what one does not have is None."""
    many = Outcomes(
        enumerate([
            outcome(error=AgentError("no")),
            outcome(result=Verdict(label="a")),
            outcome(result={"other": 1, "label": "b"}),
        ])
    )  # fmt: skip
    rows = many.to_rows()
    names = ["result", "result.label", "result.scores", "result.tags", "result.other"]
    assert [list(row) for row in rows] == [[*COLUMNS[:6], *names, *COLUMNS[7:]]] * 3
    assert [row["result.label"] for row in rows] == [None, "a", "b"]
    assert Outcomes().to_rows() == []


def test_rows_go_through_csv() -> None:
    """Whatever was returned: every cell is a plain value, and a text that can be written."""
    loop: list[Any] = []
    loop.append(loop)
    results = [Thing(), Hostile(), loop, {"\ud800": "\ud800"}, 2**5000, math.nan, {1: {2}}, ["\0", "\n"], boom]
    rows = Outcomes((number, outcome(result=one, tag=one, query=one)) for number, one in enumerate(results)).to_rows()
    assert {type(cell) for row in rows for cell in row.values()} <= {str, int, float, bool, type(None)}
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    back = list(csv.DictReader(io.StringIO(file.getvalue().encode().decode(), newline="")))
    assert [row["result"] for row in back] == ["" if row["result"] is None else str(row["result"]) for row in rows]


def test_rows_of_an_agent_with_a_model() -> None:
    """The text of its answer, and what it used."""
    with AgentPool(ScriptedDriver(["said"])) as pool:
        pool.spawn(SpawnConfig(AgentManifest(name="a"), "hi", tag=("t", 1)))
        (row,) = pool.join_all(30).to_rows()
    assert (row["name"], row["query"], row["tag"], row["result"]) == ("a", "hi", '["t", 1]', "said")
    assert row["iterations"] == 1


def test_a_query_in_parts_is_told_in_words() -> None:
    """An image of megabytes is no cell of a table; a list with other things in it is JSON, as any."""
    image = ImagePart(b"\x89PNG\r\n\x1a\n" + bytes(92))
    assert outcome(query=["What is it?", image]).to_row()["query"] == "What is it?\n[image/png, 100 bytes]"
    assert outcome(query=image).to_row()["query"] == "[image/png, 100 bytes]"
    assert str(outcome(query=[image, 3]).to_row()["query"]).startswith('[{"kind": "image", "data": ')


def test_rows_make_a_data_frame() -> None:
    """Moments are read as such, numbers as numbers."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Outcomes({1: outcome(result={"n": 1}), 2: outcome(error=AgentError("no"))}).to_rows())
    assert pandas.to_datetime(frame["ended_at"]).dt.year.tolist() == [2026, 2026]
    assert frame["result.n"].sum() == 1


def test_rows_make_a_table_of_arrow() -> None:
    """And so Parquet."""
    arrow = pytest.importorskip("pyarrow")
    table = arrow.Table.from_pylist(Outcomes({1: outcome(result={"n": 1}), 2: outcome(result={"n": 2})}).to_rows())
    assert table.column("result.n").to_pylist() == [1, 2]
