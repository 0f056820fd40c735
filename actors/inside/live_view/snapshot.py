"""What the live view says of a pool, as JSON: one moment of it."""

from __future__ import annotations

import os
import platform
import sys
from json import dumps
from typing import TYPE_CHECKING, Any

from ...core.glance import plain
from ...core.records.json_value import to_json
from ...core.records.state import QUEUED
from ...core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...core.actors.actor_dump import ActorDump
    from ...core.records.pool_stats import PoolStats
    from ...core.supervision.dump import AgentDump, ApprovalDump, ThreadDump
    from ...core.supervision.dump_look import PoolGlimpse

VERSION = 1
MOST_BYTES = 2_000_000
"""Of an answer: what is more is counted."""
NAME = 200
"""Characters of a name, and of what an agent is parked on."""
INPUT = 2_000
"""Characters of what a tool is to be called with, about."""
MOST_ARGUMENTS = 40
MOST_AGENTS = 5_000
MOST_QUEUED = 500
"""So many are looked at, who work and who wait for a slot: it is done once a second."""
LEAST_ROW = 230
"""Bytes of the shortest row of an agent."""
END = ', "left_off": 1000000, "agents": []}'
MOST_STACK = 50_000
"""Characters of a stack; the innermost are told."""
MOST_TOOLS = 20
MOST_CHILDREN = 1_000
MOST_STRAYS = 200
MOST_WAITS = 1_000
MOST_APPROVALS = 200
MOST_ACTORS = 500


def frame(*, control: bool) -> dict[str, Any]:
    """What of the pool's line does not change."""
    return {
        "pid": os.getpid(),
        "control": control,
        "python": platform.python_version(),
        "version": getattr(sys.modules[__name__.partition(".")[0]], "__version__", ""),  # of the facade, which is above
    }


def state_of(glimpse: PoolGlimpse, stats: PoolStats, unchanging: Mapping[str, Any]) -> bytes:
    """The answer to ``/state``.

    Args:
        unchanging: A :func:`frame`.
    """
    dump = glimpse.dump
    told: dict[str, Any] = {
        "v": VERSION,
        "pool": {
            "name": shown(dump.name, NAME),
            "phase": dump.phase,
            "seconds": round(dump.seconds, 3),
            "slots": dump.max_concurrent,
            "taken": dump.slots_taken,
            **unchanging,
        },
        "figures": _figures(stats),
        "states": {state.value: count for state, count in glimpse.states.items()},
        "waits": dump.waits[:MOST_WAITS],
        "abandoned": [_thread(stray) for stray in dump.abandoned[:MOST_STRAYS]],
        "approvals": _approvals(dump.agents),
        "actors": [_actor(actor) for actor in dump.actors[:MOST_ACTORS]],
    }
    head = dumps(told)
    rows, left_off = _rows(dump.agents, MOST_BYTES - len(head) - len(END))
    return f'{head[:-1]}, "left_off": {left_off + glimpse.left_off}, "agents": {rows}}}'.encode("ascii")


def detail_of(agent: AgentDump, events: list[dict[str, Any]]) -> bytes:
    """The answer to ``/agent``."""
    row = agent_row(agent)
    row["stack"] = agent.stack[-MOST_STACK:]
    row["tools"] = [{**_thread(tool), "stack": tool.stack[-MOST_STACK:]} for tool in agent.tools[:MOST_TOOLS]]
    row["children"] = agent.children[:MOST_CHILDREN]
    row["approvals"] = _approvals([agent])
    row["events"] = events
    return dumps(row).encode("ascii")


def agent_row(agent: AgentDump) -> dict[str, Any]:
    """What is told of one agent."""
    return {
        "id": agent.id,
        "name": shown(agent.name, NAME),
        "key": None if agent.key is None else shown(agent.key, NAME),
        "group": None if agent.group is None else plain(agent.group, NAME),
        "parent_id": agent.parent_id,
        "depth": agent.depth,
        "state": agent.state.value,
        "on": None if agent.on is None else shown(agent.on, NAME),
        "seconds": round(agent.seconds, 3),
        "age": round(agent.age, 3),
        "inbox": agent.inbox_depth,
        "input_tokens": agent.usage.input_tokens,
        "output_tokens": agent.usage.output_tokens,
        "cost_usd": agent.cost_usd,
        "restarts": agent.restarts,
        "waits_for": agent.waits_for[:20],
        "tools": [_thread(tool) for tool in agent.tools[:MOST_TOOLS]],
        "node": None if agent.node is None else shown(agent.node, NAME),
    }


def _rows(agents: Sequence[AgentDump], room: int) -> tuple[str, int]:
    """As many rows as have room, by id, and how many are left off: those first that only wait for a slot."""
    rows = list(map(agent_row, agents[: room // LEAST_ROW]))
    if len(rows) == len(agents) and len(whole := dumps(rows)) <= room:
        return whole, 0
    fitting: list[tuple[int, str]] = []
    for agent in sorted(agents, key=_only_waits):
        row = dumps(agent_row(agent))
        room -= len(row) + len(", ")
        if room < 0:
            break
        fitting.append((agent.id, row))
    fitting.sort()
    return f"[{', '.join([row for _, row in fitting])}]", len(agents) - len(fitting)


def _only_waits(agent: AgentDump) -> bool:
    return agent.state is QUEUED


def _figures(stats: PoolStats) -> dict[str, Any]:
    return {
        "active": stats.active,
        "queued": stats.queued,
        "parked": stats.parked,
        "outstanding": stats.outstanding,
        "abandoned_threads": stats.abandoned_threads,
        "dead_letters": stats.dead_letters,
        "started": stats.started,
        "ended": {str(status): count for status, count in stats.ended.items()},
        "input_tokens": stats.usage.input_tokens,
        "output_tokens": stats.usage.output_tokens,
        "cost_usd": stats.cost_usd,
        "iterations": stats.iterations,
        "tool_calls": stats.tool_calls,
    }


def _thread(thread: ThreadDump) -> dict[str, Any]:
    on = None if thread.on is None else shown(thread.on, NAME)
    return {"label": thread.label, "on": on, "seconds": round(thread.seconds, 3)}


def _approvals(agents: Iterable[AgentDump]) -> list[dict[str, Any]]:
    asked = [(agent, one) for agent in agents if agent.approvals for one in agent.approvals]
    return [_approval(agent, one) for agent, one in asked[:MOST_APPROVALS]]


def _approval(agent: AgentDump, asked: ApprovalDump) -> dict[str, Any]:
    return {
        "agent_id": agent.id,
        "agent": shown(agent.name, NAME),
        "call_id": asked.call_id,
        "tool": shown(asked.tool, NAME),
        "input": _arguments(to_json(dict(asked.input))),
        "seconds": round(asked.seconds, 3),
        "left": None if asked.left is None else round(asked.left, 3),
        "default": asked.default,
        "in_doubt": asked.in_doubt,
    }


def _arguments(said: Any) -> str:
    """The arguments of a call as JSON. Where they are long each is cut for itself: who approves sees something of every
    one, and which are not whole.
    """
    text = dumps(said, ensure_ascii=False, indent=1)
    if len(text) <= INPUT:
        return text
    kept = list(said.items())[:MOST_ARGUMENTS]
    room = INPUT // len(kept)
    short = {
        name if len(name) <= NAME else f"{name[:NAME]}… ({number})": _cut(value, room)
        for number, (name, value) in enumerate(kept, 1)
    }
    if len(said) > len(kept):
        short["…"] = f"{len(said) - len(kept):,} more"
    return dumps(short, ensure_ascii=False, indent=1)


def _cut(value: Any, room: int) -> Any:
    text = value if isinstance(value, str) else dumps(value, ensure_ascii=False)
    return value if len(text) <= room else f"{text[:room]}…"


def _actor(actor: ActorDump) -> dict[str, Any]:
    return {
        "name": shown(actor.name, NAME),
        "kind": shown(actor.kind, NAME),
        "state": str(actor.state),
        "handles": None if actor.handles is None else shown(actor.handles, NAME),
        "seconds": None if actor.seconds is None else round(actor.seconds, 3),
        "inbox": actor.inbox_depth,
        "restarts": actor.restarts,
        "depth": actor.depth,
        "count": actor.count,
        "waits_for": actor.waits_for[:20],
    }
