"""Manifests that say what an answer has to be."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = """
from datetime import date
from actors import CompletionResponse, FunctionDriver, TokenUsage
from pydantic import BaseModel

class Verdict(BaseModel):
    label: str
    when: date
    parts: list[int] = []

def answer(request):
    if request.messages[0].content == "no":
        return "never JSON"
    return CompletionResponse('{"label": "café, \\\\"x\\\\"", "when": "2020-01-02"}', usage=TokenUsage(4, 2))

def make(manifest):
    return FunctionDriver(answer)

constant = 3
"""
DRIVER = '[model]\ndriver = "judge:make"\n'
SCHEMA = '[output]\ntype = "object"\nrequired = ["label"]\n[output.properties]\nlabel = {type = "string"}\nwhen = {}\n'
FORMS = {
    "schema": DRIVER + SCHEMA,
    "schema in a table": DRIVER + SCHEMA.replace("[output", "[output.schema"),
    "path": 'output = "judge:Verdict"\n' + DRIVER,
    "path in a table": DRIVER + '[output]\nmodel = "judge:Verdict"\n',
}


@pytest.fixture
def judge(folder: Path) -> Path:
    (folder / "judge.py").write_text(CODE)
    return folder


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_results_are_objects(cli: Callable[..., Any], judge: Path, text: str) -> None:
    """In a file of JSON they are JSON, in one of CSV each field has its column; an answer that never fits fails."""
    (judge / "judge.toml").write_text(text)
    write_lines(judge / "in.jsonl", {"query": "yes"}, {"query": "no"})
    for name in ("out.jsonl", "out.csv"):
        assert cli("run", "judge.toml", "--input", "in.jsonl", "--out", name, "--max-concurrent", "1").exit_code == 1
    good, bad = lines_of(judge / "out.jsonl")
    assert {name: good["result"][name] for name in ("label", "when")} == {"label": 'café, "x"', "when": "2020-01-02"}
    assert (bad["result"], bad["error"]["type"]) == (None, "InvalidOutput")
    with (judge / "out.csv").open(newline="", encoding="utf-8") as file:
        row, failed = csv.DictReader(file)
    assert (row["label"], row["when"], row.get("parts", "[]")) == ('café, "x"', "2020-01-02", "[]")
    assert "result" not in row
    assert (failed["label"], failed["status"]) == ("", "failed")


def test_a_field_of_the_input_keeps_its_name(cli: Callable[..., Any], judge: Path) -> None:
    """A field of the result that is called the same has another column."""
    (judge / "judge.toml").write_text(FORMS["schema"])
    args = ("run", "judge.toml", "--input", "in.jsonl", "--query", "{text}", "--out", "out.csv")
    write_lines(judge / "in.jsonl", {"text": "yes", "label": "mine"})
    assert cli(*args).exit_code == 0
    with (judge / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["label"], row["result.label"]) == ("mine", 'café, "x"')
    write_lines(judge / "in.jsonl", {"text": "yes", "label": "mine", "result.label": "mine, too"})
    assert cli(*args, "--overwrite").exit_code == 0
    with (judge / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["result.label"], row["result.result.label"]) == ("mine, too", 'café, "x"')


BAD = {
    "no type": ('[output]\ntype = "objekt"\n', "output: type: 'objekt' is no type of JSON Schema (array, boolean,"),
    "two problems": ('[output]\ntype = "x"\nrequired = 3\n', "required: 3 is not of type 'array'"),
    "a type misspelt": ('[output]\ntype = "objekt"\n', "did you mean 'object'? (line "),
    "a key misspelt": ('[output]\nmodle = "a:B"\n', "did you mean 'model'? (line "),
    "no keyword": ('[output]\nlabel = "string"\n', "output: is no JSON Schema: it has none of its keywords"),
    "empty": ("[output]\n", "output: is no JSON Schema"),
    "dead reference": ('[output]\n"$ref" = "#/$defs/gone"\n', "output: $ref: '#/$defs/gone' leads nowhere"),
    "far reference": ('[output]\n"$ref" = "http://localhost:1/x"\n', "leads nowhere in this schema"),
    "no dialect": ('[output]\n"$schema" = "mine"\n', "output: $schema: 'mine' is no JSON Schema dialect"),
    "no JSON": ("[output]\nenum = [1979-05-27]\n", "output: is no JSON Schema: Object of type date"),
    "no pattern": ('[output]\npattern = "("\n', "output: pattern: '(' is not a 'regex'"),
    "no module": ('output = "gone:Model"\n', "output: no module 'gone'"),
    "no name": ('output = "judge:Gone"\n', "output: module 'judge' has no 'Gone'"),
    "no path": ('output = "Verdict"\n', "output: must be a JSON Schema, or have the form 'package.module:name'"),
    "a number": ("output = 3\n", "output: must be a JSON Schema"),
    "no model": ("[output]\nmodel = 3\n", "output: model: must be package.module:name"),
    "a constant": ('output = "judge:constant"\n', "output: "),
}


@pytest.mark.parametrize("command", [["run", "--prompt", "x"], ["validate"], ["validate", "--import"]])
@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_output(cli: Callable[..., Any], judge: Path, text: str, message: str, command: list[str]) -> None:
    """What is no schema, or no type, is refused with its place."""
    (judge / "judge.toml").write_text(text + DRIVER)
    result = cli(*command, "judge.toml")
    assert result.exit_code == 2
    assert f"error: judge.toml: {message if message.startswith('output') else ''}" in result.stderr
    assert message in result.stderr
