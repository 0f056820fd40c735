"""A host, and the program's end of its lanes in the hands of a test: what is put, and when what it says is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, SpawnConfig
from actors.agent.assembly.factory import AgentFactory
from actors.cluster.host import NodeHost
from actors.cluster.items import Began, Ended, Happened, KitItem, Lease, Leased, Place
from actors.cluster.kits import Packer
from actors.cluster.lane import DrainCall, Drained, HostState, Inlet, Outbox, PutAnswer, PutCall, dump, load
from actors.cluster.portable import load_value
from actors.cluster.references import References
from actors.cluster.settings import HostSettings
from actors.core.clock import SYSTEM_CLOCK
from actors.drivers.builtin import find_driver
from actors.memory.opened import open_memory
from actors.tools.mcp import McpServers
from actors.tools.registry import ToolRegistry

from ..waiting import comes_true

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.core.clock import Clock

ONE = AgentManifest(name="one")


class Calls(Agent[Any]):
    """Does what its query says, which is a function of it."""

    def run(self, query: Any) -> Any:
        """Do it."""
        return query(self)


class DrivenHost:
    """A host whose program is a test."""

    def __init__(
        self, *, clock: Clock = SYSTEM_CLOCK, end_process: Callable[[], object] = lambda: None, **settings: Any
    ) -> None:
        told: dict[str, Any] = {
            "name": "host",
            "inbox_capacity": 8,
            "max_live": None,
            "stalled_after": None,
            "abort_timeout": 5.0,
            "restart": None,
            "lost_after": 60.0,
            "with_content": False,
            "tells_all": False,
            "tells_text": False,
        }
        data = HostSettings(**(told | settings)).dump()
        self.host = NodeHost("life-1", "node-1", data, end_process=end_process, clock=clock)
        self._outbox, self._inlet = Outbox(), Inlet()
        self._packer = Packer(References())
        self._kits: set[int] = set()
        self.heard = 0.0
        self.said: list[Any] = []
        self.state: HostState
        self.factory = AgentFactory(
            driver=None,
            memory=None,
            open_memory=open_memory,
            tools=None,
            restart=None,
            budget=None,
            group_budgets={},
            find_driver=find_driver,
            make_registry=ToolRegistry,
            servers=McpServers(),
            context_of=lambda cell: None,  # type: ignore[arg-type,return-value]  # none lives here
        )

    # To it ----------------------------------------------------------------------------------------------------------

    def put(self, *items: Any) -> HostState:
        """Put *items*, all in one call."""
        for item in items:
            self._outbox.put(item)
        batch = self._outbox.next()
        first, data = (1, []) if batch is None else batch
        answer = load(self.host.put(dump(PutCall("life-1", first, data, self.heard))), PutAnswer)
        self._outbox.acknowledge(answer.state.took)
        self.state = answer.state
        return answer.state

    def place(self, agent_id: int, query: Callable[[Agent[Any]], Any], **fields: Any) -> list[Any]:
        """What places an agent that does *query*."""
        packed = self._packer.pack(self.factory.spec(SpawnConfig(ONE, query, agent=Calls)))
        told: dict[str, Any] = {
            "name": "one",
            "key": None,
            "parent_id": None,
            "depth": 0,
            "max_depth": None,
            "priority": 0,
            "group": 0,
            "seconds_left": None,
            "deadline_reason": "",
            "timeout": None,
            "restarts": 0,
            "is_heard": False,
            "streams": None,
        }
        place = Place(agent_id, packed.kit.number, packed.data, **(told | fields))
        if packed.kit.number in self._kits:
            return [place]
        self._kits.add(packed.kit.number)
        return [KitItem(packed.kit.number, packed.kit.data), place]

    def lend(self, slots: int) -> None:
        """Lend it slots."""
        self.put(Lease(slots))

    # From it --------------------------------------------------------------------------------------------------------

    def drain(self, wait: float = 0.0, *, hears: bool = True) -> list[Any]:
        """Take what it has to say; whether the program then has heard of it."""
        call = DrainCall("life-1", self._inlet.last, wait, self.heard)
        answer = load(self.host.drain(dump(call)), Drained)
        self.state = answer.state
        if hears:
            self.heard = answer.state.sent_at
        items = self._inlet.take(answer) if answer.state.incarnation == "life-1" else []
        self.said += items
        return items

    def until(self, is_there: Callable[[], object]) -> None:
        """Drain until *is_there*."""

        def look() -> object:
            self.drain(0.05)
            return is_there()

        assert comes_true(look), f"it has said {self.said}"

    def of(self, agent_id: int) -> list[Any]:
        """What it has said of that agent."""
        return [item for item in self.said if getattr(item, "id", None) == agent_id]

    def ended(self, agent_id: int) -> Ended:
        """How that agent ended; waits for it."""
        self.until(lambda: any(isinstance(item, Ended) for item in self.of(agent_id)))
        (ended,) = [item for item in self.of(agent_id) if isinstance(item, Ended)]
        return ended

    def began(self, agent_id: int) -> None:
        """Wait until that agent has begun."""
        self.until(lambda: any(isinstance(item, Began) for item in self.of(agent_id)))

    def leased(self) -> list[int]:
        """What it has said of its slots."""
        return [item.slots for item in self.said if isinstance(item, Leased)]

    def events(self, agent_id: int) -> list[str]:
        """The names of the events of that agent, as they were told."""
        return [load_value(item.event)[0].__name__ for item in self.of(agent_id) if isinstance(item, Happened)]

    def close(self) -> None:
        """End it."""
        self.host.close()
