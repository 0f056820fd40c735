"""The class to subclass."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar, overload

from ..core.actors.agent_actor import AgentActor
from ..errors import Cancelled
from .terms.effect import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.messaging.router import Inbox
    from ..core.records.event import Event
    from ..core.records.message import AgentId, AgentMessage
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.agent_context import AgentContext
    from ..core.supervision.handle import AgentHandle
    from ..core.waiting.cancel import CancelToken, Deadline
    from .account import Account
    from .config import SpawnConfig, ToolSource
    from .guardrails import Guardrails
    from .ledger import Ledger
    from .named_step import NamedStep, Reconcile
    from .ports import LlmDriver, MemorySubstrate, Tools
    from .session_record import AgentTurn
    from .specialist import Specialist
    from .terms.effect import EffectWord
    from .terms.manifest import AgentManifest
    from .terms.structured import Shape
    from .transfer import Destination, Transfer

T_co = TypeVar("T_co", covariant=True)
ChildT = TypeVar("ChildT")
T = TypeVar("T")
P = ParamSpec("P")


class Parts(Protocol):
    """What an agent was given.

    Locks: ``ledger`` and ``turn`` are written by the thread that starts the agent, before it is admitted.
    """

    config: SpawnConfig[Any]
    manifest: AgentManifest
    agent_class: type[Agent[Any]]
    driver: LlmDriver | None
    memory: MemorySubstrate | None
    tools: Tools
    tool_source: ToolSource | None
    account: Account
    shape: Shape | None
    guardrails: Guardrails | None
    ledger: Ledger | None
    deps: Any
    turn: AgentTurn | None
    transfers: tuple[Transfer, ...]

    def spawn_child(
        self, config: SpawnConfig[ChildT], parent: Agent[Any], specialist: Specialist | None = None
    ) -> AgentHandle[ChildT]:
        """Start a child of *parent*; *specialist* is what its manifest calls the child, where it does."""

    def hand_on(self, destination: Destination, agent: Agent[Any]) -> None:
        """Give *agent* what it has under another manifest."""

    def do(self, step: NamedStep[T], agent: Agent[Any]) -> T:
        """Do *step* of *agent*, which has a ledger."""


class Agent(AgentActor[T_co]):
    """An actor with one finite job. Subclass it and define :meth:`run`; no ``super().__init__()`` is needed.

    It is built and run on a worker's thread, and everything it does happens there, one thing at a time.

    Example:
        ```python
        from actors import Agent, AgentManifest, AgentPool, SpawnConfig

        class Doubler(Agent[int]):
            def run(self, query: int) -> int:
                return 2 * query

        with AgentPool() as pool:
            print(pool.spawn(SpawnConfig(AgentManifest(name="doubler"), 21, agent=Doubler)).result())
        ```

        ```text
        42
        ```

    Locks: none; ``_context`` and ``_parts`` are given to it by that thread, before its ``__init__``; a handoff replaces
    ``_parts`` between two answers.
    """

    needs_driver: ClassVar[bool] = False
    """Is it refused at spawn when there is no driver for it?"""
    result_type: ClassVar[Any] = None
    """What its results are (a pydantic model, a dataclass, ``set[str]``), for a journal, which keeps them as JSON and
    gives them back as such values. None: what JSON holds exactly is kept, and of an ``LlmAgent`` its answer.
    """

    _context: AgentContext
    _parts: Parts

    def __init__(self) -> None:
        """Pykka's own attributes are made on first use; there is nothing to do here."""

    def run(self, query: Any) -> T_co:
        """Do the job.

        Args:
            query: The config's query.
        Returns:
            The result. Whatever it raises instead decides the outcome's status.
        """
        raise NotImplementedError(f"{type(self).__name__} must define run(query)")

    def on_start(self) -> None:
        """Called before ``run``; an exception in it is a crash."""

    def on_end(self, outcome: AgentOutcome[T_co]) -> None:
        """Called once at the end, whatever the end is. What it raises is logged; the outcome stands."""

    # What it is -------------------------------------------------------------------------------------------------

    @property
    def agent_id(self) -> AgentId:
        """Its id."""
        return self._context.agent_id

    @property
    def key(self) -> str | None:
        """What names it over all processes: given, or made by a journal; None without either."""
        return self._context.key

    @property
    def manifest(self) -> AgentManifest:
        """Its manifest; a child's is cut down to what its parent has. After a handoff it is the other one."""
        return self._parts.manifest

    @property
    def config(self) -> SpawnConfig[T_co]:
        """What it was started with."""
        return self._parts.config

    @property
    def driver(self) -> LlmDriver | None:
        """What answers completion requests."""
        return self._parts.driver

    @property
    def memory(self) -> MemorySubstrate | None:
        """Where it remembers."""
        return self._parts.memory

    @property
    def tools(self) -> Tools:
        """What it may call."""
        return self._parts.tools

    @property
    def deps(self) -> Any:
        """What it was given of the program: its config's ``deps``, else those of its parent."""
        return self._parts.deps

    @property
    def inbox(self) -> Inbox:
        """The receiving end of its mailbox. Asks and proxy calls that it meets are answered on the way."""
        return self._context.inbox(self.serve)

    @property
    def cancel_token(self) -> CancelToken:
        """Cancelled when the agent is; inside a tool call, also when that call runs past its time."""
        return self._context.token

    @property
    def deadline(self) -> Deadline | None:
        """The moment at which it times out."""
        return self._context.deadline

    # What it does -----------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Raise when it was cancelled or is past its deadline. Call it in long computations."""
        self._context.checkpoint()

    def send(self, to: AgentId, content: Any, timeout: float | None = 0.0) -> None:
        """Send *content* to the agent of that id; 0 is the program.

        Args:
            timeout: Seconds to wait for room in its inbox; 0 does not wait, None waits for ever.
        Raises:
            NotRegistered: Nobody has that id.
            InboxFull: No room in time.
            InboxClosed: The receiver ended while this agent waited.
        """
        self._context.send(to, content, timeout)

    def receive(self, timeout: float | None = None) -> AgentMessage:
        """Take the next message of its inbox, parked until there is one.

        Raises:
            TimeoutError: Nothing arrived within *timeout* seconds.
            Cancelled: It was cancelled.
        """
        return self._context.inbox(self.serve).receive(timeout)

    def spawn(self, config: SpawnConfig[ChildT]) -> AgentHandle[ChildT]:
        """Start a child: owed to this agent alone, never refused for lack of room, ended with this agent.

        Args:
            config: What it is and what it has to do.
        Raises:
            CapabilityDenied: Too deep, or its privacy is stricter than its driver's tier.
            Cancelled: This agent was cancelled.
        """
        return self._parts.spawn_child(config, self)

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Lay the slot out for others during a wait of your own. Leaving the block waits for a slot."""
        self.checkpoint()
        with self._context.parked():
            yield
        self.checkpoint()

    def sleep(self, seconds: float) -> None:
        """Wait; a cancel ends it. The slot is kept.

        Args:
            seconds: How long, at least 0.
        Raises:
            Cancelled: It was cancelled.
        """
        token = self.cancel_token
        cancelled = token.wait(seconds)
        self._context.progress()
        if cancelled:
            raise Cancelled(token.reason, timed_out=token.timed_out)

    @overload
    def step(
        self,
        name: str,
        fn: Callable[..., T],
        /,
        *args: Any,
        effect: Effect | EffectWord,
        reconcile: Reconcile | None = ...,
        result_type: Any = ...,
        **kwargs: Any,
    ) -> T: ...

    @overload
    def step(
        self,
        name: str,
        fn: Callable[..., T],
        /,
        *args: Any,
        reconcile: Reconcile | None,
        result_type: Any = ...,
        **kwargs: Any,
    ) -> T: ...

    @overload
    def step(self, name: str, fn: Callable[..., T], /, *args: Any, result_type: Any, **kwargs: Any) -> T: ...

    @overload  # the last: only without the words above the arguments can be checked
    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    def step(  # type: ignore[misc]  # arguments of its own beside those of fn
        self,
        name: str,
        fn: Callable[..., T],
        /,
        *args: Any,
        effect: Effect | EffectWord = Effect.AT_MOST_ONCE,
        reconcile: Reconcile | None = None,
        result_type: Any = None,
        **kwargs: Any,
    ) -> T:
        """Call ``fn(*args, **kwargs)`` as an effect that a journal records: once it is done, its result comes from
        there when the agent is started again, in this process or in a later one. Without a journal, and without a
        restart policy, it only calls *fn*.

        A step that raised is noted, too, and raises: it is met again as one in doubt. A parameter ``effect_key`` of
        *fn* that is not given is filled in, the same for each try: made for an idempotency header.

        Args:
            name: Names it among the steps of this agent, or of the tool call inside which it is done. One that is used
                again gets ``~2``: so steps have to come in the same order each time, or have names of their own.
            effect: ``idempotent``: when nobody knows whether it was done, or what its result was, it is done again.
                ``at_most_once``: it is not, unless *reconcile* says that it was not done.
            reconcile: ``reconcile(effect_key, input)`` looks whether it was done, with the arguments by name; it
                returns the result, or None when it was not done, and raises when it cannot tell.
            result_type: What the result is (a pydantic model, a dataclass, ``set[str]``), to be kept as JSON and given
                back as such a value. None keeps what JSON holds exactly: ``dict``, ``list``, ``str``, ``int``, finite
                ``float``, ``bool`` and None; anything else is returned and not kept, which the log says.
        Raises:
            EffectInDoubt: Nobody knows whether it was done, or its result was not kept.
            JournalFailed: It cannot be recorded.
            ValueError: Another step of that name is under way, or the name or the effect is none.
            TypeError: *fn* is no function, or an ``async`` one.
            Cancelled: The agent was cancelled.

        Example:
            ```python
            from actors import Agent, AgentManifest, AgentPool, SpawnConfig

            def fetch(customer: str) -> float:
                return 12.5

            def pay(amount: float, effect_key: str) -> str:  # the bank knows what was paid under which key
                return f"paid {amount}"

            class Invoices(Agent[str]):
                def run(self, query: str) -> str:
                    amount = self.step("fetch", fetch, query, effect="idempotent")
                    return self.step("pay", pay, amount)

            with AgentPool(journal="run.db") as pool:
                print(pool.spawn(SpawnConfig(AgentManifest(name="invoices"), "Ada", agent=Invoices, key="7")).result())
            ```

            ```text
            paid 12.5
            ```
        """
        from .named_step import NamedStep

        step = NamedStep.of(name, fn, args, kwargs, effect=effect, reconcile=reconcile, result_type=result_type)
        return step.call() if self._parts.ledger is None else self._parts.do(step, self)

    def emit(self, event: Event) -> None:
        """Tell an event of your own to whoever listens to this agent; its first fields are filled in."""
        context = self._context
        if context.listening:
            from ..core.records.event import noted

            context.emit(*noted(event))
        else:
            context.progress()
