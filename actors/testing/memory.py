"""What every memory promises, as tests."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..agent.ports import MemoryFilter, MemoryFragment, MemorySource

if TYPE_CHECKING:
    from ..agent.ports import MemorySubstrate

BOUND = 30.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
AT_ONCE = 8
EACH = 20
ODD_TEXTS = (
    "",
    " ",
    "\0",
    "'; DROP TABLE fragments; --",
    '%_*?"(',
    "é\u0301\U0001f600\u202e",
    "x" * 100_000,
    "\n" * 100,
)
ODD_VALUES: tuple[Any, ...] = (0, "", False, [], {}, {"a": [1, None, {"b": "é"}]}, 1e308, "x" * 100_000)


class MemoryConformance:
    """The suite for memories. Subclass it, say how to make an empty one, and let pytest collect it.

    What a memory has to be closed with goes into ``self.cleanup``, an ``ExitStack`` that each test closes.
    """

    cleanup: ExitStack

    def setup_method(self) -> None:
        """Before each test."""
        self.cleanup = ExitStack()

    def teardown_method(self) -> None:
        """After each test."""
        self.cleanup.close()

    # What a subclass says ---------------------------------------------------------------------------------------

    def memory(self) -> MemorySubstrate:
        """An empty memory."""
        raise NotImplementedError

    # The tests --------------------------------------------------------------------------------------------------

    def test_what_is_remembered_is_recalled(self) -> None:
        """By its words, as it was said, with where it came from and when."""
        memory, before = self.memory(), datetime.now(UTC)
        fragment_id = memory.remember("bot", "The river Danube flows through Linz.", MemorySource.USER)
        memory.remember("bot", "Bread is baked in the morning.")
        (found,) = memory.recall("danube")
        assert isinstance(found, MemoryFragment)
        assert (found.id, found.content) == (fragment_id, "The river Danube flows through Linz.")
        assert found.source is MemorySource.USER
        assert found.created_at.utcoffset() == timedelta(0)
        assert before - timedelta(seconds=1) <= found.created_at <= datetime.now(UTC) + timedelta(seconds=1)

    def test_the_best_comes_first(self) -> None:
        """What carries more of the query's words, in any order of them; scores from 0 to 1 that do not rise."""
        memory = self.memory()
        memory.remember("bot", "Graz has a clock tower.")
        memory.remember("bot", "The clock tower of Linz is old.")
        memory.remember("bot", "Vienna has a wheel.")
        found = memory.recall("Linz tower clock")
        assert [fragment.content for fragment in found] == [
            "The clock tower of Linz is old.",
            "Graz has a clock tower.",
        ]
        scores = [fragment.score for fragment in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)

    def test_nothing_fits(self) -> None:
        """An empty list; also from an empty memory."""
        memory = self.memory()
        assert memory.recall("anything") == []
        memory.remember("bot", "something else")
        assert memory.recall("danube") == []

    def test_a_limit(self) -> None:
        """At most so many, the best ones."""
        memory = self.memory()
        for number in range(10):
            memory.remember("bot", f"apple {number}")
        assert len(memory.recall("apple")) == 5
        assert len(memory.recall("apple", 3)) == 3
        assert memory.recall("apple 7", 1)[0].content == "apple 7"

    def test_filters(self) -> None:
        """By agent, by source, by time; all of them together."""
        memory = self.memory()
        memory.remember("one", "apple of one", MemorySource.USER)
        memory.remember("two", "apple of two", MemorySource.TOOL_RESULT)

        def recalled(**fields: Any) -> list[str]:
            return sorted(fragment.content for fragment in memory.recall("apple", filter=MemoryFilter(**fields)))

        assert recalled() == ["apple of one", "apple of two"]
        assert recalled(agent="one") == ["apple of one"]
        assert recalled(source=MemorySource.TOOL_RESULT) == ["apple of two"]
        assert recalled(since=datetime.now(UTC) + timedelta(hours=1)) == []
        assert recalled(since=datetime.now(UTC) - timedelta(hours=1), agent="two") == ["apple of two"]
        assert recalled(agent="one", source=MemorySource.TOOL_RESULT) == []

    def test_forgetting(self) -> None:
        """For good, and nothing else; an unknown id is no error."""
        memory = self.memory()
        first, second = memory.remember("bot", "apple one"), memory.remember("bot", "apple two")
        assert first != second
        memory.forget(first)
        memory.forget(first)
        memory.forget("no such id")
        assert [fragment.id for fragment in memory.recall("apple")] == [second]

    def test_values_belong_to_one_agent(self) -> None:
        """The last one counts; None drops it; no agent sees another's, however keys and names are spelled."""
        memory = self.memory()
        memory.set("one", "key", 1)
        memory.set("one", "key", 2)
        memory.set("two", "key", 3)
        memory.set("a", "b:c", 4)
        memory.set("a:b", "c", 5)
        found = [memory.get(*place) for place in (("one", "key"), ("two", "key"), ("a", "b:c"), ("a:b", "c"))]
        assert found == [2, 3, 4, 5]
        assert memory.get("one", "other") is None
        memory.set("one", "key", None)
        assert memory.get("one", "key") is None
        assert memory.get("two", "key") == 3

    def test_values_come_back_as_they_were(self) -> None:
        """All that JSON can hold."""
        memory = self.memory()
        for number, value in enumerate(ODD_VALUES):
            memory.set("bot", f"key {number}", value)
        assert [memory.get("bot", f"key {number}") for number in range(len(ODD_VALUES))] == list(ODD_VALUES)

    def test_odd_texts_do_no_harm(self) -> None:
        """As contents, as queries, as names."""
        memory = self.memory()
        memory.remember("bot", "apple")
        for text in ODD_TEXTS:
            fragment_id = memory.remember(text or "bot", f"{text} pear{text}")
            memory.recall(text)
            memory.set(text, text, text)
            assert memory.get(text, text) == text
            memory.forget(fragment_id)
        assert [fragment.content for fragment in memory.recall("apple")] == ["apple"]

    def test_many_threads(self) -> None:
        """Nothing is lost, and every id is its own."""
        memory = self.memory()
        ids: list[str] = []

        def work(number: int) -> None:
            for turn in range(EACH):
                ids.append(memory.remember(f"bot {number}", f"apple {number} {turn}"))
                memory.set(f"bot {number}", "turn", turn)
                memory.recall("apple", 2)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert len(set(ids)) == AT_ONCE * EACH
        assert len(memory.recall("apple", AT_ONCE * EACH)) == AT_ONCE * EACH
        assert [memory.get(f"bot {number}", "turn") for number in range(AT_ONCE)] == [EACH - 1] * AT_ONCE
