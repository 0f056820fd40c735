"""The program's end of the pipes to the process beside it, whatever that does: Ray is not needed for it."""

from __future__ import annotations

import importlib.util
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from actors.cluster import ray_link
from actors.cluster.link import HostDied, LinkGone
from actors.cluster.ray_link import RayLink, need_ray
from actors.testing import no_thread_left

from .caller import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

STUB = """
import os, pickle, struct, sys, time
head, given, told = struct.Struct("!BQI"), sys.stdin.buffer, sys.stdout.buffer
def read():
    kind, number, length = head.unpack(given.read(head.size))
    return number, given.read(length)
def say(kind, number=0, body=b""):
    told.write(head.pack(kind, number, len(body)) + body)
    told.flush()
hello = read()
"""
READY, ANSWER, VALUE, GONE = 10, 11, 12, 13


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes links to a process beside that does what a test says; closes them, and nothing may be left."""
    made: list[RayLink] = []

    def make(does: str) -> RayLink:
        monkeypatch.setattr(ray_link, "BESIDE", ("-I", "-S", "-c", STUB + does))
        monkeypatch.setattr(ray_link, "need_ray", lambda: None)
        made.append(RayLink())
        return made[-1]

    with no_thread_left():
        yield make
        for link in made:
            link.close()
            link.log.unlink(missing_ok=True)


def asked(link: RayLink) -> Pending:
    return Pending(lambda done: link.call("one", "put", b"frame", done))


def test_answers_find_their_calls_in_whatever_order_they_come(links: Any) -> None:
    """By number; a frame goes with the name of its host, unread."""
    link = links(f"""
first, second = read(), read()
say({ANSWER}, second[0], b"second " + second[1])
say({ANSWER}, first[0], b"first " + first[1])
read()
""")
    first = Pending(lambda done: link.call("one", "put", b"A", done))
    second = Pending(lambda done: link.call("two", "drain", b"B", done))
    assert (first.get(), second.get()) == (b"first \x03oneA", b"second \x03twoB")


def test_errors_of_hosts_arrive_as_they_are(links: Any) -> None:
    """With what they know of the node."""
    link = links(f"number, _ = read()\nsay({VALUE}, number, {_pickled(HostDied('gone', node_lives=True))!r})\nread()")
    died = asked(link).get()
    assert (type(died), str(died), died.node_lives) == (HostDied, "gone", True)


def test_the_end_of_the_process_beside_answers_every_call_and_names_its_log(links: Any) -> None:
    """What was asked before, and what is asked after; the log stays, as somebody was told of it."""
    link = links("read()\nprint('its last words', file=sys.stderr)\nsys.exit(3)")
    before = asked(link)
    for gone in (before.get(), asked(link).get(), Pending(link.nodes).get()):
        assert isinstance(gone, LinkGone)
        assert str(gone) == f"the process beside the program ended with 3 (its log: {link.log})"
    link.close()
    assert "its last words" in link.log.read_text()


def test_why_ray_ended_it_is_told(links: Any) -> None:
    """Ray says that in its log alone."""
    word = "[2026-12-01 02:29:32 E 21045 21096] rpc_client.h:204: Failed to connect to GCS within 60 seconds. Etc"
    link = links(f"read()\nprint({word!r}, file=sys.stderr)\nsys.exit(1)")
    gone = str(asked(link).get())
    assert gone.startswith(
        "the process beside the program ended with 1: Failed to connect to GCS within 60 seconds (its log: "
    )


def test_why_it_could_not_connect_is_told(links: Any) -> None:
    """In its own words."""
    link = links(f"say({GONE}, 0, b'ConnectionError: no cluster there')\nsys.exit(1)")
    gone = asked(link).get()
    assert isinstance(gone, LinkGone)
    assert str(gone).startswith("ConnectionError: no cluster there (its log: ")


def test_half_a_message_is_its_end(links: Any) -> None:
    """It was killed while it wrote."""
    link = links(f"number, _ = read()\ntold.write(head.pack({ANSWER}, number, 100) + b'half')\ntold.flush()")
    assert isinstance(asked(link).get(), LinkGone)


def test_one_who_fails_to_take_an_answer_harms_nobody_else(links: Any) -> None:
    """It is logged, and the others get theirs."""
    link = links(f"for _ in range(2):\n    say({ANSWER}, read()[0], b'here')\nread()")

    def fail(_: object) -> None:
        raise ValueError("cannot take it")

    link.call("one", "put", b"", fail)
    assert asked(link).get() == b"here"


def test_a_closed_link_leaves_no_process_and_no_log(links: Any) -> None:
    """It ends as its standard input does; every call is answered."""
    link = links(f"say({READY})\nnumber, _ = read()\nsay({ANSWER}, number, b'')\nread()\ngiven.read()")
    asked(link).get()
    owed = asked(link)
    link.close()
    assert isinstance(owed.get(), LinkGone)
    assert isinstance(asked(link).get(), LinkGone)
    assert link._beside.returncode == 0
    assert not link.log.exists()
    link.close()


def test_closed_before_it_was_connected_it_is_killed(links: Any) -> None:
    """It has no hosts to end, and may wait for a cluster for long."""
    link = links("time.sleep(60)")
    link.close()
    assert link._beside.returncode == -9


def test_one_that_does_not_end_is_killed(links: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while."""
    link = links(f"say({READY})\nsay({ANSWER}, read()[0], b'')\ntime.sleep(60)")
    asked(link).get()
    monkeypatch.setattr(ray_link, "PATIENCE", 0.05)
    link.close()
    assert link._beside.returncode == -9


def test_a_call_waits_for_nobody_while_the_process_beside_stands_still(links: Any) -> None:
    """More than a pipe holds is on its way; closing does not wait for it either."""
    link = links("time.sleep(60)")
    for _ in range(10):
        link.call("one", "put", bytes(1_000_000), lambda _: None)
    link.close()
    assert link._beside.returncode == -9


def test_it_is_told_what_the_program_is_made_of(links: Any) -> None:
    """So that hosts of other versions are refused."""
    link = links(f"number, _ = read()\nsay({VALUE}, number, pickle.dumps(pickle.loads(hello[1])[3][1]))\nread()")
    assert asked(link).get() == link.here.python


def test_without_ray_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing was started."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError) as raised:
        need_ray()
    assert 'pip install "actors[ray]"' in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(ImportError, match="the package 'ray'"):
        RayLink()


def _pickled(value: object) -> bytes:
    return pickle.dumps(value)
