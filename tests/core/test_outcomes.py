"""Outcomes by id, and what is raised of them."""

from __future__ import annotations

import copy
import pickle
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from actors import (
    ActorsError,
    AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentError,
    AgentLost,
    AgentOutcome,
    AgentPool,
    AgentStatus,
    AgentTimedOut,
    CapacityError,
    DriverError,
    FailurePolicy,
    Outcomes,
)
from actors.core.records.expenses import NOTHING_USED
from actors.core.records.outcomes import has_failed
from actors.core.records.trusted import trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class Odd(AgentError):
    """An error that no copy can be made of."""

    def __new__(cls, *_: Any, made_by: str = "") -> Odd:
        if not made_by:
            raise TypeError("made_by is missing")
        return super().__new__(cls)

    def __init__(self, text: str, *, made_by: str) -> None:
        super().__init__(text)
        self.made_by = made_by


def outcome(id_: int, status: str = "completed", error: ActorsError | None = None, result: Any = None) -> AgentOutcome:
    """How agent *id_* ended."""
    return AgentOutcome(
        agent_id=id_, name=f"a{id_}", query="", status=AgentStatus(status), error=error, result=result, ended_at=NOW
    )


def outcomes(*each: AgentOutcome[Any]) -> Outcomes:
    """As a join returns them."""
    return Outcomes((one.agent_id, one) for one in each)


def raised_by(some: Outcomes) -> ExceptionGroup[Exception]:
    """What unwrapping them raises."""
    with pytest.raises(ExceptionGroup) as caught:
        some.unwrap()
    return caught.value


def notes(error: BaseException) -> list[str]:
    """What was noted on it."""
    return list(getattr(error, "__notes__", []))


@pytest.mark.parametrize(
    ("status", "error", "failed"),
    [
        ("completed", None, False),
        ("cancelled", AgentCancelled("enough"), False),
        ("failed", DriverError("no"), True),
        ("crashed", AgentCrashed("ValueError", "no"), True),
        ("timed_out", AgentTimedOut(), True),
        ("abandoned", AgentAbandoned(AgentTimedOut()), True),
        ("abandoned", AgentAbandoned(AgentCancelled("enough")), False),
        ("lost", AgentLost("its process ended", "n1"), True),
    ],
)
def test_what_counts_as_a_failure(status: str, error: ActorsError | None, failed: bool) -> None:
    """All but a completion and a cancel; of one that was abandoned, why it had to end."""
    assert has_failed(outcome(1, status, error)) is failed


def test_the_policies_are_words() -> None:
    """An enum whose values are what a user writes."""
    assert [*FailurePolicy] == ["collect", "cancel_rest"]


def test_they_are_an_ordinary_dict() -> None:
    """In the order in which they were put in, and equal to a dict."""
    some = outcomes(outcome(2), outcome(1))
    assert isinstance(some, dict)
    assert list(some) == [2, 1]
    assert some == {1: some[1], 2: some[2]}


def test_none_at_all_unwrap_to_nothing() -> None:
    """No agents, no results, no error."""
    assert Outcomes().unwrap() == {}


def test_results_by_id() -> None:
    """When all completed: an ordinary dict, in order of completion, whatever the results are."""
    results = outcomes(outcome(2, result=None), outcome(1, result=[1])).unwrap()
    assert list(results.items()) == [(2, None), (1, [1])]
    assert type(results) is dict


def test_a_group_of_those_that_failed() -> None:
    """In order of completion, without those that were only cancelled; the message counts all that did not complete."""
    group = raised_by(
        outcomes(
            outcome(4, "failed", DriverError("no", retry_after=2.0)),
            outcome(1),
            outcome(3, "cancelled", AgentCancelled("agent 4 failed")),
            outcome(2, "crashed", AgentCrashed("ValueError", "no")),
        )
    )
    first, second = group.exceptions
    assert isinstance(first, DriverError)
    assert (str(first), first.retry_after) == ("no", 2.0)
    assert isinstance(second, AgentCrashed)
    assert group.message == "3 of 4 agents did not complete"


def test_each_names_its_agent() -> None:
    """In a note with id, name and status, which a traceback shows."""
    group = raised_by(outcomes(outcome(7, "timed_out", AgentTimedOut("too long"))))
    assert notes(group.exceptions[0]) == ["agent 7 (a7), timed_out"]
    assert "agent 7 (a7), timed_out" in "".join(traceback.format_exception(group))


@pytest.mark.parametrize("why", [AgentCancelled("enough"), AgentAbandoned(AgentCancelled("enough"))])
def test_only_cancels_are_a_group_of_cancels(why: ActorsError) -> None:
    """When nobody failed, those count: a result that is missing is told."""
    status = "cancelled" if isinstance(why, AgentCancelled) else "abandoned"
    group = raised_by(outcomes(outcome(1), outcome(2, status, why)))
    assert [type(error) for error in group.exceptions] == [type(why)]
    assert group.message == "1 of 2 agents did not complete"


def test_except_star_picks_by_class() -> None:
    """Each handler gets its own, what nobody handles goes on."""
    some = outcomes(
        outcome(1, "failed", CapacityError("full")),
        outcome(2, "failed", DriverError("no")),
        outcome(3, "crashed", AgentCrashed("ValueError", "no")),
    )
    drivers: list[BaseException] = []
    crashes: list[BaseException] = []
    with pytest.raises(ExceptionGroup) as rest:
        try:
            some.unwrap()
        except* DriverError as group:
            drivers += group.exceptions
        except* AgentCrashed as group:
            crashes += group.exceptions
    assert [type(error) for error in (*drivers, *crashes)] == [DriverError, AgentCrashed]
    assert [type(error) for error in rest.value.exceptions] == [CapacityError]


def test_raising_twice_raises_anew() -> None:
    """Fresh copies: neither the traceback nor the notes of one grow with the next, and the outcome is untouched."""
    error = DriverError("no")
    some = outcomes(outcome(1, "failed", error))
    first, second = raised_by(some).exceptions[0], raised_by(some).exceptions[0]
    assert first is not second
    assert first is not error
    assert notes(first) == notes(second) == ["agent 1 (a1), failed"]
    assert error.__traceback__ is first.__traceback__ is second.__traceback__ is None
    assert notes(error) == []


def test_notes_of_the_agents_own_are_kept_and_do_not_grow() -> None:
    """An agent may note something on its error: that comes first, and each raise adds one line to it, to none other."""
    error = DriverError("no")
    error.add_note("asked twice")
    some = outcomes(outcome(1, "failed", error))
    first, second = raised_by(some).exceptions[0], raised_by(some).exceptions[0]
    assert notes(second) == notes(first) == ["asked twice", "agent 1 (a1), failed"]
    assert notes(error) == ["asked twice"]


def test_an_error_that_cannot_be_copied_does_not_grow() -> None:
    """Then the error itself is raised; its agent is noted on it once."""
    some = outcomes(outcome(1, "failed", Odd("no", made_by="me")))
    raised_by(some)
    group = raised_by(some)
    assert notes(group.exceptions[0]) == ["agent 1 (a1), failed"]


@pytest.mark.parametrize("way", [lambda some: pickle.loads(pickle.dumps(some)), copy.deepcopy, copy.copy])
def test_they_travel(way: Any) -> None:
    """A pickle round trip and a copy keep class, order and what can be unwrapped."""
    some = outcomes(outcome(2, result=1), outcome(1, "failed", DriverError("no", retry_after=1.0)))
    travelled: Mapping[int, Any] = way(some)
    assert isinstance(travelled, Outcomes)
    assert list(travelled) == [2, 1]
    assert travelled[2] == some[2]
    assert notes(raised_by(travelled).exceptions[0]) == ["agent 1 (a1), failed"]


def test_an_outcome_that_is_not_checked_equals_one_that_is() -> None:
    """The short way to make one leaves nothing out: equal, as text, as JSON, pickled, copied; and it is frozen."""
    fields: dict[str, Any] = {
        "agent_id": 1,
        "name": "a",
        "query": "q",
        "tag": None,
        "status": AgentStatus.COMPLETED,
        "result": 3,
        "error": None,
        "started_at": datetime(2026, 1, 2, tzinfo=UTC),
        "ended_at": datetime(2026, 1, 3, tzinfo=UTC),
        "duration": 1.5,
        "restarts": 0,
        "parent_id": None,
        "depth": 0,
        **NOTHING_USED,
        "key": None,
        "recalled": False,
    }
    assert set(fields) == set(AgentOutcome.model_fields)
    checked, made = AgentOutcome(**fields), trusted(AgentOutcome, fields)
    assert made == checked
    assert repr(made) == repr(checked)
    assert made.model_dump_json() == checked.model_dump_json()
    assert pickle.loads(pickle.dumps(made)) == checked
    assert made.model_copy(update={"result": 4}) == checked.model_copy(update={"result": 4})
    assert made.model_fields_set == checked.model_fields_set
    with pytest.raises(ValidationError):
        made.result = 4  # type: ignore[misc]


def test_outcomes_share_no_more_than_they_may() -> None:
    """The names of their fields are one set; a copy has its own."""
    with AgentPool(max_concurrent=1) as pool:
        one, other = (pool.submit(len, "x").outcome(10) for _ in range(2))
    assert one.model_fields_set == other.model_fields_set == set(AgentOutcome.model_fields)
    assert one.model_copy(update={"depth": 1}).model_fields_set is not one.model_fields_set
    assert pickle.loads(pickle.dumps(one)).model_fields_set == one.model_fields_set


def test_a_key_and_what_was_recalled() -> None:
    """Stand in a row, in words and in a table where there is a key; rows of all others stay as they are."""
    plain = outcome(1)
    keyed = plain.model_copy(update={"key": "invoices/7\x1b", "recalled": True})
    assert keyed.to_row() == {**plain.to_row(), "key": "invoices/7\x1b", "recalled": True}
    assert not {"key", "recalled"} & plain.to_row().keys()
    assert "key='invoices/7\\x1b', status=completed (recalled), " in repr(keyed)
    assert "key" not in repr(plain)
    assert "recalled" not in plain._repr_html_()
    assert "completed (recalled)" in keyed._repr_html_()
    assert "invoices/7\\x1b" in keyed._repr_html_()
    assert "2 outcomes, 2 completed, 1 recalled" in Outcomes({1: plain, 2: keyed})._repr_html_()
