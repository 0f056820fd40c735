"""A cluster inside the test: hosts of agents in this process, with calls that fail in every way that calls can."""

from ...public import publish_listed
from .faults import Faults
from .local_engine import LocalEngine
from .local_link import LinkStats, LocalLink

__all__ = ["Faults", "LinkStats", "LocalEngine", "LocalLink"]

publish_listed(__name__, globals())
