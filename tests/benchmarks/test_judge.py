"""Who looks at a pool that was killed: does it see what it looks for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.kills.books import Entry
from benchmarks.kills.judge import Judge
from benchmarks.kills.outside import Line

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {"a00": "plain"}
KEY = "0123"
OF_A_LIFE = (
    *(("", "admitted", None), ("", "begun", None), ("0", "done", "completion")),
    *(("0.0", "begun", "tool"), ("0.0", "done", "tool"), ("1", "done", "completion"), ("1.0", "done", "tool")),
    *(("2", "done", "completion"), ("", "ended", None)),
)


def file() -> list[Entry]:
    """What the journal holds of an agent that nobody has killed."""
    payload: dict[str, Any] = {"name": "a00", "status": "completed"}
    once = {"effect": "at_most_once"}
    return [
        Entry(seq, "a00", *columns, 1, once if columns[0] == "0.0" else payload)
        for seq, columns in enumerate(OF_A_LIFE, 1)
    ]


def world(run: int = 0) -> list[Line]:
    """What the world has seen of it."""
    happened: list[tuple[str, Any]] = []
    for turn, acts in enumerate((("begun", "paid"), ("noted",), ())):
        happened += [("asked", turn), ("answered", turn)]
        happened += [(what, [f"{'note' if what == 'noted' else 'pay'} {turn}", f"{KEY}{turn}"]) for what in acts]
    happened += [("told", ["completed", False]), ("seen", ["completed", False, "a00 is done"])]
    return [Line(run, what, "a00", detail) for what, detail in happened]


def without(path: str, state: str = "done") -> Callable[[list[Entry], list[Line]], object]:
    def change(entries: list[Entry], lines: list[Line]) -> None:
        kept = [entry for entry in entries if (entry.path, entry.state) != (path, state)]
        entries[:] = [Entry(seq, *[getattr(e, n) for n in Entry.__slots__[1:]]) for seq, e in enumerate(kept, 1)]

    return change


def again(what: str, run: int = 0, **fields: Any) -> Callable[[list[Entry], list[Line]], object]:
    def change(entries: list[Entry], lines: list[Line]) -> None:
        line = next(line for line in lines if line.what == what)
        lines.append(Line(run, what, "a00", fields.get("detail", line.detail)))

    return change


def test_nothing_is_seen_where_nothing_is_wrong() -> None:
    """An agent that nobody has killed."""
    judge = Judge(KINDS)
    judge.look(0, file(), world())
    judge.close(0, file(), world())
    assert judge.problems == []


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda entries, lines: entries.pop(3), "have gaps (J2)"),
        (without("0"), "0.0 begun without {'0'} (J2)"),
        (without("1"), "2 done without {'1'} (J2)"),
        (without("0.0", "begun"), "0.0 is done, and was never begun (J5)"),
        (without("1.0"), "its outcome without {'1.0'} (J2)"),
        (without("", "admitted"), "a00 begins with begun (J2)"),
        (without("", "begun"), "in which it did not begin (J2)"),
        (
            lambda entries, lines: entries.append(Entry(10, "a00", "2", "done", "completion", 1, {})),
            "(J2)",
        ),
        (without("", "ended"), "told to have completed, and that is not in the file (J1)"),
        (again("asked"), "asked 0 2 times"),
        (again("seen", detail=["crashed", False, "ZeroDivisionError"]), "a00 ended ['crashed'"),
    ],
)
def test_what_is_wrong_after_a_start_is_seen(change: Any, seen: str) -> None:
    """An entry that is missing, one too many, an end that is not on disk."""
    entries, lines, judge = file(), world(), Judge(KINDS)
    change(entries, lines)
    judge.look(0, entries, lines)
    assert any(seen in problem for problem in judge.problems), judge.problems


def test_an_effect_that_is_not_in_the_file_is_seen() -> None:
    """It has begun, and the file does not say so."""
    judge = Judge(KINDS)
    judge.look(0, file()[:3], world()[:3])
    assert judge.problems == ["after start 0: a00: 0.0 began, and is not in the file (J5)"]


def test_what_is_done_again_although_it_is_recorded_is_seen() -> None:
    """In the next start: an answer, a payment, a note."""
    judge = Judge(KINDS)
    judge.look(0, file()[:7], world()[:7])
    assert judge.problems == []
    judge.look(1, file()[:7], [*world()[:7], *world(1)[:7]])
    told = [problem.split(": ", 2)[2] for problem in judge.problems]
    assert [text.partition(",")[0] for text in told if "(J4)" in text] == [
        "asked 0",
        "begun 0.0",
        "asked 1",
        "noted 1.0",
    ]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (again("paid"), "was paid 2 times"),
        (again("paid", detail=["pay 0", "other"]), "had several keys"),
        (again("seen", detail=["completed", False, "something else"]), "a00 says something else"),
        (without("", "ended"), "a00 has 0 outcomes (J3)"),
        (lambda entries, lines: entries.append(entries[-1]), "a00 has 2 outcomes (J3)"),
        (lambda entries, lines: lines.pop(), "a00 was seen 0 times"),
        (lambda entries, lines: lines.extend(world(1)[:3] + world(2)[:3]), ""),
        (lambda entries, lines: lines.extend(line for line in world(1) if line.what == "answered"), "lost 3 answers"),
    ],
)
def test_what_is_wrong_in_the_end_is_seen(change: Any, seen: str) -> None:
    """Something twice, something missing, more than one answer lost at one kill."""
    entries, lines, judge = file(), world(), Judge(KINDS)
    change(entries, lines)
    judge.close(0, entries, lines)
    if seen:
        assert any(seen in problem for problem in judge.problems), judge.problems
    else:
        assert not [problem for problem in judge.problems if "lost" in problem]
