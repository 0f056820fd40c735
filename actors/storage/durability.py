"""What a committed entry survives."""

from __future__ import annotations

from enum import StrEnum

from ..public import publish


class Durability(StrEnum):
    """What a committed entry survives: the death of the process, or that of the machine (a power cut), too."""

    PROCESS = "process"
    POWER = "power"


publish("actors.journals", Durability)
