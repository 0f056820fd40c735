"""Vectors beside words: what is near in meaning is found, and who makes the vectors may fail."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentManifest, AgentPool, SpawnConfig, embed_file
from actors.agent.ports import MemoryFilter, PrivacyTier
from actors.core.waiting.cancel import CancelToken
from actors.drivers.scripted import ScriptedDriver
from actors.errors import Cancelled, CapabilityDenied, MemoryFailed
from actors.memory import kept_vectors, schema, vector_index
from actors.memory.direction import direction_of, packed, unpacked
from actors.memory.embedder import HashEmbedder
from actors.memory.in_memory import InMemorySubstrate
from actors.memory.matrix_index import MatrixIndex
from actors.memory.sqlite_memory import SqliteMemory
from actors.memory.vector_index import PlainIndex
from tests.memory.scripts import Corpus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.memory.vector_index import VectorIndex


class Topics:
    """Makes vectors of what a text is about."""

    model = "topics"
    dimensions = 2
    privacy_tier = PrivacyTier.STANDARD

    def __init__(self) -> None:
        self.broken = False
        self.asked = 0

    def embed(self, texts: Sequence[str], *, cancel: CancelToken) -> list[Sequence[float]]:
        cancel.check()
        self.asked += 1
        if self.broken:
            raise ConnectionError("nobody there")
        return [[1.0, 0.1] if "boat" in text or "ship" in text else [0.1, 1.0] for text in texts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture(params=["numpy", "plain"])
def with_and_without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(kept_vectors, "_find_numpy", lambda: False)
    return str(request.param)


def test_what_means_the_same_is_found(path: Path, with_and_without: str) -> None:
    """Without a common word; the score is the mean of both."""
    with SqliteMemory(path, embedder=Topics()) as memory:
        memory.remember("bot", "a boat at sea")
        memory.remember("bot", "bread and butter")
        found = memory.recall("ship", 1)
        assert [fragment.content for fragment in found] == ["a boat at sea"]
        assert found[0].score == pytest.approx(0.5)
        assert memory.recall("ship boat", 1)[0].score > found[0].score


@pytest.mark.parametrize("script", ["latin", "chinese"])
def test_it_ranks_as_the_memory_in_a_process_does(script: str, path: Path, with_and_without: str) -> None:
    """With vectors, too, also of an agent of its own, and of those that have none."""
    chance, corpus = random.Random(1), Corpus(script, 5)
    there = InMemorySubstrate()

    def vector() -> list[float]:
        return [chance.gauss(0, 1) for _ in range(8)]

    with SqliteMemory(path) as here:
        for number in range(120):
            text, embedding = corpus.text(3, 20), vector() if number % 3 else None
            for memory in (here, there):
                memory.remember(f"bot {number % 10}", text, embedding=embedding)
        for number in range(25):
            query, embedding = corpus.text(1, 4) if number % 4 else "", vector()
            only = MemoryFilter(agent=f"bot {number % 10}") if number % 2 else None
            ours = here.recall(query, 5, only, embedding)
            theirs = there.recall(query, 5, only, embedding)
            assert [one.content for one in ours] == [one.content for one in theirs]
            assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-5)


def test_changes_of_another_opening_are_seen(path: Path, with_and_without: str) -> None:
    """What came, went or was replaced, whoever did it; also when many changes were missed."""
    with SqliteMemory(path, embedder=Topics()) as memory, SqliteMemory(path, embedder=Topics()) as other:
        first = memory.remember("bot", "a boat")
        assert len(memory.recall("ship")) == 1
        other.remember("bot", "another boat")
        assert len(memory.recall("ship")) == 2
        other.forget(first)
        assert [fragment.content for fragment in memory.recall("ship")] == ["another boat"]
        other.remember("bot", "boat three")
        other._file.write(lambda connection: connection.execute("DELETE FROM vector_change WHERE number < 4"))
        other.remember("bot", "boat four")
        assert len(memory.recall("ship")) == 3


def test_only_the_last_changes_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the file would grow for ever."""
    monkeypatch.setattr(schema, "CHANGES_KEPT", 10)
    with SqliteMemory(path) as memory:
        for number in range(30):
            memory.forget(memory.remember("bot", "x", embedding=[1.0, number]))
        count = memory._file.read(
            lambda connection: connection.execute("SELECT count(*) FROM vector_change").fetchone()
        )
    assert count == (10,)


# When the embedder fails ----------------------------------------------------------------------------------------


def test_without_the_embedder_words_are_left(path: Path, logged: list[str]) -> None:
    """It is logged once; what was stored without gets no vector by itself."""
    embedder = Topics()
    with SqliteMemory(path, embedder=embedder) as memory:
        memory.remember("bot", "a boat")
        embedder.broken = True
        memory.remember("bot", "a boat without")
        assert len(memory.recall("boat")) == 2
        assert memory.recall("ship") == []
        assert len([text for text in logged if "'topics' failed" in text]) == 1
        embedder.broken = False
        assert [fragment.content for fragment in memory.recall("ship")] == ["a boat"]
        embedder.broken = True
        memory.recall("boat")
        assert len([text for text in logged if "'topics' failed" in text]) == 2


@pytest.fixture
def logged() -> Any:
    from loguru import logger

    texts: list[str] = []
    logger.enable("actors")
    number = logger.add(texts.append, format="{message}", level="WARNING")
    yield texts
    logger.remove(number)
    logger.disable("actors")


@pytest.mark.parametrize(
    "answer",
    [[], [[1.0]], [[1.0, 2.0], [1.0, 2.0]], [[float("nan"), 1.0]], ["text"], [None]],
    ids=["none", "short", "many", "nan", "text", "null"],
)
def test_nonsense_of_an_embedder(path: Path, answer: Any) -> None:
    """Is as if it had failed: what is remembered is stored, without."""
    embedder = Topics()
    with SqliteMemory(path, embedder=embedder) as memory:
        embedder.embed = lambda texts, *, cancel: answer  # type: ignore[method-assign]
        memory.remember("bot", "a boat")
        assert len(memory.recall("boat")) == 1
        vectors = memory._file.read(lambda connection: connection.execute("SELECT count(*) FROM vector").fetchone())
        assert vectors == (0,)


def test_another_model(path: Path) -> None:
    """Or another length: it is refused when it is opened, with the command that mends it; without one it opens."""
    with SqliteMemory(path, embedder=Topics()) as memory:
        memory.remember("bot", "a boat")
    for embedder in (HashEmbedder(2), HashEmbedder(7)):
        with pytest.raises(MemoryFailed, match=r"vectors of model 'topics' \(2 numbers\).*actors memory embed"):
            SqliteMemory(path, embedder=embedder)
    with pytest.raises(MemoryFailed, match=r"embeds anew, or embed_file\(path, embedder\)"):
        SqliteMemory(path, embedder=longer_topics())
    with SqliteMemory(path) as memory:
        assert len(memory.recall("boat")) == 1
        assert memory.recall("ship") == []
    assert (embed_file(path, longer_topics()), embed_file(path, longer_topics())) == (1, 0)
    with SqliteMemory(path, embedder=longer_topics()) as memory:
        assert len(memory.recall("ship")) == 1


def longer_topics() -> Topics:
    """Of the same model, with vectors of another length."""
    embedder = Topics()
    embedder.dimensions = 3
    embedder.embed = lambda texts, *, cancel: [[1.0, 0.0, 0.0] for _ in texts]  # type: ignore[method-assign]
    return embedder


def test_an_embedding_that_does_not_fit(path: Path) -> None:
    """Of another length than the embedder's it is refused: nobody could open the file any more."""
    with SqliteMemory(path, embedder=Topics()) as memory:
        with pytest.raises(MemoryFailed, match="3 numbers does not fit"):
            memory.remember("bot", "text", embedding=[1.0, 2.0, 3.0])
        with pytest.raises(MemoryFailed, match="does not fit"):
            memory.recall("text", query_embedding=[1.0])
        memory.remember("bot", "text", embedding=[0.0, 0.0])
        assert len(memory) == 1


@pytest.mark.parametrize("embedder", [object(), "text-embedding-3-small", HashEmbedder])
def test_what_is_no_embedder(path: Path, embedder: Any) -> None:
    """It is said before the file is made."""
    with pytest.raises(TypeError, match="embedder must be an object with model"):
        SqliteMemory(path, embedder=embedder)
    assert not path.exists()


@pytest.mark.parametrize("dimensions", [0, True, "2", None])
def test_an_embedder_that_does_not_say_its_length(path: Path, dimensions: Any) -> None:
    """Is one that fails: by words alone, and without vectors."""
    embedder = Topics()
    embedder.dimensions = dimensions
    with SqliteMemory(path, embedder=embedder) as memory:
        memory.remember("bot", "a boat")
        assert [fragment.score > 0 for fragment in memory.recall("boat")] == [True]
        stored = memory._file.read(lambda connection: connection.execute("SELECT count(*) FROM vector").fetchone())
        assert stored == (0,)


def test_an_embedder_is_not_asked_for_nothing(path: Path) -> None:
    """How long its vectors are may be known to a server alone: it matters from the first vector in the file on."""

    class Silent(Topics):
        @property
        def dimensions(self) -> int:  # type: ignore[override]
            raise AssertionError

    SqliteMemory(path).close()
    SqliteMemory(path, embedder=Silent()).close()


def test_a_stricter_manifest(path: Path) -> None:
    """Than the embedder's tier: refused when it is spawned, as with a driver's; also a child."""
    with SqliteMemory(path, embedder=Topics()) as memory, AgentPool(ScriptedDriver(["x"]), memory=memory) as pool:
        with pytest.raises(CapabilityDenied, match="privacy sovereign, but the embedder of its memory is standard"):
            pool.spawn(SpawnConfig(AgentManifest(name="a"), "q"))
        pool.spawn(SpawnConfig(AgentManifest(name="a", privacy="standard"), "q")).result()
        assert len(memory) == 1
    with SqliteMemory(path) as memory, AgentPool(ScriptedDriver(["x"]), memory=memory) as pool:
        pool.spawn(SpawnConfig(AgentManifest(name="a"), "q")).result()


def test_a_cancel_ends_the_embedding(path: Path) -> None:
    """That of the agent which works there; nothing is stored."""
    seen: list[CancelToken] = []

    class Cancels(Topics):
        def embed(self, texts: Sequence[str], *, cancel: CancelToken) -> list[Sequence[float]]:
            seen.append(cancel)
            cancel.cancel("enough")
            cancel.check()
            return []

    with SqliteMemory(path, embedder=Cancels()) as memory:
        with AgentPool() as pool:
            handle = pool.submit(lambda: memory.remember("bot", "a boat"))
            assert handle.outcome().status == "cancelled"
        with pytest.raises(Cancelled, match="enough"):
            memory.recall("boat")
        assert len(memory) == 0
    assert len(seen) == 2


# Without NumPy --------------------------------------------------------------------------------------------------


def test_too_many_without_numpy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command that installs it; words are not touched."""
    monkeypatch.setattr(kept_vectors, "_find_numpy", lambda: False)
    monkeypatch.setattr(vector_index, "MOST_PLAIN", 3)
    with SqliteMemory(path, embedder=HashEmbedder(4)) as memory:
        for number in range(4):
            memory.remember("bot", f"apple {number}")
        for _ in range(2):
            with pytest.raises(MemoryFailed, match=r"more than 3 vectors.*install"):
                memory.recall("apple")
    with SqliteMemory(path) as memory:
        assert len(memory.recall("apple")) == 4


# The parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [PlainIndex, lambda: MatrixIndex(4)], ids=["plain", "matrix"])
def test_an_index(make: Any) -> None:
    """Finds what a plain comparison finds, after any adding, replacing and removing."""
    chance, index = random.Random(2), make()
    known: dict[int, tuple[float, ...]] = {}
    for step in range(900):
        number = chance.randrange(400)
        if chance.random() < 0.3:
            known.pop(number, None)
            index.remove([number, 10_000])
        else:
            vector = direction_of([chance.gauss(0, 1) for _ in range(4)])
            assert vector is not None
            known[number] = vector
            index.add([(number, packed(vector))])
        if step % 90 == 0:
            compare(index, known, chance)
    index.add([])
    assert index.nearest([1.0, 0.0, 0.0, 0.0], 0) == []


def compare(index: VectorIndex, known: dict[int, tuple[float, ...]], chance: random.Random) -> None:
    towards = direction_of([chance.gauss(0, 1) for _ in range(4)])
    assert towards is not None
    right = {number: sum(a * b for a, b in zip(vector, towards, strict=True)) for number, vector in known.items()}
    best = sorted(right, key=lambda number: -right[number])
    found = index.nearest(towards, 7)
    assert [number for number, _ in found] == best[:7]
    assert [value for _, value in found] == pytest.approx([right[number] for number in best[:7]], abs=1e-6)
    told = index.nearest(towards, 7, also=[*best[5:9], 99_999])
    assert told[:7] == found
    assert sorted(number for number, _ in told[7:]) == sorted(best[7:9])
    assert dict(told) == pytest.approx({number: right[number] for number, _ in told}, abs=1e-6)


def test_an_index_that_is_empty() -> None:
    """Finds nothing."""
    assert MatrixIndex(3).nearest([1.0, 0.0, 0.0], 3) == PlainIndex().nearest([1.0, 0.0, 0.0], 3) == []


def test_the_embedder_for_tests() -> None:
    """The same text has the same vector everywhere; texts that share words are near."""
    embedder, token = HashEmbedder(64), CancelToken()
    first, again, other, empty = embedder.embed(["red apple", "apple RED", "a river", "?"], cancel=token)
    assert first == again
    assert math.hypot(*first) == pytest.approx(1.0)
    assert sum(a * b for a, b in zip(first, other, strict=True)) < 0.9
    assert set(empty) == {0.0}
    assert list(HashEmbedder(4).embed(["apple"], cancel=token)[0]) == list(
        HashEmbedder(4).embed(["apple"], cancel=token)[0]
    )
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="dimensions"):
            HashEmbedder(bad)  # type: ignore[arg-type]


def test_packed_vectors() -> None:
    """float32, and back."""
    assert list(unpacked(packed([0.5, -0.25]))) == [0.5, -0.25]
    assert packed([1.0]) == b"\x00\x00\x80\x3f"
