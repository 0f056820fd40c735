"""The programs of ``README.md``: each runs as it stands, and prints what stands below it or beside it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, FunctionDriver

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PROGRAMS: list[tuple[str, str]] = re.findall(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", TEXT, re.DOTALL | re.MULTILINE
)
NEEDS_A_SERVER = "base_url="


def run(code: str, file: str = "judge.py") -> dict[str, Any]:
    """Run it as a program; what it defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, file, "exec"), names)  # noqa: S102 - our own text
    return names


def program(word: str) -> tuple[str, str]:
    """The one that has *word* in it, and what it prints."""
    (found,) = [one for one in PROGRAMS if word in one[0]]
    return found


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files may be written."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("word", "printed"),
    [
        ("class WordCount", "to be or not to be completed 6\nthat is the question completed 4\n"),
        ("cancel_rest", "['ZeroDivisionError: integer division or modulo by zero']\n"),
        ("tool_then_text", "1 + 2 = 3\n"),
        ("class Counter", "5\n"),
    ],
)
def test_a_program_works(word: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And leaves nothing behind."""
    run(program(word)[0])
    assert capsys.readouterr() == (printed, "")


def test_what_comes_back_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the source of the line that crashed, and two files."""
    code, printed = program("to_rows()")
    Path("judge.py").write_text(code, encoding="utf-8")
    run(code)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.strip(" ^")]  # Python 3.13 marks the place
    assert sorted(shown) == sorted(printed.splitlines())  # they come in the order of completion
    assert len((tmp_path / "judged.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert len((tmp_path / "judged.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_pieces_reach_a_browser() -> None:
    """As events of one line."""
    events: Callable[[AgentPool, str], Any] = run(program("aevents()")[0])["events"]

    async def main() -> list[str]:
        async with AgentPool(FunctionDriver(lambda request: "Hello,\nworld")) as pool:
            return [event async for event in events(pool, "Hello?")]

    assert asyncio.run(main()) == ['data: "Hello,\\nworld"\n\n']


def test_a_supervised_actor_lives_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Two restarts, then poison."""
    run(program("class Fragile")[0])
    shown = capsys.readouterr().out
    assert "given up: 0 poison" in shown
    assert "0.25" in shown


def test_no_program_is_left_out() -> None:
    """Those that ask a server, and the suite, are looked at by type checkers alone."""
    run_here = ("WordCount", "cancel_rest", "tool_then_text", "Counter", "to_rows()", "aevents()", "Fragile")
    others = [code for code, _ in PROGRAMS if not any(word in code for word in run_here)]
    assert [NEEDS_A_SERVER in code or "DriverConformance" in code for code in others] == [True, True]
