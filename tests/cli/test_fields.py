"""Inputs with fields: templates, CSV, keys, and what comes back."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = b'\xef\xbb\xbfid, text,status\r\n7,"one, ""two""\r\nthree",open\r\n\r\n8,fail \xc3\xa9,closed\r\n'


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_from_csv_to_csv(cli: Callable[..., Any], folder: Path) -> None:
    """A byte order mark, quoted ends of lines and empty lines do no harm; the fields come back, under another name
    where the row has one of that name.
    """
    (folder / "in.csv").write_bytes(ROWS)
    args = ("run", "ask.toml", "--input", "in.csv", "--query", "Say: {text}", "--key", "id", "--out", "out.csv")
    assert cli(*args, "--max-concurrent", "1").exit_code == 1
    good, bad = table(folder / "out.csv")
    assert (good["key"], good["id"], good["text"], good["input_status"]) == ("7", "7", 'one, "two"\r\nthree', "open")
    assert (good["status"], good["result"]) == ("completed", 'answer to Say: one, "two"\r\nthree')
    assert (good["input_tokens"], good["output_tokens"], good["tokens"]) == ("10", "5", "15")
    assert float(good["seconds"]) >= 0
    assert (bad["status"], bad["result"], bad["error"]) == ("failed", "", "InferenceFailed: no answer to Say: fail é")


def test_the_traceback_stands_in_csv(cli: Callable[..., Any], folder: Path) -> None:
    """In the row of an agent that crashed, whole, with the place; in that of another one nothing."""
    write_lines(folder / "in.jsonl", {"query": "boom"}, {"query": "fine"})
    cli("run", "ask.toml", "--input", "in.jsonl", "--out", "out.csv", "--max-concurrent", "1")
    crashed, completed = table(folder / "out.csv")
    assert crashed["place"] == "bot.py:11 in answer"
    assert crashed["traceback"].startswith("Traceback (most recent call last):\n")
    assert crashed["traceback"].endswith("ValueError: boom [red]x[/nothing]\n")
    assert completed["traceback"] == ""


def test_rows_as_input(cli: Callable[..., Any], folder: Path) -> None:
    """No field of theirs is lost, whichever have the names of columns."""
    line = {"query": "a", "key": 1, "input_key": 2, "input_input_key": 3, "input_tokens": 4, "input_text": 5}
    write_lines(folder / "in.jsonl", line)
    for out in ("out.jsonl", "out.csv"):
        cli("run", "ask.toml", "--input", "in.jsonl", "--out", out)
    (row,) = table(folder / "out.csv")
    (record,) = lines_of(folder / "out.jsonl")
    names = ("input_key", "input_input_key", "input_input_input_key", "input_input_tokens", "input_text")
    assert [record[name] for name in names] == [int(row[name]) for name in names] == [1, 2, 3, 4, 5]


def test_keep_names_what_comes_back(cli: Callable[..., Any], folder: Path) -> None:
    """--keep takes some fields, also from inside; without a key a digest tells equal lines apart."""
    line = {"text": "x", "who": {"name": "Anna"}, "more": [1]}
    write_lines(folder / "in.jsonl", line, line)
    result = cli(
        *("run", "ask.toml", "--input", "in.jsonl", "--query", "{text}", "--keep", "who.name, more"),
        *("--out", "out.jsonl"),
    )
    assert result.exit_code == 0
    rows = lines_of(folder / "out.jsonl")
    assert [(row["who.name"], row["more"], "text" in row) for row in rows] == [("Anna", [1], False)] * 2
    first, second = sorted(row["key"] for row in rows)
    assert second == f"{first}-2"


def test_other_fields_of_plain_lines_come_back(cli: Callable[..., Any], folder: Path) -> None:
    """Also without a template."""
    write_lines(folder / "in.jsonl", {"query": "a", "name": "anna", "tag": 1, "row": 7, "key": "k"})
    assert cli("run", "ask.toml", "--input", "in.jsonl", "--out", "out.jsonl").exit_code == 0
    (row,) = lines_of(folder / "out.jsonl")
    assert (row["name"], row["tag"], row["row"], row["input_key"]) == ("anna", 1, 7, "k")
    assert "input_name" not in row


def test_columns_of_a_pipe(cli: Callable[..., Any], folder: Path) -> None:
    """What cannot be read twice has the columns of its first line."""
    lines = "".join(json.dumps({"text": text, "n": 1}) + "\n" for text in ("a", "b"))
    args = ("run", "ask.toml", "--input", "-", "--query", "{text}", "--out", "out.csv")
    assert cli(*args, stdin=lines).exit_code == 0
    assert {(row["text"], row["n"]) for row in table(folder / "out.csv")} == {("a", "1"), ("b", "1")}


REFUSED = {
    "unknown field": (
        b"id,text\n1,x\n",
        ["--query", "{txt}"],
        "in.csv:2: no field 'txt' for --query (it has id, text)",
    ),
    "unknown key": (b"id,text\n1,x\n", ["--query", "{text}", "--key", "no"], "in.csv:2: no field 'no' for --key"),
    "unknown keep": (b"id,text\n1,x\n", ["--query", "{text}", "--keep", "no"], "--keep: no line of in.csv has"),
    "no query": (b"id,text\n1,x\n", [], 'in.csv:2: "query" is missing (it has id, text; --query TEXT'),
    "shared key": (
        b'id,text\n1,x\n2,"y\ny"\n1,z\n',
        ["--query", "{text}", "--key", "id"],
        "in.csv:5: its id is '1', as at in.csv:2",
    ),
    "open quote": (b'id,text\n1,x\n2,"y\n3,z\n', ["--query", "{text}"], "in.csv:3: a quote is opened here and never"),
    "two columns": (b"id,id\n1,x\n", ["--query", "{id}"], "in.csv:1: two columns are named 'id'"),
    "no name": (b"id,,text\n1,x\n", ["--query", "{id}"], "in.csv:1: column 2 has no name"),
    "header alone": (b"id,text\n", ["--query", "{id}"], "in.csv has no rows"),
    "nothing": (b"", ["--query", "{id}"], "in.csv has no rows"),
    "UTF-16": ("id,text\n1,x\n".encode("utf-16"), ["--query", "{id}"], "in.csv:1: not UTF-8"),
    "broken braces": (b"id\n1\n", ["--query", "{id"], "--query: the brace at character 1"),
    "no braces": (b"id\n1\n", ["--query", "id"], "--query names no field"),
    "empty keep": (b"id\n1\n", ["--query", "{id}", "--keep", "a,,b"], "--keep has an empty name"),
}


@pytest.mark.parametrize(("data", "args", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_runs(
    cli: Callable[..., Any], folder: Path, data: bytes, args: list[str], message: str
) -> None:
    """What makes no sense of the whole input is said with file, line and field, and nothing is run or written."""
    (folder / "in.csv").write_bytes(data)
    result = cli("run", "ask.toml", "--input", "in.csv", *args, "--out", "out.csv")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (folder / "out.csv").exists()


def test_bad_rows_are_left_out(cli: Callable[..., Any], folder: Path) -> None:
    """A row that is broken is named before anything runs; the others run."""
    (folder / "in.csv").write_bytes(b'id,text\n1,a,b\n2\n3,"x"y\n4,\xe9\n,no key\n5,ok\n')
    result = cli("run", "ask.toml", "--input", "in.csv", "--query", "{text}", "--key", "id", "--out", "out.csv")
    assert result.exit_code == 1
    for message in (
        "in.csv:2: has 3 cells, but there are 2 columns",
        "in.csv:3: has 1 cell, but there are 2 columns",
        "in.csv:4: not CSV: ',' expected after '\"'",
        "in.csv:5: not UTF-8 (byte 3 of the line)",
        "in.csv:6: the key 'id' is empty",
    ):
        assert f"error: {message}" in result.stderr
    assert result.stderr.index("error: in.csv:6") < result.stderr.index("#1 ask")
    assert [row["key"] for row in table(folder / "out.csv")] == ["5"]


@pytest.mark.parametrize("args", [["--query", "{x}"], ["--key", "x"], ["--keep", "x"]])
def test_options_about_fields_need_an_input(cli: Callable[..., Any], args: list[str]) -> None:
    """With another source there are no fields."""
    result = cli("run", "ask.toml", "--prompt", "x", *args)
    assert result.exit_code == 2
    assert f"{args[0]} is about the fields of --input" in result.stderr
