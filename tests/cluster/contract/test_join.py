"""test_join, through an engine."""

from tests.contract.test_join import *  # noqa: F403
