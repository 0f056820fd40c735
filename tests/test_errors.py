"""The taxonomy of errors: its hierarchy, its fields, and that each survives a pickle round trip."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback
from typing import Any

import pytest

from actors import errors
from actors.errors import (
    ActorDead,
    ActorsError,
    AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentError,
    AgentLost,
    AgentTimedOut,
    AskTimeout,
    Cancelled,
    CapabilityDenied,
    CapacityError,
    CassetteError,
    CassetteMiss,
    CircuitBreak,
    ContextOverflow,
    CostExceeded,
    DeadlockError,
    DispatcherExhausted,
    DriverError,
    EffectInDoubt,
    EngineLost,
    ForkedPoolError,
    GuardrailTripped,
    HandoffsExceeded,
    InboxClosed,
    InboxFull,
    InferenceFailed,
    InvalidOutput,
    IterationsExceeded,
    JoinTimeout,
    JournalBusy,
    JournalChanged,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalGaveUp,
    JournalVersion,
    MalformedAnswer,
    ManifestError,
    MemoryFailed,
    ModelNotFound,
    NetworkError,
    NoPool,
    NotAcrossNodes,
    NotPortable,
    NotRegistered,
    Overloaded,
    PoolClosed,
    RateLimited,
    RemoteError,
    RestartsUsedUp,
    SendError,
    SessionConflict,
    SessionError,
    StashFull,
    TokensExceeded,
    ToolCallsExceeded,
    ToolFailed,
    TruncationExceeded,
    fresh_copy,
)

CLASSES = sorted(
    (
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, BaseException) and cls.__module__ == errors.__name__
    ),
    key=lambda cls: cls.__name__,
)

ARGUMENTS: dict[type[BaseException], tuple[tuple[Any, ...], dict[str, Any]]] = {
    Cancelled: (("enough",), {"timed_out": True}),
    ContextOverflow: ((900, 800), {}),
    GuardrailTripped: (("no_cards", "check_input", "a card number"), {}),
    ManifestError: ((["name: empty", "model.max_tokens: 0"],), {"source": "bot.toml"}),
    SendError: (("not accepted", {"to": 3}), {}),
    NotRegistered: (("nobody", {"to": 3}), {}),
    InboxFull: (("full", {"to": 3}), {}),
    InboxClosed: (("closed", {"to": 3}), {}),
    StashFull: (("full", {"to": 3}), {}),
    ActorDead: (("dead", {"to": 3}), {}),
    JoinTimeout: (("late", {1: "one"}), {}),
    DeadlockError: (("a circle", ["agent 1", "agent 2", "agent 1"]), {}),
    CircuitBreak: (("no",), {"used": 3, "limit": 2, "budget": "the pool's"}),
    CostExceeded: (("3 of 2",), {"used": 3.5, "limit": 2.5}),
    InvalidOutput: (("does not fit",), {"text": "no JSON"}),
    AgentCrashed: (("builtins.ValueError", "boom", "Traceback: boom"), {}),
    AgentAbandoned: ((AgentTimedOut("too long"),), {}),
    NotPortable: (("the query", "it has a lock"), {}),
    RemoteError: (("app.Refused", "no", "Traceback: no", {"code": 3}), {}),
}


def example(cls: type[BaseException]) -> BaseException:
    """An error of *cls* with all its fields set."""
    args, kwargs = ARGUMENTS.get(cls, (("what happened",), {}))
    if issubclass(cls, DriverError):
        kwargs = {"retry_after": 2.5}
    return cls(*args, **kwargs)


def fields(error: BaseException) -> dict[str, Any]:
    """What *error* carries, with nested errors as text."""
    return {name: repr(value) if isinstance(value, BaseException) else value for name, value in vars(error).items()}


ROUND_TRIPS = {
    **{f"pickle {number}": number for number in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": "copy",
    "deepcopy": "deepcopy",
    "fresh_copy": "fresh_copy",
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("how", ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())
def test_every_class_survives_a_round_trip(cls: type[BaseException], how: Any) -> None:
    """Class, args, text and every field are the same after a pickle or a copy."""
    error = example(cls)
    if isinstance(how, int):
        twin = pickle.loads(pickle.dumps(error, how))
    else:
        twin = {"copy": copy.copy, "deepcopy": copy.deepcopy, "fresh_copy": fresh_copy}[how](error)
    assert twin is not error
    assert type(twin) is cls
    assert str(twin) == str(error)
    assert repr(twin.args) == repr(error.args)
    assert fields(twin) == fields(error)


def test_every_class_is_known_here() -> None:
    """The round trip runs over the whole taxonomy, not over an empty list."""
    assert {Cancelled, ActorsError, JoinTimeout, AgentAbandoned, TruncationExceeded} <= set(CLASSES)
    assert len(CLASSES) >= 37


PARENTS = {
    AgentLost: ActorsError,
    EngineLost: ActorsError,
    NotAcrossNodes: ActorsError,
    NotPortable: AgentError,
    AgentError: ActorsError,
    DriverError: AgentError,
    RateLimited: DriverError,
    Overloaded: DriverError,
    NetworkError: DriverError,
    MalformedAnswer: DriverError,
    ModelNotFound: DriverError,
    InferenceFailed: DriverError,
    InvalidOutput: AgentError,
    CircuitBreak: AgentError,
    CapacityError: CircuitBreak,
    IterationsExceeded: CircuitBreak,
    ToolCallsExceeded: CircuitBreak,
    CostExceeded: CircuitBreak,
    TokensExceeded: CircuitBreak,
    TruncationExceeded: CircuitBreak,
    ContextOverflow: AgentError,
    GuardrailTripped: AgentError,
    HandoffsExceeded: CircuitBreak,
    CapabilityDenied: AgentError,
    ToolFailed: AgentError,
    ManifestError: AgentError,
    MemoryFailed: AgentError,
    SendError: ActorsError,
    NotRegistered: SendError,
    InboxFull: SendError,
    InboxClosed: SendError,
    StashFull: SendError,
    ActorDead: SendError,
    AgentCancelled: ActorsError,
    AgentTimedOut: ActorsError,
    AgentCrashed: ActorsError,
    AgentAbandoned: ActorsError,
    RemoteError: ActorsError,
    DeadlockError: ActorsError,
    DispatcherExhausted: ActorsError,
    RestartsUsedUp: ActorsError,
    PoolClosed: ActorsError,
    NoPool: ActorsError,
    ForkedPoolError: ActorsError,
    AskTimeout: ActorsError,
    JoinTimeout: ActorsError,
    JournalError: ActorsError,
    JournalBusy: JournalError,
    JournalCorrupt: JournalError,
    JournalVersion: JournalError,
    JournalFailed: AgentError,
    JournalChanged: AgentError,
    JournalGaveUp: AgentError,
    EffectInDoubt: AgentError,
    SessionError: AgentError,
    SessionConflict: SessionError,
    CassetteError: ActorsError,
    CassetteMiss: InferenceFailed,
}


@pytest.mark.parametrize(("cls", "parent"), PARENTS.items(), ids=lambda cls: cls.__name__)
def test_hierarchy(cls: type[BaseException], parent: type[BaseException]) -> None:
    """Each error stands directly below the one that says whose doing it was."""
    assert parent in cls.__bases__


def test_one_root() -> None:
    """Everything but the cancel is an ``ActorsError``, and nothing stands outside the tested hierarchy."""
    public = {cls for cls in CLASSES if not cls.__name__.startswith("_")}
    assert {cls for cls in public if not issubclass(cls, ActorsError)} == {Cancelled}
    assert public == {*PARENTS, ActorsError, Cancelled}


def test_cancelled_is_no_exception() -> None:
    """``except Exception`` cannot swallow a cancel."""
    assert issubclass(Cancelled, BaseException)
    assert not issubclass(Cancelled, Exception)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_only_waits_of_the_caller_are_timeouts(cls: type[BaseException]) -> None:
    """What outcomes carry is no ``TimeoutError``, so that ``result(5)`` is unambiguous."""
    assert issubclass(cls, TimeoutError) == (cls in {AskTimeout, JoinTimeout})


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, DriverError)], ids=lambda cls: cls.__name__)
def test_which_driver_errors_are_retryable(cls: type[DriverError]) -> None:
    """Rate limits, overload, network and unreadable answers are asked again, the others are not."""
    assert cls.retryable == (cls in {RateLimited, Overloaded, NetworkError, MalformedAnswer})
    assert cls("no", retry_after=3.0).retry_after == 3.0
    assert cls().retry_after is None


def test_cancelled_tells_why() -> None:
    """Its text is the reason, or says that it was a cancel or a deadline."""
    assert str(Cancelled("enough")) == "enough"
    assert str(Cancelled()) == "cancelled"
    assert str(Cancelled(timed_out=True)) == "timed out"


def test_context_overflow_tells_both_numbers() -> None:
    """Required and available are fields and stand in the text."""
    error = ContextOverflow(900, 800)
    assert (error.required, error.available) == (900, 800)
    assert "900" in str(error)
    assert "800" in str(error)


def test_manifest_error_lists_all_problems() -> None:
    """Every problem and the source stand in the text."""
    error = ManifestError(iter(["name: empty", "privacy: what?"]), source="bot.toml")
    assert error.problems == ("name: empty", "privacy: what?")
    assert str(error) == "invalid manifest bot.toml: name: empty; privacy: what?"
    assert str(ManifestError(["x"])) == "invalid manifest: x"


def test_deadlock_shows_the_path() -> None:
    """The path is a field, and readable in the text."""
    assert str(DeadlockError("a circle", ["a", "b", "a"])) == "a circle: a -> b -> a"
    assert str(DeadlockError("waits for itself")) == "waits for itself"
    assert DeadlockError("x").path == ()


def test_cancel_of_an_agent_tells_the_reason() -> None:
    """With a reason the text has it; without, it only says what happened."""
    assert str(AgentCancelled("enough")) == "cancelled: enough"
    assert str(AgentCancelled()) == "cancelled"
    assert AgentTimedOut().reason == "timed out"


def test_abandoned_tells_the_cause() -> None:
    """``cause`` is the error that the agent would have had."""
    cause = AgentCancelled("enough")
    error = AgentAbandoned(cause)
    assert error.cause is cause
    assert str(error) == "abandoned, its thread still runs (cancelled: enough)"


def test_join_timeout_keeps_its_own_partial() -> None:
    """Changing the mapping afterwards does not change the error."""
    there = {1: "one"}
    error = JoinTimeout("late", there)
    there.clear()
    assert error.partial == {1: "one"}


def test_crash_formats_its_traceback_once() -> None:
    """A traceback given as a function is formatted when somebody reads it, and only once."""
    calls = []

    def render() -> str:
        calls.append(1)
        return "Traceback: boom"

    error = AgentCrashed("builtins.ValueError", "boom", render)
    assert str(error) == "builtins.ValueError: boom"
    assert calls == []
    assert (error.traceback, error.traceback) == ("Traceback: boom", "Traceback: boom")
    assert calls == [1]
    assert str(AgentCrashed("KeyError", "")) == "KeyError"


def test_a_crash_is_formatted_before_it_is_pickled() -> None:
    """A function cannot be pickled; the text can."""
    error = AgentCrashed("ValueError", "boom", lambda: "Traceback: boom")
    twin = pickle.loads(pickle.dumps(error))
    assert twin.traceback == "Traceback: boom"


def test_a_fresh_copy_does_not_format_the_traceback() -> None:
    """Raising a crash again costs no formatting."""
    calls: list[int] = []
    error = AgentCrashed("ValueError", "boom", lambda: str(calls.append(1)))
    assert type(fresh_copy(error)) is AgentCrashed
    assert calls == []


class Awkward(Exception):
    """Its signature is not that of its args."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Stubborn(Exception):
    """Cannot be copied."""

    def __reduce__(self) -> Any:
        raise TypeError("no copies of me")


class Shapeshifter(Exception):
    """Its copy is something else."""

    def __reduce__(self) -> Any:
        return ValueError, ("something else",)


class CannotBeRebuilt(ValueError):
    """Takes more than its args."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(a)
        self.b = b


@pytest.mark.parametrize("error", [Stubborn("x"), Shapeshifter("x"), CannotBeRebuilt(1, 2)], ids=repr)
def test_what_cannot_be_copied_is_raised_itself(error: Exception) -> None:
    """A user's exception class that does not copy well is better raised as it is than lost."""
    assert fresh_copy(error) is error


def test_a_users_exception_is_copied_with_its_fields() -> None:
    """Class, args, fields and cause are kept; the traceback is not."""
    with pytest.raises(KeyError) as caught:
        raise KeyError("key") from Awkward(3)
    original = caught.value
    original.place = "here"  # type: ignore[attr-defined]
    twin = fresh_copy(original)
    assert twin is not original
    assert twin.args == ("key",)
    assert vars(twin)["place"] == "here"
    assert isinstance(twin.__cause__, Awkward)
    assert twin.__suppress_context__ is True
    assert twin.__traceback__ is None


def test_raising_a_copy_leaves_the_original_alone() -> None:
    """Two threads that raise the same outcome's error do not write into one traceback."""
    original = ToolFailed("no")
    with pytest.raises(ToolFailed) as caught:
        raise fresh_copy(original)
    assert caught.value is not original
    assert original.__traceback__ is None
    assert "test_errors" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_a_users_subclass_of_ours_survives_too() -> None:
    """Whatever the ``__init__`` of a subclass takes."""
    error = Refused("bot", why="late")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), fresh_copy(error)):
        assert type(twin) is Refused
        assert (twin.who, twin.why, str(twin)) == ("bot", "late", "bot refused: late")


class Refused(AgentError):
    """A user's own error."""

    def __init__(self, who: str, *, why: str) -> None:
        super().__init__(f"{who} refused: {why}")
        self.who = who
        self.why = why
