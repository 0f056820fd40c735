"""Events of an agent's work: their fields, and how text deltas are merged."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from actors import CompletionFinished, Event, Phase, PhaseChanged, TextDelta, ToolEnded, ToolStarted

EXAMPLES = [
    PhaseChanged(phase=Phase.REASON),
    TextDelta(text="Hel", attempt=2),
    ToolStarted(call_id="c1", tool="read"),
    ToolEnded(call_id="c1", tool="read", is_error=True, duration=0.5),
    CompletionFinished(input_tokens=1, output_tokens=2, cost_usd=0.5),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_events_are_frozen_values(event: Event) -> None:
    """They compare by value, survive a pickle and JSON, and leave the first fields to the pool."""
    assert (event.agent_id, event.agent, event.seq, event.at) == (0, "", 0, None)
    assert pickle.loads(pickle.dumps(event)) == event
    assert type(event).model_validate_json(event.model_dump_json()) == event
    with pytest.raises(ValidationError):
        event.seq = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        type(event).model_validate({**event.model_dump(), "more": 1})


def test_deltas_are_merged() -> None:
    """The text of both, and the later one's other fields; only within one attempt."""
    assert TextDelta._merge({"text": "Hel"}, {"text": "lo"}) == {"text": "Hello"}
    assert TextDelta._merge({"text": "a", "attempt": 2}, {"text": "b", "attempt": 2}) == {"text": "ab", "attempt": 2}
    assert TextDelta._merge({"text": "a"}, {"text": "b", "attempt": 1}) == {"text": "ab", "attempt": 1}
    assert TextDelta._merge({"text": "a"}, {"text": "b", "attempt": 2}) is None
