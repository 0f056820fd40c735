"""Who plays in the program that is killed: a provider and a world that write down what they sell, and the agents."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

from actors import (
    Agent,
    AgentManifest,
    AssistantMessage,
    CompletionResponse,
    LlmAgent,
    PrivacyTier,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    UserMessage,
    tool,
)
from actors.tools.agents import spawn_agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentLoopResult, CancelToken, CompletionRequest, Event, Tool

    from .outside import Outside

SLOWEST: Final = 0.03
"""Seconds that an answer takes at most; half of that at least, so it takes longer than a commit."""

SCRIPTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "plain": (("pay",), ("note",), ()),
    "pair": (("charge", "note"), ("note", "pay"), ()),
    "parent": (("spawn_agent", "pay"), ("note",), ()),
    "delegate": (("delegate",), ("pay", "note"), ()),
    "steps": (("note",), ("charge",), ()),
    "child": (("charge",), ()),
}
"""What the model asks for, answer by answer, in each kind of conversation; nothing ends it."""

KINDS: Final = ("plain", "pair", "parent", "delegate", "steps")


def configs(count: int, on_event: Callable[[Event], object]) -> list[SpawnConfig[Any]]:
    """The agents that the program hands in, the same in each start."""
    return [config(f"a{number:02}", KINDS[number % len(KINDS)], key=True, on_event=on_event) for number in range(count)]


def config(
    name: str, kind: str, *, key: bool = False, on_event: Callable[[Event], object] | None = None
) -> SpawnConfig[Any]:
    """One agent: its name is in its query, so the provider knows who asks."""
    manifest = AgentManifest(name=name, capabilities=(Spawn(max_depth=1),))
    return SpawnConfig(
        manifest,
        f"{name} {kind}",
        agent=Stepping if kind == "steps" else LlmAgent,
        key=name if key else None,
        on_event=on_event,
    )


def answer_of(name: str) -> str:
    """What an agent says in the end."""
    return f"{name} is done"


class Stepping(LlmAgent):
    """Does something itself before and after its conversation."""

    def run(self, query: str) -> AgentLoopResult:
        """Reserve, talk, ship."""
        name = query.split()[0]
        assert isinstance(self.driver, Provider)
        world = World(self.driver.outside)
        self.step("reserve", world.reserve, name, reconcile=world.look_up)
        result: AgentLoopResult = super().run(query)
        self.step("ship", world.ship, name, effect="idempotent")
        return result


class Provider:
    """A model that is paid for each answer: it notes who asks, and what it sells, before it hands it over."""

    context_window = 1_000_000
    privacy_tier = PrivacyTier.SOVEREIGN
    has_pieces = False

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """The next answer of that conversation's script: it depends on the request alone."""
        query = next(message.text for message in request.messages if isinstance(message, UserMessage))
        name, kind = query.split()
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        self.outside.note("asked", name, turn)
        pause()
        cancel.check()
        self.outside.note("answered", name, turn)
        usage = TokenUsage(100, 10)
        calls = SCRIPTS[kind][turn]
        if not calls:
            return CompletionResponse(answer_of(name), usage=usage)
        asked = tuple(ToolCall(f"{name}-{turn}-{word}", word, input_of(word, name, turn)) for word in calls)
        return CompletionResponse("", StopReason.TOOL_USE, asked, usage)

    def stream(self, *_: object, **__: object) -> CompletionResponse:
        """Its answers come whole."""
        raise NotImplementedError

    def estimate_cost(self, usage: TokenUsage) -> float:
        """A millionth of a USD for each token."""
        return usage.total / 1e6


def input_of(word: str, name: str, turn: int) -> dict[str, Any]:
    """What a tool is called with."""
    if word == "spawn_agent":
        return {"task": f"{name}.child child", "name": f"{name}.child"}
    if word == "delegate":
        return {"name": name}
    return {"order": name, "turn": turn}


class World:
    """What tools and steps do: it is written down when it is done, as the books of others are."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def tools(self) -> list[Tool]:
        """All of them, for a pool."""

        @tool(effect="at_most_once")
        def pay(order: str, turn: int, effect_key: str) -> str:
            """Pay."""
            return self._pay(order, f"pay {turn}", effect_key)

        @tool(effect="at_most_once", reconcile=self.look_up)
        def charge(order: str, turn: int, effect_key: str) -> str:
            """Pay where one can look whether it was done."""
            return self._pay(order, f"charge {turn}", effect_key)

        @tool(effect="idempotent")
        def note(order: str, turn: int, effect_key: str) -> str:
            """Write something down, as often as one likes."""
            pause(0.2)
            self._outside.note("noted", order, [f"note {turn}", effect_key])
            return "noted"

        @tool(effect="idempotent", timeout=None)
        def delegate(name: str, agent: Agent[Any]) -> str:
            """Have it done by a child."""
            child = agent.spawn(config(f"{name}.child", "child"))
            return str(child.result().text)

        return [pay, charge, note, delegate, spawn_agent]

    def reserve(self, name: str, effect_key: str) -> str:
        """A step that must not be done twice."""
        return self._pay(name, "reserve", effect_key)

    def ship(self, name: str, effect_key: str) -> str:
        """A step that may."""
        self._outside.note("noted", name, ["ship", effect_key])
        return "shipped"

    def _pay(self, who: str, purpose: str, effect_key: str) -> str:
        self._outside.note("begun", who, [purpose, effect_key])
        pause(0.3)
        self._outside.note("paid", who, [purpose, effect_key])
        pause(0.3)
        return "paid"

    def look_up(self, effect_key: str, _: object) -> str | None:
        """Was it paid? The world's own books say so."""
        paid = (line.detail[1] for line in self._outside.lines() if line.what == "paid")
        return "paid" if effect_key in paid else None


def pause(share: float = 1.0) -> None:
    """What takes time out there."""
    time.sleep(share * SLOWEST * random.uniform(0.5, 1.0))
