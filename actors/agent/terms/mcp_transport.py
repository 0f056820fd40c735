"""How an MCP server is reached."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from ...public import publish


class McpTransport(StrEnum):
    """How an MCP server is reached."""

    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"
    WEBSOCKET = "websocket"


TransportWord = Literal["stdio", "http", "sse", "websocket"]

publish("actors.manifests", McpTransport)
