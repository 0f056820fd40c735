"""What the engine's own thread reads runs nothing that a user wrote."""

from __future__ import annotations

import pytest

from actors.cluster.failures import dump_error
from actors.cluster.items import Note
from actors.cluster.own import is_own, load_own
from actors.cluster.portable import dump_value, load_value
from actors.cluster.references import References
from actors.core.crash import crashed
from actors.core.records.usage import TokenUsage
from actors.errors import AgentAbandoned, AgentTimedOut, Cancelled, InferenceFailed, NotPortable


class Mine:
    """Says when it is made again."""

    made = 0

    def __reduce__(self):
        return remade, ()


class MyError(Exception):
    """A user's."""


def remade() -> Mine:
    """Count."""
    Mine.made += 1
    return Mine()


def led_by(error, cause):
    """*error*, which has a cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        Cancelled("evening"),
        AgentTimedOut("ran longer"),
        AgentAbandoned(Cancelled("evening")),
        led_by(Cancelled("evening"), TimeoutError("late")),
    ],
    ids=repr,
)
def test_how_stopped_agents_end_is_read_at_once(error) -> None:
    """A thousand cancels need no thousand threads: their errors are the library's."""
    data = dump_error(error)
    assert is_own(data)
    assert repr(load_value(data)) == repr(error)


def test_what_holds_a_users_error_is_read_elsewhere() -> None:
    """A crash, and an error of the library's of which one is only the cause."""
    assert not is_own(dump_error(crashed(MyError("x"))))
    assert not is_own(dump_error(led_by(InferenceFailed("x"), MyError("x"))))


def test_no_class_of_a_users_is_made_again() -> None:
    """Neither to find out, nor where only plain data is taken."""
    data = dump_value(({"a": [Mine()]},), "it")
    assert not is_own(data)
    with pytest.raises(NotPortable, match=r"what is told of 'it'.*test_own\.remade"):
        load_own(data, "what is told of 'it'", References())
    assert Mine.made == 0
    load_value(data)
    assert Mine.made == 1


def test_what_the_library_tells_itself_is_read() -> None:
    """Plain data, and records of its own."""
    told = (1, "x", TokenUsage(3, 4), Note("what", 1, b""))
    assert load_own(dump_value(told, "it"), "it", References()) == told


def test_what_cannot_be_read_is_not_read_at_once() -> None:
    """Whoever reads it in earnest says why."""
    assert not is_own(b"\x80\x05broken")
