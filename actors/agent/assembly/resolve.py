"""Finds what a manifest names: its agent class, its driver, its tools."""

from __future__ import annotations

from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PydanticUserError
from pydantic.errors import PydanticInvalidForJsonSchema

from ...errors import CapabilityDenied, ManifestError, MemoryFailed
from ..agent import Agent
from ..answer_settings import said
from ..context_policy import policy_function
from ..guardrails import rails_of
from ..ports import (
    ChecksSettings,
    PricesModels,
    PrivacyTier,
    Tool,
)
from ..terms.driver_word import BUILT_IN, DriverWord
from ..terms.importing import load_object
from ..terms.json_schema import shape_of_schema
from ..terms.linked import names_of_linked, reached
from ..terms.manifest_problems import did_you_mean
from ..terms.manifest_tables import SUMMARIZE
from ..terms.mcp_transport import McpTransport
from ..terms.settings import NO_SETTINGS
from ..terms.structured import shape_of
from .llm_agent import LlmAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..guardrails import Rail
    from ..ports import LlmDriver, MemorySubstrate
    from ..terms.manifest import AgentManifest
    from ..terms.model_config import ModelConfig
    from ..terms.settings import ModelSettings
    from ..terms.structured import Shape

    DriverFactory = Callable[[AgentManifest], LlmDriver]
    FindBuiltIn = Callable[[str, str], DriverFactory]

DRIVER = "model.driver"
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


def driver_factory(
    manifest: AgentManifest, find_built_in: FindBuiltIn, path: str | None = None, place: str = DRIVER
) -> DriverFactory | None:
    """Find what makes the driver: *path*, or what ``model.driver`` names; None when neither does.

    Args:
        path: A word for a built-in driver, which wins over modules of its name, or ``package.module:factory``.
    Raises:
        ManifestError: There is none, or it cannot be called.
    """
    path = manifest.model.driver if path is None else path
    if path is None:
        return None
    word = DriverWord.parse(path, place)
    if word is not None:
        make = find_built_in(word.name, place)
        return lambda manifest: make(with_model(manifest, word.of(manifest.model)))
    factory = _own_factory(path, manifest, place)
    if not callable(factory):
        raise ManifestError([f"{place}: {path!r} cannot be called: it must take the manifest and return a driver"])
    found: DriverFactory = factory
    return found


def _own_factory(path: str, manifest: AgentManifest, place: str) -> Any:
    try:
        return load_object(path, beside=manifest.folder, place=place)
    except ManifestError as error:
        meant = did_you_mean(path.partition(":")[0], BUILT_IN)  # openia:gpt4 looks like a module's
        if not meant:
            raise
        raise ManifestError([f"{problem}{meant}" for problem in error.problems]) from error


def with_model(manifest: AgentManifest, model: ModelConfig) -> AgentManifest:
    """*manifest* with another *model*."""
    return manifest if model is manifest.model else manifest.model_copy(update={"model": model})


def driver(
    manifest: AgentManifest, find_built_in: FindBuiltIn, path: str | None = None, place: str = DRIVER
) -> LlmDriver | None:
    """Make the driver: as :func:`driver_factory` finds it.

    Raises:
        ManifestError: There is no such factory, or it raises, or what it returns is no driver.
    """
    factory = driver_factory(manifest, find_built_in, path, place)
    if factory is None:
        return None
    name = manifest.model.driver if path is None else path
    try:
        made = factory(manifest)
    except ManifestError:
        raise
    except (Exception, SystemExit) as error:
        raise ManifestError([f"{place}: {name!r} raised {type(error).__name__}: {error}"]) from error
    missing = [part for part in DRIVER_NEEDS if not hasattr(made, part)]
    if missing:
        raise ManifestError(
            [f"{place}: {name!r} returned no driver: {type(made).__name__} has no {', '.join(missing)}"]
        )
    return made


def refuse_no_driver(made: object) -> None:
    """Raise a ``TypeError`` when *made* is neither None nor a driver."""
    if made is None or all(map(hasattr, repeat(made), DRIVER_NEEDS)):
        return
    missing = [part for part in DRIVER_NEEDS if not hasattr(made, part)]
    raise TypeError(f"{made!r} is no driver: it has no {', '.join(missing)}")


def misfit(
    manifest: AgentManifest, agent: type[Agent[Any]], made: LlmDriver | None, *, counts_cost: bool = False
) -> ValueError | CapabilityDenied | ManifestError | None:
    """Why this agent cannot work with this driver, or without one; None when it can.

    Args:
        counts_cost: A budget that it is charged to limits the cost, beside its own manifest.
    """
    if made is None:
        if not agent.needs_driver:
            return None
        return ValueError(
            f"agent {manifest.name!r} needs a driver: name one in its manifest (model.driver), or give one to the "
            "pool, the SpawnConfig or the command (--driver)"
        )
    refuse_no_driver(made)
    tier = PrivacyTier(made.privacy_tier)
    if tier is manifest.privacy or tier.rank <= manifest.privacy.rank:
        return _unpriced(manifest, made) if counts_cost or manifest.resources.max_cost_usd > 0 else None
    return CapabilityDenied(
        f"agent {manifest.name!r} has privacy {manifest.privacy!s}, but its driver's tier is {tier!s}; "
        "choose another driver, or a more permissive privacy in the manifest"
    )


def settings_misfit(
    manifest: AgentManifest, config: ModelSettings | None, made: object
) -> ValueError | ManifestError | None:
    """Why *made* cannot keep to the settings of the config and the manifest; None when it can, or nobody says one."""
    if (config is None and not manifest.model.says_settings) or not isinstance(made, ChecksSettings):
        return None
    settings = said(config, manifest.model)
    problem = None if settings is NO_SETTINGS else made.refusal_of(settings)
    if problem is None:
        return None
    if config is not None and made.refusal_of(config) is not None:
        return ValueError(f"agent {manifest.name!r}: {problem}")
    return ManifestError([f"model: {problem}"], places=[("model",)])


def memory_misfit(manifest: AgentManifest, memory: MemorySubstrate | None) -> CapabilityDenied | None:
    """Why this agent cannot work with this memory; None when it can. One that does not say how far texts travel keeps
    them here.
    """
    if memory is None:
        return None
    tier = PrivacyTier(getattr(memory, "privacy_tier", PrivacyTier.SOVEREIGN))
    if tier.rank <= manifest.privacy.rank:
        return None
    return CapabilityDenied(
        f"agent {manifest.name!r} has privacy {manifest.privacy!s}, but the embedder of its memory is {tier!s}; "
        "choose another embedder, or a more permissive privacy in the manifest"
    )


def memory(manifest: AgentManifest, path: str, open_memory: Callable[[Path], MemorySubstrate]) -> MemorySubstrate:
    """The memory that the table ``memory`` names by *path*.

    Raises:
        ManifestError: It cannot be opened.
    """
    try:
        return open_memory((manifest.folder or Path()) / Path(path).expanduser())
    except (MemoryFailed, ValueError, RuntimeError) as error:  # RuntimeError: of a home that nobody has
        raise ManifestError([f"memory.path: {error}"]) from error


def _unpriced(manifest: AgentManifest, made: LlmDriver) -> ManifestError | None:
    """A limit of the cost means nothing while the price is not known. Drivers that say nothing of it have one."""
    if manifest.model.has_price or not isinstance(made, PricesModels):
        return None
    context = manifest.context
    if made.has_price(manifest.model.name):
        if context.policy != SUMMARIZE or context.summary_model is None or made.has_price(context.summary_model):
            return None
        what = f"the price of the model {context.summary_model!r} is not known"
        return ManifestError([f"context.summary_model: the cost is limited, but {what}"])
    model = manifest.model.name or getattr(made, "model", "of the driver")
    return ManifestError(
        [
            f"resources.max_cost_usd: the cost is limited, but the price of the model {model!r} is not known; declare "
            "model.usd_per_million_input_tokens and model.usd_per_million_output_tokens (0 if it is free)"
        ]
    )


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


def guardrails(manifest: AgentManifest) -> tuple[Rail, ...]:
    """What ``guardrails.use`` names.

    Raises:
        ManifestError: One of them cannot be imported, or is no guardrail.
    """
    found: list[Rail] = []
    for index in range(len(manifest.guardrails.use)):
        found += _guardrail(manifest, index)
    return tuple(found)


def _guardrail(manifest: AgentManifest, index: int) -> tuple[Rail, ...]:
    place = f"guardrails.use.{index}"
    entry = load_object(manifest.guardrails.use[index], beside=manifest.folder, place=place)
    try:
        return rails_of([entry], concurrent=manifest.guardrails.concurrent)
    except TypeError as error:
        raise ManifestError([f"{place}: {error}"]) from error


def _unasked(manifest: AgentManifest) -> None:
    """Raise when nobody would ask the guardrails."""
    if not manifest.guardrails.use or manifest.agent is None:
        return
    try:
        found = agent_class(manifest)
    except ManifestError:  # that is said where the class is looked for
        return
    if not issubclass(found, LlmAgent):
        raise ManifestError([f"guardrails: {manifest.agent!r} is no LlmAgent: nobody would ask them"])


def output_shape(manifest: AgentManifest) -> Shape | None:
    """What ``output`` says that an answer has to be; None when it says nothing.

    Raises:
        ManifestError: What it names cannot be imported, or pydantic cannot check it.
    """
    path = manifest.output
    if not isinstance(path, str):
        return None if path is None else shape_of_schema(path)
    found = load_object(path, beside=manifest.folder, place="output")
    try:
        return shape_of(found)
    except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError) as error:
        raise ManifestError([f"output: pydantic has no JSON Schema for {path!r}: {error}"]) from error


def prompt_function(manifest: AgentManifest) -> Callable[..., Any] | None:
    """What makes the system prompt; None: it is a text.

    Raises:
        ManifestError: It cannot be imported, or called.
    """
    prompt = manifest.model.system_prompt
    return None if isinstance(prompt, str) else prompt.load(manifest.folder)


def problems(manifest: AgentManifest, find_built_in: FindBuiltIn) -> list[str]:
    """Everything that *manifest* names and that cannot be had, each with its place, and so for the manifests that it
    names. No driver is made: that may load a model.
    """

    def alone(one: AgentManifest) -> list[str]:
        return _problems_alone(one, find_built_in)

    return problems_of_all(manifest, alone, lambda one: [tool(one, index).name for index in range(len(one.tools))])


def _problems_alone(manifest: AgentManifest, find_built_in: FindBuiltIn) -> list[str]:
    looks: list[Callable[[], object]] = [
        lambda: agent_class(manifest),
        lambda: driver_factory(manifest, find_built_in),
        lambda: output_shape(manifest),
        lambda: prompt_function(manifest),
        lambda: _unasked(manifest),
        *(partial(_guardrail, manifest, index) for index in range(len(manifest.guardrails.use))),
        lambda: policy_function(manifest),
        *(partial(tool, manifest, index) for index in range(len(manifest.tools))),
    ]
    return [*server_problems(manifest), *problems_of(looks)]


def problems_of_all(
    manifest: AgentManifest,
    alone: Callable[[AgentManifest], Sequence[str]],
    names_of: Callable[[AgentManifest], Sequence[str] | None],
) -> list[str]:
    """What is wrong with *manifest*, and with all that it names.

    Args:
        alone: What is wrong with one, but for its approvals.
        names_of: The names of the tools of one that is good; None: they are not known.
    """
    found: list[str] = []
    others = list(reached(manifest, found))
    for place, one in [("", manifest), *others]:
        found += [f"{place}{problem}" for problem in alone(one)]
    every = [manifest, *(one for _, one in others)]
    if found or any(one.agent is not None for one in every):  # code of its own may start children with other tools
        return found
    names: list[str] = []
    for one in every:
        known = names_of(one)
        if known is None:
            return []
        names += [*known, *names_of_linked(one)]
    return [
        f"{place}{problem}"
        for place, one in [("", manifest), *others]
        for problem in approval_problems(one, list(dict.fromkeys(names)))
    ]


def problems_of(looks: Iterable[Callable[[], object]]) -> Iterator[str]:
    """What each of *looks* finds wrong."""
    for look in looks:
        try:
            look()
        except ManifestError as error:
            yield from error.problems


def server_problems(manifest: AgentManifest) -> Iterator[str]:
    """The MCP servers that cannot be had, each with its place."""
    for index, server in enumerate(manifest.mcp_servers):
        if server.transport not in (McpTransport.STDIO, McpTransport.HTTP):
            yield f"mcp_servers.{index}.transport: {server.transport} is not supported; use http or stdio"


def approval_problems(manifest: AgentManifest, names: Sequence[str]) -> Iterator[str]:
    """A name that fits no tool would switch approval off without a word; *names* are those of the tools."""
    servers = tuple(f"{server.name}." for server in manifest.mcp_servers)
    for index, wanted in enumerate(manifest.approval.tools):
        is_pattern = any(sign in wanted for sign in "*?[")
        if not (is_pattern or wanted in names or wanted.startswith(servers)):
            yield f"approval.tools.{index}: {wanted!r} is none of the tools ({', '.join(names) or 'none'})"
