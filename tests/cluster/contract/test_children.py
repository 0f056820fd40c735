"""test_children, through an engine."""

from tests.contract.test_children import *  # noqa: F403
