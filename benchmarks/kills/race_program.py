"""One agent and what it does, killed at a named point; and started again, to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    ApprovalRequested,
    ApprovalRules,
    AssistantMessage,
    CompletionResponse,
    InDoubt,
    Journal,
    PrivacyTier,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
    tool,
)

from .outside import Outside
from .points import Points

if TYPE_CHECKING:
    from actors import CancelToken, CompletionRequest, Event, Tool

JOURNAL, OUTSIDE = "race.db", "outside.jsonl"

SCRIPTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tool": (("act",), ()),
    "approved": (("act",), ()),
    "two": (("note", "act"), ()),
    "parent": (("delegate",), ()),
    "child": (("act",), ()),
}


def race(
    folder: str,
    run: int,
    kind: str,
    point: str | None = None,
    *,
    effect: str = "at_most_once",
    in_doubt: str = "tell",
    reconcile: str | None = None,
    approve: bool = True,
) -> None:
    """Run the agent of that *kind*.

    Args:
        point: Where the process dies.
        effect: What its tool, or its step, is declared to be.
        reconcile: ``looks`` in the world's books, or ``raises``; None: there is none.
        approve: What is answered to whoever asks for approval.
    """
    outside = Outside(Path(folder) / OUTSIDE, run)
    points = Points(point, name_of)
    points.watch_the_line()
    world = World(outside, points, kind, effect, reconcile)

    def decide(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            points.reach("approve: before")
            outside.note("approved", event.agent, event.tool)
            (pool.approve if approve else pool.deny)(event.agent_id, event.call_id)

    rules = ApprovalRules(tools=("act",) if kind == "approved" else ())
    manifest = AgentManifest(name=kind, approval=rules, capabilities=({"type": "spawn", "max_depth": 1},))
    config: SpawnConfig[Any] = SpawnConfig(manifest, kind, key="a")
    if kind == "step":
        config = SpawnConfig(manifest, kind, key="a", agent=Stepping, kwargs={"world": world})
    journal = Journal(Path(folder) / JOURNAL, in_doubt=InDoubt(in_doubt))
    with AgentPool(Model(outside, points), tools=world.tools(), on_event=decide, journal=journal) as pool:
        outcome = pool.spawn(config).outcome()
        outside.note("seen", "a", [str(outcome.status), type(outcome.error).__name__, outcome.recalled])
        points.reach("seen: after")


def name_of(entry: Any) -> str | None:
    """``0.0 begun``, ``ended``; those of a child with the word in front; None: it is no entry of an agent."""
    if type(entry) is not tuple:
        return None
    agent, path, state = entry[:3]
    return " ".join(filter(None, ("" if agent == "a" else "child", path, str(state))))


class Model:
    """Follows the script, and notes who asks, and what was sold."""

    context_window = 1_000_000
    privacy_tier = PrivacyTier.SOVEREIGN
    has_pieces = False

    def __init__(self, outside: Outside, points: Points) -> None:
        self._outside = outside
        self._points = points

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """The next answer."""
        kind = next(message.text for message in request.messages if isinstance(message, UserMessage))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        place = f"ask {'child ' if kind == 'child' else ''}{turn}"
        errors = [
            message.content
            for message in request.messages
            if isinstance(message, ToolResultMessage) and message.is_error
        ]
        self._points.reach(f"{place}: before")
        cancel.check()
        self._outside.note("asked", kind, [turn, errors])
        self._points.reach(f"{place}: asked")
        self._outside.note("answered", kind, turn)
        self._points.reach(f"{place}: answered")
        words = SCRIPTS[kind][turn]
        calls = tuple(ToolCall(f"{word}-{turn}", word, {}) for word in words)
        if not calls:
            return CompletionResponse("done", usage=TokenUsage(10, 1))
        return CompletionResponse("", StopReason.TOOL_USE, calls, TokenUsage(10, 1))

    def stream(self, *_: object, **__: object) -> CompletionResponse:
        """Its answers come whole."""
        raise NotImplementedError

    def estimate_cost(self, usage: TokenUsage) -> float:
        """A millionth of a USD for each token."""
        return usage.total / 1e6


class World:
    """What is done, and by whom it can be looked up."""

    def __init__(self, outside: Outside, points: Points, kind: str, effect: str, reconcile: str | None) -> None:
        self._outside = outside
        self._points = points
        self._kind = kind
        self.effect: Any = effect
        self.reconcile: Any = {"looks": self.look, "raises": self.fail}.get(reconcile or "")

    def act(self, effect_key: str) -> str:
        """Pay, say: it is done when it stands in the books."""
        self._points.reach("execute: before")
        self._outside.note("acted", "", effect_key)
        self._points.reach("execute: inside")
        return "acted"

    def look(self, effect_key: str, _: object) -> str | None:
        """The books say whether it was done."""
        self._outside.note("looked", "", effect_key)
        done = any(line.what == "acted" and line.detail == effect_key for line in self._outside.lines())
        return "acted" if done else None

    def fail(self, effect_key: str, _: object) -> str | None:
        """The books are closed."""
        self._outside.note("looked", "", effect_key)
        raise OSError("nobody answers")

    def tools(self) -> list[Tool]:
        """All of them."""

        @tool(effect=self.effect, reconcile=self.reconcile)
        def act(effect_key: str) -> str:
            """Act."""
            if self._kind == "two":
                self._points.await_written("0.0 done")
            return self.act(effect_key)

        @tool(effect="idempotent")
        def note(effect_key: str) -> str:
            """Note."""
            self._outside.note("noted", "", effect_key)
            return "noted"

        @tool(effect="idempotent", timeout=None)
        def delegate(agent: Agent[Any]) -> str:
            """Have it done."""
            child = agent.spawn(SpawnConfig(AgentManifest(name="child"), "child"))
            return str(child.result().text)

        return [act, note, delegate]


class Stepping(Agent[str]):
    """Has one step, and no model."""

    def __init__(self, world: World) -> None:
        self._world = world

    def run(self, _: object) -> str:
        """Do it."""
        world = self._world
        return self.step("act", world.act, effect=world.effect, reconcile=world.reconcile)
