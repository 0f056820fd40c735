"""What is good enough to run, and most probably not meant: each is a warning, and stops nothing."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ..agent.ports import PrivacyTier
from ..agent.terms.capability import Browser, FileRead, Network
from ..agent.terms.mcp_transport import McpTransport
from ..core.shown import shown
from ..drivers.function import FunctionDriver
from ..drivers.scripted import ScriptedDriver
from ..extras import how_to_install
from ..network.endpoint import Endpoint
from ..tools.environment import handed_on
from ..tools.mcp import is_granted
from .terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..agent.agent import Agent
    from ..agent.ports import LlmDriver, Tool
    from ..agent.terms.capability import Capability
    from ..agent.terms.manifest import AgentManifest, McpServer

REMOTE = ("openai", "anthropic")
"""The drivers whose servers have to be told which model is asked."""


@dataclass(frozen=True, slots=True)
class NamedTool:
    """A tool as far as it is known. ``place`` is where its manifest names it."""

    place: str
    name: str
    needs: Capability | None


def named_tool(manifest: AgentManifest, index: int, tool: Tool) -> NamedTool:
    """What is known of *tool*, which entry *index* of *manifest* names."""
    return NamedTool(f"tools.{index}: {manifest.tools[index]!r}", tool.name, tool.required_capability)


def of_manifest(manifest: AgentManifest, tools: Sequence[NamedTool], *, gets_file: bool = False) -> Iterator[str]:
    """What is doubtful in *manifest* itself.

    Args:
        tools: Those that it names.
        gets_file: Does each of its agents get a file that it may read?
    """
    for tool in tools:
        yield from _of_tool(manifest, tool, gets_file=gets_file)
    for index, server in enumerate(manifest.mcp_servers):
        yield from (f"mcp_servers.{index}: {problem}" for problem in _of_server(manifest, server))
    if manifest.model.driver in REMOTE and not manifest.model.name:
        field = "model_repo" if manifest.privacy is PrivacyTier.SOVEREIGN else "remote_model"
        yield f"model: no model is named for the driver {manifest.model.driver!r}: set {field}, or give --model"


def of_model(
    manifest: AgentManifest, agent: type[Agent[object]], driver: LlmDriver | None, model: str | None
) -> Iterator[str]:
    """What is doubtful in ``--model``.

    Args:
        driver: What answers; None: nothing does.
        model: As it was given; None: it was not.
    """
    if model is None:
        return
    if driver is None:
        yield f"--model {shown(model)}: no driver is there to ask it ({shown(manifest.name)} asks no model)"
    elif isinstance(driver, FunctionDriver | ScriptedDriver):
        yield f"--model {shown(model)}: {type(driver).__name__} asks no model; --driver names one that does"
    elif not agent.needs_driver:
        yield f"--model {shown(model)}: {agent.__name__} may do without a model"


def of_approvals(
    approved: Sequence[str], manifests: Sequence[AgentManifest], tools: Sequence[NamedTool]
) -> Iterator[str]:
    """Each ``--approve`` that fits no tool.

    Args:
        tools: Of all manifests.
    """
    names = [tool.name for tool in tools]
    servers = [server.name for manifest in manifests for server in manifest.mcp_servers]
    for pattern in approved:
        # The tools of a server are known when it runs.
        of_server = any(fnmatchcase(server, pattern.partition(".")[0]) for server in servers if "." in pattern)
        if not of_server and not any(fnmatchcase(name, pattern) for name in names):
            there = ", ".join([*names, *(f"{server}.*" for server in servers)]) or "none"
            yield f"--approve {shown(pattern)}: fits none of the tools ({shown(there, 500)})"


def say_doubts(doubts: Iterable[str]) -> None:
    """Warn of each of *doubts*, once."""
    for doubt in dict.fromkeys(doubts):
        say(f"warning: {doubt}")


def _of_tool(manifest: AgentManifest, tool: NamedTool, *, gets_file: bool) -> Iterator[str]:
    needs = tool.needs
    if needs is None:
        return
    grants = [*manifest.capabilities, *[FileRead(allowed_paths=())] * gets_file]
    if not any(grant.allows(needs) for grant in grants):
        yield f"{tool.place} is not granted: it needs the capability {needs.type}, so no agent can call {tool.name}"
    elif manifest.privacy is PrivacyTier.SOVEREIGN and isinstance(needs, Network | Browser):
        yield f"{tool.place} is refused: the privacy is sovereign, and {tool.name} needs {needs.type}"


def _of_server(manifest: AgentManifest, server: McpServer) -> Iterator[str]:
    if not is_granted(manifest, server):
        yield f"the tools of {server.name!r} are not granted: they need the capability mcp"
    elif importlib.util.find_spec("mcp") is None:
        yield f"{server.name!r} cannot be used: 'mcp' is not installed; install it with: {how_to_install('mcp')}"
    elif server.transport is McpTransport.STDIO:
        program = server.command[0] if server.command else ""
        if shutil.which(program, path=handed_on(server.env).get("PATH")) is None and not Path(program).is_file():
            yield f"{server.name!r} cannot be started: there is no program {shown(program)!r}"
    elif server.transport is McpTransport.HTTP:
        try:
            Endpoint.of(server.url or "", privacy=manifest.privacy, private_hosts=manifest.model.private_hosts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the agents will be told the same
            yield f"{server.name!r} cannot be reached: {error}"
