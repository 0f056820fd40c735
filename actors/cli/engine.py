"""``actors run --engine ray``: the agents live on the nodes of a cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..core.shown import one_line
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cluster import RayEngine
    from .options import RunOptions

OPTION = "--engine ray"
LONGEST_PROBLEM = 600


def engine_of(options: RunOptions) -> RayEngine | None:
    """The engine that was asked for; None: the agents live here.

    What manifests name stands in modules beside them, so a node that has their folders, too, finds it there.

    Raises:
        RefusedError: A package is missing, or it makes no sense.
    """
    if options.engine is None:
        return None
    from ..cluster import RayEngine

    try:
        return RayEngine(
            options.address or "auto",
            slots_per_node=options.slots_per_node,
            runtime_env={"env_vars": {"PYTHONPATH": path_of(options.manifests)}},
        )
    except (ImportError, ValueError) as error:
        raise refused(error) from None


def path_of(manifests: Sequence[str]) -> str:
    """Where a node looks for modules: beside the manifests, here, and where it would without us."""
    folders = dict.fromkeys([*(os.path.dirname(os.path.abspath(path)) for path in manifests), os.getcwd()])
    return os.pathsep.join([*folders, "${PYTHONPATH}"])  # Ray puts the node's own in there


def refused(error: Exception) -> RefusedError:
    """What is told of an engine that cannot be had."""
    return RefusedError(f"{OPTION}: {one_line(str(error), LONGEST_PROBLEM)}")
