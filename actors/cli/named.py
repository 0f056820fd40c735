"""What a manifest names, as far as it can be checked while nothing of it runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..agent.assembly import resolve
from ..agent.guardrail import GuardrailStage
from ..agent.terms.driver_word import BUILT_IN, DriverWord
from ..errors import ManifestError
from .doubts import NamedTool, named_tool
from .source import definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.terms.manifest import AgentManifest
    from .source import Definition


def problems(manifest: AgentManifest) -> list[str]:
    """Everything that *manifest* names and that cannot be had, each with its place, by the texts of the modules; and so
    for the manifests that it names.
    """
    return resolve.problems_of_all(manifest, _problems_alone, _tool_names)


def _problems_alone(manifest: AgentManifest) -> list[str]:
    looks: list[Callable[[], object]] = [
        lambda: _look_at_agent(manifest),
        lambda: _look_at_driver(manifest),
        lambda: _look_at_output(manifest),
        lambda: _look_at_prompt(manifest),
        *(partial(_look_at_guardrail, manifest, index) for index in range(len(manifest.guardrails.use))),
        lambda: _look_at_policy(manifest),
        *(partial(_look_at_tool, manifest, index) for index in range(len(manifest.tools))),
    ]
    return [*resolve.server_problems(manifest), *resolve.problems_of(looks)]


def _tool_names(manifest: AgentManifest) -> list[str] | None:
    names = [_look_at_tool(manifest, index).tool_name() for index in range(len(manifest.tools))]
    return [name for name in names if name] if all(names) else None


def tools_of(manifest: AgentManifest) -> list[NamedTool]:
    """What can be seen of the tools that a good *manifest* names; those of this package are imported."""
    found = []
    for index, path in enumerate(manifest.tools):
        if _is_ours(manifest, path):
            found.append(named_tool(manifest, index, resolve.tool(manifest, index)))
        else:
            text = definition(path, beside=manifest.folder)
            name = text.tool_name() or path.rpartition(":")[2]
            found.append(NamedTool(f"tools.{index}: {path!r}", name, text.tool_needs()))
    return found


def code_of(manifest: AgentManifest) -> list[str]:
    """What *manifest* names that is no part of this package: to look at it runs it."""
    output = manifest.output if isinstance(manifest.output, str) else None
    driver = manifest.model.driver
    if driver is not None and driver.partition(":")[0] in BUILT_IN:
        driver = None
    named = [manifest.agent, driver, output, *manifest.tools]
    return list(
        dict.fromkeys(path for path in named if path is not None and ":" in path and not _is_ours(manifest, path))
    )


def commands_of(manifest: AgentManifest) -> list[str]:
    """The MCP servers of *manifest* that are started, or connected to, for their tools."""
    from ..tools.mcp import is_granted

    return [
        f"{server.name} ({server.url if server.command == () else ' '.join(server.command)})"
        for server in manifest.mcp_servers
        if is_granted(manifest, server)
    ]


def _is_ours(manifest: AgentManifest, path: str) -> bool:
    """Is it of this package, and not of a namesake beside the manifest?"""
    if not path.startswith("actors."):
        return False
    folder = manifest.folder
    return folder is None or not any((folder / name).exists() for name in ("actors", "actors.py"))


def _look_at_agent(manifest: AgentManifest) -> None:
    if manifest.agent is not None:
        found = definition(manifest.agent, beside=manifest.folder, place="agent")
        if found.is_plain or (found.is_function and not found.is_decorated):
            raise ManifestError([f"agent: {manifest.agent!r} is no subclass of actors.Agent"])


def _look_at_driver(manifest: AgentManifest) -> None:
    path, place = manifest.model.driver, resolve.DRIVER
    if path is None or DriverWord.parse(path, place) is not None:
        return
    if definition(path, beside=manifest.folder, place=place).is_plain:
        raise ManifestError([f"{place}: {path!r} cannot be called: it must take the manifest and return a driver"])


def _look_at_output(manifest: AgentManifest) -> None:
    path = manifest.output
    if isinstance(path, str):
        found = definition(path, beside=manifest.folder, place="output")
        if found.is_plain or found.is_function:
            raise ManifestError([f"output: {path!r} is no type that pydantic can check"])


def _look_at_prompt(manifest: AgentManifest) -> None:
    prompt, place = manifest.model.system_prompt, "model.system_prompt.function"
    if isinstance(prompt, str) or not isinstance(prompt.function, str):
        return
    if definition(prompt.function, beside=manifest.folder, place=place).is_plain:
        raise ManifestError([f"{place}: {prompt.function!r} cannot be called: it has to return the system prompt"])


def _look_at_policy(manifest: AgentManifest) -> None:
    path, place = manifest.context.policy, "context.policy"
    if ":" in path and definition(path, beside=manifest.folder, place=place).is_plain:
        raise ManifestError([f"{place}: {path!r} is no function of the messages"])


def _look_at_guardrail(manifest: AgentManifest, index: int) -> None:
    path, place = manifest.guardrails.use[index], f"guardrails.use.{index}"
    found = definition(path, beside=manifest.folder, place=place)
    if found.is_plain or (found.is_class and not found.is_decorated):
        raise ManifestError([f"{place}: {path!r} is no guardrail: it is an object with its methods, or a function"])
    if found.is_function and not found.is_decorated and found.name not in list(GuardrailStage):
        stages = ", ".join(GuardrailStage)
        raise ManifestError(
            [f"{place}: {path!r} does not say where it looks: put @actors.guardrail above it, or name it {stages}"]
        )


def _look_at_tool(manifest: AgentManifest, index: int) -> Definition:
    path = manifest.tools[index]
    found = definition(path, beside=manifest.folder, place=f"tools.{index}")
    if found.is_plain or found.is_class or (found.is_function and not found.is_decorated):
        raise ManifestError([f"tools.{index}: {path!r} is no tool; put @actors.tool above the function"])
    return found
