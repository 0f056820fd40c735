"""Agents at a server that fails in several ways at once."""

from __future__ import annotations

import platform
import random
from typing import Any

import pytest

from actors import AgentManifest, AgentPool, RateLimiter, SpawnConfig
from actors.drivers.openai import OpenAIDriver

from .provider import Answer, Asked, Provider, Reply, failure, say

platform.platform()  # the package asks for it with its first request, and that starts a process
AGENTS, AT_ONCE = 48, 16
LIE = {
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "6m0s",
}


def refusal(**headers: str) -> Reply:
    """A refusal beside which stands that nothing is left for minutes."""
    reply = failure(429, "slowly", "rate_limit_error")
    return Reply(reply.pieces, reply.status, {**reply.headers, **LIE, **headers})


FAULTS: dict[str, Any] = {
    "500": lambda asked: failure(500),
    "429": lambda asked: refusal(**{"retry-after": "0.1"}),
    "cut": lambda asked: say("yes", asked, cut_after=1),
    "broken": lambda asked: Reply([b'{"choices": [{"mess']),
}


@pytest.mark.parametrize("faults", [*([name] for name in FAULTS), list(FAULTS)], ids=[*FAULTS, "all"])
def test_nearly_all_complete_and_nobody_is_stopped(faults: list[str]) -> None:
    """Each fault befalls one request in ten: the agents ask again, and no refusal keeps the others."""
    drawn = random.Random(1)

    def answer(asked: Asked) -> Answer:
        place = int(drawn.random() * 10)
        return FAULTS[faults[place]](asked) if place < len(faults) else "yes"  # type: ignore[no-any-return]

    with Provider(answer) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, limiter=RateLimiter())
        with AgentPool(driver, AT_ONCE, max_queued=None) as pool:
            pool.fan_out([SpawnConfig(AgentManifest(name="asker", privacy="sovereign"), "yes?", timeout=60)] * AGENTS)
            outcomes = pool.join_all()
        stats = driver.limiter.stats()
    completed = sum(outcome.ok for outcome in outcomes.values())
    assert len(outcomes) == AGENTS
    assert completed > 0.9 * AGENTS
    assert (stats.pauses, stats.paused_for, stats.in_flight, stats.waiting) == (0, 0, 0, 0)
    assert AGENTS < len(provider.asked) < 4 * AGENTS


def test_headers_of_every_answer_that_are_wrong_stop_nobody() -> None:
    """Nothing is left, they say with each answer; and it goes on answering. Many ask at once: one alone would have to
    believe it, as no answer proves it wrong.
    """

    def answer(asked: Asked) -> Answer:
        reply = say("yes", asked)
        return Reply(reply.pieces, reply.status, {**reply.headers, **LIE})

    with Provider(answer, gathers=AT_ONCE) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, limiter=RateLimiter())
        with AgentPool(driver, AT_ONCE, max_queued=None) as pool:
            pool.fan_out([SpawnConfig(AgentManifest(name="asker", privacy="sovereign"), "yes?", timeout=30)] * AGENTS)
            outcomes = pool.join_all()
        assert driver.limiter.stats().paused_for == 0
    assert all(outcome.ok for outcome in outcomes.values())


def test_a_refused_call_waits_for_its_share() -> None:
    """Where there is no ``Retry-After``: what it needs of the limit, not until that is whole."""
    told = {"x-ratelimit-limit-requests": "3600", "x-ratelimit-remaining-requests": "0"}
    refused = failure(429, "slowly", "rate_limit_error")
    first = Reply(refused.pieces, 429, {**told, "x-ratelimit-reset-requests": "6m0s"})
    with Provider([first, "yes"]) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, limiter=RateLimiter())
        with AgentPool(driver, 1) as pool:
            pool.spawn(SpawnConfig(AgentManifest(name="asker", privacy="sovereign"), "yes?", timeout=30)).result()
    assert len(provider.asked) == 2
