"""The same agents as a pool's with a journal, and as DBOS's workflows: each is run in a process of its own.

What is asked for comes as JSON; how long it took goes to standard output, as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .journal_world import ANSWERS, World

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 8


def run_actors(folder: Path, names: list[str], world: World, begun: Callable[[], None]) -> None:
    """``LlmAgent`` in a pool with a journal."""
    from actors import (
        AgentManifest,
        AgentPool,
        AssistantMessage,
        CompletionRequest,
        CompletionResponse,
        FunctionDriver,
        SpawnConfig,
        StopReason,
        TokenUsage,
        ToolCall,
        ToolRegistry,
        ToolResultMessage,
        UserMessage,
        tool,
    )

    @tool(effect="at_most_once")
    def pay(name: str) -> str:
        """Pay."""
        return world.pay(name)

    @tool(effect="idempotent")
    def write_down(name: str) -> str:
        """Write it down."""
        return world.write_down(name)

    def answer(request: CompletionRequest) -> CompletionResponse:
        name = next(message.text for message in request.messages if isinstance(message, UserMessage))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        last = request.messages[-1]
        if isinstance(last, ToolResultMessage) and last.is_error:
            world.note("told-of-doubt", name)
        text, usage = world.answer(name, turn), TokenUsage(100, 10)
        if turn == ANSWERS - 1:
            return CompletionResponse(text, usage=usage)
        call = ToolCall(f"call-{turn}", ("pay", "write_down")[turn], {"name": name})
        return CompletionResponse(text, StopReason.TOOL_USE, (call,), usage)

    manifest = AgentManifest(name="worker")
    with AgentPool(
        FunctionDriver(answer), AT_ONCE, tools=ToolRegistry([pay, write_down]), journal=folder / "journal.db"
    ) as pool:
        begun()
        outcomes = list(pool.map((SpawnConfig(manifest, name, key=name) for name in names), ordered=False))
    assert all(outcome.ok for outcome in outcomes), outcomes


def run_dbos(folder: Path, names: list[str], world: World, begun: Callable[[], None], *, wal: bool = False) -> None:
    """A workflow for each agent, a step for each thing that it buys or does, as its documentation has it."""
    from dbos import DBOS, SetWorkflowID

    logging.disable(logging.CRITICAL)
    url = f"sqlite:///{folder / 'dbos.sqlite'}"
    config: dict[str, Any] = {
        "name": "bench",
        "system_database_url": url,
        "log_level": "CRITICAL",
        "application_version": "1",
        "executor_id": "local",
        "max_executor_threads": AT_ONCE,
    }
    if wal:
        config["system_database_engine"] = _wal_engine(url)
    DBOS(config=config)

    @DBOS.step()  # type: ignore[untyped-decorator]
    def answer(name: str, turn: int) -> str:
        return world.answer(name, turn)

    @DBOS.step()  # type: ignore[untyped-decorator]
    def pay(name: str) -> str:
        return world.pay(name)

    @DBOS.step()  # type: ignore[untyped-decorator]
    def write_down(name: str) -> str:
        return world.write_down(name)

    @DBOS.workflow()  # type: ignore[untyped-decorator]
    def worker(name: str) -> str:
        answer(name, 0)
        pay(name)
        answer(name, 1)
        write_down(name)
        return str(answer(name, 2))

    DBOS.launch()  # and what was under way goes on
    begun()
    handles = []
    for name in names:
        with SetWorkflowID(name):
            handles.append(DBOS.start_workflow(worker, name))
    for handle in handles:
        handle.get_result(polling_interval_sec=0.01)
    DBOS.destroy()


def run_dbos_wal(folder: Path, names: list[str], world: World, begun: Callable[[], None]) -> None:
    """With an engine of one's own, whose SQLite has a write-ahead log, as a journal's."""
    run_dbos(folder, names, world, begun, wal=True)


def _wal_engine(url: str) -> Any:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)

    @sqlalchemy.event.listens_for(engine, "connect")  # type: ignore[untyped-decorator]
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # as its own engine does, but for the last two
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


PROGRAMS = {"actors": run_actors, "dbos": run_dbos, "dbos, WAL": run_dbos_wal}


def main(words: str) -> None:
    """Run one of them."""
    how = json.loads(words)
    folder = Path(how["folder"])
    begin = [0.0, 0.0]

    def begun() -> None:
        begin[:] = time.perf_counter(), time.process_time()
        sys.stdout.write("\n")
        sys.stdout.flush()

    names = [f"agent-{number}" for number in range(how["agents"])]
    PROGRAMS[how["program"]](folder, names, World(folder / "books.txt", how["latency"]), begun)
    seconds, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
