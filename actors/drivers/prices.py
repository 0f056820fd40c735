"""What a model costs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from ..core.records.usage import TokenUsage, clamped

if TYPE_CHECKING:
    from collections.abc import Mapping


class Price(Protocol):
    """What tokens of one model cost."""

    def of(self, usage: TokenUsage) -> float:
        """USD for *usage*."""


class ListedPrice:
    """The price of a model as ``genai-prices`` lists it, today's.

    Args:
        package: The module ``genai_prices``.
        model: The model's name.
        place: Where it is listed: the arguments ``provider_id`` or ``provider_api_url``; none looks anywhere.
    """

    def __init__(self, package: Any, model: str, place: Mapping[str, str]) -> None:
        self._package = package
        self._model = model
        self._place = place

    def of(self, usage: TokenUsage) -> float:
        """USD for *usage*.

        Raises:
            LookupError: The model is not listed.
        """
        usage = clamped(usage)  # it refuses parts that are larger than the whole
        tokens = self._package.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_reasoning_tokens=usage.reasoning_tokens,
        )
        return float(self._package.calc_price(tokens, self._model, **self._place).total_price)


def price_of(model: str, provider: str, url: str) -> Price | None:
    """The listed price of *model*: of whoever is at *url*, else of *provider*, else wherever it is listed; None when it
    is not known. (What stands at an address of one's own is often a proxy to the provider.)

    It needs the package ``genai-prices``, which comes with the extras of the drivers; without it no price is known.
    """
    try:
        package = importlib.import_module("genai_prices")
    except ImportError:
        return None
    for place in ({"provider_api_url": url}, {"provider_id": provider}, {}):
        price = ListedPrice(package, model, place)
        try:
            price.of(TokenUsage(1, 1))
        except (LookupError, ValueError):
            continue
        return price
    return None
