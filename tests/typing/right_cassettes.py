"""A recording gives drivers like any other."""

# pyright: strict
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_type

from actors import AgentPool, FunctionDriver, LlmDriver
from actors.ports import CompletionRequest, CompletionResponse
from actors.testing import Cassette, CassetteMode, RecordedAnswer
from actors.testing.fixtures import cassette as cassette


def make() -> FunctionDriver:
    """Only when something is to be recorded."""
    return FunctionDriver(lambda request: request.messages[-1].text)


def without_system(request: CompletionRequest) -> CompletionRequest:
    """What changes is left out."""
    return replace(request, system=None)


def test_fixture(cassette: Cassette) -> None:
    """As a test takes it."""
    AgentPool(cassette.driver(make))
    AgentPool(cassette.driver())


with Cassette(Path("a.jsonl"), "once", normalize=without_system, redact=str.upper, speed=2.0) as recording:
    assert_type(recording, Cassette)
    assert_type(recording.driver(make), LlmDriver)
    assert_type(recording.path, Path)
    assert_type(recording.is_recording, bool)

replayed = Cassette("a.jsonl", CassetteMode.NONE)
for answer in replayed.unused:
    assert_type(answer, RecordedAnswer)
    assert_type(answer.request, Mapping[str, Any] | None)
    assert_type(answer.response, CompletionResponse | None)
    assert_type(answer.seconds, float)
assert_type(Cassette.from_journal("run.db"), Cassette)
replayed.close()
replayed.discard()
