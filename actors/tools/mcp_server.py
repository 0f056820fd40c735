"""One MCP server: opened, used and closed by one task on the loop of tools."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..core.actors.restarts import Restarts
from ..core.clock import SYSTEM_CLOCK
from ..core.records.spec import Backoff, RestartPolicy
from ..errors import ToolFailed
from .mcp_client import ServerEnded, open_session, why

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Context

    from ..agent.ports import ToolResult
    from ..agent.terms.manifest import McpServer
    from ..network.endpoint import Endpoint
    from .mcp_client import ServerTool, Session

    Call = tuple[str, Mapping[str, Any], float, asyncio.Future[ToolResult]]
    Queued = tuple[Call, Context]

RESTARTS = RestartPolicy(max_restarts=3, window=60.0, backoff=Backoff(base=0.2, factor=2.0, maximum=2.0))
"""How often a server that ended is started again."""
GRACE = 5.0
"""Seconds that a call has beyond its time; who waits for it is to say first that it is over."""
MAX_TOLD = 20
"""Tools that are left out, in the log."""
CLOSE_TIMEOUT = 10.0
"""Seconds for a server to end by itself, and then to be killed."""


class NotSentError(Exception):
    """The server ended before a call was sent to it: the next one may take it."""


class _Life:
    """One life of a server, from its start to its end; the task that leads it does everything with it."""

    def __init__(self, server: McpServer, endpoint: Endpoint | None) -> None:
        self._server = server
        self._endpoint = endpoint
        self._calls: asyncio.Queue[Queued | None] = asyncio.Queue()
        self.tools: asyncio.Future[dict[str, ServerTool]] = asyncio.get_running_loop().create_future()
        self.left_out: dict[str, str] = {}
        self.is_over = False
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.create_task(self._lead(), name=f"actors-mcp-{server.name}")

    def put(self, tool: str, arguments: Mapping[str, Any], timeout: float) -> asyncio.Future[ToolResult]:
        """Have a call made; cancelling the future ends it."""
        future: asyncio.Future[ToolResult] = asyncio.get_running_loop().create_future()
        if self.is_over:
            future.set_exception(NotSentError())
        else:
            self._calls.put_nowait(((tool, arguments, timeout, future), copy_context()))
        return future

    def end(self) -> None:
        """Take no more calls; what is in flight is cancelled, and the server is closed."""
        self.is_over = True
        self._calls.put_nowait(None)

    async def _lead(self) -> None:
        name = self._server.name
        failure: Exception = ToolFailed(f"MCP server {name!r} was closed")
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._server.start_timeout):
                    opening = open_session(self._server, self._endpoint, self.end)
                    session = await stack.enter_async_context(opening)
                    tools = await session.tools()
                self.left_out = session.left_out
                self._tell_left_out()
                self.tools.set_result(tools)
                logger.debug("MCP server {} is open", name)
                await self._serve(session)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            failure = _failure(name, error)
            logger.debug("MCP server {} ended: {}", name, failure)
        finally:
            self.is_over = True
            if not self.tools.done():
                self.tools.set_exception(failure)
                self.tools.exception()  # seen, also when nobody waits any more
            while not self._calls.empty():
                queued = self._calls.get_nowait()
                if queued is not None and not (future := queued[0][3]).done():
                    future.set_exception(NotSentError())

    async def _serve(self, session: Session) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while (queued := await self._calls.get()) is not None:
                    call, context = queued
                    # In the context of whoever calls: else all calls were below the span of the one who opened it.
                    task = group.create_task(self._do(session, *call), context=context)
                    running.add(task)
                    task.add_done_callback(running.discard)
                    # Not in the task: one that is cancelled before its first step never runs.
                    task.add_done_callback(partial(self._settle, session, call))
                    call[3].add_done_callback(partial(_cancel, task))
                for task in running:
                    task.cancel()
        finally:
            self.is_over = True

    async def _do(
        self,
        session: Session,
        tool: str,
        arguments: Mapping[str, Any],
        timeout: float,
        future: asyncio.Future[ToolResult],
    ) -> None:
        try:
            async with asyncio.timeout(timeout + GRACE):
                result = await session.call(tool, arguments)
        except ServerEnded:
            self.end()
        except TimeoutError:
            if not future.done():
                future.set_exception(ToolFailed(f"{self._server.name}.{tool}: no answer within {timeout:g} s"))
        except Exception as error:  # noqa: BLE001 - whatever the package raises is an answer for the model
            if not future.done():
                future.set_exception(ToolFailed(f"{self._server.name}.{tool}: {why(error)}"))
        else:
            if not future.done():
                future.set_result(result)

    def _settle(self, session: Session, call: Call, _: object) -> None:
        """A call that is over without an answer, and that its caller has not cancelled: the server has ended."""
        tool, _arguments, _timeout, future = call
        if not future.done():
            words = session.last_words()
            text = f"MCP server {self._server.name!r} ended during the call of {tool}{': ' * bool(words)}{words}"
            future.set_exception(ToolFailed(text))

    def _tell_left_out(self) -> None:
        for number, (tool, reason) in enumerate(self.left_out.items()):
            if number == MAX_TOLD:
                logger.warning("MCP server {}: more tools are left out; actors status names them", self._server.name)
                return
            logger.warning("MCP server {}: the tool {} is left out: {}", self._server.name, tool, reason)


def _cancel(task: asyncio.Task[None], _: object) -> None:
    task.cancel()


def _failure(name: str, error: Exception) -> Exception:
    if isinstance(error, TimeoutError):
        return ToolFailed(f"MCP server {name!r} does not answer")
    reason = str(error) if isinstance(error, ServerEnded) else why(error)
    return ToolFailed(f"MCP server {name!r} could not be opened: {reason}")


class SharedServer:
    """One server for all the agents that name it. A server that ended is started again when it is needed, within
    :data:`RESTARTS`.

    Threads: everything happens on the loop of tools, but :attr:`left_out`. Where that loop was replaced, whatever has
    ended it, the server is started anew.
    """

    def __init__(self, server: McpServer, endpoint: Endpoint | None) -> None:
        self._server = server
        self._endpoint = endpoint
        self._restarts = Restarts(RESTARTS, SYSTEM_CLOCK)
        self._life: _Life | None = None
        self._counted: _Life | None = None
        self._due = 0.0
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()

    @property
    def name(self) -> str:
        """The server's."""
        return self._server.name

    @property
    def left_out(self) -> dict[str, str]:
        """The tools of its list that cannot be used, with the reasons."""
        life = self._life
        return {} if life is None else life.left_out

    async def tools(self) -> dict[str, ServerTool]:
        """Its tools by their own names; it is opened if it is not.

        Raises:
            ToolFailed: It cannot be opened.
        """
        return await self._tools_of(await self._open())

    async def call(self, tool: str, arguments: Mapping[str, Any], timeout: float) -> ToolResult:
        """Call a tool; a cancel of the caller ends the call.

        Args:
            timeout: Seconds for the answer.
        Raises:
            ToolFailed: The call failed, or the server cannot be opened (again).
        """
        while True:  # ends: each round is a restart, and those are bounded
            life = await self._open()
            await self._tools_of(life)
            try:
                return await life.put(tool, arguments, timeout)
            except NotSentError:
                logger.debug("MCP server {} ended before a call of {} was sent", self._server.name, tool)

    async def close(self) -> None:
        """End it."""
        self._is_closed = True
        life = self._life
        if life is None or life.task.done() or life.loop is not asyncio.get_running_loop():
            return
        life.end()
        if not life.tools.done():  # still being opened
            life.task.cancel()
        await asyncio.wait([life.task], timeout=CLOSE_TIMEOUT)

    async def _tools_of(self, life: _Life) -> dict[str, ServerTool]:
        try:
            return await asyncio.shield(life.tools)
        except ToolFailed as error:
            raise ToolFailed(str(error)) from error  # one for each who waits: it carries a traceback

    async def _open(self) -> _Life:
        if self._loop is not asyncio.get_running_loop():  # what was on another one has ended with it
            self._loop, self._life, self._opening = asyncio.get_running_loop(), None, asyncio.Lock()
        async with self._opening:
            life = self._life
            if life is not None and not life.is_over and not self._is_closed:
                return life
            if life is not None:
                await asyncio.wait([life.task], timeout=CLOSE_TIMEOUT)
                await self._wait_for_restart(life)
            if self._is_closed:
                raise ToolFailed(f"MCP server {self._server.name!r} was closed with its pool")
            self._life = _Life(self._server, self._endpoint)
            return self._life

    async def _wait_for_restart(self, life: _Life) -> None:
        """Once for each life that ended, however many wait for the next one and are cancelled meanwhile."""
        now = SYSTEM_CLOCK.monotonic()
        if life is not self._counted:
            delay = self._restarts.take()
            if delay is None:
                raise ToolFailed(
                    f"MCP server {self._server.name!r} ended {RESTARTS.max_restarts + 1} times within "
                    f"{RESTARTS.window:g} s; it is not started again for now"
                )
            logger.warning("MCP server {} has ended; it is started again", self._server.name)
            self._counted, self._due = life, now + delay
        await asyncio.sleep(max(0.0, self._due - now))
