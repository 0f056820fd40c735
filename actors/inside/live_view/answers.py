"""What the live view answers."""

from __future__ import annotations

import secrets
from json import dumps
from typing import TYPE_CHECKING

from ...errors import ForkedPoolError
from .gatekeeper import PAGE, Gatekeeper
from .latest_events import LatestEvents
from .orders import read_order
from .page import page
from .request import Refused
from .response import said, served
from .snapshot import MOST_AGENTS, MOST_QUEUED, detail_of, frame, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .request import Request
    from .watched import Watched

EVENTS_OF_ONE = 100
"""Of the agent that is looked at."""
ORDERS = ("/abort", "/approve", "/deny")


class LiveAnswers:
    """Answers those whom the gatekeeper lets in.

    Args:
        pool: Gives the pool; None when it is gone.

    Threads: the door's.
    """

    def __init__(self, pool: Callable[[], Watched | None], gatekeeper: Gatekeeper) -> None:
        self._pool = pool
        self._gatekeeper = gatekeeper
        self._latest = LatestEvents()
        self._frame = frame(control=gatekeeper.control)
        self._questions: Mapping[str, Callable[[Watched, Mapping[str, str]], bytes]] = {
            PAGE: self._page,
            "/state": self._state,
            "/agent": self._agent,
            "/events": self._events,
        }

    def answer(self, request: Request) -> bytes:
        """The bytes of an answer.

        Raises:
            Refused: It is not answered with what it asks for.
        """
        self._gatekeeper.refuse_stranger(request)
        pool = self._pool()
        if pool is None:
            raise Refused(410, "the pool is gone")
        try:
            return self._ordered(pool, request) if request.method == "POST" else self._asked(pool, request)
        except ForkedPoolError as error:
            raise Refused(410, str(error)) from None

    def rest(self) -> float | None:
        """Hear nothing when nobody looks; how many seconds until then, None when nothing is heard."""
        return self._latest.rest()

    def end(self) -> None:
        """Hear nothing any more."""
        self._latest.end()

    def _asked(self, pool: Watched, request: Request) -> bytes:
        answer = self._questions.get(request.path)
        if answer is None:
            raise _no_such(request.path, is_known=self._gatekeeper.control and request.path in ORDERS, allow="POST")
        return answer(pool, request.query)

    def _ordered(self, pool: Watched, request: Request) -> bytes:
        if request.path not in ORDERS:
            raise _no_such(request.path, is_known=request.path in self._questions, allow="GET")
        _only(request.query)
        order = read_order(request)
        if request.path == "/abort":
            done = pool.abort(order.agent_id, order.reason)
        elif request.path == "/approve":
            done = pool.approve(order.agent_id, order.call_id)
        else:
            done = pool.deny(order.agent_id, order.call_id, order.reason)
        return said(dumps({"done": done}).encode("ascii"))

    def _page(self, _: Watched, query: Mapping[str, str]) -> bytes:
        _only(query, "token")
        nonce = secrets.token_urlsafe(16)
        return served(page(nonce), nonce)

    def _state(self, pool: Watched, query: Mapping[str, str]) -> bytes:
        _only(query)
        glimpse = pool._glimpse(MOST_AGENTS, MOST_QUEUED)  # noqa: SLF001 - a step of the pool, and none of a user's
        return said(state_of(glimpse, pool.stats(), self._frame))

    def _agent(self, pool: Watched, query: Mapping[str, str]) -> bytes:
        _only(query, "id")
        agent_id = _number(query, "id")
        self._latest.ask(pool._overhear)  # noqa: SLF001 - as above
        try:
            agent = pool.dump(agent_id=agent_id)
        except KeyError:
            ended = [event for event in self._latest.of(agent_id, EVENTS_OF_ONE) if event["event"] == "agent_ended"]
            raise Refused(
                404, f"agent {agent_id} has ended, or there was none of that id", ended=ended[-1] if ended else None
            ) from None
        return said(detail_of(agent, self._latest.of(agent_id, EVENTS_OF_ONE)))

    def _events(self, pool: Watched, query: Mapping[str, str]) -> bytes:
        _only(query, "after")
        after = _number(query, "after") if query else 0
        self._latest.ask(pool._overhear)  # noqa: SLF001 - as above
        return said(self._latest.after(after))


def _no_such(path: str, *, is_known: bool, allow: str) -> Refused:
    if is_known:
        return Refused(405, f"{path} takes {allow}", allow=allow)
    return Refused(404, "there is nothing of that name")


def _only(query: Mapping[str, str], *known: str) -> None:
    if query.keys() - set(known):
        raise Refused(400, f"the query of the URL may say {' or '.join(known)}" if known else "there is no query here")


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(400, f"{name} must be a whole number")
    return int(text)
