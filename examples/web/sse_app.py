"""A server on an asyncio loop: typed answers, and the text of one agent as server-sent events.

pip install "actors[web]"
python examples/web/sse_app.py            # then open http://127.0.0.1:8000/page
uvicorn --app-dir examples/web --factory sse_app:make_app --workers 2 --timeout-graceful-shutdown 10

POST /ask {"text": "..."}    a Verdict as JSON
GET /stream?q=...            the events text, restart, ended, failed
GET /stats                   what the pool does right now
"""

import argparse
import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from desk import Question, answer, judge, the_driver
from pydantic import ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from actors import (
    ActorsError,
    AgentCancelled,
    AgentEnded,
    AgentHandle,
    AgentPool,
    AgentRestarted,
    AgentTimedOut,
    CapacityError,
    CompletionFinished,
    Event,
    LlmDriver,
    PoolClosed,
    TextDelta,
)

PAGE = Path(__file__).with_name("page.html")
MOST_BYTES = 65_536
HEARTBEAT = 15.0
"""Seconds between two comments in a stream, so that no proxy takes it for dead."""
SEND_TIMEOUT = 30.0
"""Seconds after which a client that does not read has gone."""
log = logging.getLogger("uvicorn.error")


def make_app(driver: LlmDriver | None = None, *, max_concurrent: int = 64, max_queued: int = 1000) -> Starlette:
    """The application. Its pool lives from the start of the server to its end, in each worker process one."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, AgentPool]]:
        # owed=False: who has the handle has the outcome, and what a request leaves behind goes with it.
        pool = AgentPool(
            driver or the_driver(), max_concurrent, max_queued=max_queued, owed=False, shutdown_timeout=10.0
        )
        async with pool:
            yield {"pool": pool}

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/page", page),
            Route("/ask", ask, methods=["POST"]),
            Route("/stream", stream),
            Route("/stats", stats),
        ],
        exception_handlers={
            ValidationError: unfit,
            ClientDisconnect: gone,
            CapacityError: busy,
            PoolClosed: busy,
            ActorsError: failed,
        },
    )


async def page(_: Request) -> Response:
    """The page that shows a stream."""
    return FileResponse(PAGE)


async def ask(request: Request) -> Response:
    """One agent, one typed result."""
    question = Question.model_validate_json(await body_of(request))
    handle = pool_of(request).spawn(judge(question))
    async with cancelled_with_client(handle, request.receive):
        verdict = await handle
    return Response(verdict.model_dump_json(), media_type="application/json")


async def stream(request: Request) -> Response:
    """One agent's text, as it comes."""
    if "last-event-id" in request.headers:
        return Response(status_code=204)  # a browser that lost its stream: the agent went with it, so do not come again
    question = Question(text=request.query_params.get("q", ""))
    return AgentStream(pool_of(request).spawn(answer(question)))


async def stats(request: Request) -> Response:
    """Figures of the pool of the process that answers."""
    now = pool_of(request).stats()
    return JSONResponse({"active": now.active, "queued": now.queued, "started": now.started, "ended": now.ended})


def pool_of(request: Request) -> AgentPool:
    """What the lifespan has made."""
    pool: AgentPool = request.state.pool
    return pool


async def body_of(request: Request) -> bytes:
    """The body, of bounded size: neither Starlette nor uvicorn has a bound of its own."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"at most {MOST_BYTES:,} bytes")
    return bytes(body)


# A client that goes takes its agent along ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def cancelled_with_client(handle: AgentHandle[Any], receive: Receive) -> AsyncIterator[None]:
    """Cancels the agent when the client goes, or when the block is left before its end."""
    gone = asyncio.ensure_future(receive())  # once the body is read, what comes next is the end of the connection
    gone.add_done_callback(lambda _: handle.cancel("the client has gone"))
    try:
        yield
    finally:
        gone.cancel()


class AgentStream(EventSourceResponse):
    """The events of one agent as a response. However it ends, also before its first piece, the agent ends with it."""

    def __init__(self, handle: AgentHandle[Any]) -> None:
        self.handle = handle
        self.ending = anyio.Event()  # the server's
        super().__init__(
            told(handle),
            ping=HEARTBEAT,
            send_timeout=SEND_TIMEOUT,
            shutdown_event=self.ending,
            shutdown_grace_period=2.0,
            data_sender_callable=self.end_with_server,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it. A client that goes cancels this."""
        try:
            await super().__call__(scope, receive, send)
        except TimeoutError:
            log.info("%s: a client has not read for %s s", self.handle.name, SEND_TIMEOUT)
        finally:
            self.handle.cancel("the client has gone")  # an agent that has ended does not mind

    async def end_with_server(self) -> None:
        """Runs beside it: the last event that a client gets says so."""
        await self.ending.wait()
        self.handle.cancel("the server ends")


async def told(handle: AgentHandle[Any]) -> AsyncIterator[ServerSentEvent]:
    """What the page is told of an agent."""
    attempt, begin, shown = 1, 0, 0  # of the answer at hand; where it begins in the page, and where the text ends
    async with handle.aevents() as events:
        async for event in events:
            match event:
                case TextDelta():
                    if event.attempt > attempt and shown > begin:  # the answer broke off, and is asked for again
                        yield sse("restart", event, kept=begin)
                        shown = begin
                    attempt, shown = event.attempt, shown + len(event.text)
                    yield sse("text", event, text=event.text)
                case CompletionFinished():  # that answer stands; after a tool there comes another
                    attempt, begin = 1, shown
                case AgentRestarted():  # it crashed and begins anew, where the pool has restarts
                    attempt, begin, shown = 1, 0, 0
                    yield sse("restart", event, kept=0)
                case AgentEnded():  # its error is for the log: it may name what a stranger should not see
                    yield sse("ended" if event.error is None else "failed", event, status=event.status)


def sse(name: str, event: Event, **data: object) -> ServerSentEvent:
    """One event. JSON in ASCII is one line, whatever a text contains."""
    return ServerSentEvent(json.dumps(data), event=name, id=str(event.seq))


# What went wrong, as much as a stranger should know --------------------------------------------------------------


async def unfit(_: Request, error: Exception) -> Response:
    """What was sent is no `Question`."""
    assert isinstance(error, ValidationError)
    return refusal(422, [problem["msg"] for problem in error.errors(include_url=False)])


async def gone(_: Request, __: Exception) -> Response:
    """Its client left before it had sent all of it: this is for nobody."""
    return refusal(400, "incomplete")


async def busy(_: Request, __: Exception) -> Response:
    """No room, or no longer: somebody else's server may have some, or this one later."""
    return refusal(503, "too much to do", {"Retry-After": "1"})


async def failed(request: Request, error: Exception) -> Response:
    """An agent ended without a result. The log has all of it."""
    if isinstance(error, AgentCancelled):
        return refusal(503, "cancelled")  # by its client, who is not there any more, or with the server
    log.error("%s: an agent failed", request.url.path, exc_info=error)
    if isinstance(error, AgentTimedOut):
        return refusal(504, "the agent took too long")
    return refusal(500, "the agent failed")


def refusal(status: int, problem: object, headers: Mapping[str, str] | None = None) -> Response:
    """An error as JSON."""
    return JSONResponse({"error": problem}, status, headers)


def main() -> None:
    """Serve until Ctrl-C. Streams end at once then, agents within ten seconds."""
    parser = argparse.ArgumentParser(description="Agents behind HTTP, with server-sent events.")
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    uvicorn.run(make_app(), host="127.0.0.1", port=port, timeout_graceful_shutdown=10)


if __name__ == "__main__":
    main()
