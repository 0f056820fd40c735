"""What a viewer has chosen, and what a key means then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from ...core.shown import one_line
from .agents import Order, ordered
from .lines import named
from .pace import Pace

if TYPE_CHECKING:
    from .state import Agent, Approval, Closeup, State

PAGE = 10
"""Rows that a page key goes."""
LONGEST_TYPED = 500


class Deed(Enum):
    """What a viewer may do to a pool that may be controlled; the value is its path."""

    APPROVE = "/approve"
    DENY = "/deny"
    ABORT = "/abort"


class Quit:
    """The viewer goes."""


@dataclass(frozen=True, slots=True)
class LookAt:
    """From now on this agent is looked at closely; None: no one."""

    agent_id: int | None


@dataclass(frozen=True, slots=True)
class Do:
    """Something is to be done. ``label`` says what, for the line that tells whether it was."""

    deed: Deed
    content: dict[str, object]
    label: str


Wish = Quit | LookAt | Do


@dataclass(frozen=True, slots=True)
class Question:
    """A deed that is about to be done, when the viewer says so. It stays with what it was asked of, whatever is drawn.

    Args:
        approval: The call that it is about; None for an abort.
    """

    deed: Deed
    agent_id: int
    name: str
    approval: Approval | None = None
    typed: str = ""

    def wish(self) -> Do:
        """What is to be done."""
        who = named(self.agent_id, self.name)
        content: dict[str, object] = {"agent_id": self.agent_id}
        if self.deed is not Deed.APPROVE:
            content["reason"] = self.typed
        if self.approval is None:
            return Do(self.deed, content, f"abort {who}")
        content["call_id"] = self.approval.call_id
        word = "approve" if self.deed is Deed.APPROVE else "deny"
        return Do(self.deed, content, f"{word} {one_line(self.approval.tool, 60)} of {who}")


@dataclass(slots=True)
class Board:
    """What a viewer sees, and has chosen. Whoever draws reads it.

    Args:
        problem: Why there is no newer state; None when there is.
        note: The last thing that was done, or could not be.
        offset: The first row, or line of a stack, that is drawn: whoever draws keeps what is chosen in sight.
    """

    state: State
    order: Order = Order.SINCE
    words: str = ""
    is_typing: bool = False
    chosen: int | None = None
    closeup: Closeup | None = None
    looked_at: int | None = None
    question: Question | None = None
    note: str = ""
    problem: str | None = None
    offset: int = 0
    has_keys: bool = True
    pace: Pace = field(default_factory=Pace)

    def see(self, state: State) -> None:
        """There is a newer state."""
        place = self._place()
        self.state, self.problem = state, None
        self.pace.count(state.seconds, state.ended_count)
        agents = self.agents()
        if self.chosen is not None and self._place() is None:  # it has ended: its neighbour is chosen
            self.chosen = agents[min(place or 0, len(agents) - 1)].id if agents else None
        question = self.question
        if question is not None and question.approval is not None and self._approval_of(question) is None:
            self.question, self.note = None, f"{one_line(question.approval.tool, 60)}: it was answered meanwhile"

    def agents(self) -> list[Agent]:
        """Those that are shown, in their order."""
        return ordered(self.state.agents, self.order, self.words)

    def chosen_agent(self) -> Agent | None:
        """The one that a key is about."""
        wanted = self.chosen if self.looked_at is None else self.looked_at
        return next((agent for agent in self.state.agents if agent.id == wanted), None)

    def press(self, key: str) -> Wish | None:
        """What *key* means: perhaps a wish that somebody else fulfils."""
        if self.question is not None:
            return self._answer(self.question, key)
        if self.is_typing:
            self._type(key)
            return None
        self.note = ""
        if self.looked_at is not None:
            return self._press_closely(key)
        return self._press_table(key)

    def _press_table(self, key: str) -> Wish | None:
        if key in ("q", "Q", "ctrl-d"):
            return Quit()
        if key == "s":
            self.order = self.order.following
        elif key == "/":
            self.is_typing = True
        elif key == "escape":
            self.words, self.chosen = "", None
        elif key in _STEPS:
            self._go(_STEPS[key])
        elif key == "enter":
            agent = self.chosen_agent()
            if agent is None:
                self._go(0)
                agent = self.chosen_agent()
            if agent is not None:
                self.looked_at, self.closeup, self.offset = agent.id, None, 0
                return LookAt(agent.id)
        else:
            self._ask(key)
        return None

    def _press_closely(self, key: str) -> Wish | None:
        if key in ("escape", "backspace", "left", "q"):
            self.looked_at, self.closeup, self.offset = None, None, 0
            return LookAt(None)
        if key in _STEPS:
            self.offset = max(0, self.offset + _STEPS[key])  # whoever draws knows the end
        else:
            self._ask(key)
        return None

    def _type(self, key: str) -> None:
        if key in ("enter", "escape"):
            self.is_typing = False
            self.words = self.words if key == "enter" else ""
        else:
            self.words = _typed(self.words, key)

    def _go(self, steps: int) -> None:
        agents = self.agents()
        if agents:
            place = self._place()
            self.chosen = agents[min(max((-1 if place is None else place) + steps, 0), len(agents) - 1)].id

    def _place(self) -> int | None:
        return next((place for place, agent in enumerate(self.agents()) if agent.id == self.chosen), None)

    def _ask(self, key: str) -> None:
        deed = {"a": Deed.APPROVE, "d": Deed.DENY, "x": Deed.ABORT}.get(key)
        if deed is None:
            return
        if not self.state.control:
            self.note = "this view only shows: who opens it with LiveView(pool, control=True) lets it be answered"
            return
        agent = self.chosen_agent()
        if deed is Deed.ABORT:
            if agent is None:
                self.note = "whom? choose an agent with the arrows"
            else:
                self.question = Question(deed, agent.id, agent.name)
            return
        approval = self._approval(None if agent is None else agent.id)
        if approval is None:
            self.note = "no call waits for approval" if agent is None else f"{named(agent.id, agent.name)} asks nothing"
        else:
            self.question = Question(deed, approval.agent_id, approval.agent, approval)

    def _approval(self, agent_id: int | None) -> Approval | None:
        """The oldest one of that agent; of no agent, the oldest of all."""
        waiting = [one for one in self.state.approvals if agent_id in (None, one.agent_id)]
        return max(waiting, key=lambda one: one.seconds, default=None)

    def _approval_of(self, question: Question) -> Approval | None:
        asked = question.approval
        if asked is None:
            return None
        ids = (asked.agent_id, asked.call_id)
        return next((one for one in self.state.approvals if (one.agent_id, one.call_id) == ids), None)

    def _answer(self, question: Question, key: str) -> Wish | None:
        is_yes = key in ("y", "Y") if question.deed is Deed.APPROVE else key == "enter"
        if is_yes:
            self.question, self.note = None, "…"
            return question.wish()
        if question.deed is Deed.APPROVE or key == "escape":
            self.question, self.note = None, "nothing was done"
        else:
            self.question = replace(question, typed=_typed(question.typed, key))
        return None

    def told(self, wish: Do, *, done: bool) -> None:
        """The pool has done it, or had nothing to do it to."""
        self.note = f"done: {wish.label}" if done else f"too late: {wish.label}"

    def failed(self, wish: Do, why: str) -> None:
        """Nobody knows whether it was done, or it was refused."""
        self.note = one_line(f"{wish.label}: {why}")


_STEPS = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "pageup": -PAGE,
    "pagedown": PAGE,
    "home": -1_000_000,
    "end": 1_000_000,
}


def _typed(text: str, key: str) -> str:
    """*text* after one more key."""
    if key == "backspace":
        return text[:-1]
    return text + key if len(key) == 1 and key.isprintable() and len(text) < LONGEST_TYPED else text
