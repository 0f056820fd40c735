"""The class to subclass."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from ..core.actors.agent_actor import AgentActor
from ..core.records.event import noted
from ..errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.messaging.router import Inbox
    from ..core.records.event import Event
    from ..core.records.message import AgentId, AgentMessage
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.agent_context import AgentContext
    from ..core.supervision.handle import AgentHandle
    from ..core.waiting.cancel import CancelToken, Deadline
    from .budget import Account
    from .config import SpawnConfig
    from .ledger import Ledger
    from .manifest import AgentManifest
    from .ports import LlmDriver, MemorySubstrate, Tools
    from .structured import Shape

T_co = TypeVar("T_co", covariant=True)
ChildT = TypeVar("ChildT")


class Parts(Protocol):
    """What an agent was given."""

    config: SpawnConfig[Any]
    manifest: AgentManifest
    driver: LlmDriver | None
    memory: MemorySubstrate | None
    tools: Tools
    account: Account
    shape: Shape | None
    ledger: Ledger | None

    def spawn_child(self, config: SpawnConfig[ChildT], parent: Agent[Any]) -> AgentHandle[ChildT]:
        """Start a child of *parent*."""


class Agent(AgentActor[T_co]):
    """An actor with one finite job. Subclass it and define :meth:`run`; no ``super().__init__()`` is needed.

    It is built and run on a worker's thread, and everything it does happens there, one thing at a time.

    Locks: none; ``_context`` and ``_parts`` are given to it by that thread, before its ``__init__``.
    """

    needs_driver: ClassVar[bool] = False
    """Is it refused at spawn when there is no driver for it?"""

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
        """Its manifest; a child's is cut down to what its parent has."""
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
        context = self._context
        context.progress()
        context.token.check()

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
        return self.inbox.receive(timeout)

    def spawn(self, config: SpawnConfig[ChildT]) -> AgentHandle[ChildT]:
        """Start a child: owed to this agent alone, never refused for lack of room, ended with this agent.

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

        Raises:
            Cancelled: It was cancelled.
        """
        token = self.cancel_token
        cancelled = token.wait(seconds)
        self._context.progress()
        if cancelled:
            raise Cancelled(token.reason, timed_out=token.timed_out)

    def emit(self, event: Event) -> None:
        """Tell an event of your own to whoever listens to this agent; its first fields are filled in."""
        context = self._context
        if context.listening:
            context.emit(*noted(event))
        else:
            context.progress()
