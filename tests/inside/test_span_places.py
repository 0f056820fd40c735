"""Where spans stand: what others make inside a call is below it, also on the private loops and in other processes."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from actors import (
    Actor,
    Agent,
    AgentManifest,
    AgentPool,
    Mcp,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)

from ..drivers.provider import failure
from ..drivers.stand import WIRES, Stand
from ..tools.test_mcp_hostile import Web
from .spans import BOT, DONE, calls, events, is_error, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from .spans import Recorder

ROGUE = str(Path(__file__).parents[1] / "tools" / "mcp_rogue.py")


@pytest.fixture
def instrumented(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request of the providers' clients has a span, as a package that instruments them makes it."""
    client = pytest.importorskip("httpx2")
    post = client.AsyncHTTPTransport.handle_async_request

    async def traced_post(transport: Any, request: Any) -> Any:
        with recorder.tracer.start_as_current_span("POST"):
            return await post(transport, request)

    monkeypatch.setattr(client.AsyncHTTPTransport, "handle_async_request", traced_post)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("wire", WIRES)
def test_requests_of_real_drivers_are_below_their_attempt(
    traced: Callable[..., AgentPool], recorder: Recorder, instrumented: None, wire: str, streams: bool
) -> None:
    """Over a real connection, each attempt at its own: one that failed, one that called a tool, the answer."""

    @tool
    def look() -> str:
        """Look."""
        return "seen"

    with Stand(wire, [failure(503), calls("look"), "done"]) as model:
        model.driver.backoff_share = 0.0  # type: ignore[attr-defined]  # nobody is worn out
        pool = traced(model.driver, tools=ToolRegistry([look]))
        with recorder.tracer.start_as_current_span("request"):
            handle = pool.spawn(SpawnConfig(BOT, "go", stream=streams))
            assert handle.result().text == "done"
        pool.close()
    chats = recorder.named("chat m")
    assert [(said(span)["actors.attempt"], said(span).get("error.type")) for span in chats] == [
        (1, "Overloaded"),
        (2, None),
        (1, None),
    ]
    assert [is_error(span) for span in chats] == [True, False, False]
    assert {said(span)["gen_ai.provider.name"] for span in chats} == {"anthropic" if wire == "anthropic" else "openai"}
    posts = recorder.named("POST")
    above = [span.context.span_id for span in chats if span.context is not None]
    assert [span.parent.span_id for span in posts if span.parent is not None] == above
    assert recorder.path(posts[0]) == ["request", "invoke_agent bot", "chat m", "POST"]


@pytest.mark.process
def test_a_tool_of_a_server_is_a_tool(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Under its whole name, below its agent."""
    server = {"name": "rogue", "command": [sys.executable, "-S", "-E", ROGUE, "good"]}
    manifest = AgentManifest(name="bot", privacy="standard", capabilities=(Mcp(server="rogue"),), mcp_servers=(server,))
    pool = traced(ScriptedDriver([calls("rogue.echo", text="hi"), DONE]), content=True)
    assert pool.spawn(SpawnConfig(manifest, "go")).outcome().ok
    echo = recorder.one("execute_tool rogue.echo")
    assert said(echo)["gen_ai.tool.call.result"].endswith(' hi"')
    assert recorder.path(echo) == ["invoke_agent bot", "execute_tool rogue.echo"]


def test_calls_of_a_server_that_agents_share_are_each_below_their_own(
    traced: Callable[..., AgentPool], recorder: Recorder, instrumented: None
) -> None:
    """By HTTP: not all below the agent that was the first, and has opened it."""
    with closing(Web()) as web:
        server = {"name": "web", "transport": "http", "url": web.url}
        manifest = AgentManifest(
            name="bot", privacy="standard", capabilities=(Mcp(server="web"),), mcp_servers=(server,)
        )
        pool = traced(ScriptedDriver([calls("web.echo"), DONE] * 2))
        for _ in range(2):
            assert pool.spawn(SpawnConfig(manifest, "go")).outcome().ok
        pool.close()
    echoes = recorder.named("execute_tool web.echo")
    below = [span.parent.span_id for span in recorder.named("POST") if span.parent is not None]
    assert [below.count(span.context.span_id) for span in echoes if span.context is not None] == [1, 1]


def test_handlers_of_an_actor_are_below_who_started_it(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """An agent, or one of its tool calls; the wait for the answer is a park of whoever waits."""

    class Desk(Actor[str, str]):
        def on_receive(self, message: str) -> str:
            with recorder.tracer.start_as_current_span(message):
                return message

    def ask(question: str) -> str:
        desk = Desk.start()
        try:
            return desk.ask(question)
        finally:
            desk.stop()

    @tool
    def look() -> str:
        """Look."""
        return ask("for a tool")

    class Asks(Agent[str]):
        def run(self, query: Any) -> str:
            return ask("for an agent")

    pool = traced(ScriptedDriver([calls("look"), DONE]), tools=ToolRegistry([look]))
    assert pool.spawn(SpawnConfig(BOT, "go")).outcome().ok
    assert pool.spawn(SpawnConfig(BOT, "go", agent=Asks)).outcome().ok
    above = ["invoke_agent bot"]
    assert recorder.path(recorder.one("for an agent")) == [*above, "for an agent"]
    assert recorder.path(recorder.one("for a tool")) == [*above, "execute_tool look", "for a tool"]
    assert events(recorder.one("execute_tool look"))[:2] == ["actors.parked", "actors.resumed"]
