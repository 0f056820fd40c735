"""Agents, actors, tools, drivers and events as users write them."""

# pyright: strict
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, assert_type

from actors import (
    Actor,
    ActorRef,
    Agent,
    AgentHandle,
    AgentManifest,
    AgentMessage,
    AgentOutcome,
    AgentPool,
    CancelToken,
    Deps,
    Effect,
    Event,
    FunctionDriver,
    InMemorySubstrate,
    LlmAgent,
    PrivacyTier,
    ReplyFuture,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    TextDelta,
    ToolRegistry,
    ToolResult,
    supervise,
    tool,
)
from actors.capabilities import Capability, Network
from actors.events import AgentEnded, ToolEnded
from actors.ports import CompletionRequest, CompletionResponse, TokenUsage, ToolDefinition


class Tally(Agent[dict[str, int]]):
    """An agent that uses what it has."""

    needs_driver: ClassVar[bool] = True

    def __init__(self, words: Sequence[str], *, limit: int = 3) -> None:
        self.words = words
        self.limit = limit

    def on_start(self) -> None:
        assert_type(self.agent_id, int)
        assert_type(self.manifest, AgentManifest)
        assert_type(self.config, SpawnConfig[dict[str, int]])

    def run(self, query: str) -> dict[str, int]:
        self.checkpoint()
        message = self.receive(timeout=1)
        assert_type(message, AgentMessage)
        self.send(0, {"any": "thing"})
        with self.parked():
            self.sleep(0.1)
        self.emit(Progress(done=3))
        return {word: query.count(word) for word in self.words}

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        print(outcome.status)


class Progress(Event):
    """An event of one's own."""

    done: int


class Polite(LlmAgent):
    """A loop with something before it."""

    def run(self, query: Any) -> Any:
        return super().run(f"Please: {query}")


class Counter(Actor):
    """An actor."""

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self.value = start

    def on_receive(self, message: Any) -> Any:
        self.value += message
        return self.value


counter = Counter.start(3)
assert_type(counter, ActorRef[Counter])
assert_type(supervise(Counter, 3, restart=RestartPolicy(max_restarts=1)), ActorRef[Counter])
counter.tell(3)
assert_type(ScriptedDriver.text("a", latency=0.1, default="b"), ScriptedDriver)
ScriptedDriver(["a", CompletionResponse("b"), ValueError("c"), TimeoutError])
counter.ask(3, timeout=1)
assert_type(counter.ask(3, block=False), ReplyFuture[Any])
assert_type(counter.ask_future(3), ReplyFuture[Any])
assert_type(counter.watch(lambda ref: print(ref.how_ended)), Callable[[], None])
assert_type(counter.stop(), bool)
assert_type(counter.stop(block=False), ReplyFuture[bool])
AgentMessage(1, 2, "hello")
AgentMessage(sender=1, to=2, content="hello")


@tool
def search(text: str, limit: int = 3) -> list[str]:
    """Search."""
    return [text] * limit


@tool(capability=Network(), timeout=None, isolation="thread")
async def fetch(url: str, *, cancel: CancelToken, agent: Agent[Any]) -> str:
    """Fetch."""
    return f"{url} {cancel.cancelled} {agent.agent_id}"


def was_paid(effect_key: str, input: dict[str, Any]) -> str | None:  # noqa: A002
    """Look at the bank's book."""
    return input["to"] if effect_key else None


@tool(effect="at_most_once", reconcile=was_paid)
def pay(to: str, amount: float, *, effect_key: str = "") -> str:
    """Pay."""
    return f"{to} {amount} {effect_key}"


class Payer(Agent[str]):
    def run(self, query: str) -> str:
        receipt = self.step("pay", pay, query, 1.5, reconcile=was_paid)
        assert_type(receipt, str)
        return receipt


class Database:
    def name_of(self, customer: int) -> str:
        return f"customer {customer}"


@tool
def find(customer: int, db: Deps[Database], *, spare: Deps[Database | None] = None) -> str:
    """Find a customer."""
    assert_type(db, Database)
    assert_type(spare, Database | None)
    return db.name_of(customer)


assert_type(find(3, Database()), str)
SpawnConfig(AgentManifest(name="desk"), "Who is 3?", tools=[find], deps=Database())


@tool(effect=Effect.IDEMPOTENT)
def look_up(word: str) -> str:
    """Look up."""
    return word


assert_type(pay("me", 1.5), str)
assert_type(pay("me", amount=1.5, effect_key="k"), str)
assert_type(pay.effect, Effect)
if pay.reconcile is not None:
    assert_type(pay.reconcile("k", {"to": "me"}), ToolResult | None)
made_plainly = tool(was_paid, name="was_paid", effect="idempotent", repeatable=True)
assert_type(made_plainly("k", {}), str | None)
assert_type(search("a", limit=2), list[str])
assert_type(search.name, str)
assert_type(search.required_capability, Capability | None)
registry = ToolRegistry([search, fetch])


class Clock:
    """A tool without a function."""

    name = "clock"
    definition = ToolDefinition("clock", "What time is it?", {"type": "object"})
    required_capability: Capability | None = None
    timeout: float | None = 1.0
    effect = Effect.IDEMPOTENT

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
        return ToolResult("noon")


class Parrot:
    """A driver of one's own."""

    context_window = 4096
    privacy_tier = PrivacyTier.SOVEREIGN

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        return CompletionResponse(request.messages[-1].text, usage=TokenUsage(1, 2))

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        on_event(TextDelta(text="a"))
        return self.complete(request, cancel=cancel)

    def estimate_cost(self, usage: TokenUsage) -> float:
        return usage.total / 1e6


def policy(request: CompletionRequest) -> CompletionResponse | str:
    """A driver's function."""
    return request.messages[-1].text


def on_event(event: Event) -> None:
    """A sink."""
    if isinstance(event, AgentEnded):
        assert_type(event.error, str | None)
    match event:
        case TextDelta(text=text):
            assert_type(text, str)
        case ToolEnded():
            print(event.agent_id)
        case _:
            pass


def tools_of(manifest: AgentManifest) -> ToolRegistry:
    """Tools for each agent."""
    return ToolRegistry([search] if manifest.name == "a" else [])


def run(manifest: AgentManifest) -> None:
    """All of it."""
    with AgentPool(Parrot(), tools=tools_of, memory=InMemorySubstrate(), on_event=on_event) as pool:
        handle = pool.spawn(
            SpawnConfig(manifest, "a", agent=Tally, kwargs={"words": ["a"]}, driver=FunctionDriver(policy))
        )
        assert_type(handle, AgentHandle[dict[str, int]])
        pool.spawn(SpawnConfig(manifest, "a", agent=Polite, tools=[search, Clock()]))
        pool.router.send(AgentMessage(0, handle.id, "hello"), timeout=None)
        assert_type(pool.inbox.receive(1), AgentMessage)
        assert_type(handle.cancel("enough"), bool)
        assert_type([pending.tool for pending in handle.approvals], list[str])
