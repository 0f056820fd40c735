"""What a model costs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..agent.ports import TokenUsage


class Price(Protocol):
    """What tokens of one model cost."""

    def of(self, usage: TokenUsage) -> float:
        """USD for *usage*."""


class ListedPrice:
    """The price of a model as ``genai-prices`` lists it, today's.

    Args:
        package: The module ``genai_prices``.
        model: The model's name.
        provider: The provider's id there; None looks for the model anywhere.
    """

    def __init__(self, package: Any, model: str, provider: str | None) -> None:
        self._package = package
        self._model = model
        self._provider = provider

    def of(self, usage: TokenUsage) -> float:
        """USD for *usage*.

        Raises:
            LookupError: The model is not listed.
        """
        tokens = self._package.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        return float(self._package.calc_price(tokens, self._model, provider_id=self._provider).total_price)


def price_of(model: str, provider: str) -> Price | None:
    """The listed price of *model*, at *provider* or wherever it is listed; None when it is not known.

    It needs the package ``genai-prices``, which comes with the extras of the drivers; without it no price is known.
    """
    from ..agent.ports import TokenUsage  # here: the module is imported by the drivers only

    try:
        package = importlib.import_module("genai_prices")
    except ImportError:
        return None
    for place in (provider, None):
        price = ListedPrice(package, model, place)
        try:
            price.of(TokenUsage(1, 1))
        except (LookupError, ValueError):
            continue
        return price
    return None
