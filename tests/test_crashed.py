"""What a user sees of a crash: at each door the agent's exception, with the lines of the agent, as the cause."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import logging
import pdb  # noqa: T100 - the debugger is what is tested
import pickle
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger
from rich.console import Console

from actors import Agent, AgentCrashed, AgentManifest, AgentOutcome, Outcomes, SpawnConfig, ToolFailed
from actors.core.crash import place_of, traceback_of

from .process.program import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentHandle

LOOK = '    return table["b"]'


def look(table: dict[str, int]) -> int:
    """One that crashes here, two calls down."""
    return table["b"]


def job() -> int:
    """The agent."""
    return look({})


def fail() -> None:
    """An agent's own error."""
    raise ToolFailed("no")


def awaited(handle: AgentHandle[Any]) -> Any:
    async def wait() -> Any:
        return await handle

    return asyncio.run(wait())


def wrapped(handle: AgentHandle[Any]) -> Any:
    async def wait() -> Any:
        return await asyncio.wrap_future(handle.future)

    return asyncio.run(wait())


def thrown(handle: AgentHandle[Any]) -> Any:
    error = handle.future.exception(10)
    assert error is not None
    raise error


DOORS: dict[str, Callable[[AgentHandle[Any]], Any]] = {
    "result": lambda handle: handle.result(10),
    "future": lambda handle: handle.future.result(10),
    "exception": thrown,
    "await": awaited,
    "wrap_future": wrapped,
}
EVERY = {**DOORS, "unwrap": lambda handle: handle.outcome(10).unwrap()}


def seen(door: Callable[[AgentHandle[Any]], Any], handle: AgentHandle[Any]) -> AgentCrashed:
    with pytest.raises(AgentCrashed) as caught:
        door(handle)
    return caught.value


@pytest.mark.parametrize("door", EVERY.values(), ids=EVERY)
def test_each_door_shows_the_agents_lines(make_pool: Any, door: Any) -> None:
    """In its cause, and in the last lines; each time in a new one."""
    handle = make_pool().submit(job)
    first, second = seen(door, handle), seen(door, handle)
    assert first.__cause__ is not second.__cause__
    for error in (first, second):
        cause = error.__cause__
        assert type(cause) is KeyError
        assert cause.args == ("b",)
        assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["job", "look"]
        assert "".join(traceback.format_exception(error)).endswith(f"in look\n{LOOK}\n")
        assert str(error) == "KeyError: 'b'"
    outcome = handle.outcome(0)
    assert type(outcome.error) is AgentCrashed
    assert (outcome.error.__cause__, outcome.error.__traceback__) == (None, None)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_the_agents_exception_is_caught_by_its_class(make_pool: Any, door: Any) -> None:
    """As if it had been raised here."""
    with pytest.raises(KeyError):
        door(make_pool().submit(job))


@pytest.mark.parametrize("door", EVERY.values(), ids=EVERY)
def test_an_agents_own_error_shows_the_agents_lines(make_pool: Any, door: Any) -> None:
    """As the end of its traceback."""
    with pytest.raises(ToolFailed) as caught:
        door(make_pool().submit(fail))
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail"


def test_a_group_shows_them_for_each(make_pool: Any) -> None:
    """And takes them apart by their classes."""
    pool = make_pool()
    for fn in (job, job, fail):
        pool.submit(fn)
    keys: Any = None
    try:
        pool.join_all(10).unwrap()
    except* KeyError as group:
        keys = group
    except* ToolFailed:
        pass
    assert [type(error.__cause__) for error in keys.exceptions] == [KeyError, KeyError]
    assert {error.__notes__[-1] for error in keys.exceptions} == {"agent 1 (job), crashed", "agent 2 (job), crashed"}
    assert "".join(traceback.format_exception(keys)).count(LOOK) == 4


def test_an_outcome_tells_the_agents_lines(make_pool: Any) -> None:
    """From the agent's first on."""
    pool = make_pool()
    crashed, failed, fine = (pool.submit(fn).outcome(10) for fn in (job, fail, dict))
    told = crashed.traceback.splitlines()
    assert [line.split(", in ")[1] for line in told if line.startswith("  File")] == ["job", "look"]
    assert told[-1] == "KeyError: 'b'"
    assert "in fail" in failed.traceback
    assert failed.traceback.count("File") == 1
    assert fine.traceback is None
    assert str(place_of(crashed.error)) == f"{__file__}:{look.__code__.co_firstlineno + 2} in look"


def test_what_passes_through_a_parent_is_its_crash(make_pool: Any) -> None:
    """Its own class, its own lines, and those of the child; also when the child raised an agent's error too early."""

    class Early(Agent[None]):
        def on_start(self) -> None:
            raise ToolFailed("no")

        def run(self, query: str) -> None: ...

    class Parent(Agent[None]):
        def run(self, query: str) -> None:
            self.spawn(SpawnConfig(AgentManifest(), "", agent=Early)).result(10)

    outcome = make_pool().spawn(SpawnConfig(AgentManifest(), "", agent=Parent)).outcome(10)
    assert outcome.status == "crashed"
    assert "in on_start" in outcome.traceback
    assert "in run" in outcome.traceback
    assert place_of(outcome.error).function == "run"  # type: ignore[union-attr]


def through_json(outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
    for _ in range(2):
        outcome = AgentOutcome.model_validate_json(outcome.model_dump_json())
    return outcome


def pickled(outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
    return pickle.loads(pickle.dumps(outcome))  # type: ignore[no-any-return]


@pytest.mark.parametrize("moved", [pickled, through_json, copy.deepcopy])
@pytest.mark.parametrize(("fn", "name"), [(job, "look"), (fail, "fail")])
def test_an_outcome_from_elsewhere_shows_the_agents_line(make_pool: Any, fn: Any, name: str, moved: Any) -> None:
    """Its exception is not there, but where it was raised is told: once, and of the raised one alone."""
    first = make_pool().submit(fn).outcome(10)
    outcome = moved(first)
    assert outcome.traceback == first.traceback
    for unwrap in (outcome.unwrap, outcome.unwrap, Outcomes({1: outcome}).unwrap):
        with pytest.raises((AgentCrashed, ToolFailed, ExceptionGroup)) as caught:
            unwrap()
        error = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
        assert "".join(traceback.format_exception_only(error)).count(f"in {name}\n") == 1
    assert not hasattr(outcome.error, "__notes__")


def test_an_agent_that_raises_an_error_from_elsewhere_shows_its_own_lines(make_pool: Any) -> None:
    """Not those that it came through there."""
    pool = make_pool()
    error = pickled(pool.submit(fail).outcome(10)).error
    assert "in fail" in traceback_of(error)

    def again() -> None:
        raise error

    told = pool.submit(again).outcome(10).traceback
    assert "in again" in told
    assert "in fail" not in told


def test_a_raised_outcomes_error_changes_nothing(make_pool: Any) -> None:
    """Whoever raises it himself raises the crash alone."""
    handle = make_pool().submit(job)
    error = handle.outcome(10).error
    assert error is not None
    with pytest.raises(AgentCrashed) as caught:
        raise error
    assert caught.value is error
    assert type(seen(DOORS["result"], handle).__cause__) is KeyError


@pytest.mark.parametrize("failing", ["crash", "own"])
def test_an_outcome_keeps_no_agent(make_pool: Any, failing: str) -> None:
    """However it was read."""
    agents: list[weakref.ref[Any]] = []

    class Failing(Agent[None]):
        def run(self, query: str) -> None:
            agents.append(weakref.ref(self))
            if query == "own":
                raise ToolFailed("no")
            self.nothing  # type: ignore[attr-defined]  # noqa: B018

    outcome = make_pool().spawn(SpawnConfig(AgentManifest(), failing, agent=Failing)).outcome(10)
    with pytest.raises((AgentCrashed, ToolFailed)):
        outcome.unwrap()
    assert outcome.traceback
    gc.collect()
    assert agents[0]() is None


@pytest.mark.parametrize("failing", [job, fail])
def test_who_prints_it_finds_the_lines(make_pool: Any, failing: Any) -> None:
    """The log of Python, loguru with values, rich with locals."""
    line = LOOK.strip() if failing is job else 'raise ToolFailed("no")'
    for show in (_by_logging, _by_loguru, _by_rich):
        out = io.StringIO()
        try:
            make_pool().submit(failing).result(10)
        except (KeyError, ToolFailed):
            show(out)
        assert line in out.getvalue(), show


def _by_logging(out: io.StringIO) -> None:
    handler = logging.StreamHandler(out)
    log = logging.Logger("test")
    log.addHandler(handler)
    log.exception("failed")


def _by_loguru(out: io.StringIO) -> None:
    sink = logger.add(out, diagnose=True, backtrace=True, colorize=False)
    logger.exception("failed")
    logger.remove(sink)


def _by_rich(out: io.StringIO) -> None:
    Console(file=out, width=200).print_exception(show_locals=True)


def test_a_debugger_stands_in_the_agents_line(make_pool: Any) -> None:
    """Without values: they are not kept."""
    error = seen(DOORS["result"], make_pool().submit(job))
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("up\nlist\nq\n"), stdout=out, nosigint=True)
    debugger.use_rawinput = False
    debugger.reset()
    assert error.__cause__ is not None
    debugger.interaction(None, error.__cause__.__traceback__)
    assert f"-> {LOOK.strip()}" in out.getvalue()
    assert "->\t    return look({})" in out.getvalue()


PROGRAM = """
from actors import AgentPool
def job():
    return {}["b"]
with AgentPool() as pool:
    pool.submit(job).result()
"""


@pytest.mark.process
def test_the_last_lines_of_a_program_are_the_users(tmp_path: Any) -> None:
    """Nobody catches it, so Python prints it."""
    (tmp_path / "main.py").write_text(PROGRAM)
    ended = run(tmp_path / "main.py")
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert lines[0:4] == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path / "main.py"}", line 4, in job',
        '    return {}["b"]',
        "KeyError: 'b'",
    ]
    assert lines[-3:] == [
        "actors.errors.AgentCrashed: KeyError: 'b'",
        f'  File "{tmp_path / "main.py"}", line 4, in job',
        '    return {}["b"]',
    ]
