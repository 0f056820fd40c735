"""One pool over several machines: agents live on the nodes of a cluster, and the supervisor stays in the program."""

from __future__ import annotations

from ..public import publish_listed
from .cluster_engine import ClusterEngine
from .node import NodeView
from .ray_engine import RayEngine

__all__ = ["ClusterEngine", "NodeView", "RayEngine"]

publish_listed(__name__, globals())
