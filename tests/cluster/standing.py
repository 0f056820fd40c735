"""A program and a host without lanes between: what one says the other hears at once, as bytes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from actors.cluster.failures import dump_error
from actors.cluster.host.stand_ins import HostStandIns
from actors.cluster.items import Told
from actors.cluster.kits import Owed
from actors.cluster.portable import dump_value, load_value

if TYPE_CHECKING:
    from collections.abc import Callable


class Standing:
    """Both sides: the program's, as those who answer see it, and the host's, as those who stand there see it."""

    def __init__(self) -> None:
        self.desk = self.program = self
        self.incarnation = "standing"
        self.notes: list[str] = []
        self.questions: list[str] = []
        self._answers: dict[str, Callable[..., Any]] = {}
        self._hears: dict[str, Callable[..., Any]] = {}
        self._takes: dict[str, Callable[..., Any]] = {}
        self._when_placed: list[Callable[[Any], Any]] = []
        self._when_ended: list[Callable[[Any], Any]] = []
        self.stand_ins = HostStandIns(self)

    # The program's side ---------------------------------------------------------------------------------------------

    def serve(self, what: str, fn: Callable[..., Any], *, waits: bool = False) -> None:
        self._answers[what] = fn

    def hear(self, what: str, fn: Callable[..., Any], *, waits: bool = False) -> None:
        self._hears[what] = fn

    def when_placed(self, fn: Callable[[Any], Any]) -> None:
        self._when_placed.append(fn)

    def when_ended(self, fn: Callable[[Any], Any]) -> None:
        self._when_ended.append(fn)

    def tell(self, agent_id: int, item: Told) -> bool:
        self._takes[item.what](agent_id, *load_value(item.args))
        return True

    # The host's side ------------------------------------------------------------------------------------------------

    def take(self, what: str, fn: Callable[..., Any]) -> None:
        self._takes[what] = fn

    def ask(self, what: str, agent_id: int, /, *args: Any, **_: Any) -> Any:
        self.questions.append(what)
        try:
            answer = self._answers[what](agent_id, *load_value(dump_value(args, what)))
        except Exception as error:
            raise load_value(dump_error(error)) from None
        return load_value(dump_value(answer, what))

    def note(self, what: str, agent_id: int, /, *args: Any) -> None:
        self.notes.append(what)
        self._hears[what](agent_id, *load_value(dump_value(args, what)))

    # What a test does -----------------------------------------------------------------------------------------------

    def place(self, agent_id: int, **parts: Any) -> Any:
        """Place an agent that has *parts* in the program; what it has on the host."""
        cell = SimpleNamespace(id=agent_id, spec=SimpleNamespace(build=_Parts(parts).build))
        for placed in self._when_placed:
            placed(cell)
        there = SimpleNamespace(ledger=None, turn=None)
        owed = Owed(ledger=parts.get("ledger") is not None, turn=parts.get("turn") is not None)
        self.stand_ins.give(there, agent_id, owed)  # type: ignore[arg-type]  # as far as it looks
        return there


class _Parts:
    def __init__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts)

    def build(self) -> None:
        """What an agent's spec has."""
