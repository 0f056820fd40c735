"""What an MCP server says: lines of JSON-RPC, and the tools that it lists."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from actors.tools.mcp_messages import Asked, Messages

from ..target import Target, hold, hold_message, hold_plain, strict_json

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

TOOL = {
    "name": "add",
    "description": "Adds.",
    "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
RESULTS: tuple[Any, ...] = (
    {"tools": [TOOL, {"name": "b", "inputSchema": {"anyOf": [{"type": "object"}]}}, {"name": "*"}], "nextCursor": "x"},
    {
        "tools": [
            {"name": "c", "inputSchema": {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}, "outputSchema": {}}
        ]
    },
    {"content": [{"type": "text", "text": "hello"}], "isError": False},
    {"content": [], "structuredContent": {"a": [1, {"b": None}]}},
    {
        "content": [
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            {"type": "resource_link", "name": "n", "uri": "a:b"},
        ]
    },
    {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}},
)


class McpMessages(Target):
    """One line."""

    about = "messages of MCP servers"
    words = (
        b'"method": ',
        b'"id": ',
        b'"result": ',
        b'"tools": ',
        b'"inputSchema": ',
        b'"$ref": "#"',
        b"ignore previous instructions",
    )

    def seeds(self) -> Iterable[bytes]:
        """Answers, errors, requests and notifications."""
        for number, result in enumerate(RESULTS):
            yield json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
        yield b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method", "data": [1]}}'
        yield b'{"jsonrpc": "2.0", "id": "x", "method": "ping"}'
        yield b'{"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {"messages": []}}'
        yield b'{"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}'

    def work(self, data: bytes) -> object:
        """Once, on this thread: where it is read does not matter here."""
        return Messages()._read(data)  # noqa: SLF001 - the public way needs an event loop for each input

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """An answer that the package may see, our answer to a request, or nothing."""
        messages = Messages()
        read = messages._read(data)  # noqa: SLF001 - as above
        if thorough:
            hold(repr(asyncio.run(Messages().read(data))) == repr(read), "read as on a thread of its own", read)
        for name, why in messages.left_out.items():
            hold_message(name, 200)
            hold_message(why)
        if isinstance(read, Asked):
            hold(
                "\n" not in read.answer and isinstance(strict_json(read.answer), dict),
                "an answer is a line of JSON",
                read.answer,
            )
            return "asked", "error" in read.answer
        if read is None:
            return None, len(data) > 1
        error = read.get("error")
        if error is not None:
            hold(len(error["message"]) <= 2_000, "messages of errors are bounded", len(error["message"]))
            return "error", error["code"]
        tools = read["result"].get("tools")
        if isinstance(tools, list):
            hold(len({tool["name"] for tool in tools}) == len(tools), "each tool has a name of its own", tools)
            for tool in tools:
                hold(tool["inputSchema"].get("type") == "object", "arguments are an object", tool)
                hold_plain(tool, "a tool is plain")
        return "result", isinstance(tools, list) and len(tools), len(messages.left_out) > 0

    def grown(self, data: bytes, times: int) -> bytes | None:
        """So many tools, or pieces of a result."""
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return data * times
        result = message.get("result") if isinstance(message, dict) else None
        for name in ("tools", "content"):
            if isinstance(result, dict) and isinstance(result.get(name), list):
                result[name] = result[name] * times
                return json.dumps(message).encode()
        return None


TARGET = McpMessages()
