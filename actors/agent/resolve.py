"""Finds what a manifest names: its agent class, its driver, its tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ManifestError
from .agent import Agent
from .importing import load_object
from .llm_agent import LlmAgent
from .ports import Tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .manifest import AgentManifest
    from .ports import LlmDriver

DRIVER_NEEDS = ("complete", "stream", "estimate_cost", "context_window", "privacy_tier")


def agent_class(manifest: AgentManifest) -> type[Agent[Any]]:
    """The class that ``agent`` names; the ``LlmAgent`` when it names none.

    Raises:
        ManifestError: It cannot be imported, or is no ``Agent`` subclass.
    """
    if manifest.agent is None:
        return LlmAgent
    found = load_object(manifest.agent, beside=manifest.folder, place="agent")
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise ManifestError([f"agent: {manifest.agent!r} is no subclass of actors.Agent"])
    return found


def driver(
    manifest: AgentManifest,
    find_built_in: Callable[[str], Callable[[AgentManifest], LlmDriver]],
    path: str | None = None,
    place: str = "model.driver",
) -> LlmDriver | None:
    """Make the driver that ``model.driver`` names, or *path*; None when neither does.

    Raises:
        ManifestError: The factory cannot be imported, raises, or returns no driver.
    """
    path = path or manifest.model.driver
    if path is None:
        return None
    factory = load_object(path, beside=manifest.folder, place=place) if ":" in path else find_built_in(path)
    if not callable(factory):
        raise ManifestError([f"{place}: {path!r} cannot be called: it must take the manifest and return a driver"])
    try:
        made: LlmDriver = factory(manifest)
    except ManifestError:
        raise
    except (Exception, SystemExit) as error:
        raise ManifestError([f"{place}: {path!r} raised {type(error).__name__}: {error}"]) from error
    missing = [name for name in DRIVER_NEEDS if not hasattr(made, name)]
    if missing:
        raise ManifestError(
            [f"{place}: {path!r} returned no driver: {type(made).__name__} has no {', '.join(missing)}"]
        )
    return made


def tool(manifest: AgentManifest, index: int) -> Tool:
    """The tool that entry *index* of ``tools`` names.

    Raises:
        ManifestError: It cannot be imported, or is no tool.
    """
    path = manifest.tools[index]
    found = load_object(path, beside=manifest.folder, place=f"tools.{index}")
    if isinstance(found, type) or not isinstance(found, Tool):
        raise ManifestError([f"tools.{index}: {path!r} is no tool; put @actors.tool above the function"])
    return found
