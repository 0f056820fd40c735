"""test_agent, through an engine."""

from tests.contract.test_agent import *  # noqa: F403
