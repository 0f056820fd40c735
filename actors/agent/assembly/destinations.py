"""Where a conversation may be handed on to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import CapabilityDenied, ManifestError
from ..guardrails import Guardrails
from ..takes import refuse_query
from ..transfer import Destination, Transfer, tool_word
from . import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..agent import Parts
    from ..ports import PrivacyTier
    from ..terms.handoff import HistoryFilter
    from ..terms.manifest import AgentManifest
    from ..terms.structured import Shape
    from .finder import Finder

MOST = 100
"""Manifests in which one conversation may come, those that lead there by a stricter one counted apart."""


def shapes_after(transfers: Iterable[Transfer]) -> dict[str, Shape | None]:
    """What an answer has to be wherever *transfers* lead, by the names of the manifests."""
    found = [transfer.destination for transfer in transfers]
    for destination in found:  # it grows
        further = (transfer.destination for transfer in destination.transfers)
        found += [each for each in further if not any(each is known for known in found)]
    return {each.manifest.name: each.shape for each in found}


@dataclass(frozen=True, slots=True)
class _Stop:
    """A destination while destinations are found.

    Args:
        source: Its manifest as it was written.
        tier: The strictest privacy of all on the way.
        place: Where it is named, for errors.
    """

    source: AgentManifest
    tier: PrivacyTier
    place: str
    destination: Destination


class Destinations:
    """Finds where the conversation of one agent may be handed on to, before the agent is admitted.

    Guarantees: what a manifest may do there is at most what the first one may. What was seen under a manifest goes on
    under none that is less strict: where it leads from a stricter one, a destination has that one's privacy.

    Args:
        finder: Finds what manifests name.
        parts: What the agent is given, for the manifest with which its conversation begins.
    """

    def __init__(self, finder: Finder, parts: Parts) -> None:
        self._finder = finder
        self._parts = parts
        self._config = parts.config
        self._agent_class = parts.agent_class
        self._first = first = Destination(parts.manifest, parts.driver, parts.shape, parts.guardrails)
        self._stops = [_Stop(first.manifest, first.manifest.privacy, "", first)]

    def find(self) -> tuple[Transfer, ...]:
        """Where it can go on to from its first manifest.

        Raises:
            ManifestError: What a manifest on the way names cannot be had.
            CapabilityDenied: The privacy of one is stricter than the tier of its driver.
        """
        for stop in self._stops:  # it grows
            transfers: dict[str, Transfer] = {}
            for transfer in self._from(stop):
                if transfer.word in transfers:
                    raise ManifestError([f"{stop.place}handoffs: two of them are named {transfer.word!r}"])
                transfers[transfer.word] = transfer
            destination: Destination = stop.destination
            destination.transfers = tuple(transfers.values())
        return self._first.transfers

    def _from(self, stop: _Stop) -> Iterator[Transfer]:
        if stop.source is self._first.manifest:
            for index, handoff in enumerate(self._config.handoffs):
                word = handoff.name or tool_word(handoff.manifest.name)
                yield self._to(stop, f"handoffs.{index}", handoff.manifest, word, handoff.description, handoff.filter)
        for index, entry in enumerate(stop.source.handoffs):
            place = f"{stop.place}handoffs.{index}"
            try:
                manifest = self._finder.linked(stop.source, "handoffs", index)
            except ManifestError as error:
                raise ManifestError(f"{stop.place}{problem}" for problem in error.problems) from error
            yield self._to(stop, place, manifest, entry.name, entry.description)

    def _to(
        self,
        stop: _Stop,
        place: str,
        source: AgentManifest,
        word: str,
        description: str,
        history: HistoryFilter | None = None,
    ) -> Transfer:
        """The way from *stop* to *source*."""
        tier = min(stop.tier, source.privacy, key=lambda each: each.rank)
        if source in (self._first.manifest, self._config.manifest):  # as it was written, or as it is here
            source = self._first.manifest  # with the handoffs of its config
        for known in self._stops:
            if known.tier is tier and known.source == source:
                return Transfer(word, description, known.destination, history)
        place = f"{place}.manifest: "
        if len(self._stops) == MOST:
            raise ManifestError([f"{place}handoffs lead to more than {MOST} manifests"])
        try:
            destination = self._made(source, tier, place)
            if history is None:  # what it sees is what the agent was asked
                query, messages = self._config.query, self._config.messages
                refuse_query(query, messages, destination.driver, destination.manifest.privacy)
        except ManifestError as error:
            raise ManifestError(f"{place}{problem}" for problem in error.problems) from error
        self._stops.append(_Stop(source, tier, place, destination))
        return Transfer(word, description, destination, history)

    def _made(self, source: AgentManifest, tier: PrivacyTier, place: str) -> Destination:
        self._refuse_other_class(source)
        manifest = source.handed_on(self._first.manifest)
        if manifest.privacy is not tier:
            manifest = manifest.model_copy(update={"privacy": tier})
        own = None if source is self._first.manifest else self._finder.driver(manifest)
        driver = self._first.driver if own is None else own
        misfit = resolve.misfit(manifest, self._agent_class, driver, counts_cost=self._parts.account.limits_cost)
        misfit = misfit or resolve.settings_misfit(manifest, self._config.settings, driver)
        misfit = misfit or resolve.memory_misfit(manifest, self._parts.memory)
        if isinstance(misfit, CapabilityDenied):
            way = "" if tier is source.privacy else f" (it may get there what was seen with privacy {tier!s})"
            raise CapabilityDenied(f"{place}{misfit}{way}")
        if misfit is not None:
            raise misfit
        self._finder.tools(manifest)
        self._finder.refuse_unfit(manifest, self._agent_class, self._parts.tool_source, self._parts.deps)
        self._finder.specialists(manifest)
        shape = self._finder.shape(self._config, manifest, self._agent_class)
        return Destination(manifest, driver, shape, self._guardrails(source))

    def _guardrails(self, source: AgentManifest) -> Guardrails | None:
        """Those with which the conversation began stay, behind those of *source*."""
        first, rails = self._first.guardrails, self._finder.rails(source)
        if first is None:
            return Guardrails(rails) if rails else None
        return first.under(rails)

    def _refuse_other_class(self, source: AgentManifest) -> None:
        """The agent stays what it is: its class is that of the first manifest."""
        if source.agent is not None and not issubclass(self._agent_class, resolve.agent_class(source)):
            raise ManifestError(
                [
                    f"agent: a conversation goes on in the agent that there is ({self._agent_class.__name__}), and "
                    f"{source.agent!r} is another one; name it under [[agents]] in place of [[handoffs]]"
                ]
            )
