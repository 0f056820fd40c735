"""test_actor, through an engine: those that have a pool."""

from tests.contract.test_actor import (
    start as start,
    test_agent_may_ask_an_actor_without_its_slot as test_agent_may_ask_an_actor_without_its_slot,
    test_foreign_stop_all_does_not_reach_ours as test_foreign_stop_all_does_not_reach_ours,
)
