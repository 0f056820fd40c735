"""Tools in words: what each does, and what the manifest lets it do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agent.effects import effect_of
from ..agent.ports import PrivacyTier
from ..agent.terms.capability import Browser, Network
from ..agent.terms.effect import Effect
from ..core.shown import shown
from ..core.waiting.cancel import CancelToken
from ..errors import ActorsError
from ..tools.mcp import McpServers, is_granted
from .permissions import in_words
from .wording import one_line

if TYPE_CHECKING:
    from ..agent.ports import Tool
    from ..agent.terms.manifest import AgentManifest, McpServer


def tool_line(manifest: AgentManifest, tool: Tool, *, of_server: bool = False) -> str:
    """One tool: its name, what it does, what its capability allows, and whether somebody is asked first; of a server
    also whether its calls may be made again: of other tools their code says it.
    """
    asks = getattr(tool, "approval", None) is not None or manifest.approval.rule_for(tool.name) is not None
    description = one_line(tool.definition.description)
    again = "; idempotent" * (of_server and effect_of(tool) is Effect.IDEMPOTENT)
    return f"{shown(tool.name)}: {description} [{_permission(manifest, tool)}{again}{'; asks first' * asks}]"


def _permission(manifest: AgentManifest, tool: Tool) -> str:
    needed = tool.required_capability
    if needed is None:
        return "needs no capability"
    granted = [grant for grant in manifest.capabilities if grant.allows(needed)]
    if not granted:
        return f"not granted: needs {needed.type}"
    if manifest.privacy is PrivacyTier.SOVEREIGN and isinstance(needed, Network | Browser):
        return "refused: the privacy is sovereign"
    return "may " + "; ".join(in_words(grant) for grant in granted)


def server_lines(manifest: AgentManifest, server: McpServer, *, run: bool) -> list[str]:
    """What an MCP server is, and its tools; it is started for that, if its tools are granted and it may *run*."""
    place = server.url if server.command == () else " ".join(server.command)
    first = f"{server.transport}: {place}"
    if not is_granted(manifest, server):
        return [first, "not granted: needs mcp"]
    if not run:
        return [first, "not started: --run shows its tools"]
    servers = McpServers()
    try:
        alone = manifest.model_copy(update={"mcp_servers": (server,)})
        lines = [tool_line(manifest, tool, of_server=True) for tool in servers.tools_for(alone, CancelToken())]
        lines += (f"left out: {one_line(left, 300)}" for left in servers.left_out())
        return [first, *lines, *(one_line(unknown, 300) for unknown in servers.unknown_effects())]
    except (ActorsError, ImportError) as error:
        return [first, one_line(str(error), 500)]
    finally:
        servers.close()
