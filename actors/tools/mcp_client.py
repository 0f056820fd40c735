"""The official package of the Model Context Protocol, as far as it is used here. Needs the extra ``mcp``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mcp import Client, MCPError
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, jsonrpc_message_adapter
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from ..agent.ports import ToolDefinition, ToolResult
from ..agent.terms.effect import Effect
from ..agent.terms.mcp_transport import McpTransport
from ..errors import CapabilityDenied, ToolFailed
from ..network.transport import make_client
from .environment import handed_on
from .line_process import MAX_LINE, LineProcess
from .mcp_content import content_of_blocks
from .mcp_http import HttpServer, http_server
from .mcp_messages import ANSWERS, LONGEST_ERROR, Asked, Message, Messages, refused
from .mcp_schema import MAX_TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from ..agent.terms.manifest import McpServer
    from ..network.endpoint import Endpoint

MAX_PAGES = 50
MAX_ANSWER_BYTES = 16_000_000
"""Of one answer by HTTP, with all that comes before it."""

logging.getLogger("mcp").addHandler(logging.NullHandler())  # else its warnings reach the terminal of every host


class ServerEnded(Exception):
    """The server has ended, or its connection is gone."""


class ServerTool(NamedTuple):
    """A tool as its server describes it, under its own name; the effect is what the server's hints say."""

    definition: ToolDefinition
    effect: Effect


class Session:
    """An open connection to a server. Belongs to one task of the loop."""

    def __init__(self, client: Client, process: LineProcess | None, messages: Messages) -> None:
        self._client = client
        self._process = process
        self._messages = messages

    @property
    def left_out(self) -> dict[str, str]:
        """The tools of its list that cannot be used, with the reasons."""
        return self._messages.left_out

    async def tools(self) -> dict[str, ServerTool]:
        """The server's tools by their own names."""
        found: dict[str, ServerTool] = {}
        cursor = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            for tool in page.tools:  # those that can be used: the others never come here
                definition = ToolDefinition(tool.name, tool.description or "", tool.input_schema)
                found[tool.name] = ServerTool(definition, _effect_of(tool))
            cursor = page.next_cursor
            if cursor is None or len(found) == MAX_TOOLS:
                break
        return found

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool.

        Raises:
            ServerEnded: Its connection is gone, now or before.
            ToolFailed: What it answers is an error of the protocol, or nonsense.
        """
        try:
            result = await self._client.call_tool(tool, dict(arguments))
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise ServerEnded from error
            raise ToolFailed(str(error)) from error
        except ValidationError as error:
            raise ToolFailed(f"its server answered nonsense: {_first_line(error)}") from error
        blocks = result.content
        if all(block.type == "text" for block in blocks):
            return ToolResult(content_of_blocks(blocks), bool(result.is_error))
        # What images hold is looked at off the loop, of which all calls wait.
        return ToolResult(await asyncio.to_thread(content_of_blocks, blocks), bool(result.is_error))

    def last_words(self) -> str:
        """What it wrote to its standard error last."""
        return "" if self._process is None else self._process.last_words


@asynccontextmanager
async def open_session(
    server: McpServer, endpoint: Endpoint | None, on_end: Callable[[], object]
) -> AsyncIterator[Session]:
    """Start *server*, or connect to it, and shake hands.

    Args:
        endpoint: Where a server of the network may be; None starts its command.
        on_end: Called when the connection ends by itself, or the server has forgotten it.
    Raises:
        ServerEnded: It ended at once, or does not speak the protocol.
        OSError: It cannot be started.
    """
    process: LineProcess | None = None
    messages = Messages()
    async with AsyncExitStack() as stack:
        if server.transport is McpTransport.STDIO:
            lines = _Lines(messages, on_end)
            process = await LineProcess.start(
                server.command, handed_on(server.env), wanted=ANSWERS, on_long=lines.refuse
            )
            stack.push_async_callback(process.close)
            lines.process = process
            peer: _Lines | HttpServer = lines
        else:
            assert endpoint is not None
            http = make_client(
                endpoint.refuse,
                timeout=server.start_timeout,  # each request brings its own
                max_answer_bytes=MAX_ANSWER_BYTES,
                headers=server.headers,
            )
            await stack.enter_async_context(http)
            peer = await stack.enter_async_context(http_server(http, endpoint.url, messages, on_end, _is_modern))
        client = Client(_both(peer), cache=None)
        try:
            await stack.enter_async_context(client)
        except (MCPError, ValidationError, ExceptionGroup) as error:
            last = "" if process is None else process.last_words
            raise ServerEnded(last or why(error)) from error
        yield Session(client, process, messages)


class _Lines:
    """A process that is talked with in lines: answers come through, what else it says is dropped, or answered here.

    Locks: none. ``process`` is set once, before anything is sent or read.
    """

    def __init__(self, messages: Messages, on_end: Callable[[], object]) -> None:
        self.process: LineProcess | None = None
        self._messages = messages
        self._on_end = on_end
        self._refused: deque[Message] = deque()

    def refuse(self, part: bytes) -> bool:
        """A line that is dropped begins, or ends, with *part*: whoever waits for it is told."""
        error = refused(part, f"its answer is longer than {MAX_LINE:,} bytes")
        if error is not None:
            self._refused.append(error)
        return error is not None

    async def receive(self) -> Message | None:
        """The next answer; None when there will be none any more."""
        process = self.process
        assert process is not None
        while True:
            line = await process.line()
            if line is None:
                self._on_end()
                return None
            message = await self._messages.read(line) if line else self._refused.popleft()
            if isinstance(message, Asked):
                self._answer(process, message)
            elif message is not None and self._messages.is_waited_for(message):
                process.useful()
                return message

    @staticmethod
    def _answer(process: LineProcess, asked: Asked) -> None:
        if not process.is_behind():  # who asks and does not listen gets no answer
            try:
                process.write(asked.answer)
            except ConnectionError:
                pass  # its end is seen where it is read

    async def send(self, message: Message, stamped: Mapping[str, str]) -> None:  # noqa: ARG002 - lines have no headers
        """Send it."""
        assert self.process is not None
        self._messages.is_sent(message)
        try:
            self.process.write(json.dumps(message, ensure_ascii=False))
        except ConnectionError as error:
            raise MCPError(CONNECTION_CLOSED, str(error)) from error
        await asyncio.sleep(0)


class _Streams:
    """The two streams that the package wants, in one. What is behind it is closed by who opened it."""

    def __init__(self, peer: _Lines | HttpServer) -> None:
        self._peer = peer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is to be done."""

    async def aclose(self) -> None:
        """Nothing is to be done."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        answer = await self._peer.receive()
        if answer is None:
            raise StopAsyncIteration
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_python(answer, by_name=False))
        except ValidationError as error:
            return error

    async def receive(self) -> SessionMessage | Exception:
        """The next one."""
        return await self.__anext__()

    async def send(self, message: SessionMessage) -> None:
        """Send it."""
        body = message.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
        await self._peer.send(body, getattr(message.metadata, "headers", None) or {})


@asynccontextmanager
async def _both(peer: _Lines | HttpServer) -> AsyncIterator[tuple[Any, Any]]:
    streams = _Streams(peer)
    yield streams, streams


def _is_modern(version: str | None) -> bool:
    return version in MODERN_PROTOCOL_VERSIONS


def _effect_of(tool: Any) -> Effect:
    """What the hints of a tool say: only those that are true have come so far."""
    hints = tool.annotations
    is_harmless = hints is not None and (hints.read_only_hint or hints.idempotent_hint)
    return Effect.IDEMPOTENT if is_harmless else Effect.AT_MOST_ONCE


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:LONGEST_ERROR]


def why(error: BaseException) -> str:
    """What went wrong, in one line; of a group of errors the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, CapabilityDenied | ToolFailed) else _first_line(error)
