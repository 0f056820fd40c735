"""test_stops, through an engine."""

from tests.contract.test_stops import *  # noqa: F403
