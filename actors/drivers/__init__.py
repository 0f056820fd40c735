"""What answers completion requests. Those of providers have modules, and extras, of their own."""

from collections.abc import Mapping
from typing import Any, Literal

from ..public import publish_listed
from .edge.profiles import ServerProfile
from .edge.schemas import SchemaRules
from .function import FunctionDriver
from .routing import RoutingDriver, RoutingMetrics, RoutingStrategy
from .scripted import ScriptedDriver

__all__ = [
    "FunctionDriver",
    "RoutingDriver",
    "RoutingMetrics",
    "RoutingStrategy",
    "SchemaRules",
    "ScriptedDriver",
    "ServerProfile",
]

publish_listed(__name__, globals())
