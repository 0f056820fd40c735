"""A cluster inside the test: hosts of agents in this process, with calls that fail in every way that calls can.

from actors.testing.cluster import LocalLink

link = LocalLink(nodes=3, seed=7, lost=0.15, lost_answers=0.15, doubled=0.15, late=0.15)
link.kill_host("node-1")
"""

from ...public import publish_listed
from .faults import Faults
from .local_engine import LocalEngine
from .local_link import LinkStats, LocalLink

__all__ = ["Faults", "LinkStats", "LocalEngine", "LocalLink"]

publish_listed(__name__, globals())
