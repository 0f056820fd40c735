"""``RoutingDriver``: a primary, and another for when it cannot answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import (
    AgentManifest,
    Cancelled,
    CancelToken,
    CompletionRequest,
    DriverError,
    FunctionDriver,
    InferenceFailed,
    MalformedAnswer,
    ModelNotFound,
    NetworkError,
    Overloaded,
    PrivacyTier,
    RateLimited,
    RoutingDriver,
    RoutingMetrics,
    RoutingStrategy,
    ScriptedDriver,
    SpawnConfig,
    TextDelta,
    TokenUsage,
    UserMessage,
)

REQUEST = CompletionRequest((UserMessage("q"),))


def ask(driver: RoutingDriver) -> str:
    return driver.complete(REQUEST, cancel=CancelToken()).text


def test_the_primary_answers() -> None:
    """And the fallback is not asked."""
    fallback = ScriptedDriver.text("fallback")
    driver = RoutingDriver(ScriptedDriver.text("primary"), fallback)
    assert ask(driver) == "primary"
    assert fallback.requests == []
    assert driver.metrics == RoutingMetrics(primary_attempts=1, primary_successes=1)


@pytest.mark.parametrize("error", [RateLimited, Overloaded, NetworkError, MalformedAnswer])
def test_a_retryable_error_spills_over(error: type[DriverError]) -> None:
    """The fallback gets the same request."""
    fallback = ScriptedDriver.text("fallback")
    driver = RoutingDriver(ScriptedDriver([error("no")]), fallback)
    assert ask(driver) == "fallback"
    assert fallback.requests == [REQUEST]
    assert driver.metrics == RoutingMetrics(
        primary_attempts=1, primary_successes=0, fallback_attempts=1, fallback_successes=1, spillovers=1
    )


@pytest.mark.parametrize("error", [ModelNotFound, InferenceFailed, ValueError])
def test_other_errors_do_not(error: type[Exception]) -> None:
    """They are the answer."""
    fallback = ScriptedDriver.text("fallback")
    driver = RoutingDriver(ScriptedDriver([error("no")]), fallback)
    with pytest.raises(error):
        ask(driver)
    assert fallback.requests == []
    assert driver.metrics == RoutingMetrics(primary_attempts=1)


def test_a_cancel_does_not_spill_over() -> None:
    """Who is cancelled wants no other answer."""
    token = CancelToken()
    token.cancel("enough")
    fallback = ScriptedDriver.text("fallback")
    with pytest.raises(Cancelled):
        RoutingDriver(ScriptedDriver.text("x"), fallback).complete(REQUEST, cancel=token)
    assert fallback.requests == []


def test_both_fail() -> None:
    """The fallback's error is told."""
    driver = RoutingDriver(ScriptedDriver([RateLimited("one")]), ScriptedDriver([Overloaded("two")]))
    with pytest.raises(Overloaded, match="two"):
        ask(driver)
    assert (driver.metrics.attempts, driver.metrics.successes, driver.metrics.spillovers) == (2, 0, 1)


def test_primary_only() -> None:
    """The fallback is never asked."""
    fallback = ScriptedDriver.text("fallback")
    driver = RoutingDriver(ScriptedDriver([RateLimited("no")]), fallback, RoutingStrategy.PRIMARY_ONLY)
    with pytest.raises(RateLimited):
        ask(driver)
    assert fallback.requests == []
    assert driver.metrics.spillovers == 0


def test_fallback_only() -> None:
    """The primary is never asked, and nothing spilled over."""
    primary = ScriptedDriver.text("primary")
    driver = RoutingDriver(primary, ScriptedDriver.text("fallback"), RoutingStrategy.FALLBACK_ONLY)
    assert ask(driver) == "fallback"
    assert primary.requests == []
    assert driver.metrics == RoutingMetrics(fallback_attempts=1, fallback_successes=1)


def test_without_a_fallback() -> None:
    """The primary's error is told; a strategy that needs one is refused."""
    driver = RoutingDriver(ScriptedDriver([RateLimited("no")]))
    with pytest.raises(RateLimited):
        ask(driver)
    assert driver.metrics.spillovers == 0
    with pytest.raises(ValueError, match="'fallback_only' needs a fallback"):
        RoutingDriver(ScriptedDriver([]), strategy=RoutingStrategy.FALLBACK_ONLY)


def test_the_strategy_may_be_a_word() -> None:
    """As in a settings file; an unknown one is refused."""
    driver = RoutingDriver(ScriptedDriver([]), ScriptedDriver.text("x"), "fallback_only")  # type: ignore[arg-type]
    assert ask(driver) == "x"
    with pytest.raises(ValueError, match="cheapest"):
        RoutingDriver(ScriptedDriver([]), strategy="cheapest")  # type: ignore[arg-type]
    assert [str(strategy) for strategy in RoutingStrategy] == [
        "primary_with_fallback",
        "primary_only",
        "fallback_only",
    ]


def tiered(tier: PrivacyTier) -> FunctionDriver:
    driver = FunctionDriver(lambda request: "x")
    driver.privacy_tier = tier
    return driver


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (PrivacyTier.SOVEREIGN, PrivacyTier.STANDARD, PrivacyTier.STANDARD),
        (PrivacyTier.STANDARD, PrivacyTier.SOVEREIGN, PrivacyTier.STANDARD),
        (PrivacyTier.SOVEREIGN, PrivacyTier.PRIVATE, PrivacyTier.PRIVATE),
        (PrivacyTier.SOVEREIGN, PrivacyTier.SOVEREIGN, PrivacyTier.SOVEREIGN),
    ],
)
def test_its_tier_is_the_more_permissive_one(one: PrivacyTier, other: PrivacyTier, both: PrivacyTier) -> None:
    """Data may travel as far as either lets it."""
    assert RoutingDriver(tiered(one), tiered(other)).privacy_tier is both
    assert RoutingDriver(tiered(one)).privacy_tier is one


def test_its_window_is_the_smaller_one() -> None:
    """What fits must fit both."""
    one, other = FunctionDriver(str, context_window=100), FunctionDriver(str, context_window=50)
    assert RoutingDriver(one, other).context_window == 50
    assert RoutingDriver(other, one).context_window == 50
    assert RoutingDriver(one).context_window == 100


def test_its_cost_is_the_higher_one() -> None:
    """Who answered is not known when it is asked."""
    cheap, dear = ScriptedDriver([], usd_per_token=0.25), ScriptedDriver([], usd_per_token=0.5)
    usage = TokenUsage(2, 2)
    assert RoutingDriver(cheap, dear).estimate_cost(usage) == 2.0
    assert RoutingDriver(dear, cheap).estimate_cost(usage) == 2.0
    assert RoutingDriver(cheap).estimate_cost(usage) == 1.0


def test_streams_are_routed_too() -> None:
    """With the same counts."""
    seen: list[Any] = []
    driver = RoutingDriver(ScriptedDriver([NetworkError("no")]), ScriptedDriver.text("fallback"))
    assert driver.stream(REQUEST, seen.append, cancel=CancelToken()).text == "fallback"
    assert seen == [TextDelta(text="fallback")]
    assert (driver.metrics.attempts, driver.metrics.successes, driver.metrics.spillovers) == (2, 1, 1)


def test_counts_of_many_threads() -> None:
    """No count is lost."""
    driver = RoutingDriver(FunctionDriver(lambda request: "x"))
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait(10)
        for _ in range(250):
            ask(driver)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (driver.metrics.primary_attempts, driver.metrics.primary_successes) == (1000, 1000)


def test_routes_can_be_nested() -> None:
    """A route is a driver."""
    inner = RoutingDriver(ScriptedDriver([RateLimited("one")]), ScriptedDriver([Overloaded("two")]))
    assert ask(RoutingDriver(inner, ScriptedDriver.text("three"))) == "three"


class Breaking(ScriptedDriver):
    """Streams a piece of its answer, breaks off for so many times, and then answers."""

    def __init__(self, piece: str, breaks: int) -> None:
        super().__init__([], default=piece)
        self.piece = piece
        self.breaks = breaks

    def stream(self, request: Any, on_event: Any, *, cancel: CancelToken) -> Any:
        on_event(TextDelta(text=self.piece))
        if self.breaks:
            self.breaks -= 1
            raise NetworkError("cut", retry_after=0.0)
        return self.complete(request, cancel=cancel)


def test_the_fallbacks_words_are_another_attempt() -> None:
    """Whoever reads can drop what the primary said before it broke off."""
    heard: list[tuple[str, int]] = []
    driver = RoutingDriver(Breaking("half", 1), Breaking("whole", 0))
    driver.stream(REQUEST, lambda event: heard.append((event.text, event.attempt)), cancel=CancelToken())  # type: ignore[attr-defined]
    assert heard == [("half", 1), ("whole", 2)]


def test_attempts_go_on_over_the_retries_of_an_agent(make_pool: Any) -> None:
    """Each try of each driver has a number of its own, and they rise; the next answer begins at 1."""
    events: list[Any] = []
    driver = RoutingDriver(Breaking("a", 3), Breaking("b", 1))
    pool = make_pool(driver, 1, on_event=events.append)
    for _ in range(2):
        assert pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q")).outcome(10).ok
    pool.close()
    heard = [(event.text, event.attempt) for event in events if isinstance(event, TextDelta)]
    assert heard == [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 1), ("b", 2)]


def test_prices_and_connections_of_both() -> None:
    """A price is known when both know it; both are told to close what is idle."""

    class Far(ScriptedDriver):
        closed = 0

        def has_price(self, model: str = "") -> bool:
            return model == "known"

        def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
            return 3.0 if model == "known" else 1.0

        def close_idle(self) -> None:
            self.closed += 1

    far = Far([])
    driver = RoutingDriver(far, ScriptedDriver([]))
    assert (driver.has_price("known"), driver.has_price("other")) == (True, False)
    assert driver.estimate_cost(TokenUsage(1, 1), "known") == 3.0
    driver.close_idle()
    assert far.closed == 1
