"""What is kept of an exception."""

from __future__ import annotations

import gc
import pickle
import traceback
import weakref
from typing import Any

import pytest
from loguru import logger

from actors import Agent, AgentManifest, SpawnConfig
from actors.core.crash import crashed
from actors.errors import AgentCrashed


def raised(fn: object, *args: object) -> BaseException:
    try:
        fn(*args)  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def divide() -> None:
    1 / 0  # noqa: B018


class Weird(Exception):
    """An exception whose text fails."""

    def __str__(self) -> str:
        raise KeyError("no text")


def test_its_words_and_its_class_are_kept() -> None:
    """Builtins by their short name, others by their full one."""
    crash = crashed(raised(divide))
    assert isinstance(crash, AgentCrashed)
    assert (crash.type_name, crash.text) == ("ZeroDivisionError", "division by zero")
    assert str(crash) == "ZeroDivisionError: division by zero"
    assert crashed(AgentCrashed("X", "y")).type_name == "actors.errors.AgentCrashed"
    assert str(crashed(KeyError())) == "KeyError"


def test_an_exception_without_words_of_its_own_is_described() -> None:
    """Its broken __str__ crashes nobody."""
    crash = crashed(raised(_raise, Weird()))
    assert crash.text == "<no text: its __str__ raised KeyError>"
    assert "no text" in crash.traceback


def _raise(error: BaseException) -> None:
    raise error


def test_the_traceback_names_file_line_and_function() -> None:
    """As Python prints it, first call first."""
    error = raised(divide)
    text = crashed(error).traceback
    lines = [line for line in text.splitlines() if "^" not in line]
    expected = [line for line in "".join(traceback.format_exception(error)).splitlines() if "^" not in line]
    assert lines == expected
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in divide" in text
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_causes_and_contexts_are_printed_as_python_does() -> None:
    """The first failure first, with the sentence between that says how they hang together."""

    def with_cause() -> None:
        try:
            divide()
        except ZeroDivisionError as error:
            raise ValueError("bad") from error

    def with_context() -> None:
        try:
            with_cause()
        except ValueError:
            raise KeyError("worse")  # noqa: B904 - the context is what is tested

    def hidden() -> None:
        try:
            divide()
        except ZeroDivisionError:
            raise ValueError("alone") from None

    for fn in (with_cause, with_context, hidden):
        error = raised(fn)
        lines = [line for line in crashed(error).traceback.splitlines() if "^" not in line]
        expected = [line for line in "".join(traceback.format_exception(error)).splitlines() if "^" not in line]
        assert lines == expected


def test_a_circle_of_causes_ends() -> None:
    """Exceptions that cause each other are told once each."""
    first, second = raised(_raise, ValueError("first")), raised(_raise, ValueError("second"))
    first.__cause__, second.__cause__ = second, first
    text = crashed(first).traceback
    assert text.count("ValueError: first") == 1
    assert text.count("ValueError: second") == 1


def test_a_long_chain_is_cut() -> None:
    """Eight links are enough to read."""
    error: BaseException = ValueError("0")
    for n in range(1, 20):
        following = ValueError(str(n))
        following.__cause__ = error
        error = following
    assert crashed(error).traceback.count("Traceback (most recent call last)") == 8


def test_the_values_that_were_alive_there_are_let_go() -> None:
    """An outcome may be kept for long: it keeps no frames."""

    class Big:
        pass

    refs: list[weakref.ref[Big]] = []

    def hold() -> None:
        big = Big()
        refs.append(weakref.ref(big))
        raise ValueError("with a big local")

    crash = crashed(raised(hold))
    gc.collect()
    assert refs[0]() is None
    assert "in hold" in crash.traceback


def test_it_is_formatted_once_and_pickled_as_text() -> None:
    """On demand; the pickle carries the text."""
    crash = crashed(raised(divide))
    assert callable(crash._traceback)
    text = crash.traceback
    assert crash._traceback == text
    again = pickle.loads(pickle.dumps(crashed(raised(divide))))
    assert "in divide" in again.traceback


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_is_no_exception_is_described_too(error: BaseException) -> None:
    """Whatever an agent raises."""
    assert crashed(error).type_name == type(error).__name__


# Exceptions that do anything ------------------------------------------------------------------------------------


class EvilText(str):
    """A text whose every use fails."""

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __format__(self, spec: str) -> str:
        raise RuntimeError("no format")


class EvilStr(Exception):
    def __str__(self) -> str:
        return EvilText("words")


class EvilCause(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise SystemExit("no cause")


class EvilMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__qualname__", "__module__"):
            raise KeyboardInterrupt
        return super().__getattribute__(name)


class EvilName(Exception, metaclass=EvilMeta):
    pass


@pytest.mark.parametrize("kind", [EvilStr, EvilCause, EvilName])
def test_an_exception_may_do_anything_when_it_is_described(kind: type[Exception]) -> None:
    """The description never raises, and names its class."""
    told = crashed(kind("words"))
    assert type.__getattribute__(kind, "__name__") in told.type_name
    assert isinstance(told.text, str)
    assert isinstance(str(told), str)


@pytest.mark.parametrize("kind", [EvilStr, EvilCause, EvilName])
def test_an_agent_that_raises_such_a_thing_has_its_outcome(kind: type[Exception], make_pool: Any) -> None:
    """Whatever it raises harms nobody but itself."""

    def evil() -> None:
        raise kind("words")

    pool = make_pool(max_concurrent=1, max_queued=None)
    handle = pool.submit(evil)
    assert handle.outcome(10).status == "crashed"
    assert pool.submit(lambda: "fine").result(10) == "fine"


def test_a_sink_of_the_log_that_raises_costs_no_outcome(make_pool: Any) -> None:
    """A report never raises."""
    logger.enable("actors")

    def broken(_: Any) -> None:
        raise SystemExit("from the sink")

    sink = logger.add(broken, catch=False)
    try:

        class Untidy(Agent[str]):
            def run(self, query: str) -> str:
                return "done"

            def on_end(self, outcome: Any) -> None:
                raise ValueError("cleanup")

        pool = make_pool()
        assert pool.spawn(SpawnConfig(AgentManifest(), "", agent=Untidy)).result(10) == "done"
    finally:
        logger.remove(sink)
        logger.disable("actors")
