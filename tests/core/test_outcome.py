"""How one agent ended."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from actors.core.records.outcome import AgentOutcome, AgentStatus
from actors.errors import AgentCancelled, AgentCrashed


def outcome(**fields: Any) -> AgentOutcome[Any]:
    values: dict[str, Any] = {
        "agent_id": 1,
        "name": "job",
        "query": "q",
        "status": "completed",
        "ended_at": datetime.now(UTC),
    }
    return AgentOutcome(**(values | fields))


def test_a_completed_one_is_ok_and_unwraps_to_its_result() -> None:
    """Also when the result is None or no plain data."""
    result = object()
    done = outcome(result=result)
    assert done.ok
    assert done.unwrap() is result
    assert outcome().unwrap() is None
    assert (done.restarts, done.duration, done.tag, done.started_at) == (0, 0.0, None, None)


@pytest.mark.parametrize("status", [s for s in AgentStatus if s != "completed"])
def test_every_other_status_is_not_ok(status: AgentStatus) -> None:
    """One word is success."""
    assert not outcome(status=status).ok


def test_unwrap_raises_a_fresh_copy_of_the_error() -> None:
    """Each time a new object with the same fields; the outcome's own error keeps no traceback of the reader."""
    error = AgentCancelled("enough")
    cancelled = outcome(status="cancelled", error=error)
    seen = []
    for _ in range(2):
        with pytest.raises(AgentCancelled, match="enough") as info:
            cancelled.unwrap()
        seen.append(info.value)
        assert info.value.reason == "enough"
    assert seen[0] is not seen[1]
    assert cancelled.error is error
    assert error.__traceback__ is None


def test_it_is_frozen_and_takes_nothing_else() -> None:
    """Data that crosses threads does not change."""
    done = outcome()
    with pytest.raises(ValidationError):
        done.status = AgentStatus.FAILED  # type: ignore[misc]
    with pytest.raises(ValidationError):
        outcome(extra=1)
    with pytest.raises(ValidationError):
        outcome(status="weird")


def test_it_survives_a_pickle_round_trip() -> None:
    """With its error and the error's text."""
    crashed = outcome(status="crashed", error=AgentCrashed("KeyError", "'x'", lambda: "the traceback"), tag=("t", 1))
    again = pickle.loads(pickle.dumps(crashed))
    assert (again.status, again.tag, str(again.error)) == ("crashed", ("t", 1), "KeyError: 'x'")
    assert again.error.traceback == "the traceback"


def test_the_words_of_the_states_are_their_values() -> None:
    """As written in messages and files."""
    assert [str(status) for status in AgentStatus] == [
        "queued",
        "running",
        "parked",
        "restarting",
        "completed",
        "failed",
        "crashed",
        "cancelled",
        "timed_out",
        "abandoned",
        "lost",
    ]
