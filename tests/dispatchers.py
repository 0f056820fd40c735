"""For suites whose tests run on each dispatcher (the fixture ``each_dispatcher``)."""

from __future__ import annotations

import pytest

pinned_only = pytest.mark.parametrize("each_dispatcher", ["pinned"], indirect=True)
"""What it tests belongs to an actor with a thread of its own."""
shared_only = pytest.mark.parametrize("each_dispatcher", ["shared"], indirect=True)
"""What it tests belongs to an actor without one."""
