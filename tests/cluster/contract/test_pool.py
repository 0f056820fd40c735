"""test_pool, through an engine."""

from tests.contract.test_pool import *  # noqa: F403
