"""The official package of the Model Context Protocol, as far as it is used here. Needs the extra ``mcp``."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, jsonrpc_message_adapter
from pydantic import ValidationError

from ..agent.manifest import McpTransport
from ..agent.ports import ToolDefinition, ToolResult
from ..agent.sanitize import sanitize
from ..errors import CapabilityDenied, ToolFailed
from ..network.transport import make_client
from .environment import handed_on
from .line_process import LineProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from ..agent.manifest import McpServer
    from ..network.endpoint import Endpoint

MAX_TOOLS = 500
MAX_PAGES = 50
MAX_SCHEMA = 50_000
"""Characters of a tool's schema; a tool with a longer one is left out."""
MAX_DESCRIPTION = 4_000
MAX_RESULT = 100_000
"""Characters of a result that reach the model."""
SESSION_GONE = re.compile(r"session (?:not found|terminated|expired)", re.IGNORECASE)
"""What a server by HTTP answers that was started anew; the package has no code for it."""
MAX_ANSWER_BYTES = 16_000_000
LONGEST_PROBLEM = 1_000
"""Characters of an error that are told."""
NAME = re.compile(r"[A-Za-z0-9_./-]{1,100}")
"""A tool with another name is left out: ``*`` would be a pattern where tools are approved."""

logging.getLogger("mcp").addHandler(logging.NullHandler())  # else its warnings reach the terminal of every host


class ServerEnded(Exception):
    """The server has ended, or its connection is gone."""


class Session:
    """An open connection to a server. Belongs to one task of the private loop."""

    def __init__(self, client: Client, process: LineProcess | None) -> None:
        self._client = client
        self._process = process

    async def tools(self) -> dict[str, ToolDefinition]:
        """The server's tools by their own names."""
        found: dict[str, ToolDefinition] = {}
        cursor = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            for tool in page.tools[: MAX_TOOLS - len(found)]:
                schema = _schema_of(tool) if NAME.fullmatch(tool.name) else None
                if schema is not None and tool.name not in found:
                    description = sanitize((tool.description or "")[:MAX_DESCRIPTION])
                    found[tool.name] = ToolDefinition(tool.name, description, schema)
            cursor = page.next_cursor
            if cursor is None:
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
            if error.code == CONNECTION_CLOSED or SESSION_GONE.search(str(error)):
                raise ServerEnded from error
            raise ToolFailed(str(error)) from error
        except ValidationError as error:
            raise ToolFailed(f"its server answered nonsense: {_first_line(error)}") from error
        except RuntimeError as error:
            # The package checks a structured result against the schema that the tool declares.
            raise ToolFailed(f"its server answered nonsense: {_first_line(error)}") from error
        return ToolResult(_text_of(result), bool(result.is_error))

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
        on_end: Called when the connection ends by itself.
    Raises:
        ServerEnded: It ended at once, or does not speak the protocol.
        OSError: It cannot be started.
    """
    process: LineProcess | None = None
    async with AsyncExitStack() as stack:
        if server.transport is McpTransport.STDIO:
            process = await LineProcess.start(server.command, handed_on(server.env))
            stack.push_async_callback(process.close)
            streams: Any = _stdio(process, on_end)
        else:
            assert endpoint is not None
            http = make_client(
                endpoint.refuse,
                timeout=server.timeout,
                max_answer_bytes=MAX_ANSWER_BYTES,
                headers=server.headers,
            )
            await stack.enter_async_context(http)
            streams = streamable_http_client(endpoint.url, http_client=http)
        client = Client(streams, cache=None)
        try:
            await stack.enter_async_context(client)
        except (MCPError, ValidationError, ExceptionGroup) as error:
            last = "" if process is None else process.last_words
            raise ServerEnded(last or why(error)) from error
        yield Session(client, process)


@asynccontextmanager
async def _stdio(process: LineProcess, on_end: Callable[[], object]) -> AsyncIterator[tuple[Any, Any]]:
    """The two streams that the package wants, over the lines of a process."""
    yield _Incoming(process, on_end), _Outgoing(process)


class _Stream:
    """What both have in common: the process is closed by who started it."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is to be done."""

    async def aclose(self) -> None:
        """Nothing is to be done."""


class _Incoming(_Stream):
    """Each line as a message; one that is none, as the error that it is."""

    def __init__(self, process: LineProcess, on_end: Callable[[], object]) -> None:
        super().__init__(process)
        self._on_end = on_end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        line = await self._process.line()
        if line is None:
            self._on_end()
            raise StopAsyncIteration
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            return error

    async def receive(self) -> SessionMessage | Exception:
        """The next one."""
        return await self.__anext__()


class _Outgoing(_Stream):
    """Each message as a line."""

    async def send(self, message: SessionMessage) -> None:
        """Send it."""
        try:
            self._process.write(message.message.model_dump_json(by_alias=True, exclude_unset=True))
        except ConnectionError as error:
            raise MCPError(CONNECTION_CLOSED, str(error)) from error
        await asyncio.sleep(0)


def _schema_of(tool: Any) -> dict[str, Any] | None:
    """What *tool* takes; None when that is too long, or nested too deep, for a model."""
    try:
        schema: dict[str, Any] = _cleaned(tool.input_schema)
        return schema if len(json.dumps(schema)) <= MAX_SCHEMA else None
    except RecursionError:
        return None


def _cleaned(value: Any) -> Any:
    """A schema without markers in its texts: a model reads them."""
    if isinstance(value, str):
        return sanitize(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


def _text_of(result: Any) -> str:
    parts = [_shown(block) for block in result.content]
    if not any(part.strip() for part in parts) and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False, default=repr)]
    text = "\n".join(parts)
    if len(text) <= MAX_RESULT:
        return text
    return f"{text[:MAX_RESULT]}\n[{len(text) - MAX_RESULT:,} more characters were cut]"


def _shown(block: Any) -> str:
    """A piece of a result as text."""
    if block.type == "text":
        return str(block.text)
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        return str(text) if text is not None else f"[data of {block.resource.uri}]"
    if block.type == "resource_link":
        return f"[{block.name}: {block.uri}]"
    kind, size = getattr(block, "mime_type", "unknown"), len(getattr(block, "data", ""))
    return f"[{block.type} of type {kind}, {size:,} characters]"


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:LONGEST_PROBLEM]


def why(error: BaseException) -> str:
    """What went wrong, in one line; of a group of errors the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, CapabilityDenied | ToolFailed) else _first_line(error)
