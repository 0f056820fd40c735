"""Signals of the main thread wait while something must not be torn."""

from __future__ import annotations

import signal
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors.core.process import signals as signals_module
from actors.core.process.signals import SIGNALS, SignalsHeldOff
from actors.core.scheduling.turn import Turn
from actors.core.supervision.pool_state import Step
from actors.core.waiting.waiter import Waiter

from ..contract.doubles import doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from actors import AgentHandle, AgentPool

    Install = Callable[..., None]


@pytest.fixture
def install() -> Iterator[Install]:
    """``install(number, handler)``, undone at the end of the test."""
    before: dict[int, Any] = {}

    def put(number: int, handler: Any) -> None:
        before.setdefault(number, signal.signal(number, handler))

    yield put
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers() -> dict[int, Any]:
    """Who handles which signal now."""
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_handler_waits_and_is_back(install: Install, number: int) -> None:
    """Each that is held off runs once, when the hold is left, and every handler is what it was."""
    seen: list[int] = []
    install(number, lambda number, _: seen.append(number))
    before = handlers()
    with SignalsHeldOff():
        signal.raise_signal(number)
        assert seen == []
    assert seen == [number]
    assert handlers() == before


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGCHLD"])
def test_whatever_the_signal_its_handler_may_look_at_the_pool(
    supervise: Any, install: Install, in_thread: Any, name: str
) -> None:
    """A handler that asks what the agents do, as one for Ctrl-Backslash may, never meets a step of its own thread."""
    supervisor = supervise()
    number = getattr(signal, name)
    torn: list[bool] = []
    install(number, lambda *_: torn.append(supervisor.turn.locked()))
    with Step(supervisor.pool):
        signal.raise_signal(number)
    assert torn == [False]


@pytest.mark.parametrize("action", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_has_no_handler_is_left_alone(install: Install, action: Any) -> None:
    """What is ignored, and what the system does, stays so also inside."""
    install(signal.SIGUSR2, action)
    with SignalsHeldOff():
        assert signal.getsignal(signal.SIGUSR2) is action
    assert signal.getsignal(signal.SIGUSR2) is action


def test_only_the_outermost_lets_them_go(install: Install) -> None:
    """Shields nest."""
    seen: list[int] = []
    install(signal.SIGUSR1, lambda number, _: seen.append(number))
    held_off = SignalsHeldOff()
    with held_off:
        with held_off:
            signal.raise_signal(signal.SIGUSR1)
        assert seen == []
    assert seen == [signal.SIGUSR1]


def test_ctrl_c_is_raised_after_the_block(install: Install) -> None:
    """The block was done to its end; the hold can be used again."""
    install(signal.SIGINT, signal.default_int_handler)
    held_off = SignalsHeldOff()
    done: list[int] = []
    for number in range(3):
        with pytest.raises(KeyboardInterrupt), held_off:
            signal.raise_signal(signal.SIGINT)
            done.append(number)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert done == [0, 1, 2]


def test_an_error_of_the_block_is_the_context_of_ctrl_c(install: Install) -> None:
    """Neither hides the other."""
    install(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt) as caught, SignalsHeldOff():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("in the block")
    assert isinstance(caught.value.__context__, ValueError)


def test_without_a_signal_an_error_of_the_block_is_itself() -> None:
    """And every handler is back."""
    before = handlers()
    with pytest.raises(ValueError, match="in the block"), SignalsHeldOff():
        raise ValueError("in the block")
    assert handlers() == before


def test_signals_are_handled_in_the_order_in_which_they_came(install: Install) -> None:
    """The same one twice is handled twice."""
    seen: list[int] = []
    numbers = [signal.SIGUSR2, signal.SIGINT, signal.SIGUSR2, signal.SIGTERM]
    for number in set(numbers):
        install(number, lambda number, _: seen.append(number))
    with SignalsHeldOff():
        for number in numbers:
            signal.raise_signal(number)
    assert seen == numbers


def test_a_handler_may_take_a_hold_of_its_own(install: Install) -> None:
    """It runs with none held, so what it does is done at once, and its signals wait for its own block."""
    held_off = SignalsHeldOff()
    seen: list[str] = []

    def first(*_: Any) -> None:
        with held_off:
            signal.raise_signal(signal.SIGUSR2)
            seen.append("first")

    install(signal.SIGUSR1, first)
    install(signal.SIGUSR2, lambda *_: seen.append("second"))
    with held_off:
        signal.raise_signal(signal.SIGUSR1)
    assert seen == ["first", "second"]


def test_a_handler_that_replaces_another_is_obeyed(install: Install) -> None:
    """The first signal of a kind may say that the second one is to be ignored."""
    seen: list[int] = []

    def once(number: int, _: Any) -> None:
        seen.append(number)
        signal.signal(number, signal.SIG_IGN)

    install(signal.SIGUSR1, once)
    with SignalsHeldOff():
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    assert seen == [signal.SIGUSR1]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_other_threads_touch_no_handler(install: Install, in_thread: Any) -> None:
    """Python runs handlers in the main thread only, and lets no other one change them; its own hold still holds."""
    seen: list[int] = []
    install(signal.SIGUSR1, lambda number, _: seen.append(number))
    held_off = SignalsHeldOff()
    before = handlers()
    inside = threading.Event()
    leave = threading.Event()

    def work() -> None:
        with held_off:
            inside.set()
            assert leave.wait(10)

    future = in_thread(work)
    assert inside.wait(10)
    assert handlers() == before
    leave.set()
    future.result(10)
    with held_off:
        signal.raise_signal(signal.SIGUSR1)
        assert seen == []
    assert seen == [signal.SIGUSR1]


def test_a_thread_in_the_turn_keeps_no_handler_off(install: Install, in_thread: Any, gate: Any) -> None:
    """A step of another thread keeps no handler from running."""
    seen: list[int] = []
    install(signal.SIGUSR1, lambda number, _: seen.append(number))
    turn = Turn()

    def work() -> None:
        with turn:
            gate.hold()

    future = in_thread(work)
    gate.await_reached()
    signal.raise_signal(signal.SIGUSR1)
    assert seen == [signal.SIGUSR1]
    gate.open()
    future.result(10)


def test_the_turn_is_free_when_a_handler_runs(install: Install) -> None:
    """The lock goes back before, so a handler can take the next step."""
    turn = Turn()
    free: list[bool] = []

    def handler(*_: Any) -> None:
        free.append(not turn.locked())
        with turn:
            pass

    install(signal.SIGUSR1, handler)
    with turn:
        signal.raise_signal(signal.SIGUSR1)
    assert free == [True]


def test_a_signal_in_join_all_leaves_no_policy_behind(
    supervise: Any, start: Any, gates: Any, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C just as ``join_all(failure="cancel_rest")`` begins: who fails later takes nobody along."""
    from actors.core.records.outcomes import FailurePolicy

    supervisor = supervise()
    install(signal.SIGINT, signal.default_int_handler)
    bad, good = gates(), gates()
    failing = start(supervisor, lambda _: (bad.hold(), 1 / 0))
    other = start(supervisor, lambda cell: (good.hold(), cell.check()))
    cancel = supervisor.pool.cancellation.cancel

    def interrupted(*args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        cancel(*args, **kwargs)

    monkeypatch.setattr(supervisor.pool.cancellation, "cancel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        supervisor.join_all(10, None, FailurePolicy.CANCEL_REST)
    monkeypatch.undo()
    bad.open()
    assert failing.outcome(10).status == "crashed"
    good.open()
    assert other.outcome(10).status == "completed"


def test_a_handler_that_was_left_over_puts_the_real_one_back() -> None:
    """Two handlers that raise may meet so that one of ours stays: its next signal is heard all the same."""
    heard: list[int] = []

    def real(number: int, _: Any) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGUSR1, real)
    try:
        held_off = SignalsHeldOff()
        held_off.__enter__()
        held_off._depth = 0  # as if its end had been interrupted
        assert signal.getsignal(signal.SIGUSR1) is not real
        signal.raise_signal(signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        assert signal.getsignal(signal.SIGUSR1) is real
        held_off.let_go()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_forked_child_hears_what_was_held_off(monkeypatch: Any) -> None:
    """The thread that held it off is not there to let it go."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        held_off = SignalsHeldOff()
        with held_off:
            monkeypatch.setattr(held_off, "_generation", -1)
            signal.raise_signal(signal.SIGUSR1)
            assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


class _Interrupting:
    """Traces one function of the hold and those below it, and raises a signal before its n-th instruction."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith("process/signals.py"):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGALRM)
        return self


@pytest.mark.parametrize("others", [signal.SIG_DFL, signal.SIG_IGN, "handled"])
def test_an_interrupt_before_any_instruction_leaves_nothing_half_made(install: Install, others: Any) -> None:
    """Whenever a handler raises while the hold is entered or left: all handlers are back, and the next block is
    held off again. Instructions at which no handler could run are interrupted, too.
    """

    def raising(*_: Any) -> None:
        raise KeyboardInterrupt

    heard: list[int] = []
    for number in SIGNALS:
        install(number, (lambda number, _: heard.append(number)) if others == "handled" else others)
    install(signal.SIGALRM, raising)
    before = handlers()
    held_off = SignalsHeldOff()
    raised = passed = at = 0
    tracing = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # 3.12 looks for such a frame only when tracing begins
    while not passed:
        at += 1
        interrupting = _Interrupting(at)
        inside = False
        sys.settrace(interrupting)
        try:
            with held_off:
                inside = True
        except KeyboardInterrupt:
            raised += 1
        finally:
            sys.settrace(tracing)
        passed = interrupting.left > 0  # all instructions were seen
        assert raised + passed == at, f"the interrupt before instruction {at} was swallowed (inside: {inside})"
        assert handlers() == before, f"handlers after instruction {at}"
        assert held_off._depth == 0
        with pytest.raises(KeyboardInterrupt), held_off:  # it works again
            signal.raise_signal(signal.SIGALRM)
            heard.append(at)
        assert heard[-1:] == [at]
    assert raised > 100


# How often ------------------------------------------------------------------------------------------------------


def test_a_handler_that_is_set_while_they_are_being_held_off_is_kept(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the handler of one that came first; what it has set is put back, and hears what came meanwhile."""
    seen: list[str] = []
    install(signal.SIGINT, lambda *_: seen.append("int"))
    install(signal.SIGTERM, lambda *_: seen.append("old"))

    def new(*_: Any) -> None:
        seen.append("new")

    class Late:
        """The module, but that another handler is set just before the first signal is held off."""

        getsignal = staticmethod(signal.getsignal)

        def signal(self, number: int, handler: Any) -> Any:
            if number == signal.SIGINT and signal.getsignal(signal.SIGTERM) is not new and not seen:
                signal.signal(signal.SIGTERM, new)
            return signal.signal(number, handler)

    held_off = SignalsHeldOff()
    with monkeypatch.context() as patch:
        patch.setattr(signals_module, "_signal", Late())
        with held_off:
            signal.raise_signal(signal.SIGTERM)
            assert seen == []
    assert seen == ["new"]
    assert signal.getsignal(signal.SIGTERM) is new


@pytest.mark.parametrize("new", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_that_is_ignored_while_they_are_being_held_off_stays_so(
    install: Install, monkeypatch: pytest.MonkeyPatch, new: Any
) -> None:
    """Or is left to the system: the handler of another one has just said so."""
    install(signal.SIGINT, lambda *_: None)
    install(signal.SIGTERM, lambda *_: None)
    real = signal.signal

    def late(number: int, handler: Any) -> Any:
        if number == signal.SIGINT and not late.done:  # type: ignore[attr-defined]
            late.done = True  # type: ignore[attr-defined]
            real(signal.SIGTERM, new)
        return real(number, handler)

    late.done = False  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(signals_module, "_signal", SimpleNamespace(getsignal=signal.getsignal, signal=late))
        with SignalsHeldOff():
            pass
    assert signal.getsignal(signal.SIGTERM) == new


def test_a_handler_that_is_set_later_is_held_off_too(install: Install) -> None:
    """What was found the last time is looked at again."""
    held_off, seen = SignalsHeldOff(), []
    install(signal.SIGTERM, signal.SIG_DFL)
    for name in ("one", "two"):
        with held_off:
            pass
        install(signal.SIGTERM, lambda *_, name=name: seen.append(name))
        with held_off:
            signal.raise_signal(signal.SIGTERM)
            assert name not in seen
    assert seen == ["one", "two"]


CALLS: dict[str, tuple[Callable[[AgentPool], Any], Callable[[AgentPool, Any], Any]]] = {
    "spawn": (lambda pool: None, lambda pool, _: pool.submit(int)),
    "fan_out": (lambda pool: None, lambda pool, _: pool.fan_out([doing(lambda *_: None)] * 3)),
    "join_next that waits": (lambda pool: pool.submit(waits), lambda pool, _: pool.join_next(10)),
    "join_next": (lambda pool: ended(pool), lambda pool, _: pool.join_next(10)),
    "join_all that waits": (lambda pool: pool.submit(waits), lambda pool, _: pool.join_all(10)),
    "join_all": (lambda pool: ended(pool), lambda pool, _: pool.join_all(10)),
    "result that waits": (lambda pool: pool.submit(waits), lambda pool, handle: handle.result(10)),
    "result": (lambda pool: ended(pool), lambda pool, handle: handle.result(10)),
    "cancel": (lambda pool: pool.spawn(doing(lambda agent, _: agent.receive())), lambda pool, handle: handle.cancel()),
    "abort": (
        lambda pool: pool.spawn(doing(lambda agent, _: agent.receive())),
        lambda pool, handle: pool.abort(handle.id),
    ),
    "detach": (lambda pool: ended(pool), lambda pool, handle: handle.detach()),
    "add_done_callback": (lambda pool: ended(pool), lambda pool, handle: handle.add_done_callback(lambda _: None)),
    "resize": (lambda pool: None, lambda pool, _: pool.resize(3)),
}


WAITING = threading.Event()
"""Set when the join waits."""


def waits() -> None:
    """An agent that ends when somebody waits for it."""
    assert WAITING.wait(10)


def ended(pool: AgentPool) -> AgentHandle[Any]:
    handle = pool.submit(int)
    done = threading.Event()
    handle.add_done_callback(lambda _: done.set())
    assert done.wait(10)
    return handle


@pytest.mark.parametrize("call", CALLS)
def test_a_public_call_holds_them_off_once(call: str, make_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it takes the turn: it costs more than all the rest of a short call."""
    pool: AgentPool = make_pool(max_queued=None)
    prepare, public = CALLS[call]
    WAITING.clear()
    prepared = prepare(pool)
    times = 0
    real_hold, real_wait = SignalsHeldOff._hold_off, Waiter.wait

    def count(self: SignalsHeldOff) -> None:
        nonlocal times
        times += 1
        real_hold(self)

    def open_the_gate(self: Waiter, timeout: float | None = None, *, looks_up: bool = False, must: bool = True) -> bool:
        WAITING.set()
        return real_wait(self, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(SignalsHeldOff, "_hold_off", count)
        patch.setattr(Waiter, "wait", open_the_gate)
        public(pool, prepared)
    assert times == 1
