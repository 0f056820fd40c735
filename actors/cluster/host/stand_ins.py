"""What stands on a host for what is in the program."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Protocol

from ..approvals import DECIDED
from ..ledgers import FAILED, KNOWN
from ..portable import load_value
from ..turns import KNOWN as TURN_KNOWN
from .node_account import Names, NodeAccount, NodeBudget
from .node_approvals import NodeApprovals
from .node_ledger import NodeLedger
from .node_limiter import NodeLimiter
from .node_turn import NodeTurn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...agent.assembly.factory import AgentParts
    from ...core.scheduling.approval import Decision
    from ...drivers.limiter import RateLimiter
    from ..kits import Owed
    from ..ledgers import KnownLedger
    from ..program import Program
    from ..turns import KnownTurn


class StandingHost(Protocol):
    """The host, as what stands there for the program sees it."""

    @property
    def incarnation(self) -> str:
        """Names it, and never another one."""

    @property
    def program(self) -> Program:
        """The program."""

    def take(self, what: str, fn: Callable[..., object]) -> None:
        """Give each ``Told`` of that *what* to ``fn(agent_id, *args)``."""


class HostStandIns:
    """Makes what stands here for what is in the program.

    Threads: any. Locks: none; ``_ledgers``, ``_turns`` and ``_approvals`` change by single operations.
    """

    def __init__(self, host: StandingHost) -> None:
        self._program = host.program
        self._names = Names(host.incarnation, itertools.count(1))
        self._ledgers: dict[int, NodeLedger] = {}
        self._turns: dict[int, NodeTurn] = {}
        self._approvals: dict[int, NodeApprovals] = {}
        host.take(KNOWN, self._know)
        host.take(FAILED, self._fail)
        host.take(TURN_KNOWN, self._know_turn)
        host.take(DECIDED, self._decided)

    def _know(self, agent_id: int, known: KnownLedger) -> None:
        """An agent is about to come."""
        self._ledgers[agent_id] = NodeLedger(self._program, agent_id, known)

    def _know_turn(self, agent_id: int, known: KnownTurn) -> None:
        """An agent is about to come, whose turn it is in its session."""
        self._turns[agent_id] = NodeTurn(self._program, agent_id, known)

    def _fail(self, agent_id: int, error: bytes) -> None:
        """What it has bought or done could not be recorded."""
        ledger = self._ledgers.get(agent_id)
        if ledger is not None:
            ledger.fail(load_value(error))

    def _decided(self, agent_id: int, name: str, decision: Decision) -> None:
        """A question for approval was decided."""
        approvals = self._approvals.get(agent_id)
        if approvals is not None:
            approvals.decided(name, decision)

    def approvals_of(self, agent_id: int) -> NodeApprovals:
        """What stands for the questions of an agent that asks its first one."""
        made = self._approvals[agent_id] = NodeApprovals(self._program, agent_id)
        return made

    def forget(self, agent_id: int) -> None:
        """That agent has ended."""
        self._ledgers.pop(agent_id, None)
        self._turns.pop(agent_id, None)
        self._approvals.pop(agent_id, None)

    def shared(self, kind: str, number: int) -> Any:
        """What stands for the *kind* that the program knows as *number*.

        Raises:
            LookupError: Nothing does.
        """
        match kind:
            case "budget":
                return NodeBudget(self._program, number)
            case "limiter":
                return NodeLimiter(self._program, self._names, number)
        raise LookupError(f"nothing stands here for the {kind} of number {number}")

    def limiter_of(self, server: str, digest: str) -> RateLimiter:
        """What stands for the limiter of the key with that *digest* at *server*."""
        return NodeLimiter(self._program, self._names, (server, digest))

    def give(self, parts: AgentParts, agent_id: int, owed: Owed) -> None:
        """Give *parts* of an agent what stands for its account, its ledger and its turn, as far as it is owed them."""
        if owed.account:
            parts.account = NodeAccount(self._program, self._names, agent_id, owed.limited)
        if owed.ledger:
            parts.ledger = self._ledgers.get(agent_id)
        if owed.turn:
            parts.turn = self._turns.get(agent_id)
