"""One agent to be started."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypedDict, TypeVar, get_origin, overload

import typing_extensions
from pydantic import BaseModel, Field, PydanticUserError, field_validator
from pydantic.errors import PydanticInvalidForJsonSchema

from ..core.actors.agent_actor import AgentActor
from ..core.records.built_later import BUILT_LATER
from ..core.records.conversation import Message
from ..core.records.positional import positional, put
from ..public import publish
from .budget import Budget
from .keys import problem_of_key, refuse_bad_id
from .ports import LlmDriver, MemorySubstrate, Tool, Tools
from .terms.handoff import Handoff
from .terms.manifest import AgentManifest
from .terms.settings import ModelSettings
from .terms.structured import shape_of

if TYPE_CHECKING:
    from typing_extensions import TypeForm, Unpack

    from ..core.records.event import Event
    from ..core.records.loop_result import AgentLoopResult

T = TypeVar("T")
T_co = typing_extensions.TypeVar("T_co", covariant=True, default=Any)

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ToolSource = Tools | Callable[[AgentManifest], Tools] | Iterable[Tool]


class SpawnKeywords(TypedDict, total=False):
    """What a ``SpawnConfig`` takes by name, whatever the result of its agent is."""

    kwargs: Mapping[str, Any]
    timeout: float | None
    deadline: float | None
    priority: int
    group: Hashable | None
    tag: Any
    driver: LlmDriver | str | None
    tools: ToolSource | None
    memory: MemorySubstrate | None
    messages: Iterable[Message]
    budget: Budget | None
    keep_messages: bool
    stream: bool | None
    on_event: Callable[[Event], object] | None
    key: str | None
    settings: ModelSettings | None
    handoffs: Iterable[Handoff]
    guardrails: Iterable[Any]
    deps: Any
    session: str | None
    history: int | None


class SpawnConfig(
    BaseModel, Generic[T_co], frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=BUILT_LATER
):
    """One agent to be started, and for a type checker what its result will be: what ``run`` of *agent* returns, or an
    *output_type*, else an ``AgentLoopResult``.

    Example:
        ```python
        from decimal import Decimal

        from actors import AgentManifest, AgentPool, ScriptedDriver, SpawnConfig

        config = SpawnConfig(AgentManifest(name="clerk"), "What is 2 + 2?", output_type=Decimal, timeout=60)
        with AgentPool(ScriptedDriver.text("4")) as pool:
            print(pool.spawn(config).result())
        ```

        ```text
        4
        ```

    Args:
        manifest: What it is.
        query: What it has to do.
        agent: An ``Agent`` subclass; None takes the manifest's, or the ``LlmAgent``.
        kwargs: For the constructor of *agent*.
        timeout: Seconds of life from its first start, parks and restarts included.
        deadline: Seconds from admission, the queue included.
        priority: Higher ones start first.
        group: Groups take turns; ``join_all(group=...)`` joins one.
        tag: Anything; comes back in the outcome.
        driver, tools, memory: In place of the pool's; a driver also by a word, as in a manifest (``openai:gpt-5``).
        messages: The conversation before the query.
        keep_messages: Does the outcome have the conversation?
        stream: Do the answers of an ``LlmAgent`` come in pieces, as the model says them? None: where somebody has its
            handle, or listens to its events; so not in a ``map`` to which nobody listens. Any other answer comes whole.
        on_event: Called with each event of this agent, in order, on a thread of the pool.
        key: Names the agent over all processes, for a journal: 1 to 500 characters. None lets the journal make one of
            what the agent is and has to do.
        output_type: What the answer of an ``LlmAgent`` must be (a pydantic model, ``list[int]``): the result is such a
            value in place of an ``AgentLoopResult``. An answer that does not fit goes back to the model, 3 times.
        budget: What the agent and all below it may spend together; besides those of the pool and the group.
        settings: How the model is to answer; wins over the manifest's.
        handoffs: Under which other manifests the conversation may go on, beside the manifest's own.
        guardrails: What is checked on the way, beside the manifest's own: functions, or objects with some of the
            methods.
        deps: What tools and prompts need of the program: a parameter ``Deps[Database]`` gets it, and children that are
            not given others. It is never stored or logged, and sent nowhere but to the
            node that the agent lives on, where a pool has an engine.
        session: The conversation that goes on, by its id in the pool's ``sessions``.
        history: Only so many of its last turns are offered; None: all.
    """

    manifest: AgentManifest
    query: Any
    agent: type[Any] | None = None
    kwargs: dict[str, Any] = {}
    timeout: Seconds | None = None
    deadline: Seconds | None = None
    priority: int = 0
    group: Hashable | None = None
    tag: Any = None
    driver: Any = None
    tools: Any = None
    memory: Any = None
    messages: tuple[Message, ...] = ()
    output_type: Any = None
    budget: Budget | None = None
    keep_messages: bool = True
    stream: bool | None = None
    on_event: Callable[[Any], Any] | None = None
    key: str | None = None
    settings: ModelSettings | None = None
    handoffs: tuple[Handoff, ...] = ()
    guardrails: tuple[Any, ...] = ()
    deps: Any = Field(default=None, repr=False, exclude=True)
    session: str | None = None
    history: Annotated[int, Field(strict=True, ge=0)] | None = None

    @overload
    def __init__(
        self: SpawnConfig[AgentLoopResult],
        manifest: AgentManifest,
        query: Any,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: None = None,
        **more: Unpack[SpawnKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self: SpawnConfig[T],
        manifest: AgentManifest,
        query: Any,
        *,
        agent: type[AgentActor[T]],
        output_type: None = None,
        **more: Unpack[SpawnKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self: SpawnConfig[T],
        manifest: AgentManifest,
        query: Any,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: type[T],
        **more: Unpack[SpawnKeywords],
    ) -> None: ...
    @overload  # any other type; a class is above for checkers that know no TypeForm
    def __init__(
        self: SpawnConfig[T],
        manifest: AgentManifest,
        query: Any,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: TypeForm[T],
        **more: Unpack[SpawnKeywords],
    ) -> None: ...
    @positional("manifest", "query")
    def __init__(self, *args: Any, **fields: Any) -> None:
        if args:
            put(args, fields, ("manifest", "query"), "SpawnConfig")
        deps = fields.pop("deps", None)  # no error shows it among what it was given
        super().__init__(**fields)
        if deps is not None:
            self.__dict__["deps"] = deps
            self.__pydantic_fields_set__.add("deps")

    def __getstate__(self) -> dict[Any, Any]:
        """A pickle has no ``deps``: they belong to the program."""
        state = super().__getstate__()
        state["__dict__"] = {**state["__dict__"], "deps": None}
        return state

    def __class_getitem__(cls, _: Any) -> Any:
        """``SpawnConfig[int]`` is for type checkers: what is made is a ``SpawnConfig``, and can be pickled."""
        return cls

    @field_validator("group")
    @classmethod
    def _is_hashable(cls, group: Hashable | None) -> Hashable | None:
        try:
            hash(group)
        except TypeError as error:
            raise ValueError(f"a group must be hashable: {error}") from error
        return group

    @field_validator("key", mode="before")  # bytes would be made text
    @classmethod
    def _is_key(cls, key: object) -> object:
        if key is not None and (problem := problem_of_key(key)) is not None:
            raise ValueError(problem)
        return key

    @field_validator("session", mode="before")  # as above
    @classmethod
    def _is_session(cls, session: object) -> object:
        if session is not None:
            refuse_bad_id(session)
        return session

    @field_validator("output_type")
    @classmethod
    def _can_be_checked(cls, output_type: Any) -> Any:
        if output_type is not None:
            try:
                shape_of(output_type)
            except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError) as error:
                raise ValueError(f"pydantic has no JSON Schema for {output_type!r}: {error}") from error
        return output_type

    @field_validator("agent", mode="before")
    @classmethod
    def _is_agent(cls, agent: Any) -> Any:
        found = agent if isinstance(agent, type) else get_origin(agent)  # of Collect[int] the class Collect
        if isinstance(found, type) and not issubclass(found, AgentActor):
            raise ValueError(f"{found.__name__} is no subclass of actors.Agent")
        return agent if found is None else found


publish("actors.agents", SpawnConfig)
