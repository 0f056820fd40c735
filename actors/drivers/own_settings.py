"""What a driver says itself of how its model is to answer, and what it cannot keep to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..agent.ports import CompletionRequest
from ..agent.terms.settings import NO_SETTINGS, NUMBERS, ModelSettings
from ..core.shown import shown

if TYPE_CHECKING:
    from .edge.dialect import Dialect
    from .edge.profiles import ServerProfile

_PLAIN: Final = CompletionRequest(())
"""One in which nobody has said anything."""
CACHES: Final = "its provider keeps what it pleases of a prompt; AnthropicDriver asks for that only where it is told to"


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """The settings of one driver.

    Args:
        own: Hold where a request leaves them open.
        dialect: In which they are said.
        place: Where its server is, for people.
    """

    own: ModelSettings
    dialect: Dialect
    place: str

    def under(self, request: CompletionRequest) -> CompletionRequest:
        """*request*, and what it leaves open as the driver says."""
        own, said = self.own, request.settings
        if own is NO_SETTINGS:
            return request
        numbers = {
            name: value
            for name in NUMBERS
            if (value := getattr(own, name)) is not None
            and getattr(said, name) is None
            and getattr(request, name) == getattr(_PLAIN, name)
        }
        return replace(request, settings=said.over(own), **numbers)

    def refusal_of(self, settings: ModelSettings, profile: ServerProfile) -> str | None:
        """Which of *settings* a request cannot have, and who can; None when it can have all."""
        if (problem := self.dialect.refusal_of(settings)) is not None:
            return problem
        if self.dialect.caches and settings.prompt_cache is False:
            return f"prompt_cache=False cannot be kept to: {CACHES}"
        for name, value in settings.given().items():
            if name in profile.lacks and name not in NUMBERS:
                field = profile.renames.get(name, name)
                said = f"{name}={shown(repr(value))}"
                return f"{said} cannot be passed on: {self.place} has no field {field!r} (profile {profile.name!r})"
        return None
