"""Turns of sessions of agents that live on hosts: they are opened and stored in the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..agent.session_record import SessionRecord
from .items import Told
from .portable import dump_value

if TYPE_CHECKING:
    from ..agent.carried_summary import Carried
    from ..agent.session_record import Said
    from ..core.records.conversation import Message
    from ..core.scheduling.agent_cell import AgentCell
    from .engine_state import EngineState
    from .items import Mail

KNOWN: Final = "turn.known"
"""What a host is told before an agent comes: what was said in its session before."""
SAID: Final = "turn.said"
"""What the program is told when the loop of an agent has come to its end: that, and the summary that was bought."""
LIFE: Final = "turn.life"


class KnownTurn(NamedTuple):
    """What was said in a session before, and the summary that it goes on with."""

    history: tuple[Message, ...]
    carried: Carried | None


class Turns:
    """Tells hosts what was said in sessions before, and is told what their agents say.

    Guarantees: what an agent has said is there before its outcome is.

    Locks: none: the engine's thread alone.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._of: dict[int, SessionRecord] = {}
        state.desk.hear(SAID, self._said)
        state.desk.hear(LIFE, self._life)
        state.when_placed(self._placed)
        state.when_ended(self._ended)

    def _placed(self, cell: AgentCell) -> tuple[Mail, ...]:
        """Its turn has come, and it goes to a host: tell that first what was said before."""
        turn = getattr(getattr(cell.spec.build, "__self__", None), "turn", None)
        if isinstance(turn, SessionRecord):
            turn.begin_life()
            self._of[cell.id] = turn
            known = KnownTurn(tuple(turn.history), turn.summary.current)
            self._state.tell(cell.id, Told(KNOWN, cell.id, dump_value((known,), "what was said in a session")))
        return ()

    def _ended(self, cell: AgentCell) -> None:
        self._of.pop(cell.id, None)

    def _life(self, agent_id: int) -> None:
        self._of[agent_id].begin_life()

    def _said(self, agent_id: int, said: Said, bought: Carried | None) -> None:
        turn = self._of[agent_id]
        if bought is not None:
            turn.summary.take(bought.message, bought.covered, bought.at)
        turn.take(said)
