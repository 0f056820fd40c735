"""What stands on a node: a pool of its own, and what stands there for what is in the program."""

from __future__ import annotations

from .node_host import NodeHost as NodeHost
