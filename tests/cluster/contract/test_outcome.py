"""test_outcome, through an engine."""

from tests.contract.test_outcome import *  # noqa: F403
