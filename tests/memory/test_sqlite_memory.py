"""The memory in a file: what it is beyond what every memory promises."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.agent.ports import MemoryFilter, MemorySource
from actors.errors import MemoryFailed
from actors.memory import weighted_words, word_search
from actors.memory.in_memory import InMemorySubstrate
from actors.memory.sqlite_memory import SqliteMemory
from actors.testing.memory import ODD_TEXTS
from tests.memory.scripts import SCRIPTS, Corpus

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 30
ROOT = Path(__file__).parents[2]
HOSTILE = (
    *ODD_TEXTS,
    "C++?",
    'a AND b OR NOT c NEAR(d, 2) * ^ "',
    "text : a - b",
    "'); DELETE FROM fragment; --",
    "\ud800 half of a pair",
    "a\0b\0c",
    '" OR "1',
    "{text} : x",
    "中文",
    "\u202e\u0000\uffff",
    "9" * 70_000,
    " ".join(f"w{number}" for number in range(2_000)),
)
FOUR = """
import sys
from actors.memory.sqlite_memory import SqliteMemory
sys.stdin.readline()
with SqliteMemory(sys.argv[1]) as memory:
    for number in range(5):
        memory.remember(sys.argv[2], f"apple {sys.argv[2]} {number}")
        memory.set(sys.argv[2], "turn", number)
        assert len(memory.recall(f"{sys.argv[2]} apple", 3)) >= min(3, number + 1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def memory(path: Path) -> Iterator[SqliteMemory]:
    with SqliteMemory(path) as made:
        yield made


def contents(memory: SqliteMemory | InMemorySubstrate, query: str, limit: int = 5) -> list[str]:
    return [fragment.content for fragment in memory.recall(query, limit)]


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# It stays -------------------------------------------------------------------------------------------------------


def test_it_stays(path: Path) -> None:
    """What was remembered is there when it is opened again, with all that was said of it."""
    with SqliteMemory(path) as memory:
        new_id = memory.remember("bot", "The river Danube", MemorySource.USER)
        memory.set("bot", "key", {"a": [1, None]})
        (before,) = memory.recall("danube")
    with SqliteMemory(path) as memory:
        assert memory.recall("danube") == [before]
        assert before.id == new_id
        assert memory.get("bot", "key") == {"a": [1, None]}
        assert len(memory) == 1
    assert [found.name for found in path.parent.iterdir()] == ["notes.db"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_forgotten_is_nowhere(memory: SqliteMemory, path: Path) -> None:
    """A fragment is in all tables, or in none (M1); its words are not found any more."""
    new_id = memory.remember("bot", "apple", embedding=[1.0, 2.0])
    assert rows(path, "SELECT count(*) FROM vector")[0] == (1,)
    memory.forget(new_id)
    assert memory.recall("apple") == []
    assert memory.recall("", query_embedding=[1.0, 2.0]) == []
    for table in ("fragment", "vector", "vocabulary"):
        assert rows(path, f"SELECT count(*) FROM {table}")[0] == (0,)  # noqa: S608


def test_ids_cannot_be_guessed(memory: SqliteMemory) -> None:
    """They have 96 bits of chance each (M2)."""
    ids = [memory.remember("bot", "same") for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(len(bytes.fromhex(new_id)) == 12 for new_id in ids)


@pytest.mark.parametrize("reopened", [False, True])
def test_there_are_never_more_than_asked_for(path: Path, reopened: bool) -> None:
    """The oldest goes with the one that comes (M3), also after another opening has written, and after a deletion."""
    with SqliteMemory(path, max_fragments=5) as memory:
        ids = []
        for number in range(12):
            ids.append(memory.remember("bot", f"apple {number}"))
            assert len(memory) == min(5, number + 1)
            if number == 8:
                memory.forget(ids[-1])
            if reopened and number == 9:
                with SqliteMemory(path) as other:
                    other.remember("bot", "apple of another")
        kept = sorted(contents(memory, "apple", 20))
    last = "apple of another" if reopened else "apple 6"
    assert kept == sorted(["apple 7", "apple 9", "apple 10", "apple 11", last])


def test_fewer_than_there_are(path: Path) -> None:
    """A memory that may keep less than is there lets the rest go when something comes (M3)."""
    with SqliteMemory(path) as memory:
        for number in range(10):
            memory.remember("bot", f"apple {number}")
    with SqliteMemory(path, max_fragments=2) as memory:
        memory.remember("bot", "apple new")
        assert contents(memory, "apple", 9) == ["apple new", "apple 9"]


@pytest.mark.parametrize("text", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_no_text_does_harm(memory: SqliteMemory, text: str) -> None:
    """As content, query, name, key, id, source of a document: no error, and it comes back as it was (M4)."""
    memory.remember("bot", "apple")
    new_id = memory.remember(text, f"{text} pear{text}")
    found = [one.content for one in memory.recall(f"{text} pear{text} pear", 9)]
    assert f"{text} pear{text}" in found
    memory.recall(text, filter=MemoryFilter(agent=text))
    memory.recall(text, query_embedding=[1.0])
    memory.set(text, text, text)
    assert memory.get(text, text) == text
    document = memory.add_document(text, text)
    assert (document.name, [one.name for one in memory.documents()]) == (text, [text] if document.pieces else [])
    memory.remove_document(text)
    memory.forget(text)
    memory.forget(new_id)
    assert contents(memory, "apple") == ["apple"]
    assert len(memory) == 1


def test_recall_waits_for_no_remember(memory: SqliteMemory, path: Path) -> None:
    """While another process is in the midst of a write, and a thread of ours waits for it (M5)."""
    memory.remember("bot", "apple one")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(memory.remember, "bot", "apple two")
        assert contents(memory, "apple") == ["apple one"]
        assert memory.get("bot", "nothing") is None
        assert not writing.done()
        other.execute("ROLLBACK")
        writing.result(BOUND)
    other.close()
    assert contents(memory, "apple") == ["apple two", "apple one"]


@pytest.mark.process
def test_four_processes_at_once(path: Path) -> None:
    """They make the file together, and nothing is lost."""
    command = [sys.executable, "-c", FOUR, str(path)]
    processes = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, cwd=ROOT) for name in "abcd"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait(BOUND) for process in processes] == [0] * 4
    with SqliteMemory(path) as memory:
        assert len(memory.recall("apple", 200)) == len(memory) == 20
        assert [memory.get(name, "turn") for name in "abcd"] == [4] * 4


# Order ----------------------------------------------------------------------------------------------------------


def agreement(script: str, fragments: int, queries: int, path: Path) -> float:
    """How many of the best five in a file are those in memory."""
    corpus = Corpus(script, 7)
    alike = wanted = 0
    there = InMemorySubstrate()
    with SqliteMemory(path) as here, ThreadPoolExecutor(8) as pool:
        texts = [corpus.text(5, 60) for _ in range(fragments)]
        for text in texts:
            there.remember("bot", text)
        list(pool.map(lambda text: here.remember("bot", text), texts))
        for _ in range(queries):
            query = corpus.text(1, 8)
            ours = {fragment.content: fragment.score for fragment in here.recall(query)}
            theirs = {fragment.content: fragment.score for fragment in there.recall(query)}
            alike += len(ours.keys() & theirs.keys())
            wanted += len(theirs)
            assert len(ours) == len(theirs)
            assert list(ours.values()) == pytest.approx(list(theirs.values()), abs=1e-9)
    return alike / wanted


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_ranks_as_the_memory_in_a_process_does(script: str, path: Path) -> None:
    """In every script: the same best five, with the same scores."""
    assert agreement(script, 150, 30, path) > 0.97


@pytest.mark.parametrize("script", ["latin", "chinese"])
def test_of_many_fragments_it_finds_the_same(script: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all can be looked at, candidates come from the rarest words: whoever is the best for words that stand
    in it is nearly always the best there, too, as are nine of ten of the best five. Who is found has the same score.
    """
    monkeypatch.setattr(word_search, "ENOUGH", 100)
    corpus = Corpus(script, 3)
    there = InMemorySubstrate()
    first = alike = wanted = 0
    with SqliteMemory(path) as here, ThreadPoolExecutor(8) as pool:
        texts = [corpus.text(5, 40) for _ in range(300)]
        for text in texts:
            there.remember("bot", text)
        list(pool.map(lambda text: here.remember("bot", text), texts))
        for text in texts[:40]:
            query = text[len(text) // 4 : len(text) // 2]
            found = here.recall(query)
            right = {fragment.content: fragment.score for fragment in there.recall(query, 300)}
            assert [one.score for one in found] == pytest.approx([right[one.content] for one in found], abs=1e-9)
            first += list(right)[:1] == [fragment.content for fragment in found[:1]]
            alike += len(set(list(right)[:5]) & {fragment.content for fragment in found})
            wanted += min(5, len(right))
    assert first >= 38
    assert alike >= 0.9 * wanted


def test_what_is_gone_counts_no_more(path: Path) -> None:
    """Scores are those of what is there, however much came and went (FTS5 without content goes on counting it)."""
    corpus = Corpus("latin", 9)
    there = InMemorySubstrate(max_fragments=20)
    with SqliteMemory(path, max_fragments=20) as here:
        here.add_document("book", corpus.text(50, 50), words_per_piece=5, overlap=1)
        here.remove_document("book")
        for number in range(80):
            text = corpus.text(1, 9)
            ids = here.remember("bot", text), there.remember("bot", text)
            if number % 3 == 0:
                here.forget(ids[0])
                there.forget(ids[1])
        assert len(here) == len(there)
        for _ in range(20):
            query = corpus.text(1, 5)
            ours, theirs = ([one.score for one in memory.recall(query)] for memory in (here, there))
            assert ours == pytest.approx(theirs, abs=1e-9)


def test_a_filter_that_leaves_few(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds also what has none but a common word of the query, and not the rarest of these."""
    monkeypatch.setattr(word_search, "ENOUGH", 10)
    with SqliteMemory(path) as memory:
        memory.remember("other", "pear alone")
        for number in range(60):
            memory.remember("bot", f"apple {'pear' if number % 3 else 'plum'} {number}")
        found = memory.recall("plum pear apple", filter=MemoryFilter(agent="other"))
        assert [fragment.content for fragment in found] == ["pear alone"]


def test_a_text_too_long_to_be_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the score that the search gives it: about the same."""
    with SqliteMemory(path) as memory:
        for number in range(20):
            memory.remember("bot", f"number {number}")
        memory.remember("bot", "apple " + "and many words " * 20)
        (exact,) = memory.recall("apple pear")
        monkeypatch.setattr(weighted_words, "MOST_READ", 10)
        (about,) = memory.recall("apple pear")
    assert about.score != exact.score
    assert about.score == pytest.approx(exact.score, rel=0.1)


def test_a_word_that_all_have(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are looked at; whose filter leaves few is still found."""
    monkeypatch.setattr(word_search, "ENOUGH", 10)
    with SqliteMemory(path) as memory:
        memory.remember("rare", "apple first")
        for number in range(30):
            memory.remember("bot", f"apple {number}")
        assert contents(memory, "apple", 3) == ["apple 29", "apple 28", "apple 27"]
        assert [one.content for one in memory.recall("apple", filter=MemoryFilter(agent="rare"))] == ["apple first"]
        assert len(memory.recall("apple", 25)) == 25


def test_equal_ones_come_newest_first(memory: SqliteMemory) -> None:
    """Also at the cut, and when they came in one moment."""
    for number in range(6):
        memory.remember("bot", f"word {number}")
    assert contents(memory, "word", 3) == ["word 5", "word 4", "word 3"]


def test_since_without_a_zone(memory: SqliteMemory) -> None:
    """Is local time, as in memory; both ends of the calendar are moments, too."""
    memory.remember("bot", "word")
    now = datetime.now()
    hour = timedelta(hours=1)
    for since, count in ((now - hour, 1), (now + hour, 0), (datetime.min, 1), (datetime.max, 0)):
        assert len(memory.recall("word", filter=MemoryFilter(since=since))) == count
    (found,) = memory.recall("word")
    assert len(memory.recall("word", filter=MemoryFilter(since=found.created_at))) == 1
    assert found.created_at <= datetime.now(UTC)


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", b"bytes", 7, None])
def test_what_is_no_path(path: object) -> None:
    """It is said before anything is opened."""
    with pytest.raises((ValueError, TypeError), match="memory"):
        SqliteMemory(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0, -1, True, 2.5, "3"])
def test_what_is_no_bound(path: Path, number: object) -> None:
    """At least one fragment must fit."""
    with pytest.raises((ValueError, TypeError), match="max_fragments"):
        SqliteMemory(path, max_fragments=number)  # type: ignore[arg-type]
    assert not path.exists()


def test_a_file_of_another_program(path: Path) -> None:
    """It is refused, and left as it is."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (a)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(MemoryFailed, match="another program's database; it is left as it is"):
        SqliteMemory(path)
    assert path.read_bytes() == before
    path.write_text("no database at all, but a text that is long enough to be looked at" * 100)
    with pytest.raises(MemoryFailed, match="is no memory"):
        SqliteMemory(path)


def test_a_newer_version(path: Path) -> None:
    """It says to update the library."""
    SqliteMemory(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(MemoryFailed, match="update the library"):
        SqliteMemory(path)


def test_a_file_of_a_newer_sqlite(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says so when it is opened: what stands in it needs one as new."""
    SqliteMemory(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA writable_schema = ON")
    newer = "CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1)"
    other.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'words'", (newer,))
    other.commit()
    other.close()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 42, 0))
    with pytest.raises(MemoryFailed, match=r"SQLite 3\.43 or newer has made this memory"):
        SqliteMemory(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not made."""
    with pytest.raises(MemoryFailed, match="its folder is not there"):
        SqliteMemory(tmp_path / "no" / "notes.db")


def test_after_the_close(memory: SqliteMemory) -> None:
    """Everything says so."""
    memory.close()
    memory.close()
    for call in (
        lambda: memory.remember("bot", "text"),
        lambda: memory.recall("text"),
        lambda: memory.set("bot", "key", 1),
        lambda: memory.get("bot", "key"),
        memory.documents,
    ):
        with pytest.raises(MemoryFailed, match="closed"):
            call()


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), b"bytes"])
def test_a_value_that_json_cannot_hold(memory: SqliteMemory, value: object) -> None:
    """It is refused, and what was there stays."""
    memory.set("bot", "key", "before")
    with pytest.raises(MemoryFailed, match="'key' cannot be stored as JSON"):
        memory.set("bot", "key", value)
    assert memory.get("bot", "key") == "before"


def test_a_source_and_a_content_that_are_none(memory: SqliteMemory) -> None:
    """They are refused with what they are."""
    with pytest.raises(ValueError, match="rumour"):
        memory.remember("bot", "text", "rumour")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="content must be text, got bytes"):
        memory.remember("bot", b"text")  # type: ignore[arg-type]
    with pytest.raises(MemoryFailed, match="finite"):
        memory.remember("bot", "text", embedding=[float("inf")])
    with pytest.raises(TypeError, match=r"limit must be a whole number, got 2\.5"):
        memory.recall("text", 2.5)  # type: ignore[arg-type]
    assert len(memory) == 0


def test_a_full_disk_is_told_and_passes(memory: SqliteMemory, path: Path) -> None:
    """Nothing of what did not fit is there; later all goes on."""
    memory.remember("bot", "apple")
    limit = memory._file.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(MemoryFailed, match="full"):
        memory.remember("bot", "apple " * 200_000)
    assert limit is not None
    memory._file.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    memory.remember("bot", "apple later")
    assert len(contents(memory, "apple", 9)) == len(memory) == 2


def test_a_thousand_at_once(memory: SqliteMemory) -> None:
    """From many threads, and each is found."""
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda number: memory.remember("bot", f"apple number{number}"), range(1_000)))
    assert len(set(ids)) == len(memory) == 1_000
    assert contents(memory, "number777") == ["apple number777"]
    assert threading.active_count() < 16
