"""The official package of the Model Context Protocol, as far as it is used here. Needs the extra ``mcp``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED
from pydantic import ValidationError

from ..agent.manifest import McpTransport
from ..agent.ports import ToolDefinition, ToolResult
from ..agent.sanitize import sanitize
from ..errors import CapabilityDenied, ToolFailed
from ..network.transport import make_client
from .environment import handed_on

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
MAX_ANSWER_BYTES = 16_000_000
LAST_WORDS = 1_000
"""Characters of what a server wrote to its standard error before it ended."""

logging.getLogger("mcp").addHandler(logging.NullHandler())  # else its warnings reach the terminal of every host


class ServerEnded(Exception):
    """The server has ended, or its connection is gone."""


class Session:
    """An open connection to a server. Belongs to one task of the private loop."""

    def __init__(self, client: Client, words: _LastWords | None) -> None:
        self._client = client
        self._words = words

    async def tools(self) -> dict[str, ToolDefinition]:
        """The server's tools by their own names."""
        found: dict[str, ToolDefinition] = {}
        cursor = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            for tool in page.tools[: MAX_TOOLS - len(found)]:
                schema = _cleaned(tool.input_schema)
                if len(json.dumps(schema)) <= MAX_SCHEMA and tool.name not in found:
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
            if error.code == CONNECTION_CLOSED:
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
        return "" if self._words is None else self._words.text


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
    words: _LastWords | None = None
    async with AsyncExitStack() as stack:
        if server.transport is McpTransport.STDIO:
            words = stack.enter_context(_LastWords())
            parameters = StdioServerParameters(
                command=server.command[0], args=list(server.command[1:]), env=handed_on(server.env)
            )
            streams: Any = stdio_client(parameters, errlog=words.sink)
        else:
            assert endpoint is not None
            http = make_client(
                endpoint.refuse, timeout=server.timeout, max_answer_bytes=MAX_ANSWER_BYTES, headers=server.headers
            )
            await stack.enter_async_context(http)
            streams = streamable_http_client(endpoint.url, http_client=http)
        client = Client(_watched(streams, on_end), cache=None)
        try:
            await stack.enter_async_context(client)
        except (MCPError, ValidationError, ExceptionGroup) as error:
            last = "" if words is None else words.text
            raise ServerEnded(last or why(error)) from error
        yield Session(client, words)


@asynccontextmanager
async def _watched(streams: Any, on_end: Callable[[], object]) -> AsyncIterator[tuple[Any, Any]]:
    async with streams as (read, write):
        yield _Watched(read, on_end), write


class _Watched:
    """The incoming messages of a connection; tells when there will be none any more."""

    def __init__(self, stream: Any, on_end: Callable[[], object]) -> None:
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _Watched:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._on_end()
            raise


class _LastWords:
    """Where a server's standard error goes: its end is kept, for the error that tells of the server's."""

    def __init__(self) -> None:
        self._tail = b""
        self._reader: int | None = None
        self.sink: Any = subprocess.DEVNULL

    @property
    def text(self) -> str:
        """The last line, also when it was written just now."""
        self._read()
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1][-LAST_WORDS:] if lines else ""

    def __enter__(self) -> _LastWords:
        if os.name == "posix":
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._reader, False)
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._reader, self._read)
            self.sink = self._writer
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._loop.remove_reader(self._reader)
            os.close(self._reader)
            os.close(self._writer)
            self._reader = None

    def _read(self) -> None:
        if self._reader is None:
            return
        try:
            data = os.read(self._reader, 65_536)
        except OSError:  # nothing new, or it is closed
            return
        self._tail = (self._tail + data)[-4 * LAST_WORDS :]


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
    return f"{type(error).__name__}: {error}".partition("\n")[0][:LAST_WORDS]


def why(error: BaseException) -> str:
    """What went wrong, in one line; of a group of errors the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, CapabilityDenied | ToolFailed) else _first_line(error)
