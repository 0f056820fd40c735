"""An MCP server by streamable HTTP.

A transport of our own for the package's client: in that of the package (2.3) all requests share one group of tasks, and
messages go out one after another; so one that fails or hangs ends, or holds up, all others.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ActorsError, ToolFailed
from ..extras import need
from .mcp_messages import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    MAX_MESSAGE,
    METHOD_NOT_FOUND,
    Asked,
    Messages,
    failure,
)
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from .mcp_messages import Message

SESSION = "mcp-session-id"
VERSION = "mcp-protocol-version"
EVENT = "last-event-id"
KINDS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CONNECT = 10.0
"""Seconds for a connection."""
TOLD = 10.0
"""Seconds for what needs no answer: a notification, the goodbye."""
MOST_TOLD = 16
"""So many of those are under way; what the server asks beyond that is not answered."""
GOODBYE = 2.0
MAX_REDIRECTS = 3
RESUMES = 2
"""How often an answer that broke off is asked for again without anything new."""
SOON, LATE = 1.0, 30.0
"""Seconds before that, where the server does not say; and at most."""
ERROR_BYTES = 10_000


class HttpServer:
    """What is sent is a POST of its own, and what comes back is a message.

    Guarantees: each request gets one answer, an error in the worst case; none waits for another one.

    Threads: its loop's.
    """

    def __init__(
        self,
        client: Any,
        url: str,
        messages: Messages,
        on_gone: Callable[[], object],
        modern: Callable[[str | None], bool],
    ) -> None:
        self._httpx2: Any = need("httpx2", "mcp", "an MCP server by HTTP")
        self._client = client
        self._modern = modern
        self._url = url
        self._messages = messages
        self._on_gone = on_gone
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._asking: dict[Any, asyncio.Task[None]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._session: str | None = None
        self._version: str | None = None

    async def receive(self) -> Message:
        """The next answer."""
        return await self._answers.get()

    async def send(self, message: Message, stamped: Mapping[str, str]) -> None:
        """Send it with the headers *stamped*; whatever goes wrong is the answer."""
        self._messages.is_sent(message)
        method, id_ = message.get("method"), message.get("id")
        if method is not None and id_ is not None:
            if method == "initialize":
                self._version = None
            else:
                self._version = stamped.get("MCP-Protocol-Version", stamped.get(VERSION, self._version))
            task = asyncio.create_task(self._ask(message, stamped))
            self._asking[id_] = task
            task.add_done_callback(lambda _: self._asking.pop(id_, None))
        elif method != "notifications/cancelled":
            telling = self._tell(json.dumps(message), stamped)
            if telling is not None and method is not None:
                await asyncio.wait([telling])  # "initialized" comes before what follows
        else:
            asking = self._asking.get(message["params"]["requestId"])
            if asking is not None:
                asking.cancel()
            if not self._modern(self._version):  # since then the end of the request tells it
                self._tell(json.dumps(message), stamped)

    async def close(self) -> None:
        """End what is under way, and say goodbye."""
        under_way = [*self._asking.values(), *self._telling]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=GOODBYE)
        if self._session is not None:
            await self._send_only("DELETE", None, {}, GOODBYE)  # unheard, it forgets the session by itself

    # ---------------------------------------------------------------------------------------------------------------

    def _tell(self, body: str, stamped: Mapping[str, str]) -> asyncio.Task[None] | None:
        """Send what needs no answer, beside all others."""
        if len(self._telling) >= MOST_TOLD:
            return None
        task = asyncio.create_task(self._send_only("POST", body, stamped, TOLD))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return task

    async def _send_only(self, method: str, body: str | None, stamped: Mapping[str, str], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                response = await self._send(method, body, stamped)
                await response.aclose()
        except (TimeoutError, self._httpx2.HTTPError, ActorsError, OSError):
            pass  # nobody needs the answer

    async def _ask(self, request: Message, stamped: Mapping[str, str]) -> None:
        try:
            answer = await self._answer_to(request, stamped)
        except Exception as error:  # noqa: BLE001 - it is this request's alone
            words = str(error) if isinstance(error, ActorsError) else f"{type(error).__name__}: {error}"
            answer = failure(request["id"], INTERNAL_ERROR, words)
        self._answers.put_nowait({**answer, "id": request["id"]})

    async def _answer_to(self, request: Message, stamped: Mapping[str, str]) -> Message:
        had_session = self._session
        response = await self._send("POST", json.dumps(request), stamped)
        try:
            status = response.status_code
            if status >= 300:
                return await self._refusal(request, response, had_session)
            if status == 202:
                return failure(request["id"], INVALID_REQUEST, "the server answered a request with 202 Accepted")
            if request["method"] == "initialize":
                self._session = response.headers.get(SESSION) or self._session
            kind = _kind(response)
            if kind == "application/json":
                answer = await self._messages.read(await _body_of(response, MAX_MESSAGE))
                if not isinstance(answer, Asked | None):
                    return answer
                return failure(request["id"], INTERNAL_ERROR, "the server answered nonsense")
            if kind == "text/event-stream":
                return await self._heard(request, response)
            return failure(request["id"], INVALID_REQUEST, f"the server answered with {kind or 'nothing'}")
        finally:
            await response.aclose()

    async def _heard(self, request: Message, response: Any) -> Message:
        """The answer in a stream of events. One that breaks off is asked for again, where the server says how."""
        last, delay, tries, pace = "", SOON, 0, Pace()
        while True:
            try:
                async for event in self._httpx2.EventSource(response, max_event_size=MAX_MESSAGE):
                    if event.id and event.id != last:
                        last, tries = event.id, 0
                    if event.retry is not None:
                        delay = min(event.retry / 1000, LATE)
                    answer = await self._messages.read(event.data.encode(errors="replace")) if event.data else None
                    if not isinstance(answer, Asked | None):
                        return answer
                    if answer is not None:
                        self._tell(answer.answer, {})
                    await pace.step()
            except self._httpx2.SSEError as error:
                return failure(request["id"], INTERNAL_ERROR, f"the server's answer cannot be read: {error}")
            except (self._httpx2.HTTPError, OSError):
                pass  # it broke off
            finally:
                await response.aclose()
            tries += 1
            if not last or tries > RESUMES:
                return failure(request["id"], INTERNAL_ERROR, "the server's stream ended without an answer")
            await asyncio.sleep(delay)
            response = await self._send("GET", None, {EVENT: last})
            if response.status_code >= 300:
                await response.aclose()
                return failure(request["id"], INTERNAL_ERROR, f"the server does not resume: {response.status_code}")

    async def _refusal(self, request: Message, response: Any, session: str | None) -> Message:
        status = response.status_code
        if status < 400:
            place = response.headers.get("location", "nowhere")
            return failure(
                request["id"], INVALID_REQUEST, f"the server redirects to {place}: is that the intended one?"
            )
        if status == 404 and session is not None:
            self._on_gone()  # it was started anew, and knows no session of before
            return failure(request["id"], INVALID_REQUEST, "the server does not know the session any more")
        if _kind(response) == "application/json":
            try:
                body = await _body_of(response, ERROR_BYTES)
            except ToolFailed:  # longer than any error that says something
                body = b""
            answer = await self._messages.read(body)
            if not isinstance(answer, Asked | None) and "error" in answer:
                return answer
        code = METHOD_NOT_FOUND if status == 404 else INTERNAL_ERROR
        return failure(request["id"], code, f"the server answered {status} {response.reason_phrase}")

    async def _send(self, method: str, body: str | None, stamped: Mapping[str, str]) -> Any:
        """Send it, also where the same server says that it is to be sent; the answer is not read yet."""
        own = {SESSION: self._session, VERSION: self._version}
        headers = {**KINDS, **{name: value for name, value in own.items() if value}}
        headers |= {name.lower(): value for name, value in stamped.items()}
        # No bound on the wait for an answer: that is the call's, and no two of them are the same.
        request = self._client.build_request(
            method, self._url, content=body, headers=headers, timeout=self._httpx2.Timeout(None, connect=CONNECT)
        )
        for _ in range(MAX_REDIRECTS):
            response = await self._client.send(request, stream=True)
            following = response.next_request
            if following is None or following.method != method or not _is_same(request.url, following.url):
                return response
            await response.aclose()
            request = following
        return await self._client.send(request, stream=True)


@asynccontextmanager
async def http_server(
    client: Any, url: str, messages: Messages, on_gone: Callable[[], object], modern: Callable[[str | None], bool]
) -> AsyncIterator[HttpServer]:
    """A server to talk with; it is told of the end.

    Args:
        on_gone: Called when the server does not know the session any more.
        modern: Is that a version of the protocol in which the end of a request is its cancel?
    """
    server = HttpServer(client, url, messages, on_gone, modern)
    try:
        yield server
    finally:
        await server.close()


def _kind(response: Any) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _is_same(url: Any, other: Any) -> bool:
    """Is it the same server? Also by https, where it was asked without."""
    if other.userinfo and other.userinfo != url.userinfo:
        return False
    if (url.scheme, url.host, url.port) == (other.scheme, other.host, other.port):
        return True
    return (url.scheme, other.scheme, url.port, other.port, url.host) == ("http", "https", None, None, other.host)


async def _body_of(response: Any, limit: int) -> bytes:
    body, pace = bytearray(), Pace()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise ToolFailed(f"the answer is longer than {limit:,} bytes")
        await pace.step()
    return bytes(body)
