"""Drivers whose event loop ends, or is held, under a call: the call ends by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors import CancelToken, CompletionRequest, NetworkError, UserMessage
from actors.core.process.event_loop import private_loop
from actors.drivers import remote
from actors.drivers.openai import OpenAIDriver

from .provider import Provider, hang

ASK = CompletionRequest((UserMessage("hi"),), max_tokens=50)

BOUND = 10.0


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A server that never answers."""
    with Provider(lambda _: hang()) as made:
        yield made


def test_a_loop_that_ends_is_a_failure_that_may_be_tried_again(provider: Any, in_thread: Any, eventually: Any) -> None:
    """The call that was in flight fails at once; the next one goes out on a new loop, and so does a goodbye."""
    driver = OpenAIDriver("test-model", base_url=provider.url)
    for _ in range(2):
        asking = in_thread(driver.complete, ASK, cancel=CancelToken())
        assert provider.arrived.acquire(timeout=BOUND)
        loop = private_loop()
        loop.call_soon_threadsafe(loop.stop)
        with pytest.raises(NetworkError, match=r"no whole answer: the event loop of model drivers was stopped"):
            asking.result(BOUND)
    eventually(lambda: driver.limiter.stats().in_flight == 0)
    driver.close_idle()


def test_a_loop_that_is_held_ends_no_later_than_the_call(
    provider: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own clock stands still then; who waits has another one."""
    monkeypatch.setattr(remote, "GRACE", 0.1)
    driver, held = OpenAIDriver("test-model", base_url=provider.url, timeout=0.1), threading.Event()
    private_loop().call_soon_threadsafe(held.wait, 30)
    try:
        with pytest.raises(NetworkError, match=r"did not end a call within 0\.2 s"):
            driver.complete(ASK, cancel=CancelToken())
    finally:
        held.set()
    driver.close_idle()
