"""The memory in this process."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from actors.agent.ports import MemoryFilter, MemorySource, MemorySubstrate
from actors.errors import MemoryFailed
from actors.memory.in_memory import InMemorySubstrate


def _contents(memory: MemorySubstrate, query: str, limit: int = 5, **options: object) -> list[str]:
    return [fragment.content for fragment in memory.recall(query, limit, **options)]  # type: ignore[arg-type]


def test_recall_ranks_by_words() -> None:
    """More of the query, and rarer words of it, rank higher; order, case and gaps do not matter."""
    memory = InMemorySubstrate()
    memory.remember("a", "the capital of France is Paris")
    memory.remember("a", "the capital of Italy is Rome")
    memory.remember("a", "the weather is fine")
    found = memory.recall("What is THE capital: of Italy?")
    assert [fragment.content.split()[-1] for fragment in found] == ["Rome", "Paris", "fine"]
    assert 1.0 > found[0].score > found[1].score > found[2].score > 0.0


def test_a_recalled_fragment_says_what_was_remembered() -> None:
    """Id, content, source and time come back; the time is in UTC."""
    memory = InMemorySubstrate()
    before = datetime.now(UTC)
    fragment_id = memory.remember("a", "apple pie", MemorySource.USER)
    (fragment,) = memory.recall("apple")
    assert (fragment.id, fragment.content, fragment.source) == (fragment_id, "apple pie", MemorySource.USER)
    assert before <= fragment.created_at <= datetime.now(UTC)
    assert fragment.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("query", ["", "   ", "?!", "banana", "app"])
def test_without_a_matching_word_nothing_is_recalled(query: str) -> None:
    """A query none of whose words is known recalls nothing; a part of a word is no word."""
    memory = InMemorySubstrate()
    memory.remember("a", "apple pie")
    assert memory.recall(query) == []


def test_an_empty_memory_recalls_nothing() -> None:
    """Recall on an empty memory is an empty list, with and without an embedding."""
    memory = InMemorySubstrate()
    assert memory.recall("x") == []
    assert memory.recall("x", query_embedding=[1.0]) == []


def test_equal_scores_come_newest_first() -> None:
    """Of fragments that fit equally well, the newest come first, also at the cut."""
    memory = InMemorySubstrate()
    ids = [memory.remember("a", "same words") for _ in range(10)]
    assert [fragment.id for fragment in memory.recall("same words", 3)] == ids[:-4:-1]


@pytest.mark.parametrize(("limit", "count"), [(-1, 0), (0, 0), (1, 1), (3, 3), (100, 4)])
def test_limit(limit: int, count: int) -> None:
    """At most *limit* fragments come back."""
    memory = InMemorySubstrate()
    for number in range(4):
        memory.remember("a", f"word {number}")
    assert len(memory.recall("word", limit)) == count


def test_filters() -> None:
    """Agent and source each cut, and together they cut more."""
    memory = InMemorySubstrate()
    memory.remember("a", "word one", MemorySource.USER)
    memory.remember("a", "word two", MemorySource.SYSTEM)
    memory.remember("b", "word three", MemorySource.USER)
    assert set(_contents(memory, "word", filter=MemoryFilter())) == {"word one", "word two", "word three"}
    assert set(_contents(memory, "word", filter=MemoryFilter(agent="a"))) == {"word one", "word two"}
    assert set(_contents(memory, "word", filter=MemoryFilter(source=MemorySource.USER))) == {
        "word one",
        "word three",
    }
    assert _contents(memory, "word", filter=MemoryFilter("a", MemorySource.USER)) == ["word one"]
    assert _contents(memory, "word", filter=MemoryFilter("c")) == []


def test_a_filter_never_costs_a_hit() -> None:
    """Better fragments of other agents do not push out those that the filter asks for."""
    memory = InMemorySubstrate()
    memory.remember("mine", "needle in a very long stack of hay that goes on and on")
    for _ in range(50):
        memory.remember("other", "needle")
    assert len(memory.recall("needle", 1, MemoryFilter(agent="mine"))) == 1


def test_since_is_inclusive() -> None:
    """``since`` takes fragments made at that moment or later."""
    memory = InMemorySubstrate()
    memory.remember("a", "word")
    made = memory.recall("word")[0].created_at
    tick = timedelta(microseconds=1)
    assert len(memory.recall("word", filter=MemoryFilter(since=made))) == 1
    assert memory.recall("word", filter=MemoryFilter(since=made + tick)) == []
    elsewhere = timezone(timedelta(hours=-7))
    assert len(memory.recall("word", filter=MemoryFilter(since=made.astimezone(elsewhere)))) == 1
    assert memory.recall("word", filter=MemoryFilter(since=(made + tick).astimezone(elsewhere))) == []


def test_a_naive_since_is_local_time() -> None:
    """A ``since`` without a time zone is local time."""
    memory = InMemorySubstrate()
    memory.remember("a", "word")
    local = memory.recall("word")[0].created_at.astimezone().replace(tzinfo=None)
    assert len(memory.recall("word", filter=MemoryFilter(since=local))) == 1
    assert memory.recall("word", filter=MemoryFilter(since=local + timedelta(microseconds=1))) == []


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
def test_since_at_the_ends_of_the_calendar(zone: tzinfo | None) -> None:
    """The smallest and the largest moment are moments like any other."""
    memory = InMemorySubstrate()
    memory.remember("a", "word")
    assert len(memory.recall("word", filter=MemoryFilter(since=datetime.min.replace(tzinfo=zone)))) == 1
    assert memory.recall("word", filter=MemoryFilter(since=datetime.max.replace(tzinfo=zone))) == []


def test_bounded() -> None:
    """A bounded memory forgets the oldest fragment first, and its index with it."""
    memory = InMemorySubstrate(max_fragments=3)
    for number in range(10):
        memory.remember("a", f"word n{number}")
    assert len(memory) == 3
    assert _contents(memory, "word", 10) == ["word n9", "word n8", "word n7"]
    assert memory.recall("n6") == []
    assert len(memory._index) == 3
    assert set(memory._index._postings) == {"word", "n7", "n8", "n9"}


def test_a_forgotten_fragment_makes_room() -> None:
    """What was forgotten by hand does not count against the bound."""
    memory = InMemorySubstrate(max_fragments=2)
    first = memory.remember("a", "word one")
    second = memory.remember("a", "word two")
    memory.forget(second)
    memory.remember("a", "word three")
    assert memory.recall("one")[0].id == first


@pytest.mark.parametrize("bound", [0, -1])
def test_a_bound_below_one_is_refused(bound: int) -> None:
    """A memory that may keep nothing is a mistake."""
    with pytest.raises(ValueError, match="max_fragments"):
        InMemorySubstrate(max_fragments=bound)


def test_forget() -> None:
    """A forgotten fragment is not recalled; forgetting it again, or what never was, is no error."""
    memory = InMemorySubstrate()
    fragment_id = memory.remember("a", "apple apple pie")
    memory.forget(fragment_id)
    memory.forget(fragment_id)
    memory.forget("never was")
    assert memory.recall("apple") == []
    assert memory.recall("apple", query_embedding=[1.0]) == []
    assert not memory._index._postings
    assert len(memory) == 0


def test_values_belong_to_one_agent() -> None:
    """Each agent has its own keys; a value comes back as it was; None forgets it."""
    memory = InMemorySubstrate()
    value = {"n": [1, 2]}
    memory.set("a", "k", value)
    memory.set("b", "k", 0)
    assert memory.get("a", "k") is value
    assert memory.get("b", "k") == 0
    assert memory.get("c", "k") is None
    memory.set("a", "k", None)
    assert memory.get("a", "k") is None
    assert memory.get("b", "k") == 0


def test_no_agent_reads_anothers_key_by_a_clever_name() -> None:
    """Agent and key are never glued together."""
    memory = InMemorySubstrate()
    memory.set("a", "b/c", 1)
    assert memory.get("a/b", "c") is None


def test_an_empty_memory_is_true() -> None:
    """``memory or default`` keeps an empty memory."""
    assert InMemorySubstrate()


def test_embeddings_rank() -> None:
    """With equal words, the nearer embedding wins; direction counts, not length."""
    memory = InMemorySubstrate()
    memory.remember("a", "word", embedding=[0.1, 0.0])
    memory.remember("a", "word", embedding=[50.0, 50.0])
    memory.remember("a", "word", embedding=[-1.0, 0.0])
    found = memory.recall("word", query_embedding=[3, 0])
    assert [round(fragment.score - found[2].score, 3) for fragment in found] == [0.5, 0.354, 0.0]


def test_meaning_alone_recalls() -> None:
    """Without a matching word, a near embedding is enough; an opposite or unknown one is not."""
    memory = InMemorySubstrate()
    memory.remember("a", "near", embedding=[1.0, 0.1])
    memory.remember("a", "opposite", embedding=[-1.0, 0.0])
    memory.remember("a", "other model", embedding=[1.0, 0.0, 0.0])
    memory.remember("a", "none")
    assert _contents(memory, "query", query_embedding=[1.0, 0.0]) == ["near"]
    (alone,) = memory.recall("", query_embedding=[1.0, 0.1])
    assert alone.score == pytest.approx(1.0)
    assert alone.score <= 1.0


def test_words_count_beside_meaning() -> None:
    """With equal embeddings, the words decide; a fragment without an embedding is found by its words."""
    memory = InMemorySubstrate()
    memory.remember("a", "apple pie", embedding=[1.0])
    memory.remember("a", "plum pie", embedding=[1.0])
    memory.remember("a", "apple cake")
    assert _contents(memory, "apple", query_embedding=[1.0]) == ["apple pie", "plum pie", "apple cake"]


def test_filters_hold_for_embeddings() -> None:
    """A near embedding does not pass a filter that refuses its fragment."""
    memory = InMemorySubstrate()
    memory.remember("b", "word", embedding=[1.0])
    assert memory.recall("word", filter=MemoryFilter(agent="a"), query_embedding=[1.0]) == []


def test_an_embedding_that_points_nowhere_is_none() -> None:
    """Empty and zero embeddings count as missing."""
    memory = InMemorySubstrate()
    memory.remember("a", "word", embedding=[0.0, 0.0])
    memory.remember("a", "word", embedding=[])
    assert len(memory.recall("word", query_embedding=[0.0])) == 2
    assert memory.recall("", query_embedding=[1.0, 0.0]) == []


def test_huge_and_tiny_embeddings() -> None:
    """Numbers whose squares overflow or vanish are compared all the same."""
    memory = InMemorySubstrate()
    memory.remember("a", "huge", embedding=[1e300, 1e300])
    memory.remember("a", "tiny", embedding=[5e-324, 0.0])
    found = memory.recall("", query_embedding=[1e-320, 0.0])
    assert [(fragment.content, round(fragment.score, 3)) for fragment in found] == [
        ("tiny", 1.0),
        ("huge", 0.707),
    ]


@pytest.mark.parametrize("embedding", [[float("nan")], [1.0, float("inf")], ["x"], 3, [10**400]])
def test_bad_embeddings_are_refused(embedding: object) -> None:
    """What is no list of finite numbers is an error, and nothing is stored."""
    memory = InMemorySubstrate()
    with pytest.raises(MemoryFailed, match="embedding"):
        memory.remember("a", "word", embedding=embedding)  # type: ignore[arg-type]
    with pytest.raises(MemoryFailed, match="embedding"):
        memory.recall("word", query_embedding=embedding)  # type: ignore[arg-type]
    assert len(memory) == 0


def test_content_that_is_no_text_changes_nothing() -> None:
    """A failed remember leaves the memory as it was."""
    memory = InMemorySubstrate()
    with pytest.raises(TypeError):
        memory.remember("a", b"bytes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nowhere"):
        memory.remember("a", "word", "nowhere")  # type: ignore[arg-type]
    assert len(memory) == 0
    assert memory.recall("word") == []


@pytest.mark.parametrize("seed", range(10))
def test_scores_stay_between_zero_and_one(seed: int) -> None:
    """Whatever is remembered and asked, scores lie in [0, 1] and fall."""
    rng = random.Random(seed)
    memory = InMemorySubstrate()
    for _ in range(50):
        text = " ".join(rng.choices("abcde", k=rng.randint(0, 400)))
        memory.remember("a", text, embedding=[rng.gauss(0, 1), rng.gauss(0, 1)])
    for embedding in (None, [rng.gauss(0, 1), 1.0]):
        found = memory.recall(" ".join(rng.choices("abcdex", k=4)), 50, query_embedding=embedding)
        scores = [fragment.score for fragment in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 < score <= 1.0 for score in scores)


def test_many_threads() -> None:
    """Threads that remember, recall and forget at once leave the memory and its index exact."""
    memory = InMemorySubstrate(max_fragments=200)
    together = threading.Barrier(4)

    def work(number: int) -> list[str]:
        together.wait(timeout=30)
        kept = []
        for turn in range(150):
            fragment_id = memory.remember(f"agent{number}", f"word w{number} t{turn}")
            if turn % 3 == 0:
                memory.forget(fragment_id)
            else:
                kept.append(fragment_id)
            memory.set(f"agent{number}", "turn", turn)
            assert all(
                fragment.content.startswith(f"word w{number} ")
                for fragment in memory.recall("word", 50, MemoryFilter(agent=f"agent{number}"))
            )
        return kept

    with ThreadPoolExecutor(4) as pool:
        kept = [fragment_id for ids in pool.map(work, range(4)) for fragment_id in ids]
    found = memory.recall("word", 1000)
    assert len(found) == len(memory) == len(memory._index) == 200
    assert {fragment.id for fragment in found} <= set(kept)
    assert [memory.get(f"agent{number}", "turn") for number in range(4)] == [149] * 4


def test_ids_are_not_numbered() -> None:
    """Nobody can name a neighbour's fragment by counting."""
    memory = InMemorySubstrate()
    first, second = memory.remember("a", "x"), memory.remember("a", "y")
    assert len(first) == len(second) == 24
    assert first[:12] != second[:12]
