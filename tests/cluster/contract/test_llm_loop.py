"""test_llm_loop, through an engine."""

from tests.contract.test_llm_loop import *  # noqa: F403
