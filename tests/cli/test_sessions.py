"""``actors chat --session`` and ``actors sessions``: conversations that go on."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
import typer

from actors import Sessions
from actors.testing.sessions import make_turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOT = """
from actors import FunctionDriver

def make(manifest):
    def answer(request):
        if request.messages[-1].content == "bad":
            raise ConnectionError("no")
        return f"{len(request.messages)} {request.messages[-1].content}"
    return FunctionDriver(answer)
"""
KEPT = ("--session", "user-42", "--sessions", "chats.db")


@pytest.fixture(autouse=True)
def bot(folder: Path) -> None:
    """Says how many messages it was sent, and the last one."""
    (folder / "echo.py").write_text(BOT)
    (folder / "talk.toml").write_text('name = "talk"\n[model]\ndriver = "echo:make"\n')
    (folder / "own.toml").write_text('name = "own"\nagent = "bot:Wait"\n[model]\ndriver = "echo:make"\n')


def test_a_conversation_goes_on_in_the_next_program(cli: Callable[..., Any], folder: Path) -> None:
    """Each question is sent with what was said before, also by an earlier program; a failure is not kept."""
    first = cli("chat", "talk.toml", *KEPT, stdin="a\nb\nbad\n")
    assert (first.stdout, first.exit_code) == ("1 a\n3 b\n", 1)
    assert first.stderr.startswith("session user-42: new\n")
    later = cli("chat", "talk.toml", *KEPT, stdin="c\n")
    assert (later.stdout, later.exit_code) == ("5 c\n", 0)
    assert later.stderr.startswith("session user-42: 2 turns, the last one 2")
    assert stat.S_IMODE((folder / "chats.db").stat().st_mode) == 0o600


def test_without_a_session_all_is_forgotten(cli: Callable[..., Any], folder: Path) -> None:
    """As before: no file is made."""
    files = sorted(folder.iterdir())
    assert [cli("chat", "talk.toml", stdin="a\nb\n").stdout for _ in range(2)] == ["1 a\n3 b\n"] * 2
    assert [file for file in sorted(folder.iterdir()) if file.name != "__pycache__"] == files


def test_the_commands_own_folder(cli: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file is named; it and its folder are for their owner alone."""
    home = folder / "home"
    monkeypatch.setattr(typer, "get_app_dir", lambda name: str(home / name))
    none = cli("sessions", "list")
    assert (none.stdout[:11], none.exit_code) == ("no sessions", 0)
    assert not home.exists()
    assert cli("chat", "talk.toml", "--session", "s", stdin="hi\n").stdout == "1 hi\n"
    file = home / "actors" / "sessions.db"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file.parent, file)] == [0o700, 0o600]
    assert cli("sessions", "list").stdout.splitlines()[1].startswith("s ")


@pytest.fixture
def filled(folder: Path) -> Path:
    """Two sessions, one with an odd name and an odd question."""
    path = folder / "chats.db"
    with Sessions(path) as sessions:
        for number in (1, 2):
            sessions.store.append("user-42", make_turn(number, f"question {number}", f"answer {number}"))
        sessions.store.append("odd\n\x1b[31m", make_turn(1, "\x1b[2J" + "long " * 100))
    return path


def test_list(filled: Path, cli: Callable[..., Any]) -> None:
    """Name, turns, moment and the last question, on one line each; what moves the cursor is escaped."""
    done = cli("sessions", "list", "--sessions", filled.name)
    assert done.exit_code == 0
    title, odd, user = sorted(done.stdout.splitlines(), key=lambda line: ("session" not in line, line))
    assert title.split() == ["session", "turns", "last", "last", "query"]
    assert "\x1b" not in done.stdout
    assert odd.startswith(r"odd\n\x1b[31m")
    assert [user.split()[0], user.split()[1], *user.split()[-2:]] == ["user-42", "2", "question", "2"]
    few = cli("sessions", "list", "--sessions", filled.name, "--limit", "1")
    assert "and more: --limit 10" in few.stdout


def test_show(filled: Path, cli: Callable[..., Any]) -> None:
    """What was asked and answered; the last turns alone where that is said."""
    done = cli("sessions", "show", "user-42", "--sessions", filled.name, "--last", "1")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("-- 2 -- 2026-01-0")
    assert "bot, a-model, 5 tokens, $0.25" in first
    assert rest == ["> question 2", "answer 2", ""]
    assert "\x1b" not in cli("sessions", "show", "odd\n\x1b[31m", "--sessions", filled.name).stdout


def test_delete(filled: Path, cli: Callable[..., Any]) -> None:
    """It is gone, and said to be; the other one stays."""
    done = cli("sessions", "delete", "user-42", "--sessions", filled.name)
    assert (done.exit_code, done.stdout) == (0, "user-42: deleted (2 turns)\n")
    with Sessions(filled) as sessions:
        assert [session.id for session in sessions.list()] == ["odd\n\x1b[31m"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sessions", "show", "user-43", "--sessions", "chats.db"), "did you mean user-42?"),
        (("sessions", "delete", "", "--sessions", "chats.db"), "must not be empty"),
        (("sessions", "list", "--sessions", "none.db"), "there are no sessions"),
        (("sessions", "list", "--sessions", "chats.db", "--limit", "0"), "--limit"),
        (("sessions", "list", "--sessions", "talk.toml"), "is no file of sessions"),
        (("chat", "talk.toml", "--sessions", "chats.db"), "--session NAME"),
        (("chat", "talk.toml", "--session", "x" * 201), "at most 200"),
        (("chat", "own.toml", "--session", "s"), "nothing would be stored"),
    ],
    ids=["near", "empty", "none", "limit", "another", "no name", "long", "no loop"],
)
def test_bad_usage(filled: Path, folder: Path, cli: Callable[..., Any], command: tuple[str, ...], words: str) -> None:
    """Exit code 2, and what to do."""
    done = cli(*command)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not (folder / "none.db").exists()
