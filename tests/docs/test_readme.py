"""The README: short, its commands where the gate reads them, its claims tested, its figures those of the full run."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from .pages import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN_BY = {
    "One outcome for each agent": "tests/test_design.py::test_every_admitted_id_yields_one_outcome",
    "Limits hold for code that never looks": (
        "tests/contract/test_stops.py::test_deadline_holds_for_code_that_never_looks"
    ),
    "A stop ends a call in flight": "tests/agent/test_reasoner.py::test_a_cancel_ends_the_call_in_flight",
    "Who waits needs no slot": "tests/test_pool.py::test_nested_five_deep_with_one_slot",
    "Circles are found": "tests/test_pool_actors.py::test_a_circle_through_an_agent_is_found",
    "A program that is killed goes on": "tests/journal/test_kills.py::test_a_pool_that_is_killed_ends_as_if_nobody_had",
    "Effects are not done twice": "tests/journal/test_stopped.py::test_what_must_not_be_done_twice_is_in_doubt",
    "Rights are checked at the act": (
        "tests/tools/test_file_changes.py::test_a_link_swapped_in_between_check_and_use_is_not_followed"
    ),
    "A message that crashes is put aside": (
        "tests/core/test_supervise.py::test_poison_becomes_a_dead_letter_and_the_actor_lives_on"
    ),
    "Nothing is needed to look inside": "tests/contract/test_events.py::test_a_stuck_sink_does_not_hold_the_agents",
    "The same pool on many machines": "tests/cluster/test_node_ledger.py::test_a_lost_agent_goes_on_elsewhere",
}
"""The rows of the table, and a test that shows each; others do, too."""
BENCHMARKS: dict[str, Any] = {
    one["name"]: one
    for one in json.loads((ROOT / "benchmarks/results/full.json").read_text(encoding="utf-8"))["benchmarks"]
}
FIGURES = [
    ("start, run, join an agent", "spawn_join", 0, "fan_out + join_all", "threads"),
    ("", "spawn_join", 0, "fan_out + join_all", "pykka"),
    ("the same by `spawn`", "spawn_join", 0, "spawn + join_next", "threads"),
    ("a run of an `LlmAgent`", "llm_overhead", 0, "actors", "pydantic-ai"),
    ("", "llm_overhead", 0, "actors", "openai-agents"),
    ("`ask` of a long-lived actor", "actor_calls", 2, "pinned", "pykka"),
    ("a message there and back", "messages", 0, "actors", "two queues"),
    ("`import actors`", "import_time", 0, "import actors", "what it needs"),
]
"""Each row of the figures: how it begins, the question, its table (that of the ratios comes next), ours, theirs."""


def section(name: str) -> str:
    """The text below a heading."""
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return found[1]


def rows(name: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    lines = [line for line in section(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def rounded(value: float) -> str:
    """Two digits that count, with commas."""
    digits = float(f"{value:.2g}")
    return f"{digits:,.0f}" if digits >= 10 else f"{digits:g}"


def row_of(question: str, table: int, case: str) -> dict[str, Any]:
    """One row of the full run."""
    return next(row for row in BENCHMARKS[question]["tables"][table]["rows"] if row["case"] == case)


def median(question: str, table: int, case: str) -> str:
    """With its unit, as the README has it."""
    row = row_of(question, table, case)
    name = next(key for key in row if key.startswith("median "))
    return f"{rounded(row[name])} {name.removeprefix('median ')}"


def test_it_is_short() -> None:
    """Read in five minutes."""
    assert len(TEXT.splitlines()) <= 200


@pytest.mark.parametrize("name", ["Run it", "Tests"])
def test_the_gate_finds_its_commands(name: str) -> None:
    """The first block of each, and the only one of its kind in the tests' section."""
    assert section(name).count("```sh\n") >= 1


@pytest.mark.parametrize("row", rows("What it does that others do not"), ids=lambda row: row[0])
def test_what_it_does_is_tested(row: list[str]) -> None:
    """By a test that is there."""
    claim = re.fullmatch(r"\[(.+)\]\(.+\)", row[0])
    assert claim is not None
    file, _, name = SHOWN_BY[claim[1]].partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_claim_stands_there() -> None:
    """What is listed here is in the table."""
    assert [re.sub(r"\[(.+)\].*", r"\1", row[0]) for row in rows("What it does that others do not")] == list(SHOWN_BY)


def test_figures_are_those_of_the_full_run() -> None:
    """To the digit; a new run prints here what has to stand there."""
    expected = []
    for begin, question, table, ours, theirs in FIGURES:
        ratios = row_of(question, table + 1, ours)
        ratio = f"{rounded(ratios[f'by {theirs}'])} ({ratios[f'spread {theirs}']})"
        mine = median(question, table, ours) if begin else ""
        expected.append((mine, median(question, table, theirs), ratio))
    shown = rows("Figures")
    assert [row[0][: len(begin)] for row, (begin, *_) in zip(shown, FIGURES, strict=True)] == [
        one[0] for one in FIGURES
    ]
    assert [(row[1], " ".join(row[2].split()[-2:]), row[3]) for row in shown] == expected
