"""A host for tests: agents that were packed are unpacked, and run in a pool of its own. Also as a process."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

from actors import AgentPool
from actors.cluster.failures import dump_error
from actors.cluster.items import KitItem, Place
from actors.cluster.portable import TO_PROGRAM, dump_value
from actors.cluster.unpacker import Unpacker
from actors.errors import NotPortable

if TYPE_CHECKING:
    from actors.agent.assembly.factory import AgentFactory, AgentParts
    from actors.agents import AgentOutcome
    from actors.cluster.kits import Owed, Packed


class NoStandIns:
    """What stands for what: its kind and number."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Owed]] = []

    def shared(self, kind: str, number: int) -> StandIn:
        """A stand-in that does nothing."""
        return StandIn(kind, number)

    def give(self, parts: AgentParts, agent_id: int, owed: Owed) -> None:
        """Note it."""
        self.given.append((agent_id, owed))


class StandIn:
    """Stands for something of the program."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number


class TestHost:
    """One host."""

    __test__ = False

    def __init__(self, pool: AgentPool) -> None:
        self.pool = pool
        self.factory: AgentFactory = pool._factory
        self.stand_ins = NoStandIns()
        self.unpacker = Unpacker(self)

    def run(self, packed: Packed | tuple[int, bytes, bytes], name: str = "agent") -> AgentOutcome[Any]:
        """Run what was packed, to its end."""
        number, kit, data = packed if len(packed) == 3 else (packed.kit.number, packed.kit.data, packed.data)
        self.unpacker.learn(KitItem(number, kit))
        place = Place(1, number, data, name, None, None, 0, None, 0, 0, None, "", None, 0, False, None)
        [handle] = self.pool._admit([self.unpacker.spec(place)], 10)
        return handle.outcome(10)


def told(outcome: AgentOutcome[Any]) -> tuple[str, bytes | None, bytes | None]:
    """How *outcome* goes to the program."""
    status, error, result = str(outcome.status), outcome.error, None
    try:
        result = dump_value(outcome.result, "the result", TO_PROGRAM)
    except NotPortable as refusal:
        status, error = "crashed", refusal
    return status, result, None if error is None else dump_error(error)


def main() -> None:
    """Run what comes, and say how it ended."""
    with AgentPool(max_concurrent=2) as pool:
        host = TestHost(pool)
        jobs = pickle.load(sys.stdin.buffer)
        answers = [told(host.run(job)) for job in jobs]
    sys.stdout.buffer.write(pickle.dumps(answers))


if __name__ == "__main__":
    main()
