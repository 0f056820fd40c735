"""The turn of an agent of a host in its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...agent.carried_summary import CarriedSummary
from ..turns import LIFE, SAID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...agent.session_record import Said
    from ...core.records.conversation import Message
    from ..program import Program
    from ..turns import KnownTurn


class NodeTurn:
    """Stands on a host for the turn of an agent, which is stored in the program when the agent completes.

    Threads: the agent's own.
    """

    def __init__(self, program: Program, agent_id: int, known: KnownTurn) -> None:
        self._program = program
        self._agent_id = agent_id
        self._lives = 0
        self.history: Sequence[Message] = known.history
        self.summary = CarriedSummary(is_alone=False)
        self.summary.go_on(known.carried)

    def begin_life(self) -> None:
        """The agent is started (again): what it said in a life that failed does not count."""
        self.summary.begin_life()
        self._lives += 1
        if self._lives > 1:  # of the first one the program knows, as it has sent it here
            self._program.note(LIFE, self._agent_id)

    def take(self, said: Said) -> None:
        """The loop has come to its end: tell the program."""
        self._program.note(SAID, self._agent_id, said, self.summary.new())
