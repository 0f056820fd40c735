"""test_events, through an engine."""

from tests.contract.test_events import *  # noqa: F403
