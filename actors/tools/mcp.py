"""The tools of MCP servers: those of a manifest, shared by all agents of a pool."""

from __future__ import annotations

import asyncio
import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from ..agent.ports import ToolDefinition, ToolResult
from ..agent.terms.capability import Mcp
from ..agent.terms.manifest_problems import did_you_mean
from ..agent.terms.mcp_transport import McpTransport
from ..core.crash import report
from ..core.process import event_loop
from ..core.shown import shown
from ..errors import ToolFailed
from ..extras import need
from ..network.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from ..agent.ports import Tool
    from ..agent.terms.effect import Effect
    from ..agent.terms.manifest import AgentManifest, McpServer
    from ..core.waiting.cancel import CancelToken
    from .mcp_client import ServerTool
    from .mcp_server import SharedServer

T = TypeVar("T")

GRACE = 60.0
"""Seconds beyond a call's time, and beyond those to open a server, after which the loop is not waited for any more: a
server may have to be started again first.
"""
CLOSE_TIMEOUT = 15.0
"""Seconds for all servers to end."""


class McpTool:
    """A tool of an MCP server, under the name ``server.tool``."""

    def __init__(self, server: McpServer, shared: SharedServer, listed: ServerTool) -> None:
        definition = listed.definition
        self._shared = shared
        self._own_name = definition.name
        self._timeout = server.timeout
        self._start_timeout = server.start_timeout
        self._capability = Mcp(server=server.name, tool=definition.name)
        self._effect = server.effect_of(definition.name) or listed.effect
        name = f"{server.name}.{definition.name}"
        self._definition = ToolDefinition(name, definition.description, definition.input_schema)

    def __repr__(self) -> str:
        return f"<MCP tool {self.name}>"

    @property
    def name(self) -> str:
        """``server.tool``."""
        return self._definition.name

    @property
    def definition(self) -> ToolDefinition:
        """What the server says of it."""
        return self._definition

    @property
    def required_capability(self) -> Mcp:
        """``mcp`` for this server and this tool."""
        return self._capability

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return self._timeout

    @property
    def effect(self) -> Effect:
        """What the manifest says, else the server."""
        return self._effect

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002, ARG002
        """Call it.

        Raises:
            ToolFailed: Its server failed, ended, or answered nonsense.
            Cancelled: The call was cancelled; the server is told.
        """
        call = self._shared.call(self._own_name, input, self._timeout)
        return _run(call, cancel, self._timeout + self._start_timeout)


class McpServers:
    """The MCP servers of a pool: each is opened for the first agent that may use it, and closed with the pool.

    Guarantees: a server is started once, however many agents share it; one that no capability grants is not started.

    Locks: ``_lock`` guards ``_shared``, ``_unknown`` and ``_is_closed``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[str, SharedServer] = {}
        self._unknown: dict[str, None] = {}
        self._is_closed = False

    def tools_for(self, manifest: AgentManifest, cancel: CancelToken) -> list[Tool]:
        """The tools of the servers that *manifest* names and grants, each server in turn.

        Raises:
            ToolFailed: A server cannot be opened.
            CapabilityDenied: A server is farther away than the manifest's privacy allows.
            ImportError: The package is not installed.
            Cancelled: The agent was cancelled meanwhile.
        """
        granted = [server for server in manifest.mcp_servers if is_granted(manifest, server)]
        opened = [(server, self._server(server, manifest)) for server in granted]
        if not opened:
            return []
        slowest = max(server.start_timeout for server, _ in opened)
        listed = _run(_tools_of_all([shared for _, shared in opened]), cancel, slowest)
        found: list[Tool] = []
        for (server, shared), tools in zip(opened, listed, strict=True):
            self._tell_unknown(server, [*tools, *shared.left_out])
            found += (McpTool(server, shared, tool) for tool in tools.values())
        return found

    def _server(self, server: McpServer, manifest: AgentManifest) -> SharedServer:
        need("mcp", "mcp", f"the MCP server {server.name!r}")
        from .mcp_server import SharedServer

        endpoint = None
        if server.transport is McpTransport.HTTP:
            try:
                endpoint = Endpoint.of(
                    server.url or "", privacy=manifest.privacy, private_hosts=manifest.model.private_hosts
                )
            except ValueError as error:
                raise ToolFailed(f"MCP server {server.name!r}: {error}") from error
        elif server.transport is not McpTransport.STDIO:
            raise ToolFailed(f"MCP server {server.name!r}: the transport {server.transport} is not supported; use http")
        # Agents may have other bounds, and share it all the same.
        key = repr((server.transport, server.command, server.env, sorted(server.headers.items()), endpoint))
        with self._lock:
            if self._is_closed:
                raise ToolFailed(f"MCP server {server.name!r} is not started any more: its pool was closed")
            if key not in self._shared:
                self._shared[key] = SharedServer(server, endpoint)
            return self._shared[key]

    def _tell_unknown(self, server: McpServer, names: Sequence[str]) -> None:
        """What ``effects`` names and *server* does not have is told once."""
        for word in server.effects:
            if any(fnmatchcase(name, word) for name in names):
                continue
            problem = f"MCP server {server.name}: effects names {shown(word)!r}, which is none of its tools"
            problem += did_you_mean(word.removeprefix(f"{server.name}."), names)
            with self._lock:
                is_new = problem not in self._unknown
                self._unknown[problem] = None
            if is_new:
                logger.warning("{}", problem)

    def unknown_effects(self) -> list[str]:
        """What the manifests say of the effects of tools that their servers do not have."""
        with self._lock:
            return list(self._unknown)

    def left_out(self) -> list[str]:
        """The tools of the servers that are open and that cannot be used, ``server.tool``, each with the reason."""
        with self._lock:
            shared = list(self._shared.values())
        return [f"{server.name}.{tool}: {why}" for server in shared for tool, why in server.left_out.items()]

    def close(self) -> None:
        """End all servers, and start none any more."""
        with self._lock:
            self._is_closed = True
            shared, self._shared = list(self._shared.values()), {}
        if not shared:
            return
        try:
            event_loop.finish(_close_all(shared), CLOSE_TIMEOUT, event_loop.Room.TOOLS)
        except Exception:  # noqa: BLE001 - a server that will not end must not keep a pool open
            report("closing the MCP servers failed")


def _run(coroutine: Coroutine[Any, Any, T], cancel: CancelToken, seconds: float) -> T:
    try:
        return event_loop.run(coroutine, cancel, event_loop.Room.TOOLS, within=seconds + GRACE)
    except event_loop.LoopLost as error:
        raise ToolFailed(str(error)) from error


async def _tools_of_all(shared: list[SharedServer]) -> list[dict[str, ServerTool]]:
    return await asyncio.gather(*(server.tools() for server in shared))


async def _close_all(shared: list[SharedServer]) -> None:
    await asyncio.gather(*(server.close() for server in shared))


def is_granted(manifest: AgentManifest, server: McpServer) -> bool:
    """May agents of *manifest* use any tool of *server*?"""
    grants = [grant for grant in manifest.capabilities if isinstance(grant, Mcp)]
    return any(grant.server in ("*", server.name) for grant in grants)
