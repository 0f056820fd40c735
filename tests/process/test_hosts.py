"""Inside other people's programs: nothing of theirs is touched, and whatever they run beside a pool goes on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from actors import Agent, AgentMessage, AgentPool, AgentStatus

from .cast import BOUND, Echo, Receiving, config
from .program import PROGRAMS, ROOT, STRICT, run

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePool = Callable[..., AgentPool]

PRELUDE = "import sys\nfrom tests.process.cast import *\n"


class Adding(Agent[int]):
    """Adds a number to itself, a message later."""

    def run(self, query: int) -> int:
        return query + int(self.receive(BOUND).content)


# Threads --------------------------------------------------------------------------------------------------------


def test_many_threads_share_a_pool(make_pool: MakePool, in_thread: Callable[..., Any]) -> None:
    """Eight threads spawn, wait and join their own groups at once: each gets what is its, all of it and once."""
    pool = make_pool(max_concurrent=3, max_queued=None)
    begin = threading.Barrier(8)

    def use(number: int) -> list[int]:
        begin.wait(BOUND)
        handles = [pool.spawn(config(Squaring, n, group=number)) for n in range(20)]  # type: ignore[arg-type]
        taken = pool.join_all(BOUND, group=number)
        assert set(taken) == {handle.id for handle in handles}
        return [taken[handle.id].result for handle in handles] + [pool.submit(pow, number, 2).result(BOUND)]

    users = [in_thread(use, number) for number in range(8)]
    for number, user in enumerate(users):
        assert user.result(2 * BOUND) == [n * n for n in range(20)] + [number * number]
    assert pool.join_next(0) is None


class Squaring(Agent[int]):
    """Squares."""

    def run(self, query: int) -> int:
        return query * query


def test_threads_that_embed_a_pool() -> None:
    """Daemon or not, with a pool of its own each: made, used and left open by one that ends; imported by a thread."""
    done = run(
        """
import threading

def embed(kind):
    import actors
    assert threading.current_thread() is not threading.main_thread()
    with actors.AgentPool() as pool:
        said.append((kind, pool.submit(len, "four").result(10)))
    left.append(actors.AgentPool())
    left[-1].submit(len, "four").outcome(10)

said, left = [], []
for daemon in (True, False):
    thread = threading.Thread(target=embed, args=("daemon" if daemon else "not",), daemon=daemon)
    thread.start()
    thread.join(20)
import os
os.write(1, f"{said}\\n".encode())
"""
    )
    assert done.clean() == ["[('daemon', 4), ('not', 4)]"]


# Other Pykka actors ---------------------------------------------------------------------------------------------


class Foreign(pykka.ThreadingActor):
    """Another library's actor, whose handler uses a pool."""

    def __init__(self, pool: AgentPool) -> None:
        super().__init__()
        self.pool = pool

    def on_receive(self, message: Any) -> Any:
        return sum(outcome.result for outcome in self.pool.map([config(Squaring, n) for n in message]))


def test_stock_pykka_actors_use_a_pool(make_pool: MakePool) -> None:
    """Their handlers spawn and wait as any thread does, several at once."""
    pool = make_pool(max_concurrent=2, max_queued=None)
    refs = [Foreign.start(pool) for _ in range(4)]
    try:
        futures = [ref.ask(range(number), block=False) for number, ref in enumerate(refs)]
        assert pykka.get_all(futures, timeout=BOUND) == [0, 0, 1, 5]
    finally:
        for ref in refs:
            ref.stop()


def test_stop_all_of_another_library_stops_none_of_ours(make_pool: MakePool) -> None:
    """Agents, actors and supervisors live on; and the end of ours stops none of theirs."""
    pool = make_pool()
    waiting = pool.spawn(config(Adding, 1))  # type: ignore[arg-type]
    ours: Any = Echo.start()
    stopped = Foreign.start(pool)
    assert stopped.ask([1, 2], timeout=BOUND) == 5
    pykka.ActorRegistry.stop_all()
    assert not stopped.is_alive()
    assert ours.ask("alive", timeout=BOUND) == "alive"
    theirs = Foreign.start(pool)
    try:
        _say_to(pool, waiting.id, 2)
        assert waiting.result(BOUND) == 3
        ours.abort()
        pool.submit(_exit).outcome(BOUND)
        assert pool.supervisor.is_alive()
        pool.close()
        assert theirs.is_alive()
    finally:
        theirs.stop()
        ours.stop()


def _exit() -> None:
    raise SystemExit


def _say_to(pool: AgentPool, agent_id: int, content: Any) -> None:
    pool.router.send(AgentMessage(0, agent_id, content))


# Event loops ----------------------------------------------------------------------------------------------------


def test_fifty_agents_in_asyncio(make_pool: MakePool) -> None:
    """Their futures are awaited together; the loop stays free meanwhile: it is the loop that lets them go on."""

    async def host() -> list[int]:
        pool = make_pool(max_concurrent=8, max_queued=None, max_live=64)
        handles = pool.fan_out([config(Adding, n) for n in range(50)])  # type: ignore[arg-type]
        waits = [asyncio.wrap_future(handle.future) for handle in handles]
        for handle in handles:
            await asyncio.sleep(0)
            _say_to(pool, handle.id, 100)
        return await asyncio.wait_for(asyncio.gather(*waits), BOUND)

    assert asyncio.run(host()) == [n + 100 for n in range(50)]


def test_a_cancelled_await_cancels_its_agent(make_pool: MakePool) -> None:
    """asyncio's cancel reaches the agent; a crash is raised in the coroutine."""

    async def host() -> None:
        pool = make_pool()
        handle = pool.spawn(config(Receiving))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(handle.future), 0.01)
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
        with pytest.raises(Exception, match="ValueError: boom"):
            await asyncio.wrap_future(pool.submit(_boom).future)

    asyncio.run(host())


def _boom() -> None:
    raise ValueError("boom")


def test_a_pool_in_a_notebook() -> None:
    """Cells run inside a running loop, in the main thread: every wait of a pool just waits, and the loop goes on."""
    assert run(PROGRAMS / "notebook.py").clean() == ["cells: 4 [0, 1, 4] 3 ['completed'] 4 async", "loop goes on: 3"]


def test_a_thread_with_a_loop_of_its_own(make_pool: MakePool, in_thread: Callable[..., Any]) -> None:
    """Two loops in two threads and none in the main thread share a pool."""
    pool = make_pool(max_concurrent=2, max_queued=None)

    async def host(number: int) -> list[int]:
        return await asyncio.gather(*(asyncio.wrap_future(pool.submit(pow, n, number).future) for n in range(10)))

    threads = [in_thread(asyncio.run, host(number)) for number in (2, 3)]
    assert [thread.result(BOUND) for thread in threads] == [[n**2 for n in range(10)], [n**3 for n in range(10)]]


def test_an_asgi_application(make_pool: MakePool) -> None:
    """One pool for the life of an application: requests at once, one that is given up, and a clean shutdown."""
    events: list[str] = []
    pools: list[AgentPool] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            pools.append(make_pool(max_concurrent=4, max_queued=None))
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            await asyncio.to_thread(pools[0].close)
            await send({"type": "lifespan.shutdown.complete"})
            return
        number = int(scope["path"][1:])
        handle = pools[0].spawn(config(Adding if number < 0 else Squaring, number))  # type: ignore[arg-type]
        result = await asyncio.wrap_future(handle.future)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(result).encode()})

    async def server() -> list[bytes]:
        told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        life = asyncio.create_task(app({"type": "lifespan"}, told.get, _note(events)))
        await told.put({"type": "lifespan.startup"})
        while not events:
            await asyncio.sleep(0)
        answers = await asyncio.wait_for(asyncio.gather(*(request(n) for n in range(20))), BOUND)
        gone = asyncio.create_task(request(-1))
        while not pools[0].active_count:
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await told.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(life, BOUND)
        return answers

    async def request(number: int) -> bytes:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app({"type": "http", "path": f"/{number}"}, None, send)
        return bytes(sent[-1]["body"])

    assert asyncio.run(server()) == [str(n * n).encode() for n in range(20)]
    assert events == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert pools[0].stats().ended[AgentStatus.CANCELLED] == 1


def _note(events: list[str]) -> Any:
    async def send(message: dict[str, str]) -> None:
        events.append(message["type"])

    return send


def test_futures_wait_beside_those_of_an_executor(make_pool: MakePool) -> None:
    """concurrent.futures.wait takes futures of agents and of a ThreadPoolExecutor together."""
    pool = make_pool()
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        futures = [pool.submit(pow, 2, 2).future, executor.submit(pow, 3, 2)]
        done, late = concurrent.futures.wait(futures, BOUND)
    assert (sorted(future.result() for future in done), late) == ([4, 9], set())


# The process ----------------------------------------------------------------------------------------------------


def test_what_a_process_has_once_is_left_alone() -> None:
    """Handlers of signals, hooks, filters, the loop policy: as they were, while a pool is used and after it."""
    assert run(PROGRAMS / "globals.py").clean() == ["same", "same", "no thread of ours"]


@pytest.mark.parametrize(
    "options",
    [("-W", "error", "-X", "tracemalloc"), (*STRICT, "-O"), ("-OO",), ("-I", "-W", "error"), ("-X", "faulthandler")],
    ids=" ".join,
)
def test_under_options_of_the_interpreter(options: tuple[str, ...]) -> None:
    """It works the same, and prints nothing."""
    text = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.process.cast import *
with AgentPool(max_concurrent=2, max_queued=None) as pool:
    handle = pool.spawn(config(Receiving))
    from actors import AgentMessage
    reached.get(timeout=BOUND)
    pool.router.send(AgentMessage(0, handle.id, "told"))
    say(handle.result(BOUND), Echo.start().ask("asked", timeout=BOUND), pool.submit(len, "four").result(BOUND))
"""
    assert run(text, options=options).clean() == ["told asked 4"]


def test_beside_a_wakeup_file_of_signals() -> None:
    """signal.set_wakeup_fd: every signal arrives there while the main thread waits for a pool, and it stays set."""
    done = run(
        PRELUDE
        + """
import signal, socket
ours, theirs = socket.socketpair()
theirs.setblocking(False)
signal.set_wakeup_fd(theirs.fileno())
signal.signal(signal.SIGUSR1, lambda *_: say("handled"))
with AgentPool() as pool:
    pool.submit(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))
    say(pool.join_next(BOUND).status, ours.recv(1) == bytes([signal.SIGUSR1]))
say(signal.set_wakeup_fd(-1) == theirs.fileno())
ours.close(), theirs.close()
"""
    )
    assert sorted(done.clean()) == ["True", "completed True", "handled"]


XDIST = """
import os, sys, pytest
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the workers start sooner
sys.exit(pytest.main(["-p", "xdist", *sys.argv[1:]]))
"""


def test_under_xdist(tmp_path: Path) -> None:
    """A test run in two worker processes that leaves a pool and an actor open passes, and ends."""
    (tmp_path / "test_pool.py").write_text(
        """
import pytest
from tests.process.cast import *

@pytest.mark.parametrize("n", range(4))
def test_pool(n):
    with AgentPool() as pool:
        assert pool.submit(pow, n, 2).result(BOUND) == n * n

def test_left_open():
    globals()["left"] = busy("receive"), Echo.start()
"""
    )
    options = ("-q", "-n", "2", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path))
    done = run(XDIST, *options, options=(), cwd=tmp_path)
    assert done.code == 0, done.lines
    assert any("5 passed" in line for line in done.lines)


# gevent -----------------------------------------------------------------------------------------------------------

GREEN = """
import sys
from gevent import monkey
monkey.patch_all(**{options})
import asyncio, gevent
from actors import AgentManifest, AgentPool, CompletionResponse, ScriptedDriver, SpawnConfig, StopReason, ToolCall
from actors import CancelToken, Mcp, TokenUsage, tool

ticks, held = [], []

async def nap():
    while len(ticks) < 3:  # the greenlets of the host go on meanwhile
        await asyncio.sleep(0.001)
    return "napped"

def tick():
    while len(ticks) < 3:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            ticks.append("no loop")
        gevent.sleep(0.001)

ticking = gevent.spawn(tick)
calls = (ToolCall("c1", "nap", {{}}),)
driver = ScriptedDriver([CompletionResponse("", StopReason.TOOL_USE, calls, TokenUsage(0, 0)), "done"])
with AgentPool(driver, tools=[tool(nap)]) as pool:
    handle = pool.spawn(SpawnConfig(AgentManifest(), "q"))
    if not {greenlets}:
        ticking.join()
    result = handle.result(20)
    print([message.content for message in result.messages if hasattr(message, "tool_call_id")], ticks, flush=True)
    server = {{"name": "rogue", "command": [sys.executable, "-S", "-E", {rogue!r}]}}
    manifest = AgentManifest(capabilities=[Mcp(server="rogue")], mcp_servers=[server])
    outcome = pool.spawn(SpawnConfig(manifest, "q", driver=ScriptedDriver(["done"]))).outcome(20)
    print(outcome.error or outcome.result.text, flush=True)
"""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "use patch_all(subprocess=False, thread=False)"),
        ({"thread": False}, "use patch_all(subprocess=False)"),
        ({"thread": False, "subprocess": False}, "done"),
    ],
    ids=str,
)
def test_under_gevent(options: dict[str, bool], said: str) -> None:
    """Event loops run on threads of the system: async tools work, and no greenlet of the host finds a running loop. A
    process for an MCP server is refused, with what to do, where gevent's own cannot be started by asyncio.
    """
    pytest.importorskip("gevent")
    rogue = str(Path(__file__).parents[1] / "tools" / "mcp_rogue.py")
    source = GREEN.format(options=options, greenlets="thread" not in options, rogue=rogue)
    done = run(source, options=())
    tools, server = done.lines
    assert (done.code, tools) == (0, "['napped'] ['no loop', 'no loop', 'no loop']"), done.err
    assert said in server
