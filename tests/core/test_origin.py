"""A crash that is raised: caused by an exception like the agent's, and of its class, too."""

from __future__ import annotations

import concurrent.futures
import copy
import gc
import pickle
import threading
import traceback
import weakref
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors.core.anatomy import BUILTIN
from actors.core.crash import crashed, without_frames
from actors.core.keeper import MOST_EXCEPTIONS
from actors.core.twofold import MEANT_FOR_OTHERS, twofold
from actors.errors import AgentCrashed, DriverError, ToolFailed, fresh_copy

from .odd_exceptions import ALONE, BOTH, Made, Namesake, Refusing, Slotted

NAMES = {"type_name", "text", "_traceback", "__notes__"}


def throw(error: BaseException) -> None:
    raise error


def crash_of(error: BaseException) -> AgentCrashed:
    try:
        throw(error)
    except BaseException as caught:
        return crashed(caught)
    raise AssertionError


def raised_by(error: BaseException) -> AgentCrashed:
    return fresh_copy(crash_of(error))


def name(error: BaseException) -> str:
    return type.__getattribute__(type(error), "__name__")  # type: ignore[no-any-return]


# Its class ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", BOTH, ids=name)
def test_it_is_of_both_classes(error: Exception) -> None:
    """So that ``except KeyError`` works; the user's ``__new__`` and ``__init__`` do not run."""
    raised = raised_by(error)
    assert isinstance(raised, AgentCrashed)
    assert issubclass(type(raised), type(error))
    with pytest.raises(type(error)):
        raise raised


@pytest.mark.parametrize("error", ALONE, ids=name)
def test_it_is_a_crash_alone_where_the_other_class_forbids_it_or_means_something_else(error: BaseException) -> None:
    """Caused by it nevertheless."""
    raised = raised_by(error)
    assert type(raised) is AgentCrashed
    assert raised.__cause__ is not None
    assert name(raised.__cause__) == name(error)


@pytest.mark.parametrize("error", [*BOTH, *ALONE], ids=name)
def test_it_says_what_the_crash_says(error: BaseException) -> None:
    """Its words are no other class's, whatever that makes of them."""
    crash = crash_of(error)
    raised = fresh_copy(crash)
    assert type(crash) is AgentCrashed
    assert str(raised) == str(crash)
    assert repr(raised) == repr(crash)
    assert (raised.type_name, raised.text, raised.traceback) == (crash.type_name, crash.text, crash.traceback)
    assert raised.args == crash.args
    assert {raised} == {raised}
    assert bool(raised)


@pytest.mark.parametrize("error", [*BOTH, *ALONE], ids=name)
@pytest.mark.parametrize(
    "copied",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deep"],
)
def test_a_copy_is_a_crash_alone(error: BaseException, copied: Any) -> None:
    """It has the texts, and nothing that anybody would need the other class for."""
    raised = raised_by(error)
    twin = copied(raised)
    assert type(twin) is AgentCrashed
    assert (str(twin), twin.traceback) == (str(raised), raised.traceback)
    assert set(vars(twin)) <= NAMES


@pytest.mark.parametrize("error", [*BOTH, *ALONE], ids=name)
def test_a_copy_of_a_raised_one_is_raised_as_that_was(error: BaseException) -> None:
    """As an actor's answer may be."""
    raised = raised_by(error)
    again = fresh_copy(raised)
    assert again is not raised
    assert type(again) is type(raised)
    assert again.__cause__ is not raised.__cause__
    assert getattr(again, "__notes__", None) == getattr(raised, "__notes__", None)


def test_a_class_is_made_once() -> None:
    """Two crashes by the same are of the same class."""
    assert type(raised_by(KeyError(1))) is type(raised_by(KeyError(2))) is twofold(KeyError)


def test_what_an_agent_got_from_another_keeps_its_class() -> None:
    """Through two agents and more."""
    outer = raised_by(raised_by(KeyError("b")))
    assert isinstance(outer, KeyError)
    assert isinstance(outer.__cause__, KeyError)
    assert type(outer.__cause__.__cause__) is KeyError


@pytest.mark.parametrize("error", [*BOTH, *ALONE], ids=name)
def test_what_an_agent_got_from_another_keeps_its_words(error: BaseException) -> None:
    """However many it came through: each says what happened at the first."""
    first = crash_of(error)
    last = crash_of(raised_by(raised_by(error)))
    raised = fresh_copy(last)
    assert (last.type_name, last.text, last.args) == (first.type_name, first.text, first.args)
    assert (raised.type_name, raised.text, raised.args) == (first.type_name, first.text, first.args)
    assert type(raised) is type(raised_by(error))


@given(st.sampled_from(sorted(BUILTIN - {BaseExceptionGroup, ExceptionGroup}, key=lambda cls: cls.__name__)), st.data())
def test_any_of_pythons_own(cls: type[BaseException], data: st.DataObject) -> None:
    """With any arguments."""
    args = data.draw(st.lists(st.one_of(st.integers(), st.text(), st.binary()), max_size=4))
    try:
        error = cls(*args)
    except (TypeError, ValueError):  # not such arguments
        return
    raised = raised_by(error)
    both = issubclass(cls, Exception) and not issubclass(type(error), MEANT_FOR_OTHERS)
    assert isinstance(raised, type(error)) is both or type(error) is BaseException
    cause = raised.__cause__
    assert cause is not None
    assert type(cause) is type(error)
    assert cause.args == error.args
    assert raised.text == crashed(cause).text


# Its values -----------------------------------------------------------------------------------------------------


def test_what_python_keeps_in_c_is_there() -> None:
    """On the crash, and on its cause."""
    told: list[tuple[Exception, dict[str, Any]]] = [
        (FileNotFoundError(2, "no", "a", None, "b"), {"errno": 2, "strerror": "no", "filename": "a", "filename2": "b"}),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), {"object": b"\xff", "start": 0, "end": 1, "reason": "bad"}),
        (ImportError("no", name="n", path="p"), {"name": "n", "path": "p", "msg": "no"}),
        (SyntaxError("bad", ("f.py", 1, 5, "x = = 1")), {"filename": "f.py", "lineno": 1, "offset": 5}),
    ]
    for error, fields in told:
        raised = raised_by(error)
        for one in (raised, raised.__cause__):
            assert {field: getattr(one, field) for field in fields} == fields
        assert str(raised.__cause__) == str(error)


def test_what_a_user_has_added_is_there() -> None:
    """In its dict and in its slots."""
    for error in (Made(code=3), Slotted(3)):
        raised = raised_by(error)
        assert raised.code == raised.__cause__.code == 3  # type: ignore[attr-defined, union-attr]
    raised = raised_by(Refusing(response="r", request="q"))
    assert (raised.response, raised.request) == ("r", "q")  # type: ignore[attr-defined]
    assert not hasattr(raised_by(Slotted(3)), "never")


def test_the_crashs_own_fields_come_first() -> None:
    """Where the other class has the same names."""
    raised = raised_by(Namesake("words"))
    assert (raised.type_name.rpartition(".")[2], raised.text) == ("Namesake", "words")
    assert "in throw" in raised.traceback


def test_the_agents_exception_is_left_alone() -> None:
    """It may be somebody else's, too."""
    error, cause = KeyError("b"), ValueError("c")
    error.__cause__ = cause
    with pytest.raises(KeyError):
        throw(error)
    tb = error.__traceback__
    raised = fresh_copy(crashed(error))
    assert (error.__traceback__, error.__cause__, error.__context__) == (tb, cause, None)
    assert raised.__cause__ is not error


# What it keeps --------------------------------------------------------------------------------------------------


class Held:
    """Something that can be watched."""

    def typo(self) -> None:
        self.nothing  # type: ignore[attr-defined]  # noqa: B018

    def argument(self) -> None:
        try:
            throw(OSError("low"))
        except OSError as error:
            raise ConnectionError(error, [error]) from error

    def hidden(self) -> None:
        try:
            throw(OSError("low"))
        except OSError:
            raise KeyError("b") from None

    def attribute(self) -> None:
        try:
            throw(OSError("low"))
        except OSError as caught:
            error = KeyError("b")
            error.reason, error.where = caught, caught.__traceback__  # type: ignore[attr-defined]
        raise error

    def group(self) -> None:
        try:
            self.typo()
        except AttributeError as error:
            raise ExceptionGroup("g", [error, ValueError("a")])  # noqa: B904

    def own(self) -> None:
        try:
            self.argument()
        except ConnectionError as error:
            raise DriverError("no") from error

    def own_hidden(self) -> None:
        try:
            self.argument()
        except ConnectionError:
            raise DriverError("no") from None


@pytest.mark.parametrize("method", ["typo", "argument", "hidden", "attribute", "group", "own", "own_hidden"])
def test_nothing_lives_as_long_as_an_outcome(method: str) -> None:
    """Neither the agent nor what stood in its frames, whoever raises it."""

    def run() -> tuple[weakref.ref[Held], BaseException]:
        agent = Held()
        try:
            getattr(agent, method)()
        except DriverError as error:
            return weakref.ref(agent), without_frames(error)
        except BaseException as error:
            return weakref.ref(agent), crashed(error)
        raise AssertionError

    agent, kept = run()
    raised = fresh_copy(kept)
    gc.collect()
    assert agent() is None
    told = "".join(traceback.format_exception(raised))
    assert f"in {method}" in told
    assert "low" in told or method in ("typo", "group", "hidden", "own_hidden")


def test_its_frames_know_nobody() -> None:
    """No values, no globals, no caller; and they stand where the agent's stood."""
    cause = raised_by(KeyError("b")).__cause__
    assert cause is not None
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
    assert [frame.f_code.co_name for frame in frames] == ["crash_of", "throw"]
    assert [frame.f_code.co_firstlineno for frame in frames][1] == throw.__code__.co_firstlineno
    for frame in frames:
        assert frame.f_back is None
        assert frame.f_locals == {}
        assert set(frame.f_globals) <= {"__name__", "__builtins__"}


def test_a_recursion_is_kept_whole() -> None:
    """And printed as Python prints one."""

    def deeper(n: int) -> None:
        if n == 0:
            raise RecursionError("enough")
        deeper(n - 1)

    try:
        deeper(300)
    except RecursionError as error:
        raised = fresh_copy(crashed(error))
    assert len(traceback.extract_tb(raised.__cause__.__traceback__)) == 302  # type: ignore[union-attr]
    assert "[Previous line repeated 297 more times]" in raised.traceback


def test_a_group_has_its_members_with_their_tracebacks() -> None:
    """As many as are kept."""
    raised = raised_by(ExceptionGroup("g", [crash_cause("a"), ExceptionGroup("h", [crash_cause("b")])]))
    group = raised.__cause__
    assert isinstance(group, ExceptionGroup)
    first, second = group.exceptions
    assert isinstance(second, ExceptionGroup)
    assert [error.args for error in (first, second.exceptions[0])] == [("a",), ("b",)]
    assert raised.traceback.count("in throw") == 3
    many = raised_by(ExceptionGroup("g", [ValueError(n) for n in range(MOST_EXCEPTIONS + 10)]))
    assert len(many.__cause__.exceptions) == MOST_EXCEPTIONS - 1  # type: ignore[union-attr]


def crash_cause(text: str) -> Exception:
    try:
        throw(ValueError(text))
    except ValueError as error:
        return error
    raise AssertionError


def test_an_exception_inside_itself_ends() -> None:
    """In its arguments, its fields, its cause."""
    error = ValueError("a")
    error.args = ("a", error, [error])
    error.me = error  # type: ignore[attr-defined]
    error.__cause__ = RuntimeError(error)
    raised = raised_by(error)
    assert raised.me is None  # type: ignore[attr-defined]
    assert raised.__cause__.args == ("a", None, [None])  # type: ignore[union-attr]


def test_a_list_inside_itself_ends() -> None:
    """It is the user's, and left as it is."""
    items: list[Any] = []
    items.append(items)
    assert raised_by(ValueError(items)).__cause__.args[0] is items  # type: ignore[union-attr]


# Printed --------------------------------------------------------------------------------------------------------


def test_the_last_lines_are_the_users() -> None:
    """Where it was raised stands below the words of the crash, too."""
    crash = crash_of(KeyError("b"))
    for raised in (fresh_copy(crash), fresh_copy(fresh_copy(crash))):
        lines = "".join(traceback.format_exception(raised)).splitlines()
        assert lines[-3:] == [
            "actors.errors.AgentCrashed: KeyError: 'b'",
            f'  File "{__file__}", line {throw.__code__.co_firstlineno + 1}, in throw',
            "    raise error",
        ]
        assert "\n".join(lines).startswith(crash.traceback)


def test_notes_are_printed_and_go_along() -> None:
    """The agent's on the cause; those of a crash on each that is raised, and on no other."""
    error = KeyError("b")
    error.add_note("while it looked")
    crash = crash_of(error)
    crash.add_note("for the books")
    raised = fresh_copy(crash)
    raised.add_note("mine")
    assert crash.traceback.endswith("KeyError: 'b'\nwhile it looked\n")
    assert raised.__cause__.__notes__ == ["while it looked"]  # type: ignore[union-attr]
    assert crash.__notes__ == ["for the books"]
    assert [raised.__notes__[0], raised.__notes__[-1]] == ["for the books", "mine"]


def test_an_agents_own_error_is_raised_with_the_agents_lines() -> None:
    """Below the reader's, each time anew."""
    try:
        throw(ToolFailed("no"))
    except ToolFailed as error:
        kept = without_frames(error)
    for _ in range(2):
        with pytest.raises(ToolFailed) as caught:
            raise fresh_copy(kept)
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[1:] == [test_an_agents_own_error_is_raised_with_the_agents_lines.__name__, "throw"]


def test_many_threads_raise_the_same_at_once() -> None:
    """Each with a cause of its own, whose traceback stays as it was."""
    crash = crash_of(KeyError("b"))
    start = threading.Barrier(8)

    def read() -> tuple[Any, int]:
        start.wait(10)
        cause: Any = None
        for _ in range(50):
            try:
                raise fresh_copy(crash)
            except KeyError as error:
                cause = error.__cause__
        return cause, len(traceback.extract_tb(cause.__traceback__))

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        read_ = [future.result(20) for future in [threads.submit(read) for _ in range(8)]]
    assert {size for _, size in read_} == {2}
    assert len({id(cause) for cause, _ in read_}) == 8
