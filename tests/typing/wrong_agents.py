"""A wrong use of agents, actors, tools, drivers or events is an error where it stands: each line that is marked."""

from __future__ import annotations

from typing import Any

from actors import (
    Actor,
    Agent,
    AgentManifest,
    AgentMessage,
    AgentPool,
    CancelToken,
    Deps,
    Event,
    FunctionDriver,
    PrivacyTier,
    ScriptedDriver,
    SpawnConfig,
    TextDelta,
    ToolRegistry,
    supervise,
    tool,
)
from actors.events import AgentEnded
from actors.ports import CompletionRequest, CompletionResponse, ToolCall


class Late(Agent[int]):
    def __init__(self) -> None:
        self.agent_id = 3  # error

    def run(self, query: str) -> int:
        self.send("1", "hello")  # error
        self.sleep("1")  # error
        self.receive().text  # error
        self.emit("half")  # error
        self.checkpoints()  # error
        return self.manifest.model.tokens  # error

    def on_end(self) -> None:  # error
        pass


class Counter(Actor):
    def on_receive(self, message: Any) -> Any:
        return message


counter = Counter.start()
counter.send(3)  # error
counter.tell(3, "1")  # error
counter.ask(3, block=False).upper()  # error
counter.stop().done()  # error
supervise(Counter())  # error
supervise(Late)  # error
supervise(Counter, restart=3)  # error
AgentMessage(1, 2)  # error
AgentMessage("program", 2, "hello")  # error
AgentMessage(1, 2, "hello").content = "a"  # error


@tool
def search(text: str, limit: int = 3) -> list[str]:
    """Search."""
    return [text] * limit


search("a", "b")  # error
search("a").append(3)  # error
search.required  # error
ToolRegistry(search)  # error
ToolRegistry([len])  # error
ToolRegistry([search]).get("search").name  # error


class Database:
    pass


@tool
def find(customer: int, db: Deps[Database]) -> str:
    db.name_of(customer)  # error
    return str(db)


find(3, "main")  # error
find(3)  # error
tool(3)  # error
tool(search, time_out=3)  # error
tool(search, effect="once")  # error
tool(search, effect=True)  # error
tool(search, reconcile="was_paid")  # error
tool(search, reconcile=lambda: None)  # error


def of_other(effect_key: int, input: dict[str, Any]) -> None: ...  # noqa: A002


tool(search, reconcile=of_other)  # error


class Parrot:
    context_window = 4096
    privacy_tier = PrivacyTier.SOVEREIGN

    def complete(self, request: CompletionRequest) -> CompletionResponse:
        return CompletionResponse(request.messages[-1].text)


def no_answer(request: CompletionRequest) -> int:
    return 3


def on_text(event: TextDelta) -> None:
    print(event.text)


def run(manifest: AgentManifest, cancel: CancelToken) -> None:
    AgentPool(Parrot())  # error
    SpawnConfig(manifest, "a", driver=Parrot())  # error
    SpawnConfig(manifest, "a", driver=FunctionDriver)  # error
    FunctionDriver(no_answer)  # error
    ScriptedDriver(3)  # error
    ScriptedDriver.text("a", latency="1")  # error
    ScriptedDriver.text("a", delay=1)  # error
    AgentPool(on_event=on_text)  # error
    AgentPool(tools=lambda: ToolRegistry())  # error
    AgentPool(tools=[Late])  # error
    AgentPool(memory={})  # error
    CompletionResponse(["a"])  # error
    CompletionResponse("a", usage=(1, 2))  # error
    ToolCall("1", "search")  # error
    cancel.cancelled = True  # error


def on_event(event: Event) -> None:
    event.status  # error
    if isinstance(event, AgentEnded):
        event.error.upper()  # error
