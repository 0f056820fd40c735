"""What all tests share: a fixture that fails whoever leaves something behind, and factories that clean up."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import platform
import signal
import threading
from typing import TYPE_CHECKING, Any

import pykka
import pytest
from hypothesis import HealthCheck, settings
from loguru import logger

from actors import Actor, AgentPool, Dispatcher
from actors.core.checks import SWITCH, checking
from actors.core.records.spec import AgentSpec
from actors.core.supervision.handle import AgentHandle
from actors.core.supervision.supervisor import Supervisor
from actors.testing.leaks import running

from .processes import Processes
from .waiting import BOUND, Gate, comes_true, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.core.records.outcome import AgentOutcome
    from actors.core.scheduling.agent_cell import AgentCell


# On here, and not in the programs that tests start: those are like a user's, and some are interrupted at every moment.
# A bare lock is taken by one instruction, and an interrupt comes before or after it; a checked one may be torn.
os.environ[SWITCH] = "1"
assert checking()
del os.environ[SWITCH]
# No test is about how long a draw or an example takes: on a busy machine either may take long.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of ``-n auto``: more than processors, as tests wait more than they compute."""
    processors = os.cpu_count() or 1
    return min(2 * processors, processors + 4)


def pytest_collection_finish() -> None:
    """Keep the garbage collector off what the collected tests are: else each full collection takes 0.2 s for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", name="eventually")
def _eventually() -> Callable[..., None]:
    """``eventually(predicate)`` waits until it holds, with a bound."""
    return eventually


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A run in the background begins with Ctrl-C ignored, and so would every program that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Nothing is left behind -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread or an entry in Pykka's registry."""
    before, registered = running(), set(pykka.ActorRegistry.get_all())
    yield
    # One that is just ending may; no join, as another may be just starting, and cannot be joined yet.
    ended = comes_true(lambda: not running() - before, 5.0)
    left = [name for name, _ in running() - before]
    entries = set(pykka.ActorRegistry.get_all()) - registered
    pykka.ActorRegistry.stop_all(block=False)  # the next test starts clean
    assert ended, f"threads left behind: {left}"
    assert not entries, f"registry entries left behind: {entries}"


@pytest.fixture(scope="session")
def _processes() -> Processes:
    """What hears of each process that a test starts."""
    platform.processor()  # starts one, once; the providers' packages ask for it
    return Processes()


@pytest.fixture(autouse=True)
def _processes_are_told_of(_processes: Processes, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that starts a process, itself or by a fixture, and is not marked so: a quick run would have it."""
    yield
    started, _processes.started = _processes.started, []
    assert not started or request.node.get_closest_marker("process"), f"not marked `process`, but starts one: {started}"


# Threads of the test's own --------------------------------------------------------------------------------------


@pytest.fixture
def in_thread() -> Iterator[Callable[..., concurrent.futures.Future[Any]]]:
    """``in_thread(fn, *args)`` calls it in a new thread; the future's ``thread`` is joined when the test ends."""
    threads: list[threading.Thread] = []

    def run(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=call, daemon=True)
        future.thread = thread  # type: ignore[attr-defined]
        threads.append(thread)
        thread.start()
        return future

    yield run
    for thread in threads:
        thread.join(BOUND)


# Gates ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(gates: Callable[[], Gate]) -> Gate:
    """One gate, opened at the end of the test."""
    return gates()


@pytest.fixture
def gates() -> Iterator[Callable[[], Gate]]:
    """Makes gates; they are opened at the end of the test, so that a failing one ends."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for one in made:
        one.open()


# Dispatchers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def make_dispatcher() -> Callable[..., Dispatcher]:
    """Makes dispatchers whose threads end soon, and that nobody watches for stalls unless it is said."""

    def make(workers: int = 4, **kwargs: Any) -> Dispatcher:
        return Dispatcher(workers, **({"linger": 0.01, "stalled_after": None} | kwargs))

    return make


@pytest.fixture(params=["pinned", "shared"])
def each_dispatcher(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, make_dispatcher: Callable[..., Dispatcher]
) -> str:
    """Actors that say nothing of their dispatcher have a thread of their own, and then share some."""
    if request.param == "shared":
        monkeypatch.setattr(Actor, "dispatcher", make_dispatcher())
    return str(request.param)


# Pools and supervisors ------------------------------------------------------------------------------------------


@pytest.fixture
def make_pool(gates: Callable[[], Gate]) -> Iterator[Callable[..., AgentPool]]:
    """Makes pools; they are closed at the end of the test."""
    pools: list[AgentPool] = []

    def make(*args: Any, **kwargs: Any) -> AgentPool:
        kwargs.setdefault("abort_timeout", 2.0)
        pools.append(AgentPool(*args, **kwargs))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def supervise() -> Iterator[Callable[..., Supervisor]]:
    """Makes supervisors; they are closed at the end of the test."""
    made: list[Supervisor] = []

    def make(**options: Any) -> Supervisor:
        defaults: dict[str, Any] = {
            "name": "team",
            "max_concurrent": 4,
            "max_queued": None,
            "max_live": 64,
            "inbox_capacity": 32,
            "abort_timeout": 2.0,
            "sink": None,
        }
        made.append(Supervisor(**(defaults | options)))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.shutdown.close()


class Job:
    """An agent that is a function of its cell."""

    def __init__(self, cell: AgentCell, fn: Callable[[AgentCell], Any], hooks: dict[str, Any]) -> None:
        self._cell = cell
        self._fn = fn
        self._hooks = hooks
        hooks.get("on_init", lambda _: None)(cell)

    def on_start(self) -> None:
        """Call the hook."""
        self._hooks.get("on_start", lambda _: None)(self._cell)

    def run(self, query: Any) -> Any:
        """Call the function."""
        return self._fn(self._cell)

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        """Call the hook."""
        self._hooks.get("on_end", lambda _: None)(outcome)


def _spec(fn: Callable[[AgentCell], Any] = lambda _: None, **fields: Any) -> AgentSpec:
    hooks = {name: fields.pop(name) for name in ("on_init", "on_start", "on_end") if name in fields}
    values: dict[str, Any] = {"name": "job", "query": "", "build": lambda cell: lambda: Job(cell, fn, hooks)}
    return AgentSpec(**(values | fields))


@pytest.fixture
def spec() -> Callable[..., AgentSpec]:
    """``spec(fn, **fields)`` describes an agent that calls ``fn(cell)``; its hooks are fields, too."""
    return _spec


@pytest.fixture
def start() -> Callable[..., AgentHandle[Any]]:
    """``start(supervisor, fn, **fields)`` starts an agent that calls ``fn(cell)``."""

    def begin(
        supervisor: Supervisor,
        fn: Callable[[AgentCell], Any] = lambda _: None,
        *,
        parent: AgentCell | None = None,
        owed: bool = True,
        admit: dict[str, Any] | None = None,
        **fields: Any,
    ) -> AgentHandle[Any]:
        owner = supervisor.owed if owed and parent is None else None
        (cell,) = supervisor.admission.admit([_spec(fn, **fields)], owner=owner, parent=parent, **(admit or {}))
        return AgentHandle(cell, supervisor)

    return begin


# The log --------------------------------------------------------------------------------------------------------


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What the library logs during the test; its log is on."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level="DEBUG", format="{level} {message} {extra}")
    logger.enable("actors")
    yield lines
    logger.disable("actors")
    logger.remove(sink)
