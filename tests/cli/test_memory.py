"""``actors memory add | embed | search``."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from actors.cli import memory as room
from actors.cli.main import app
from actors.errors import NetworkError
from actors.memory.embedder import HashEmbedder
from actors.memory.sqlite_memory import SqliteMemory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "_embedder", lambda model, base_url: None if model is None else HashEmbedder(int(model)))

    def go(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["memory", *words])
        return result.exit_code, result.stdout, result.stderr

    return go


def test_add_and_search(run: Any, tmp_path: Path) -> None:
    """A document is called as its file is; what is found says where it stands; nothing is exit code 1."""
    (tmp_path / "handbook.md").write_text("Refunds are paid in fourteen days.\n\nThe office is in Linz.")
    assert run("add", "notes.db", "handbook.md", "--words", "6", "--overlap", "0") == (0, "handbook.md: 2 pieces\n", "")
    code, found, _ = run("search", "notes.db", "linz")
    assert code == 0
    assert found.endswith("  [handbook.md, piece 2]  The office is in Linz.\n")
    assert run("search", "notes.db", "nowhere") == (1, "", "nothing was found\n")
    assert run("add", "notes.db", "handbook.md", "--name", "new")[:2] == (0, "new: 1 piece\n")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_paragraphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found stands below its place, and no word of it is broken at the edge."""
    text = "Refunds are paid within fourteen days of the day on which the goods came back, whole and in their box."
    with SqliteMemory(tmp_path / "notes.db") as memory:
        memory.add_document("handbook", text)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")

    assert room.search(str(tmp_path / "notes.db"), "refunds") == 0
    head, *lines, last = [line.rstrip() for line in terminal.getvalue().splitlines()]
    assert head.endswith("[handbook, piece 1]")
    assert [line[:2] for line in lines] == ["  "] * len(lines)
    assert " ".join(map(str.strip, lines)) == text
    assert last == ""


def test_embed(run: Any, tmp_path: Path) -> None:
    """What is missing, or of another model, gets a vector; a second run has nothing to do."""
    with SqliteMemory(tmp_path / "notes.db") as memory:
        for number in range(70):
            memory.remember("bot", f"apple {number}")
        memory.remember("bot", "?")
    assert run("embed", "notes.db", "--embedder", "256") == (0, "notes.db: 71 fragments embedded\n", "")
    assert run("embed", "notes.db", "--embedder", "256")[1] == "notes.db: 1 fragment embedded\n"
    code, _, problem = run("search", "notes.db", "apple", "--embedder", "128")
    assert code == 2
    assert "embeds anew" in problem
    assert run("embed", "notes.db", "--embedder", "128")[1] == "notes.db: 71 fragments embedded\n"
    assert run("search", "notes.db", "apple 7", "--embedder", "128", "--limit", "1")[1].endswith("apple 7\n")


def test_an_embedder_that_fails(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it made stays, and the same command goes on."""
    with SqliteMemory(tmp_path / "notes.db") as memory:
        for number in range(100):
            memory.remember("bot", f"apple {number}")
    calls: list[int] = []

    class Fails(HashEmbedder):
        def embed(self, texts: Any, *, cancel: Any) -> Any:
            calls.append(len(texts))
            if len(calls) > 1:
                raise NetworkError("nobody there")
            return super().embed(texts, cancel=cancel)

    hash_embedder = room._embedder
    monkeypatch.setattr(room, "_embedder", lambda model, base_url: Fails(256))
    code, _, problem = run("embed", "notes.db", "--embedder", "256")
    assert code == 1
    assert "nobody there; 64 fragments embedded: the same command goes on there" in problem
    monkeypatch.setattr(room, "_embedder", hash_embedder)
    assert run("embed", "notes.db", "--embedder", "256")[1] == "notes.db: 36 fragments embedded\n"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("search", "none.db", "x"), "none.db: there is no such memory"),
        (("embed", "none.db", "--embedder", "4"), "none.db: there is no such memory"),
        (("add", "notes.db", "none.md"), "none.md cannot be read"),
        (("add", "notes.db", "a", "b", "--name", "c"), "--name names one document"),
        (("add", "no/notes.db", "a"), "its folder is not there"),
        (("add", "notes.db", "a", "--words", "3", "--overlap", "3"), "overlap must be less"),
    ],
)
def test_what_is_refused(run: Any, tmp_path: Path, words: tuple[str, ...], what: str) -> None:
    """With exit code 2, and what to do; no memory is made by looking for one."""
    (tmp_path / "a").write_text("text")
    code, out, problem = run(*words)
    assert (code, out) == (2, "")
    assert what in problem
    assert not (tmp_path / "none.db").exists()


def test_a_base_url_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says where an embedder is, but not which."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("text")
    result = CliRunner().invoke(app, ["memory", "add", "notes.db", "a", "--base-url", "http://127.0.0.1:9"])
    assert result.exit_code == 2
    assert "--embedder" in result.stderr
