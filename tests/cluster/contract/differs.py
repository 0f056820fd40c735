"""What of a local pool's contract differs, or cannot be, where agents live on nodes: each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_CARRIED = "the context variables of the thread that spawns are not carried to a node"
NO_POOL_THERE = "a pool, and a handle of it, do not cross: an agent on a node has none that it could wait for"

DIFFERS: Final = {
    "test_agent.py::test_context_variables_are_copied": NOT_CARRIED,
    "test_agent.py::test_context_of_a_parent_reaches_its_child": NOT_CARRIED,
    "test_llm_loop.py::test_tools_share_context_and_log_identity": NOT_CARRIED,
    "test_outcome.py::test_agent_error_is_failed_and_is_the_error_itself": "an error crosses by value: it is equal",
    "test_router.py::test_a_send_to_the_program_never_fails": "the inbox of id 0 holds at least a batch of every host",
}
"""These fail, and have to: one that passes is none of them."""

NOT_TRIED: Final = {
    "test_agent.py::test_join_all_inside_an_agent_is_a_deadlock": NO_POOL_THERE,
    "test_agent.py::test_waiting_for_oneself_or_an_ancestor_is_a_deadlock": NO_POOL_THERE,
    "test_agent.py::test_two_agents_that_wait_for_each_other": NO_POOL_THERE,
    "test_pool.py::test_dump_tells_of_each_agent": "a dump shows on which node an agent is, and since when; no stack",
    "test_stops.py::test_an_agent_may_not_hang_its_pool_by_closing_it": NO_POOL_THERE,
}
"""These would only wait, for each other or for the end of a block."""


def mark(items: Iterable[pytest.Item]) -> None:
    """What differs has to: a test that passes is none of the list."""
    for item in items:
        name = f"{item.path.name}::{getattr(item, 'originalname', item.name)}"
        if name in DIFFERS:
            item.add_marker(pytest.mark.xfail(reason=DIFFERS[name], strict=True))
        elif name in NOT_TRIED:
            item.add_marker(pytest.mark.xfail(reason=NOT_TRIED[name], run=False))
