"""What a model costs: cached tokens, tokens written into a cache, and thoughts."""

from __future__ import annotations

import pytest

from actors import AgentManifest, ManifestError, TokenUsage
from actors.agent.terms.manifest import ModelConfig
from actors.drivers.prices import price_of

genai_prices = pytest.importorskip("genai_prices")

OPENAI = "https://api.openai.com/v1"
WHOLE = TokenUsage(1_000_000, 100_000)


def listed(model: str, usage: TokenUsage, **parts: int) -> float:
    """What the package itself says of a model anywhere."""
    tokens = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, **parts)
    return float(genai_prices.calc_price(tokens, model).total_price)


@pytest.mark.parametrize(
    ("model", "provider", "url"),
    [("gpt-4o", "openai", OPENAI), ("claude-sonnet-4-5", "anthropic", "https://api.anthropic.com")],
)
def test_listed_prices_know_the_parts(model: str, provider: str, url: str) -> None:
    """Cached tokens are cheaper, tokens written into a cache are not; thoughts cost what is listed for them."""
    price = price_of(model, provider, url)
    assert price is not None
    assert price.of(WHOLE) == pytest.approx(listed(model, WHOLE))
    usage = TokenUsage(1_000_000, 100_000, 600_000, 300_000, 50_000)
    expected = listed(
        model, usage, cache_read_tokens=600_000, cache_write_tokens=300_000, output_reasoning_tokens=50_000
    )
    assert price.of(usage) == pytest.approx(expected)
    assert (
        price.of(TokenUsage(1_000_000, 100_000, 1_000_000))
        < price.of(WHOLE)
        <= price.of(TokenUsage(1_000_000, 100_000, 0, 1_000_000))
    )


def test_a_usage_that_adds_up_to_nothing() -> None:
    """Parts that are larger than the whole cost no more than it, and are no error."""
    price = price_of("gpt-4o", "openai", OPENAI)
    assert price is not None
    assert price.of(TokenUsage(100, 10, 900, 900, 900)) == price.of(TokenUsage(100, 10, 100, 0, 10))


DECLARED = {"usd_per_million_input_tokens": 10.0, "usd_per_million_output_tokens": 20.0}
USED = TokenUsage(1_000_000, 500_000, 400_000, 200_000, 100_000)


@pytest.mark.parametrize(
    ("further", "usd"),
    [
        ({}, 20.0),
        ({"usd_per_million_cached_input_tokens": 1.0}, 16.4),
        ({"usd_per_million_cached_input_tokens": 0.0}, 16.0),
        ({"usd_per_million_cache_write_tokens": 12.5}, 20.5),
        ({"usd_per_million_cached_input_tokens": 1.0, "usd_per_million_cache_write_tokens": 12.5}, 16.9),
    ],
)
def test_declared_prices(further: dict[str, float], usd: float) -> None:
    """What came from a cache, or went into it, costs as much as other input, or what is declared for it."""
    assert ModelConfig(**DECLARED, **further).declared_cost(USED) == pytest.approx(usd)


def test_declared_prices_of_parts_that_are_too_large() -> None:
    """Nothing costs less than nothing."""
    model = ModelConfig(**DECLARED, usd_per_million_cached_input_tokens=0.0)
    assert model.declared_cost(TokenUsage(100, 0, 900, 900)) == 0.0


def test_a_price_of_a_part_alone() -> None:
    """Is refused: the model's own must be there, too."""
    for part in ("cached_input", "cache_write"):
        name = f"usd_per_million_{part}_tokens"
        with pytest.raises(ManifestError, match=f"model.{name}: declare usd_per_million_input_tokens and "):
            AgentManifest(model={name: 1.0})
        with pytest.raises(ManifestError, match=name):
            AgentManifest(model={**DECLARED, name: -1.0})
