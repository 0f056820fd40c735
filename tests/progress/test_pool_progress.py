"""``pool.progress()``: seen on a terminal, in a pipe and in a notebook; and gone when it is left, however that is."""

from __future__ import annotations

import asyncio
import builtins
import io
import os
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, ForkedPoolError, PoolStats, ScriptedDriver, SpawnConfig, TokenUsage
from actors.progress import lines, live, ticker
from actors.progress.ticker import Ticker

from ..waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MANIFEST = AgentManifest(name="job")


class Job(Agent[Any]):
    """Gives its query back, fails, or waits for its gate."""

    def run(self, query: Any) -> Any:
        if isinstance(query, Gate):
            query.arrive()
        if query == "wait":
            self.sleep(BOUND)
        if query == "fail":
            raise ValueError(query)
        return query


def jobs(*queries: Any) -> Iterator[SpawnConfig]:
    return (SpawnConfig(MANIFEST, query, agent=Job) for query in queries)


@pytest.fixture
def pool() -> Iterator[AgentPool]:
    """Two at a time."""
    with AgentPool(max_concurrent=2, max_queued=None, name="team") as pool:
        yield pool
    assert not [thread for thread in threading.enumerate() if thread.name == "actors-progress"]


class Terminal:
    """A terminal, and all that was written to it."""

    def __init__(self) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w")
        self._seen = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def seen(self) -> str:
        """What was written so far."""
        return self._seen.decode(errors="replace")

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # the other end was closed
                return
            self._seen += chunk

    def close(self) -> str:
        """Hang up; all that was written."""
        self.stream.close()
        self._reader.join(BOUND)
        os.close(self._ours)
        return self.seen


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """One on which lines can be drawn again."""
    pytest.importorskip("pty")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    yield terminal
    if not terminal.stream.closed:
        terminal.close()


# What it counts ---------------------------------------------------------------------------------------------------


def test_a_loop_yields_what_it_was_given(pool: AgentPool) -> None:
    """In its order, each once; what it shows is what was taken, with the failures among it."""
    said = io.StringIO()
    progress = pool.progress(pool.map(jobs(1, "fail", 3)), total=3, file=said)
    seen = [(outcome.query, outcome.ok, progress.figures().done) for outcome in progress]
    assert seen == [(1, True, 1), ("fail", False, 2), (3, True, 3)]
    (line,) = said.getvalue().splitlines()
    assert line.startswith("3 of 3 done · 1 failed · ")


def test_a_block_counts_all_agents(pool: AgentPool) -> None:
    """Those that ended before are not among them; how many there are is what the pool has started."""
    pool.fan_out(jobs(*range(5)))
    pool.join_all(BOUND)
    said = io.StringIO()
    gate = Gate()
    with pool.progress(file=said) as progress:
        pool.fan_out(jobs(gate, gate, "fail"))
        gate.await_reached()
        eventually(lambda: progress.figures().running == 2)
        figures = progress.figures()
        assert (figures.done, figures.total, figures.queued, figures.failed) == (0, 3, 1, 0)
        assert said.getvalue() == ""
        gate.open()
        pool.join_all(BOUND)
        assert (progress.figures().done, progress.figures().failed) == (3, 1)
    assert said.getvalue().startswith("3 of 3 done · 1 failed · ")


def test_what_has_ended_and_was_not_taken_yet_counts(pool: AgentPool) -> None:
    """Short agents may all have ended when the block begins; what was taken before is no part of it."""
    llm = SpawnConfig(MANIFEST, "q", driver=ScriptedDriver([], default="four"))
    pool.fan_out([*jobs(1, "fail"), llm])
    pool.join_all(BOUND)
    pool.fan_out([*jobs(1, "fail", 3), llm])
    eventually(lambda: pool.active_count + pool.queued_count == 0)
    said = io.StringIO()
    with pool.progress(file=said):
        assert len(pool.join_all(BOUND)) == 4
    assert said.getvalue().startswith("4 of 4 done · 1 failed · ")


def test_tokens_and_money_are_those_since_the_beginning(pool: AgentPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pool spent before is not among it."""
    spent = [(TokenUsage(100, 10), 1.0), (TokenUsage(250, 20), 1.5)]
    before, now = [PoolStats(0, 0, 0, 0, 0, 0, 0, {}, usage, usd) for usage, usd in spent]
    monkeypatch.setattr(AgentPool, "stats", lambda _: now)
    monkeypatch.setattr(pool._core, "begun", lambda: (before, []))
    with pool.progress(file=io.StringIO()) as progress:
        figures = progress.figures()
    assert (figures.tokens, figures.cost_usd) == (160, 0.5)


@pytest.mark.parametrize(("total", "told"), [(None, 2), (7, 7), (0, 0)])
def test_the_total_is_what_is_said_or_the_length(pool: AgentPool, total: int | None, told: int) -> None:
    """Of a list of handles it is known."""
    handles = pool.fan_out(jobs(1, 2))
    progress = pool.progress(handles, total=total, file=io.StringIO())
    assert [handle.result(BOUND) for handle in progress] == [1, 2]
    assert progress.figures().total == told


def test_the_length_of_a_map_is_not_known(pool: AgentPool) -> None:
    """It is read lazily."""
    said = io.StringIO()
    assert len(list(pool.progress(pool.map(jobs(1, 2)), file=said))) == 2
    assert said.getvalue().startswith("2 done · ")


@pytest.mark.parametrize(
    ("outcomes", "total", "error"),
    [(None, -1, ValueError), (None, "3", TypeError), (None, True, TypeError), (5, None, TypeError)],
)
def test_nonsense_is_refused(pool: AgentPool, outcomes: Any, total: Any, error: type[Exception]) -> None:
    """At once."""
    with pytest.raises(error):
        pool.progress(outcomes, total=total)


class Kept:
    """What can be written to, and no more."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def test_anything_that_can_be_written_to(pool: AgentPool) -> None:
    """Is enough, as it is for print(); a path is none."""
    kept: Any = Kept()
    assert len(list(pool.progress(pool.fan_out(jobs(1, 2)), file=kept))) == 2
    assert kept.text.startswith("2 of 2 done")
    path: Any = "progress.txt"
    with pytest.raises(TypeError, match=r"file must be something to write texts to, got 'progress\.txt'"):
        pool.progress(file=path)


def test_misuse_is_told(pool: AgentPool) -> None:
    """A block without something to iterate over, a second loop, a block within itself."""
    progress = pool.progress(pool.map(jobs(1)), file=io.StringIO())
    assert [outcome.result for outcome in progress] == [1]
    with pytest.raises(RuntimeError, match="taken once"):
        iter(progress)
    with pool.progress(file=io.StringIO()) as progress:
        with pytest.raises(TypeError, match=r"pool\.progress\(pool\.map"):
            iter(progress)
        with pytest.raises(RuntimeError, match="shown already"):
            progress.__enter__()


def test_a_loop_inside_its_block(pool: AgentPool) -> None:
    """Is shown until the block is left."""
    said = io.StringIO()
    with pool.progress(pool.map(jobs(1, 2)), file=said) as progress:
        assert [outcome.result for outcome in progress] == [1, 2]
        assert said.getvalue() == ""
    assert said.getvalue().startswith("2 done")


def test_a_loop_on_an_event_loop(pool: AgentPool) -> None:
    """Over ``amap``, with ``async for``; each kind of loop names the other."""
    said = io.StringIO()

    async def taken() -> list[Any]:
        return [outcome.result async for outcome in pool.progress(pool.amap(jobs(1, 2)), total=2, file=said)]

    async def left() -> None:
        async for _ in pool.progress(pool.amap(jobs(1, "wait")), file=said):
            raise KeyError

    assert asyncio.run(taken()) == [1, 2]
    assert said.getvalue().startswith("2 of 2 done")
    with pytest.raises(KeyError):
        asyncio.run(left())
    assert said.getvalue().splitlines()[1].startswith("1 done")
    eventually(lambda: pool.active_count + pool.queued_count == 0)
    with pytest.raises(TypeError, match="MapIterator is iterated over with `for`"):
        pool.progress(pool.map(jobs())).__aiter__()
    with pytest.raises(TypeError, match="is iterated over with `async for`"):
        iter(pool.progress(pool.amap(jobs())))


# How it is left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit])
def test_a_loop_that_is_left_by_an_exception(pool: AgentPool, error: type[BaseException]) -> None:
    """Its line is written, its thread is gone, and its map cancels what still runs, although the error is kept."""
    said = io.StringIO()
    with pytest.raises(error) as kept:
        for _ in pool.progress(pool.map(jobs(1, "wait", "wait")), file=said):
            raise error
    assert said.getvalue().startswith("1 done")
    eventually(lambda: pool.active_count + pool.queued_count == 0)
    assert kept.value.__traceback__ is not None


def test_an_interrupt_while_it_waits_for_the_next(pool: AgentPool) -> None:
    """The same, when it comes within the map."""
    said = io.StringIO()

    def source() -> Iterator[SpawnConfig]:
        yield from jobs("wait", "wait")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for _ in pool.progress(pool.map(source()), file=said):
            pytest.fail("nothing has ended")
    assert said.getvalue().startswith("0 done")
    eventually(lambda: pool.active_count + pool.queued_count == 0)


def test_a_loop_that_is_left_by_a_break(pool: AgentPool) -> None:
    """At once."""
    said = io.StringIO()
    for outcome in pool.progress(pool.map(jobs(1, "wait")), file=said):
        assert outcome.result == 1
        break
    assert said.getvalue().startswith("1 done")
    eventually(lambda: pool.active_count + pool.queued_count == 0)


def test_a_stream_that_nobody_reads_any_more(pool: AgentPool) -> None:
    """Harms nobody."""
    closed = io.StringIO()
    with pool.progress(file=closed):
        closed.close()
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", closefd=True) as broken:
        with pool.progress(file=broken):
            pool.submit(len, "x").result(BOUND)
        with pytest.raises(BrokenPipeError):
            broken.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), broken.fileno())  # so that it can be closed in peace


def test_without_a_stream(pool: AgentPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program without a console."""
    monkeypatch.setattr(sys, "stderr", None)
    with pool.progress():
        assert pool.submit(len, "x").result(BOUND) == 1


def test_without_a_thread(pool: AgentPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work goes on; the last line comes all the same."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ticker.threading, "Thread", NoThread)
    said = io.StringIO()
    with pool.progress(file=said):
        pass
    assert said.getvalue() == "0 of 0 done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_pool_of_another_process(pool: AgentPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has none to show."""
    monkeypatch.setattr(AgentPool, "_core", property(lambda _: (_ for _ in ()).throw(ForkedPoolError("forked"))))
    with pytest.raises(ForkedPoolError):
        pool.progress().__enter__()
    monkeypatch.undo()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.process
def test_a_forked_child_that_leaves_the_block(pool: AgentPool, tmp_path: Path) -> None:
    """Writes nothing: the display is its parent's."""
    path = tmp_path / "said"
    with path.open("w") as stream, pool.progress(file=stream) as progress:
        child = os.fork()
        if not child:
            code = 1
            try:
                progress.__exit__(None, None, None)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert path.read_text() == ""
    assert path.read_text() == "0 of 0 done\n"


# On a terminal ----------------------------------------------------------------------------------------------------


def test_a_bar_on_a_terminal(pool: AgentPool, terminal: Terminal) -> None:
    """It is drawn while agents run, and its last frame stays; the cursor is there again."""
    gate = Gate()
    with pool.progress(file=terminal.stream):
        pool.fan_out(jobs(gate, gate, 3))
        gate.await_reached()
        eventually(lambda: "2 running · 1 queued" in terminal.seen)
        gate.open()
        pool.join_all(BOUND)
    seen = terminal.close()
    assert "━" in seen
    assert seen.rindex("3 of 3 done") < seen.rindex("\x1b[?25h")
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


@pytest.mark.parametrize("where", ["start", "stop", "loop"])
def test_ctrl_c_leaves_the_terminal_sane(
    pool: AgentPool, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Also while the display begins or ends: the cursor is there again, and no thread draws."""
    from rich.live import Live

    original = Live.refresh

    def interrupted(self: Live) -> None:
        original(self)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    if where == "start":
        monkeypatch.setattr(Live, "refresh", interrupted)
    with pytest.raises(KeyboardInterrupt):
        for _ in pool.progress(pool.map(jobs(1, 2)), file=terminal.stream):
            if where == "loop":
                raise KeyboardInterrupt
            if where == "stop":
                monkeypatch.setattr(Live, "refresh", interrupted)
    monkeypatch.undo()
    seen = terminal.close()
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert not [thread for thread in threading.enumerate() if thread.name == "actors-progress"]
    assert not type(sys.stdout).__name__.startswith("FileProxy")


def test_a_terminal_that_cannot_draw_again_gets_lines(
    pool: AgentPool, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pipe does."""
    monkeypatch.setenv("TERM", "dumb")
    with pool.progress(file=terminal.stream):
        pass
    assert terminal.close() == "0 of 0 done\r\n"


def test_a_terminal_that_hangs_up(pool: AgentPool, terminal: Terminal) -> None:
    """Ends the display, and not the work."""
    with pool.progress(file=terminal.stream):
        terminal.close()
        assert pool.submit(len, "x").result(BOUND) == 1


def test_a_reader_that_went_away_is_no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich would end the process."""
    with pytest.raises(BrokenPipeError):
        live.console(io.StringIO()).on_broken_pipe()


# In a pipe --------------------------------------------------------------------------------------------------------


def test_lines_come_when_something_has_changed(pool: AgentPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not else: a log is not flooded."""
    ticks: list[Callable[[], None]] = []
    monkeypatch.setattr(
        lines,
        "Ticker",
        lambda draw, _: ticks.append(draw) or types.SimpleNamespace(start=lambda: None, stop=lambda: None),
    )
    said = ["1 of 3 done", "1 of 3 done", "2 of 3 done", "3 of 3 done", "3 of 3 done"]
    stream = io.StringIO()
    shown = lines.Lines(stream, lambda: said.pop(0))
    shown.start()
    for _ in range(4):
        ticks[0]()
    shown.stop()
    assert stream.getvalue().splitlines() == ["1 of 3 done", "2 of 3 done", "3 of 3 done"]
    assert lines.INTERVAL >= 5


# In a notebook ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The output of a cell: what it shows first, and what it shows in place of that."""
    shown: list[Any] = []

    def display(thing: Any, *, display_id: bool) -> Any:
        assert display_id is True
        shown.append(thing)
        return types.SimpleNamespace(update=shown.append)

    class ZMQInteractiveShell:
        pass

    package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    return shown


def test_a_bar_in_a_notebook(pool: AgentPool, cell: list[Any]) -> None:
    """Drawn again in its place, and left as it was at the end; without widgets, and without a word on a stream."""
    assert [outcome.result for outcome in pool.progress(pool.map(jobs(1, 2)), total=2)] == [1, 2]
    assert repr(cell[0]) == "0 of 2 done"
    assert repr(cell[-1]).startswith("2 of 2 done · ")
    assert '<progress value="2" max="2"' in cell[-1]._repr_html_()
    with pool.progress():
        pool.submit(len, "x").result(BOUND)
    assert '<progress value="1" max="1"' in cell[-1]._repr_html_()
    list(pool.progress(pool.map(jobs(1))))
    assert "<progress style" in cell[-1]._repr_html_()


def test_a_bar_in_a_notebook_moves(pool: AgentPool, cell: list[Any]) -> None:
    """By the clock."""
    gate = Gate()
    with pool.progress():
        pool.fan_out(jobs(gate))
        gate.await_reached()
        eventually(lambda: repr(cell[-1]).startswith("0 of 1 done · 1 running"))
        gate.open()
        pool.join_all(BOUND)


# The clock --------------------------------------------------------------------------------------------------------


def test_a_drawing_that_fails_is_the_last_one(log_lines: list[str]) -> None:
    """It is logged, once; nobody is harmed."""
    drawn = threading.Event()

    def draw() -> None:
        drawn.set()
        raise KeyError("no picture")

    clock = Ticker(draw, 0.001)
    clock.start()
    assert drawn.wait(BOUND)
    eventually(lambda: any("cannot be drawn" in line for line in log_lines))
    clock.stop()
    assert sum("cannot be drawn" in line for line in log_lines) == 1


def test_after_a_stop_nothing_is_drawn() -> None:
    """It can be started again, as after a question on the terminal."""
    drawn: list[int] = []
    clock = Ticker(lambda: drawn.append(1), 0.001)
    for _ in range(2):
        clock.start()
        eventually(lambda: drawn)
        clock.stop()
        clock.stop()
        drawn.clear()
        assert drawn == []
