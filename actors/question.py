"""A first answer, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from .agent.config import SpawnConfig
from .agent.ports import PrivacyTier
from .agent.terms.manifest import AgentManifest
from .agent.terms.manifest_problems import did_you_mean
from .agent.terms.settings import ModelSettings, SettingsKeywords
from .pool import AgentPool
from .tools.registry import ToolRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typing_extensions import TypeForm, Unpack

    from .agent.budget import Budget
    from .agent.ports import LlmDriver, Tool, Tools
    from .agent.terms.approval_rules import ApprovalRule
    from .agent.terms.capability import Capability
    from .core.records.loop_result import AgentLoopResult
    from .core.records.outcome import AgentOutcome

T = TypeVar("T")


class OwnKeywords(TypedDict, total=False):
    """What :func:`ask` takes by name, beside an ``output_type`` and the settings."""

    tools: Tools | Iterable[Tool] | None
    capabilities: Sequence[Capability]
    system_prompt: str | None
    timeout: float | None
    budget: Budget | None


class AskKeywords(OwnKeywords, SettingsKeywords, total=False):
    """The same, and the settings."""


@overload
def ask(driver: LlmDriver | str, query: Any, *, output_type: None = None, **more: Unpack[AskKeywords]) -> str: ...
@overload
def ask(driver: LlmDriver | str, query: Any, *, output_type: type[T], **more: Unpack[AskKeywords]) -> T: ...
@overload  # any other type; a class is above for checkers that know no TypeForm
def ask(driver: LlmDriver | str, query: Any, *, output_type: TypeForm[T], **more: Unpack[AskKeywords]) -> T: ...
def ask(driver: LlmDriver | str, query: Any, *, output_type: Any = None, **more: Unpack[AskKeywords]) -> Any:
    """Ask a model, and return its answer: the first line that a newcomer writes.

    One agent answers, in a pool of its own that is closed again. Its privacy is ``standard``: the query goes to the
    driver's server. Whoever asks more than a few times makes an ``AgentPool``; inside an agent, ``agent.spawn`` starts
    a child that is charged with its parent, and this one is charged to nobody but *budget*.

    Args:
        driver: Who answers: a driver, or a word for one, whose key is in the environment: ``openai:NAME``,
            ``anthropic:NAME``, ``openai:NAME@http://127.0.0.1:11434/v1``, ``echo``, ``package.module:factory``.
        query: What it has to do.
        output_type: What the answer must be, as in a ``SpawnConfig``; None: a text.
        tools: What it may call. They are granted what they need: who passes a tool grants it. One that needs somebody's
            approval is refused, unless its rule has a timeout: nobody is there to give it.
        capabilities: Further grants, as for tools that look at their items: ``[FileRead(allowed_paths=["docs"])]``.
        system_prompt: Who the model is to be.
        timeout: Seconds that it may take.
        budget: What it may spend.
        more: Settings, by name: ``reasoning_effort="low"``, ``temperature=0``, as in ``ModelSettings``.
    Returns:
        The text of the answer, or a value of *output_type*.
    Raises:
        ActorsError: It did not complete: the error of its outcome, as ``outcome.unwrap()`` raises it.
        ValueError: The word names no driver, a setting is refused, or a tool can never be approved.
        TypeError: A keyword that is none, or no driver.
    Threads: any. Inside an agent it waits as the agent does: a cancel ends both.

    Example:
        ```python
        import actors

        print(actors.ask("echo", "Why is the sky blue?"))  # "openai:gpt-5" asks a model
        ```

        ```text
        Why is the sky blue?
        ```
    """
    result = _outcome("ask", driver, query, output_type, more).unwrap()
    return result.text if output_type is None else result


@overload
def outcome_of(
    driver: LlmDriver | str, query: Any, *, output_type: None = None, **more: Unpack[AskKeywords]
) -> AgentOutcome[AgentLoopResult]: ...
@overload
def outcome_of(
    driver: LlmDriver | str, query: Any, *, output_type: type[T], **more: Unpack[AskKeywords]
) -> AgentOutcome[T]: ...
@overload
def outcome_of(
    driver: LlmDriver | str, query: Any, *, output_type: TypeForm[T], **more: Unpack[AskKeywords]
) -> AgentOutcome[T]: ...
def outcome_of(
    driver: LlmDriver | str, query: Any, *, output_type: Any = None, **more: Unpack[AskKeywords]
) -> AgentOutcome[Any]:
    """Ask a model as :func:`ask` does, and return the whole outcome: its status, tokens, cost and conversation.

    Args:
        driver, query, output_type, more: As for :func:`ask`.
    Returns:
        The outcome, however it ended.
    Raises:
        ValueError, TypeError: As for :func:`ask`; what happens later is told by the outcome.
    """
    return _outcome("outcome_of", driver, query, output_type, more)


def _outcome(name: str, driver: LlmDriver | str, query: Any, output_type: Any, more: AskKeywords) -> AgentOutcome[Any]:
    _refuse_unknown(name, more)
    settings: Any = {key: value for key, value in more.items() if key in ModelSettings.model_fields}
    tools = _registry(more.get("tools"))
    if driver is None:
        raise TypeError(f"{name}() needs a driver, or a word for one, as 'openai:gpt-5'")
    config: SpawnConfig[Any] = SpawnConfig(
        _manifest(tools, more.get("capabilities", ()), more.get("system_prompt")),
        query,
        output_type=output_type,
        timeout=more.get("timeout"),
        budget=more.get("budget"),
        stream=False,  # nobody reads its pieces
        settings=ModelSettings(**settings),
    )
    with AgentPool(driver, 1, tools=tools, name=name) as pool:
        return pool.spawn(config).outcome()


def _refuse_unknown(name: str, given: Mapping[str, Any]) -> None:
    known = ["output_type", *AskKeywords.__annotations__]
    for key in given:
        if key not in known:
            raise TypeError(f"{name}() got an unexpected keyword argument {key!r}{did_you_mean(key, known)}")


def _registry(tools: Tools | Iterable[Tool] | None) -> Tools:
    found: Any = () if tools is None else tools
    if hasattr(found, "execute"):
        raise TypeError(f"tools must be several, got one: write tools=[{found.name}]")
    return found if hasattr(found, "definitions_for") else ToolRegistry(found)


def _manifest(tools: Tools, capabilities: Sequence[Capability], system_prompt: str | None) -> AgentManifest:
    """A manifest made on the spot; it grants what *tools* need."""
    needed: list[Capability] = []
    for name in tools.names():
        tool = tools.get(name)
        assert tool is not None  # it is one of the names
        _refuse_unapprovable(tool)
        if tool.required_capability is not None:
            needed.append(tool.required_capability)
    return AgentManifest(
        name="ask",
        privacy=PrivacyTier.STANDARD,
        capabilities=(*needed, *capabilities),
        model={} if system_prompt is None else {"system_prompt": system_prompt},
    )


def _refuse_unapprovable(tool: Tool) -> None:
    rule: ApprovalRule | None = getattr(tool, "approval", None)
    if rule is not None and rule.timeout is None:
        raise ValueError(
            f"the tool {tool.name!r} needs somebody's approval, and nobody is there to give it: start the agent in an "
            "AgentPool, or give the rule a timeout"
        )
