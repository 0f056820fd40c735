"""What the live view answers, and to whom."""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from json import dumps
from typing import TYPE_CHECKING, Any, Protocol, overload

from ..errors import ForkedPoolError
from .request import Refused
from .snapshot import agent_row, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.records.message import AgentId
    from ..core.records.pool_stats import PoolStats
    from ..core.supervision.dump import AgentDump, PoolDump
    from .request import Request

    Answer = tuple[str, bytes]


class Watched(Protocol):
    """What is looked at: a pool, as far as a live view needs it."""

    name: str

    @overload
    def dump(self, *, stacks: bool = True, agent_id: None = None) -> PoolDump: ...
    @overload
    def dump(self, *, stacks: bool = True, agent_id: AgentId) -> AgentDump: ...

    def stats(self) -> PoolStats:
        """What the pool does right now."""

    def abort(self, agent_id: AgentId, reason: str = "") -> bool:
        """Cancel one agent."""

    def approve(self, agent_id: AgentId, call_id: str) -> bool:
        """Approve a tool call."""

    def deny(self, agent_id: AgentId, call_id: str, reason: str = "") -> bool:
        """Refuse a tool call."""


HEADERS = (
    "Connection: close",
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Referrer-Policy: no-referrer",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
)
JSON = "application/json"


class LiveAnswers:
    """Answers those who know the token, and nobody else.

    Args:
        pool: Gives the pool; None when it is gone.
        control: May they act, too?

    Threads: the door's.
    """

    def __init__(self, pool: Callable[[], Watched | None], *, control: bool) -> None:
        self._pool = pool
        self._control = control
        self._hosts: frozenset[str] = frozenset()
        self.token = secrets.token_urlsafe(32)
        self._gets: Mapping[str, Callable[[Watched, Mapping[str, str]], bytes]] = {
            "/state": self._state,
            "/agent": self._agent,
            "/events": self._events,
        }

    def live_at(self, port: int) -> None:
        """The port at which it is asked."""
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    def answer(self, request: Request) -> bytes:
        """The bytes of an answer.

        Raises:
            Refused: It is not answered with what it asks for.
        """
        if request.headers.get("host") not in self._hosts:
            raise Refused(403, "this is answered at 127.0.0.1 and localhost only")
        if request.method != "GET":
            raise Refused(405, "only GET is answered", allow="GET")
        self._refuse_stranger(request)
        pool = self._pool()
        if pool is None:
            raise Refused(410, "the pool is gone")
        try:
            if request.path == "/":
                nonce = secrets.token_urlsafe(16)
                return response(200, "text/html; charset=utf-8", _page(nonce), _policy(nonce))
            found = self._gets.get(request.path)
            if found is None:
                raise Refused(404, "there is nothing of that name")
            return response(200, JSON, found(pool, request.query))
        except ForkedPoolError as error:
            raise Refused(410, str(error)) from None

    def _refuse_stranger(self, request: Request) -> None:
        said = request.headers.get("authorization", "")
        word = said[7:] if said[:7].lower() == "bearer " else ""
        if request.path == "/" and not word:
            word = request.query.get("token", "")
        if not hmac.compare_digest(word.encode("utf-8", "surrogatepass"), self.token.encode("ascii")):
            raise Refused(401, "the token is missing or wrong: open the URL that was printed")

    def _state(self, pool: Watched, query: Mapping[str, str]) -> bytes:
        _only(query)
        return state_of(pool.dump(stacks=False), pool.stats(), control=self._control)

    def _agent(self, pool: Watched, query: Mapping[str, str]) -> bytes:
        _only(query, "id")
        try:
            agent = pool.dump(agent_id=_number(query, "id"))
        except KeyError:
            raise Refused(404, "that agent has ended, or there was none of that id") from None
        tools = [{"label": t.label, "on": t.on, "seconds": round(t.seconds, 3), "stack": t.stack} for t in agent.tools]
        return dumps({**agent_row(agent), "stack": agent.stack, "tools": tools, "children": [], "events": []}).encode()

    def _events(self, _: Watched, query: Mapping[str, str]) -> bytes:
        _only(query, "after")
        return dumps({"events": [], "last": 0, "missed": 0}).encode()


def refusal(refused: Refused) -> bytes:
    """The bytes of a refusal."""
    more = [f"Allow: {refused.allow}"] if refused.allow else []
    if refused.status == HTTPStatus.UNAUTHORIZED:
        more.append("WWW-Authenticate: Bearer")
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        more.append("Retry-After: 1")
    return response(refused.status, JSON, dumps({"error": refused.why}).encode(), *more)


def response(status: int, kind: str, body: bytes, *more: str) -> bytes:
    """An answer of HTTP/1.1."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *HEADERS,
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _policy(nonce: str) -> str:
    parts = [
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return "Content-Security-Policy: " + "; ".join(parts)


def _page(nonce: str) -> bytes:
    from .live_page import page

    return page(nonce)


def _only(query: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(set(query) - set(known))
    if unknown:
        raise Refused(400, f"the query knows {', '.join(known) or 'nothing'}")


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(400, f"{name} must be a whole number")
    return int(text)
