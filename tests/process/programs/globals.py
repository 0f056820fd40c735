"""Compares what a process has once before, while and after a pool was used."""

from __future__ import annotations

import asyncio
import decimal
import faulthandler
import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from typing import Any

from actors import AgentPool, LlmAgent, ScriptedDriver, SpawnConfig, ToolRegistry, tool
from tests.process.cast import BOUND, Echo, Failing, M, Receiving, config, say


def once() -> dict[str, Any]:
    """All of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 3.12 to 3.14 are about to take the policy away
        policy = type(asyncio.get_event_loop_policy())
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return {
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "wakeup fd": fd,
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "policy": policy,
        "hooks": (threading.excepthook, sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook),
        "traces": (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()),
        "async hooks": sys.get_asyncgen_hooks(),
        "filters": list(warnings.filters),
        "switch interval": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
        "stack size": threading.stack_size(),
        "gc": (gc.isenabled(), gc.get_threshold(), list(gc.callbacks)),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "environment": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": str(decimal.getcontext()),
        "faulthandler": faulthandler.is_enabled(),
        "streams": (sys.stdin, sys.stdout, sys.stderr, os.getcwd()),
        "path": (list(sys.path), list(sys.meta_path), list(sys.path_hooks)),
    }


def handle(*_: object) -> None:
    """The host's own handler."""


@tool
async def quick() -> str:
    """Answer at once."""
    return "quick"


def use() -> AgentPool:
    """Do a little of everything; the pool is left open."""
    pool = AgentPool(max_queued=None, tools=ToolRegistry([quick]), on_event=lambda event: None, abort_timeout=0.2)
    driver = ScriptedDriver.tool_then_text("quick", {}, "answer")
    assert pool.spawn(SpawnConfig(M, "", agent=LlmAgent, driver=driver)).result(BOUND).text == "answer"
    pool.spawn(config(Failing))
    pool.spawn(config(Receiving, timeout=0.05)).outcome(BOUND)
    pool.spawn(config(Receiving))
    pool.submit(sys.exit)
    asyncio.run(wait_for(pool))
    ref = Echo.start()
    ref.ask("x", timeout=BOUND)
    ref.stop()
    return pool


async def wait_for(pool: AgentPool) -> None:
    """Await one."""
    await asyncio.wrap_future(pool.submit(len, "four").future)


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What changed."""
    changed = {name: (before[name], now[name]) for name in before if before[name] != now[name]}
    return f"changed: {changed}" if changed else "same"


signal.signal(signal.SIGINT, handle)
signal.signal(signal.SIGUSR1, handle)
asyncio.run(asyncio.sleep(0))  # what the first loop of a process leaves behind
before = once()
threads = set(threading.enumerate())
pool = use()
say(differences(before, once()))
pool.close()
say(differences(before, once()))
pause = threading.Event()


def strangers() -> set[str]:
    """The threads that were not there before."""
    names = {thread.name for thread in set(threading.enumerate()) - threads}
    return {name for name in names if not name.startswith("actors-loop")}


for _ in range(1000):  # the thread of an actor waits a moment for another
    if not strangers():
        break
    pause.wait(0.01)
left = strangers()
say(f"left: {left}" if left else "no thread of ours")
