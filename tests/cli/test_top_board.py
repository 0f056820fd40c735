"""What keys mean in ``actors top``."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.top.agents import Order
from actors.cli.top.board import Board, Deed, Do, LookAt, Quit
from actors.cli.top.keys import keys_of
from actors.cli.top.pace import Pace
from actors.cli.top.reader import state_of

from .views import agent, answer_of, approval


def board_of(*agents: dict[str, Any], **more: Any) -> Board:
    """A board with one state."""
    return Board(state_of(answer_of(*agents, **more)))


def press(board: Board, *keys: str) -> Any:
    """Press them all; what the last one meant."""
    wish = None
    for key in keys:
        wish = board.press(key)
    return wish


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1b[B\x1bOA", ["up", "down", "up"]),
        ("\x1b[5~\x1b[6~\x1b[1~\x1b[F", ["pageup", "pagedown", "home", "end"]),
        ("\x1b", ["escape"]),
        ("\r\n\x7f\x04", ["enter", "enter", "backspace", "ctrl-d"]),
        ("\x1b[200~ay\x1b[201~", ["a", "y"]),
        ("ABé", ["A", "B", "é"]),
        ("\x00\x01", []),
        ("\x1b[1;5Cx", ["x"]),
    ],
    ids=range(9),
)
def test_keys_have_names(typed: str, keys: list[str]) -> None:
    """Arrows in both forms, Escape alone, letters as they are; what has no name is nothing."""
    assert keys_of(typed) == keys


def test_the_way_through() -> None:
    """Arrows choose, Enter looks closely, Escape goes back, s sorts, q quits."""
    board = board_of(agent(1), agent(2), agent(3))
    assert press(board, "enter") == LookAt(3)
    assert press(board, "escape") == LookAt(None)
    assert (press(board, "down"), board.chosen) == (None, 2)
    assert press(board, "up", "up", "s") is None
    assert (board.chosen, board.order) == (3, Order.AGE)
    assert isinstance(press(board, "q"), Quit)


def test_a_filter_takes_letters_until_enter() -> None:
    """Also those that are keys elsewhere; it looks at names, ids, states and what they are on."""
    board = board_of(agent(1, name="quick"), agent(2, "in_tool", on="search"), agent(3, "in_driver"))
    press(board, "/", *"quix", "backspace", "enter")
    assert [one.id for one in board.agents()] == [1]
    press(board, "escape", "/", *"MODEL", "enter")
    assert [one.id for one in board.agents()] == [3]
    press(board, "/", *"#2", "escape")
    assert len(board.agents()) == 3


def test_the_choice_goes_to_a_neighbour_when_its_agent_ends() -> None:
    """And stays with its agent when the order changes."""
    board = board_of(agent(1), agent(2), agent(3))
    press(board, "down", "down")
    assert board.chosen == 2
    board.see(state_of(answer_of(agent(1, seconds=99.0), agent(2), agent(3))))
    assert board.chosen == 2
    board.see(state_of(answer_of(agent(1), agent(3))))
    assert board.chosen == 1
    board.see(state_of(answer_of()))
    assert board.chosen is None
    assert press(board, "down", "enter") is None


def test_a_view_that_only_shows_is_not_controlled() -> None:
    """The keys for it say why they do nothing."""
    board = board_of(agent(1), approvals=[approval()])
    assert press(board, "down", "a") is None
    assert board.question is None
    assert "control=True" in board.note


def test_a_call_is_approved_after_a_yes() -> None:
    """Any other key leaves it as it is. Of no chosen agent the oldest call is meant, else that agent's."""
    asked = [approval(1, seconds=5.0), approval(2, "c2", seconds=9.0)]
    board = board_of(agent(1), agent(2), agent(3), control=True, approvals=asked)
    assert press(board, "a", "enter") is None
    assert board.note == "nothing was done"
    wish = press(board, "a", "y")
    assert wish == Do(Deed.APPROVE, {"agent_id": 2, "call_id": "c2"}, "approve delete_file of #2 bot-2")
    board.told(wish, done=False)
    assert board.note == "too late: approve delete_file of #2 bot-2"
    assert press(board, "end", "a", "y").content == {"agent_id": 1, "call_id": "c1"}
    assert press(board, "home", "a") is None
    assert board.note == "#3 bot-3 asks nothing"


def test_a_call_is_denied_with_a_reason() -> None:
    """Letters are the reason, Enter says it, Escape does nothing."""
    board = board_of(agent(1), control=True, approvals=[approval()])
    assert press(board, "d", *"no, ay", "escape") is None
    wish = press(board, "d", *"not ye", "backspace", *"et", "enter")
    assert (wish.deed, wish.content) == (Deed.DENY, {"agent_id": 1, "call_id": "c1", "reason": "not yet"})


def test_an_abort_needs_a_chosen_agent() -> None:
    """It is asked for the one that was chosen then, whatever comes to stand in its place."""
    board = board_of(agent(1), agent(2), control=True)
    assert press(board, "x") is None
    assert "choose" in board.note
    press(board, "down", "x")
    board.see(state_of(answer_of(agent(1), control=True)))
    wish = press(board, "enter")
    assert (wish.deed, wish.content) == (Deed.ABORT, {"agent_id": 2, "reason": ""})


def test_a_question_goes_when_somebody_else_answered() -> None:
    """Then a yes that is under way means nothing."""
    board = board_of(agent(1), control=True, approvals=[approval()])
    press(board, "a")
    board.see(state_of(answer_of(agent(1), control=True, approvals=[approval(call_id="c2")])))
    assert board.question is None
    assert press(board, "y") is None
    assert "meanwhile" not in board.note


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    """And begins anew when another pool is looked at."""
    pace = Pace()
    assert pace.per_second() is None
    pace.count(0.0, 0)
    pace.count(10.0, 20)
    assert pace.per_second() == 2.0
    pace.count(40.0, 20)
    assert pace.per_second() == 0.0
    pace.count(1.0, 0)
    assert pace.per_second() is None
