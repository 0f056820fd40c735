"""test_router, through an engine."""

from tests.contract.test_router import *  # noqa: F403
