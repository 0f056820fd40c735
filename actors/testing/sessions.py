"""What every store of sessions promises, as tests."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from ..agent.turns import Turn
from ..core.records.conversation import (
    AssistantMessage,
    Attachment,
    SystemMessage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from ..core.records.usage import TokenUsage
from ..errors import SessionConflict, SessionError

if TYPE_CHECKING:
    from ..agent.turns import SessionStore
    from ..core.records.conversation import Message

BOUND = 30.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
AT_ONCE = 8
EACH = 5
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
ODD_TEXTS = (
    " ",
    "\0",
    "'; DROP TABLE turn; --",
    '%_*?"(',
    "é\u0301\U0001f600\u202e",
    "\n" * 100,
    "会议记录",
    "x" * 200,
)
ODD_MESSAGES: tuple[Message, ...] = (
    UserMessage(""),
    UserMessage("half \ud800 of a pair\0"),
    SystemMessage("a word between"),
    AssistantMessage(
        "let me see",
        (
            ToolCall("1", "look", {"where": ["é", 1.5, None, {"a": []}], "big": 2**70, "odd": float("inf")}),
            ToolCall("2", "look", {}, "its arguments are no JSON", Attachment("them", {"signature": "x" * 1_000})),
        ),
        "thinking",
        Attachment("them", {"blocks": [{"type": "thinking"}]}),
    ),
    ToolResultMessage("1", "x" * 100_000),
    ToolResultMessage("2", "'; --", is_error=True),
    AssistantMessage("there"),
)


def make_turn(number: int, query: str = "hi", text: str = "hello", **fields: Any) -> Turn:
    """A turn with plain values, but for what *fields* say."""
    given: dict[str, Any] = {
        "messages": (UserMessage(query), AssistantMessage(text)),
        "usage": TokenUsage(3, 2),
        "cost_usd": 0.25,
        "agent": "bot",
        "model": "a-model",
        "at": AT + timedelta(seconds=number),
        **fields,
    }
    return Turn(number=number, query=query, text=text, **given)


class SessionConformance:
    """The suite for stores of sessions. Subclass it, say how to make an empty one, and let pytest collect it.

    What a store has to be closed with beside its ``close`` goes into ``self.cleanup``, an ``ExitStack`` that each test
    closes.
    """

    cleanup: ExitStack

    def setup_method(self) -> None:
        """Before each test."""
        self.cleanup = ExitStack()

    def teardown_method(self) -> None:
        """After each test."""
        self.cleanup.close()

    # What a subclass says ---------------------------------------------------------------------------------------

    def store(self) -> SessionStore:
        """An empty store."""
        raise NotImplementedError

    def reopen(self, store: SessionStore) -> SessionStore:  # noqa: ARG002 - for those who can
        """What another process, beside this one, has of the same sessions. For those that outlive a process.

        Args:
            store: The one of this process.
        """
        raise SkipTest("it does not outlive its process")

    # The tests --------------------------------------------------------------------------------------------------

    def _made(self, *sessions: str, turns: int = 1) -> SessionStore:
        store = self.store()
        self.cleanup.callback(store.close)
        for session in sessions:
            for number in range(1, turns + 1):
                store.append(session, make_turn(number, f"{session} {number}"))
        return store

    def test_a_session_is_there_from_its_first_turn_on(self) -> None:
        """Before it nothing is known of it, and nothing can be dropped."""
        store = self._made()
        assert store.facts("one") is None
        assert list(store.turns("one")) == []
        assert store.undo("one") is None
        assert not store.delete("one")
        assert list(store.list(10)) == []
        store.append("one", make_turn(1))
        facts = store.facts("one")
        assert facts is not None
        assert (facts.id, facts.turns, facts.forked_from) == ("one", 1, None)
        assert facts.created_at.utcoffset() == timedelta(0)

    def test_what_is_read_is_what_was_written(self) -> None:
        """Every field, every kind of message, every call, exactly."""
        store = self._made()
        turns = [
            make_turn(
                1, messages=ODD_MESSAGES, text="there", usage=TokenUsage(9, 8, 7, 1, 5), cost_usd=1e-9, model=None
            ),
            make_turn(2, "half \ud800", "not the last message", agent="b\ud800t"),
            make_turn(3, messages=(UserMessage("hi"), AssistantMessage("")), text="", usage=TokenUsage(0, 0)),
        ]
        for turn in turns:
            store.append("one", turn)
        assert list(store.turns("one")) == turns

    def test_odd_texts_do_no_harm(self) -> None:
        """As ids, as queries, as answers."""
        store = self._made()
        for text in ODD_TEXTS:
            store.append(text, make_turn(1, text, text, agent=text, model=text))
        for text in ODD_TEXTS:
            assert list(store.turns(text)) == [make_turn(1, text, text, agent=text, model=text)]
            assert store.delete(text)
            assert store.facts(text) is None

    def test_the_last_turns(self) -> None:
        """So many of them, in order; none for 0; all where there are fewer."""
        store = self._made("one", "two", turns=4)
        found = [[turn.query for turn in store.turns("one", last)] for last in (0, 1, 3, 9, None)]
        every = [f"one {number}" for number in range(1, 5)]
        assert found == [[], every[3:], every[1:], every, every]

    def test_a_number_is_given_once(self) -> None:
        """Whoever comes second, or would leave a gap, is told, with the answer; nothing is overwritten."""
        store = self._made("one", turns=2)
        for number in (1, 2, 4, 0):
            conflict = _conflict(store, "one", make_turn(number, "late", "the answer"))
            assert (conflict.session, conflict.number, conflict.text) == ("one", number, "the answer")
        assert [turn.query for turn in store.turns("one")] == ["one 1", "one 2"]
        assert isinstance(_conflict(store, "new", make_turn(2)), SessionConflict)
        assert store.facts("new") is None

    def test_the_same_turn_again(self) -> None:
        """It does nothing twice where that is said; another turn of that number is a conflict all the same."""
        store = self._made("one", turns=2)
        turn = make_turn(2, "one 2")
        store.append("one", replace(turn, at=AT + timedelta(days=1)), again=True)
        assert list(store.turns("one", 1)) == [turn]
        assert _conflict(store, "one", turn).number == 2
        for field, value in (("query", "x"), ("text", "x"), ("messages", ()), ("cost_usd", 9.0), ("agent", "x")):
            changed: dict[str, Any] = {field: value}
            other: Turn = replace(turn, **changed)
            assert _conflict(store, "one", other, again=True).number == 2
        store.append("one", make_turn(3), again=True)
        assert len(store.turns("one")) == 3

    def test_undo(self) -> None:
        """The last turn goes, and its number is given again; without turns the session is gone."""
        store = self._made("one", turns=2)
        assert store.undo("one") == make_turn(2, "one 2")
        store.append("one", make_turn(2, "another"))
        assert [turn.query for turn in store.turns("one")] == ["one 1", "another"]
        assert [(turn and turn.number) for turn in (store.undo("one"), store.undo("one"), store.undo("one"))] == [
            2,
            1,
            None,
        ]
        assert store.facts("one") is None

    def test_fork(self) -> None:
        """A copy of all turns, or of the first ones; from then on each goes its own way."""
        store = self._made("one", "two", turns=3)
        store.fork("one", "copy")
        store.fork("one", "part", 2)
        store.append("copy", make_turn(4, "own"))
        store.undo("one")
        assert [turn.query for turn in store.turns("copy")] == ["one 1", "one 2", "one 3", "own"]
        assert list(store.turns("part")) == [make_turn(1, "one 1"), make_turn(2, "one 2")]
        facts = store.facts("part")
        assert facts is not None
        assert (facts.forked_from, facts.turns) == ("one", 2)

    def test_fork_overwrites_nothing(self) -> None:
        """Onto a session that is there, itself included, or of one that is not, nothing happens."""
        store = self._made("one", "two")
        for session, new in (("one", "two"), ("one", "one"), ("none", "two"), ("none", "new")):
            assert _refusal_to_fork(store, session, new)
        assert [turn.query for turn in store.turns("two")] == ["two 1"]
        assert store.facts("new") is None

    def test_the_list(self) -> None:
        """The one that was updated last first; so many at most; page by page."""
        store = self._made()
        for number, session in enumerate(("a", "b", "c", "d")):
            store.append(session, make_turn(1, at=AT + timedelta(minutes=number)))
        store.append("b", make_turn(2, at=AT + timedelta(hours=1)))
        listed = store.list(10)
        assert [(each.id, each.turns) for each in listed] == [("b", 2), ("d", 1), ("c", 1), ("a", 1)]
        assert (listed[0].created_at, listed[0].updated_at) == (AT + timedelta(minutes=1), AT + timedelta(hours=1))
        assert [each.id for each in store.list(2)] == ["b", "d"]
        assert [each.id for each in store.list(2, listed[1].updated_at)] == ["c", "a"]
        assert list(store.list(0)) == []

    def test_prune(self) -> None:
        """Those that were updated earlier go, whole; the others stay."""
        store = self._made()
        for number, session in enumerate(("a", "b", "c")):
            store.append(session, make_turn(1, at=AT + timedelta(minutes=number)))
        store.append("a", make_turn(2, at=AT + timedelta(hours=1)))
        assert store.prune(AT + timedelta(minutes=2)) == 1
        assert [each.id for each in store.list(10)] == ["a", "c"]
        assert list(store.turns("b")) == []
        assert store.prune(AT + timedelta(minutes=2)) == 0

    def test_delete(self) -> None:
        """With all its turns, and nothing else; its id can be given again."""
        store = self._made("one", "two", turns=2)
        assert store.delete("one")
        assert not store.delete("one")
        assert list(store.turns("one")) == []
        assert len(store.turns("two")) == 2
        store.append("one", make_turn(1))
        assert len(store.turns("one")) == 1

    def test_many_threads(self) -> None:
        """Of all who store the same number one does; nothing is lost, and no session gets what is another's."""
        store = self._made()
        start = threading.Barrier(AT_ONCE)
        stored: list[tuple[int, int]] = []

        def work(worker: int) -> None:
            start.wait(BOUND)
            for number in range(1, EACH + 1):
                store.append(f"own {worker}", make_turn(number, f"{worker} {number}"))
                try:
                    store.append("shared", make_turn(number, f"{worker}"))
                except SessionConflict:
                    continue
                stored.append((worker, number))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        shared = store.turns("shared")
        assert [turn.number for turn in shared] == list(range(1, len(shared) + 1))
        assert sorted((int(turn.query), turn.number) for turn in shared) == sorted(stored)
        for worker in range(AT_ONCE):
            mine = [turn.query for turn in store.turns(f"own {worker}")]
            assert mine == [f"{worker} {number}" for number in range(1, EACH + 1)]

    def test_closed(self) -> None:
        """Nothing can be read or stored any more, which is said; closing it twice does nothing twice."""
        store = self._made("one")
        store.close()
        store.close()
        refused = 0
        for use in (store.facts, store.turns, store.undo, lambda name: store.append(name, make_turn(2))):
            try:
                use("one")
            except SessionError:
                refused += 1
        assert refused == 4

    # Another process --------------------------------------------------------------------------------------------

    def test_another_process_reads_and_writes_the_same(self) -> None:
        """Each sees at once what the other has stored, and a number is given once between them."""
        store = self._made("one")
        other = self.reopen(store)
        self.cleanup.callback(other.close)
        other.append("one", make_turn(2, "other"))
        assert _conflict(store, "one", make_turn(2, "mine")).number == 2
        store.append("one", make_turn(3, "mine"))
        for each in (store, other):
            assert [turn.query for turn in each.turns("one")] == ["one 1", "other", "mine"]
        store.close()
        assert len(other.turns("one")) == 3


def _conflict(store: SessionStore, session: str, turn: Turn, *, again: bool = False) -> SessionConflict:
    try:
        store.append(session, turn, again=again)
    except SessionConflict as conflict:
        return conflict
    raise AssertionError(f"turn {turn.number} was stored")


def _refusal_to_fork(store: SessionStore, session: str, new: str) -> bool:
    try:
        store.fork(session, new)
    except SessionError:
        return True
    return False
