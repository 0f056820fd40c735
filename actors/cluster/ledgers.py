"""Ledgers of agents that live on hosts: what they enter is entered in the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..agent.ledger import EntryState, MemoryLedger
from .failures import dump_error
from .items import Told
from .portable import dump_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..agent.ledger import Entry
    from ..core.scheduling.agent_cell import AgentCell
    from .engine_state import EngineState
    from .items import Mail

KNOWN: Final = "ledger.known"
"""What a host is told before an agent comes: what the program knows of what it has bought and done."""
LIFE: Final = "ledger.life"
ENTER: Final = "ledger.enter"
ENTER_SAFE: Final = "ledger.enter_safe"
SECURE: Final = "ledger.secure"
ASIDE: Final = "ledger.set_aside"
NOT_KEPT: Final = "ledger.not_kept"
FAILED: Final = "ledger.failed"
"""What a host is told when something that it has noted could not be recorded: the error."""
NOTHING_KNOWN = "nothing is known of the ledger of agent {}: it has ended"


class KnownLedger(NamedTuple):
    """What the program knows of the ledger of an agent, at the moment at which that is placed.

    Args:
        is_written: Is what is entered kept for later processes?
        namer: What gives effects their keys.
        uncounted: The paths of what the guard and the account of the agent have still to count.
        counted: The paths of what they have counted, or another agent that had this job before.
    """

    in_doubt: str
    calls_raised_again: bool
    is_written: bool
    namer: Callable[[str], str]
    entries: tuple[Entry, ...]
    uncounted: frozenset[str]
    counted: frozenset[str]


class _Placed:
    """The ledger of an agent that was placed, and what of it was counted before that: by another one.

    An agent that is placed again has a guard and an account that begin anew, so they count again whatever it had
    counted itself.

    Locks: none; nothing changes.
    """

    __slots__ = ("_before", "_counted", "ledger")

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self._before = frozenset(ledger.entries) - ledger.uncounted()
        self._counted = frozenset(ledger.counted)

    def known(self) -> KnownLedger:
        """What its host is told."""
        ledger = self.ledger
        return KnownLedger(
            str(ledger.in_doubt),
            ledger.calls_raised_again,
            ledger.is_written,
            ledger.namer,
            tuple(ledger.entries.values()),
            frozenset(ledger.entries) - self._before,
            self._counted,
        )


class Ledgers:
    """Enters what agents on hosts buy and do into the ledgers that the program has given them.

    Guarantees: of each agent it is entered in the order in which it was done, and before its outcome is recorded or it
    is placed again. What cannot be entered is told to the agent, which fails as it goes on.

    Locks: none; the engine's thread writes ``_of``, and others read single entries.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._of: dict[int, _Placed] = {}
        desk = state.desk
        desk.hear(ENTER, self._enter)  # there, and not on threads of their own: what is noted has an order
        desk.hear(LIFE, lambda agent_id: self.of(agent_id).begin_life())
        desk.hear(NOT_KEPT, lambda agent_id, type_name: self.of(agent_id).not_kept(type_name))
        desk.serve(ENTER_SAFE, self._enter_safe, waits=True)
        desk.serve(SECURE, lambda agent_id: self.of(agent_id).secure(), waits=True)
        desk.serve(ASIDE, self._set_aside, waits=True)
        state.when_placed(self._placed)
        state.when_ended(self._ended)

    def of(self, agent_id: int) -> MemoryLedger:
        """The ledger of an agent that was placed.

        Raises:
            LookupError: It has none, or has ended.
        """
        placed = self._of.get(agent_id)
        if placed is None:
            raise LookupError(NOTHING_KNOWN.format(agent_id))
        return placed.ledger

    def _placed(self, cell: AgentCell) -> tuple[Mail, ...]:
        """Tell its host first what is known of it."""
        parts = getattr(cell.spec.build, "__self__", None)
        ledger = getattr(parts, "ledger", None)
        if isinstance(ledger, MemoryLedger):
            ledger.begin_life()
            placed = self._of.get(cell.id)
            if placed is None:
                placed = self._of[cell.id] = _Placed(ledger)
            known = dump_value((placed.known(),), "what is known of an agent")
            self._state.tell(cell.id, Told(KNOWN, cell.id, known))
        return ()

    def _ended(self, cell: AgentCell) -> None:
        self._of.pop(cell.id, None)

    def _enter(self, agent_id: int, path: str, state: str, kind: str, data: Mapping[str, Any], digest: str) -> None:
        try:
            self._enter_safe(agent_id, path, state, kind, data, digest, safe=False)
        except Exception as error:  # noqa: BLE001 - whoever has bought it is told, and goes no further
            told = dump_value((dump_error(error),), "an error")
            self._state.tell(agent_id, Told(FAILED, agent_id, told))

    def _enter_safe(
        self,
        agent_id: int,
        path: str,
        state: str,
        kind: str,
        data: Mapping[str, Any],
        digest: str,
        *,
        safe: bool = True,
    ) -> None:
        ledger = self.of(agent_id)
        ledger.counted.update((path, f"{path}/@charged", path.removesuffix("/@closed")))  # by whoever enters it
        ledger.enter(path, EntryState(state), kind, data, digest=digest, safe=safe)

    def _set_aside(self, agent_id: int, path: str, what: str) -> Callable[[str], str]:
        ledger = self.of(agent_id)
        ledger.set_aside(path, what)
        return ledger.namer
