"""How ``actors top`` asks a live view: only on this machine, bounded, and never with its token in a message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from actors.cli.refusal import RefusedError
from actors.cli.top.address import Address, address_of
from actors.cli.top.client import MOST_BYTES, Client, NoAnswer, Trouble
from actors.cli.top.reader import state_of

from .views import TOKEN, answer_of, http, serving

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_address_is_that_of_the_url() -> None:
    """Host, port and token, as the view printed them; the token is in no repr."""
    address = address_of(f" http://localhost:8123/?token={TOKEN}\n")
    assert (address.host, address.port, address.token) == ("localhost", 8123, TOKEN)
    assert TOKEN not in repr(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://10.0.0.7:8123/?token=", "ssh -N -L 8123:127.0.0.1:8123 10.0.0.7"),
        ("https://127.0.0.1:8123/?token=", "on its own machine"),
        ("http://127.0.0.1.evil.example:8123/?token=", "over the network"),
        ("http://[::1]:8123/?token=", "over the network"),
        ("http://me:pw@127.0.0.1:8123/?token=", "copy all of it"),
        ("http://127.0.0.1/?token=", "copy all of it"),
        ("http://127.0.0.1:99999/?token=", "is no URL"),
        ("http://[::1/?token=", "is no URL"),
        ("http://127.0.0.1:8123/state?token=", "copy all of it"),
        ("ftp://127.0.0.1:8123/?token=", "copy all of it"),
        ("http://127.0.0.1:8123/?token=a&token=", "copy all of it"),
        ("http://127.0.0.1:8123/?token=%0d%0aX-Evil:%20", "has a character"),
        ("http://127.0.0.1:8123/?token=%C3%A9", "has a character"),
        ("http://127.0.0.1:8123/?\x1b[31m", "copy all of it"),
    ],
)
def test_other_urls_are_refused(url: str, said: str) -> None:
    """What is not this machine, or not the URL of a view, is refused, before anything is sent."""
    with pytest.raises(RefusedError) as refused:
        address_of(url + ("" if "\x1b" in url else TOKEN))
    assert said in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_what_is_sent() -> None:
    """The token goes in a header, never in the path; a deed has the origin of the view and JSON."""
    with serving(lambda _: http({"done": True})) as fake:
        client = Client(address_of(fake.url))
        client.get("/state")
        assert client.post("/deny", {"agent_id": 7, "reason": "\ud800é"}) == {"done": True}
    look, deed = fake.requests
    assert look.startswith(b"GET /state HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}".encode() in look
    assert b"Origin" not in look
    assert f"Origin: http://127.0.0.1:{fake.port}\r\n".encode() in deed
    assert b"Content-Type: application/json" in deed
    assert json.loads(deed.partition(b"\r\n\r\n")[2]) == {"agent_id": 7, "reason": "\ud800é"}


@pytest.mark.parametrize(
    ("reply", "trouble", "said"),
    [
        (lambda _: http({"error": "wrong token"}, 401), Trouble.REFUSED, "wrong token"),
        (lambda _: http({}, 403), Trouble.REFUSED, "copy its URL again"),
        (lambda _: http({"error": "\x1b[31mno such agent"}, 404), Trouble.REFUSED, r"404 (\x1b[31mno such agent)"),
        (lambda _: http({}, 503), Trouble.BUSY, "too many"),
        (lambda _: http({}, 410), Trouble.GONE, "forked"),
        (lambda _: http({}, 302, "Location: http://127.0.0.1:1/"), Trouble.REFUSED, "302"),
        (lambda _: http(b"<html>"), Trouble.STRANGE, "no live view"),
        (lambda _: http(b"\xff\xfe"), Trouble.STRANGE, "no live view"),
        (lambda _: http(b"[" * 100_000), Trouble.STRANGE, "no live view"),
        (lambda _: http([1]), Trouble.STRANGE, "no live view"),
        (lambda _: b"SSH-2.0-OpenSSH_9.6\r\n", Trouble.STRANGE, "no live view"),
        (lambda _: b"HTTP/1.1 200 x\r\nContent-Length: 50\r\n\r\n{}", Trouble.STRANGE, "no live view"),
        (lambda _: b"", Trouble.GONE, "hung up"),
        (lambda _: http(b" " * (MOST_BYTES + 10)), Trouble.STRANGE, "more than"),
        (lambda _: None, Trouble.BUSY, "within 0.2 s"),
    ],
    ids=lambda value: value.replace("\x1b", "") if isinstance(value, str) else getattr(value, "value", "reply"),
)
def test_no_answer(reply: Callable[[bytes], bytes | None], trouble: Trouble, said: str) -> None:
    """Each way not to answer has its word; nothing is followed elsewhere, and nothing is waited for without a bound."""
    with serving(reply) as fake, pytest.raises(NoAnswer) as none:
        Client(address_of(fake.url), timeout=0.2 if trouble is Trouble.BUSY else 5.0).get("/state")
    assert none.value.trouble is trouble
    assert said in str(none.value)
    assert TOKEN not in str(none.value)


def test_nobody_listens() -> None:
    """A closed port is a view that is gone."""
    with serving(lambda _: b"") as fake:
        pass
    with pytest.raises(NoAnswer, match="nobody answers") as none:
        Client(Address("127.0.0.1", fake.port, TOKEN)).get("/state")
    assert none.value.trouble is Trouble.GONE


def test_an_answer_that_says_little_or_nonsense_is_read() -> None:
    """What lacks or is of another kind is as nothing; a newer version and another program are told."""
    odd = {
        "v": 1,
        "pool": {"name": 5, "pid": "x", "seconds": float("nan")},
        "agents": [7, {"id": True, "seconds": 1e300}],
    }
    state = state_of(json.loads(json.dumps({**odd, "states": {"flying": 2, "x": "y"}, "waits": [["a"], 3]})))
    assert (state.name, state.pid, state.seconds, state.slots) == ("5", 0, 0.0, 0)
    assert [(one.id, one.seconds, one.name) for one in state.agents] == [(0, 0.0, "")]
    assert state.states == {"flying": 2}
    assert state.waits == ()
    with pytest.raises(NoAnswer, match="version 2"):
        state_of({**answer_of(), "v": 2})
    with pytest.raises(NoAnswer, match="no live view"):
        state_of({"hello": 1})
