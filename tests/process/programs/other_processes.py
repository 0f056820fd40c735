"""Processes of the standard library beside a pool."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from actors import AgentPool, ForkedPoolError
from tests.process.cast import BOUND, busy, say

pool: AgentPool | None = None


def square(number: int) -> int:
    """Work for another process."""
    return number * number


def with_a_pool(text: str) -> int:
    """Work that uses a pool, in whatever process this is."""
    with AgentPool() as mine:
        result: int = mine.submit(len, text).result(BOUND)
        return result


def look(queue: Any) -> None:
    """What a child sees of its parent's pool, and that it can make its own."""
    said = ""
    if pool is not None:
        try:
            pool.stats()
        except ForkedPoolError:
            said = "refused, "
    queue.put(f"{said}new pool {'works' if with_a_pool('four') == 4 else 'fails'}")


def main() -> None:
    """Use each kind of process once."""
    global pool
    pool = busy("receive")
    executors = {}
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=look, args=(queue,))
        process.start()
        say(f"{method}:", queue.get(timeout=20))
        process.join(BOUND)
        assert process.exitcode == 0
        queue.close()
        queue.join_thread()
        executors[method] = ProcessPoolExecutor(1, mp_context=context)
    for method, executor in executors.items():
        with AgentPool() as agents:
            handles = [agents.submit(lambda n: executor.submit(square, n).result(20), n) for n in range(1, 5)]  # noqa: B023
            say(f"{method} in agents:", [handle.result(20) for handle in handles])
    say("pool inside workers:", list(executors["spawn"].map(with_a_pool, ["four"] * 4, timeout=20)))
    for executor in executors.values():
        executor.shutdown()
    say("pool goes on:", pool.stats().parked, "parked")
    pool.close()


if __name__ == "__main__":
    main()
