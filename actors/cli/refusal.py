"""What ends a command for a reason that its user can mend."""

from __future__ import annotations

from typing import Final

from ..errors import CapabilityDenied, ManifestError

REFUSALS: Final = (CapabilityDenied, ManifestError, TypeError)
"""What a pool raises of an agent that it cannot start, beside ``ValueError``, which a journal has for keys, too."""


class RefusedError(Exception):
    """Nothing was started, or is any more: what was asked for cannot be done (exit code 2). ``problems`` says why."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class OutputLostError(Exception):
    """An output could not be written, or not to its end (exit code 1)."""


def why(error: OSError) -> str:
    """The reason of *error* in the system's words, without its number and without the path."""
    return error.strerror or str(error) or type(error).__name__
