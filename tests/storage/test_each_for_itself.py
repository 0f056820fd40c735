"""Where each entry stands for itself: one that fails harms no other, and the writer goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors.storage import commit
from actors.storage.commit import Committer
from actors.storage.database import open_to_write
from actors.storage.errand import Errand, run_all
from actors.storage.faults import WriteFailed
from tests.storage.test_database import ONE, texts_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND = 20
LARGE = "x" * 200_000


class Desk:
    """Notes, each an errand of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = open_to_write(path, ONE, patience=0.01)
        self.committer = Committer(self.connection, path, run_all, name="test-writer", is_prefix=False)

    def note(self, text: str) -> None:
        errand = self.errand(text)
        self.committer.put(errand)
        errand.result()

    @staticmethod
    def errand(text: str) -> Errand:
        return Errand(lambda connection: connection.execute("INSERT INTO note (text) VALUES (?)", (text,)))

    def together(self, *texts: str) -> list[Exception | None]:
        """Note all of them in one transaction, if that can be; what became of each."""
        ends: dict[str, Exception | None] = {}

        def one(text: str) -> None:
            try:
                self.note(text)
                ends[text] = None
            except (WriteFailed, ValueError) as error:
                ends[text] = error

        at_work, go_on = threading.Event(), threading.Event()

        def hold(_: sqlite3.Connection) -> None:
            at_work.set()
            assert go_on.wait(BOUND)

        threads = [threading.Thread(target=self.committer.put, args=(Errand(hold),))]
        threads[0].start()
        assert at_work.wait(BOUND)
        added = self.committer.added
        for text in texts:
            threads.append(threading.Thread(target=one, args=(text,)))
            threads[-1].start()
            added += 1
            while self.committer.added < added:
                threading.Event().wait(0.001)
        go_on.set()
        for thread in threads:
            thread.join(BOUND)
        return [ends[text] for text in texts]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "a.db")
    yield made
    made.committer.close()


def full(connection: sqlite3.Connection) -> Callable[[], object]:
    """Let the disk be full from now on; call what is returned to make room."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    return lambda: connection.execute("PRAGMA max_page_count = 1000000")


def test_one_that_does_not_fit_the_disk_harms_no_other(desk: Desk) -> None:
    """Those beside it in its transaction are there, each once; it is told of, and the next one is written."""
    desk.note("first")
    make_room = full(desk.connection)
    ends = desk.together("before", LARGE, "after")
    assert [type(end) for end in ends] == [type(None), WriteFailed, type(None)]
    assert "full" in str(ends[1])
    assert desk.committer.failure is None
    make_room()
    desk.note(LARGE)
    assert sorted(texts_in(desk.path)) == ["after", "before", "first", LARGE]


def test_an_errand_that_raises_harms_no_other(desk: Desk) -> None:
    """Whoever gave it gets what it raised."""

    def raises(_: Any) -> None:
        raise ValueError("odd")

    errand = Errand(raises)
    desk.committer.put(errand)
    with pytest.raises(ValueError, match="odd"):
        errand.result()
    desk.note("next")
    assert texts_in(desk.path) == ["next"]


def test_a_file_that_another_holds_for_too_long(desk: Desk) -> None:
    """Only those are told that waited for it; when it is let go of, the next ones are written."""
    other = open_to_write(desk.path, ONE)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WriteFailed, match="locked"):
        desk.note("too early")
    other.execute("COMMIT")
    other.close()
    desk.note("in time")
    assert texts_in(desk.path) == ["in time"]


def test_a_log_that_cannot_be_copied_is_no_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is committed: it is tried again when the log has grown."""
    tried = threading.Event()

    def fails(_: Committer, patience: int) -> bool:
        tried.set()
        raise OSError(f"no room {patience}")

    monkeypatch.setattr(commit, "CHECKPOINT_AT", 1)
    monkeypatch.setattr(commit, "CHECKPOINT_BY", 1)
    monkeypatch.setattr(Committer, "_checkpoint", fails)
    desk.note("first")
    assert tried.wait(BOUND)
    desk.note("second")
    assert texts_in(desk.path) == ["first", "second"]


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    """All of them can write; it is made once."""
    path = tmp_path / "a.db"
    start = threading.Barrier(8)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        start.wait(BOUND)
        try:
            connection = open_to_write(path, ONE, patience=BOUND)
            connection.execute("INSERT INTO note (text) VALUES (?)", (str(number),))
            connection.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert errors == []
    assert sorted(texts_in(path)) == [str(number) for number in range(8)]
