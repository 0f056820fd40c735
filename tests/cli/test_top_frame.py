"""What ``actors top`` draws."""

from __future__ import annotations

import random
import re
from importlib.resources import files
from typing import Any

import pytest

from actors.cli.top.board import Board
from actors.cli.top.frame import IN_DOUBT, frame, snapshot
from actors.cli.top.head import bar
from actors.cli.top.lines import compact
from actors.cli.top.picture import svg_of
from actors.cli.top.reader import state_of
from actors.cli.top.state import Closeup
from actors.cli.top.states import MARKS

from .views import HOSTILE, agent, answer_of, approval

WORDS = re.compile(r'\["(\w+)", "([A-Z])", "([\w ]+)"')
STATES = ["running", "in_driver", "in_tool", "in_backoff", "restarting", "parked", "queued", "flying"]


def test_a_state_has_the_letter_and_the_word_of_the_page() -> None:
    """Who knows one of them can read the other."""
    page = files("actors.inside").joinpath("states.js").read_text(encoding="utf-8")
    assert {(str(state), mark.letter, mark.word) for state, mark in MARKS.items()} == set(WORDS.findall(page))


def crowd(count: int) -> dict[str, Any]:
    """A pool of many agents in all states, whose names are hostile."""
    dice = random.Random(7)
    agents = [
        agent(at, dice.choice(STATES), name=HOSTILE if at % 3 else "検索係" * 5, on=HOSTILE, key=f"docs/{at}")
        for at in range(1, count + 1)
    ]
    stray = {"label": HOSTILE, "on": HOSTILE, "seconds": 61.0}
    waits = [[HOSTILE, HOSTILE], ["agent 1 (a)", "agent 2 (b)"]]
    asked = [
        approval(1, input=HOSTILE, tool=HOSTILE, agent=HOSTILE),
        approval(2),
        approval(3),
        approval(4),
        approval(5),
    ]
    return answer_of(*agents, control=True, waits=waits, abandoned=[stray] * 5, approvals=asked, left_off=7)


def plain(board: Board, width: int = 100, height: int = 24) -> list[str]:
    """The lines of a frame."""
    return [row.plain.rstrip() for row in frame(board, width, height)]


@pytest.mark.parametrize("page", ["table", "closely", "question", "filter"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 15), (200, 60), (20, 4), (1, 1), (7, 2), (100, 9)])
def test_a_frame_fits_its_screen(page: str, width: int, height: int) -> None:
    """As many lines as the screen has, none wider, and nothing that moves a cursor, whatever agents are called."""
    board = Board(state_of(crowd(50)))
    keys = {"table": ["down"], "closely": ["down", "enter"], "question": ["a"], "filter": ["/", "x"]}[page]
    for key in keys:
        board.press(key)
    if page == "closely":
        stack = f"  File {HOSTILE}\n" * 30
        details = {"stack": stack, "tools": [{"label": HOSTILE, "stack": stack}], "events": [{"event": HOSTILE}]}
        board.closeup = Closeup.of({**agent(int(board.chosen or 0)), **details})
    rows = frame(board, width, height)
    assert len(rows) == height
    assert max(row.cell_len for row in rows) <= width
    drawn = "".join(row.plain for row in rows)
    assert all(sign.isprintable() or sign == "\N{REPLACEMENT CHARACTER}" for sign in drawn)
    assert "\u202e" not in drawn


def test_the_head_tells_how_the_pool_stands() -> None:
    """Slots with the letters of what is done in them, the legend, the ends, and what it cost."""
    agents = [agent(1, "in_driver"), agent(2, "in_tool"), agent(3, "parked"), agent(4, "queued"), agent(5, "queued")]
    rows = plain(Board(state_of(answer_of(*agents))))
    assert rows[0] == "night  process 4711 · open · up 1 min 05 s"
    assert rows[1] == "slots  MT-- 2 of 4 slots · 2 queued"
    assert rows[2] == "agents M 1 model  T 1 tool  P 1 parked  Q 2 queued"
    assert rows[3] == "ended  5 completed · 1 failed"
    assert rows[4] == "spent  12.3k tokens in, 678 out · $0.25 · 9 tool calls"


@pytest.mark.parametrize(
    ("numbers", "total", "width", "drawn"),
    [
        ({"running": 2, "in_tool": 1}, 4, 60, "CCT-"),
        ({"running": 998, "in_tool": 1, "in_driver": 1}, 1_000, 10, "CCCCCCCCTM"),
        ({"running": 1}, 1_000, 10, "C---------"),
        ({"running": 0}, 4, 60, "----"),
        ({"running": 3}, 4, 3, ""),
        ({"running": 0}, 0, 60, ""),
    ],
)
def test_the_bar_shows_each_state_that_there_is(numbers: dict[str, int], total: int, width: int, drawn: str) -> None:
    """In proportion, but never without one of a state that there is, and never wider than it may be."""
    assert "".join(text for text, _ in bar(numbers, total, width)) == drawn


def test_who_is_longest_in_a_state_comes_first_and_queued_ones_last() -> None:
    """An agent that waits for a slot is stuck on nothing, however long it waits."""
    rows = plain(Board(state_of(answer_of(agent(1), agent(2, "in_tool", on="search"), agent(90, "queued")))))
    table = [row.split()[0] for row in rows if row.startswith("  #")]
    assert table == ["#2", "#1", "#90"]
    assert any(row.split() == ["#2", "bot-2", "T", "tool", "search", "2.00", "s", "3.00", "s"] for row in rows)


def test_narrow_screens_keep_since_when() -> None:
    """At 40 columns there are id, agent, state and since; what an agent is on comes back with the room for it."""
    state = state_of(answer_of(agent(1, "parked", on="the outcome of agent 2 (b)", cost_usd=1.0, input_tokens=5)))
    assert "  id  agent  state      since" in plain(Board(state), 40)
    assert "  id  agent  state     on                       since     age  tokens   cost" in plain(Board(state), 100)


def test_the_chosen_row_stays_in_sight() -> None:
    """However far one goes, and it says how many are above and below."""
    board = Board(state_of(answer_of(*[agent(number) for number in range(1, 501)])))
    for _ in range(30):
        board.press("pagedown")
    rows = plain(board)
    assert [row for row in rows if row.startswith("> ")] == [next(row for row in rows if row.startswith("> #201"))]
    assert any(row.endswith("more") and "above" in row for row in rows)
    board.press("end")
    assert any(row.startswith("> #1 ") for row in plain(board))
    board.press("home")
    assert any(row.startswith("> #500") for row in plain(board))


def test_a_question_shows_what_is_approved() -> None:
    """The call with its arguments, folded, and that it may have been done already; of too many lines how many lack."""
    board = Board(state_of(answer_of(agent(1), control=True, approvals=[approval(input="x" * 5_000, in_doubt=True)])))
    board.press("a")
    rows = plain(board, 80, 10)
    assert rows[0] == "approve: agent 1 (bot-1) asks to call delete_file"
    assert rows[1] == IN_DOUBT
    assert rows[8].endswith("more lines")
    assert rows[9] == "y approve, any other key: not"


def test_a_pool_without_agents_is_drawn() -> None:
    """Before the first one, after the last one, and where a filter fits none."""
    empty, filtered = Board(state_of(answer_of())), Board(state_of(answer_of(agent(1))))
    filtered.words = "nobody"
    assert "  no agents" in plain(empty)
    assert "  no agent fits the filter" in plain(filtered)
    assert snapshot(state_of(answer_of(left_off=3)), 80)[-1].plain == "  3 more"


def test_arguments_stand_on_one_line_in_the_overview() -> None:
    """JSON over many lines is drawn without its indents."""
    rows = plain(Board(state_of(answer_of(agent(1), approvals=[approval(input='{\n  "path": "a.txt"\n}')]))))
    assert rows[5].startswith("asks   #1 bot-1 asks to call delete_file · since 3.00 s · 57.0 s left, then deny · ")
    assert rows[5].endswith('· { "path": "a.txt…')


def test_what_was_seen_once_is_all_of_it() -> None:
    """A snapshot has every agent, every wait and every stray, whatever the screen."""
    text = "\n".join(row.plain for row in snapshot(state_of(crowd(120)), 100))
    assert all(f"#{number} " in text for number in range(1, 121))
    assert text.count("lost   ") == 5
    assert text.count("asks to call") == 5
    assert "7 more" in text


def test_a_picture_needs_no_network() -> None:
    """An SVG of a frame loads nothing from anywhere, and its texts are text."""
    svg = svg_of(crowd(20), width=90, height=20, keys=["down"])
    assert svg.startswith("<svg")
    assert "url(http" not in svg
    assert "@font-face" not in svg
    assert "\x1b" not in svg


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (123_456, "123k"), (1_234_567, "1.2M"), (999_600, "1.0M")],
)
def test_numbers_are_short(number: int, text: str) -> None:
    """At most six characters up to a thousand millions."""
    assert compact(number) == text
