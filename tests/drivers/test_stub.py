"""What builders of agents expect, against ``stubllm``, a server that others wrote."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import actors
from actors import AgentManifest, AgentPool, Handoff, ImagePart, ModelSettings, Refuse, Sessions, SpawnConfig, tool
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from tests.core.pictures import png
from tests.waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors import LlmDriver

each_kind = pytest.mark.parametrize("kind", ["openai", "anthropic"])


class Bill(BaseModel):
    """What an answer has to be."""

    total: int


@tool
def look(at: int) -> str:
    """Look."""
    return f"seen {at}"


class Stub:
    """It runs in a thread.

    ``url``: of its root.
    """

    def __init__(self) -> None:
        import uvicorn
        from stubllm.server import create_app

        self.app = create_app()
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()

    def says(self, *answers: str | tuple[str, str]) -> None:
        """From now on it says *answers*, in order: text, or the name and the arguments of a call."""
        from stubllm.fixtures.models import Fixture, MockResponse, ToolCallResponse

        made = [
            MockResponse(content=each, stream_chunk_delay_ms=0)
            if isinstance(each, str)
            else MockResponse(
                tool_calls=[ToolCallResponse(id=f"call_{at}", function={"name": each[0], "arguments": each[1]})]
            )
            for at, each in enumerate(answers)
        ]
        self.app.state.fixtures[:] = [Fixture(name="all", sequence=made)]
        self.app.state.matcher._fixtures = self.app.state.fixtures
        self.app.state.fixture_call_counts.clear()

    def close(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(BOUND)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """A server of the others."""
    running = Stub()
    yield running
    running.close()


def driver_of(kind: str, server: Stub) -> LlmDriver:
    """A driver that asks *server*."""
    if kind == "anthropic":
        return AnthropicDriver("m", base_url=server.url, api_key="k")
    return OpenAIDriver("m", base_url=f"{server.url}/v1", api_key="k")


def bot(name: str = "bot", **fields: Any) -> AgentManifest:
    """A manifest that may send all."""
    return AgentManifest(name=name, privacy="standard", **fields)


@each_kind
def test_ask(stub: Stub, kind: str) -> None:
    """By a word: a picture in, a value out, with a tool and a setting."""
    stub.says(("look", '{"at": 1}'), '{"total": 3}')
    url = stub.url if kind == "anthropic" else f"{stub.url}/v1"
    asked = ["How much?", ImagePart(png())]
    assert actors.ask(f"{kind}:m@{url}", asked, output_type=Bill, tools=[look], reasoning_effort="low") == Bill(total=3)


@each_kind
def test_a_handoff(stub: Stub, kind: str) -> None:
    """The conversation goes on, and a forced choice has ended."""
    stub.says(("transfer_to_billing", "{}"), "paid")
    config: SpawnConfig[Any] = SpawnConfig(
        bot("triage"),
        "refund?",
        handoffs=[Handoff(bot("billing"))],
        settings=ModelSettings(tool_choice="required"),
        stream=False,
    )
    with AgentPool(driver_of(kind, stub)) as pool:
        outcome = pool.spawn(config).outcome(BOUND)
    assert (outcome.unwrap().text, outcome.answered_by) == ("paid", "billing")


@each_kind
def test_a_stream_with_a_guardrail_in_a_session(stub: Stub, kind: str) -> None:
    """Nobody is told what was refused; the next turn knows what was said."""

    def after_completion(response: Any) -> Any:
        return Refuse("no") if "bad" in response.text else None

    stub.says("bad words here", "good words here", "again")
    with Sessions.in_memory() as sessions, AgentPool(driver_of(kind, stub), sessions=sessions) as pool:
        handle = pool.spawn(SpawnConfig(bot(), "q", session="s", guardrails=[after_completion], stream=True))
        # Of its streams of Messages the last word is missing.
        good = "good words here" if kind == "openai" else "good words "
        assert "".join(handle.text()) == good
        assert handle.outcome(BOUND).ok
        assert pool.converse(bot(), "s").ask("and?", BOUND).ok
        assert [one.text for one in sessions.get("s").messages()][-4:][1:3] == [good, "and?"]


def test_a_sub_agent(stub: Stub) -> None:
    """Its value is the result of the call."""
    stub.says(("agent_clerk", '{"query": "add"}'), '{"total": 4}', "four")
    clerk = bot("clerk", output="tests.drivers.test_stub:Bill")
    boss = bot("boss", agents=[{"name": "clerk", "manifest": clerk}])
    with AgentPool(driver_of("openai", stub)) as pool:
        result = pool.spawn(SpawnConfig(boss, "q", stream=False)).outcome(BOUND).unwrap()
    assert (result.text, "4" in result.messages[-2].text) == ("four", True)
