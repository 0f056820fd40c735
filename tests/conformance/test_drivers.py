"""Every driver of ours passes the suite that users' own drivers may pass."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from actors import (
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    DriverError,
    FunctionDriver,
    LlmDriver,
    Overloaded,
    RateLimited,
    RoutingDriver,
    ScriptedDriver,
    UserMessage,
)
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.testing import Cassette, DriverConformance
from tests.drivers.provider import Provider, Reply, failure, hang

MODEL = "test-model"
MANY = 40


class TestScripted(DriverConformance):
    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        return ScriptedDriver(answers, default=answers[-1])

    def driver_that_hangs(self) -> LlmDriver | None:
        return ScriptedDriver([], latency=600, default="late")


class TestFunction(DriverConformance):
    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        left = list(answers)

        def answer(_: Any) -> CompletionResponse:
            following = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(following, DriverError):
                raise following
            return following

        return FunctionDriver(answer)

    def driver_that_hangs(self) -> None:
        """A function answers when it returns."""


class TestRouting(TestScripted):
    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        return RoutingDriver(super().driver_that_answers(*answers))

    def driver_that_hangs(self) -> LlmDriver:
        return RoutingDriver(ScriptedDriver([], latency=600, default="late"))


def anything(_: CompletionRequest) -> CompletionRequest:
    """The suite asks this and that, and takes any answer."""
    return CompletionRequest((UserMessage("anything"),))


class TestRecording(TestScripted):
    def _recorded(self, driver: LlmDriver) -> LlmDriver:
        folder = self.cleanup.enter_context(TemporaryDirectory())
        cassette = self.cleanup.enter_context(Cassette(Path(folder, "one.jsonl"), "all", normalize=anything))
        return cassette.driver(lambda: driver)

    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        return self._recorded(super().driver_that_answers(*answers))

    def driver_that_hangs(self) -> LlmDriver | None:
        return self._recorded(ScriptedDriver([], latency=600, default="late"))


class TestReplaying(DriverConformance):
    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        path = Path(self.cleanup.enter_context(TemporaryDirectory()), "one.jsonl")
        with Cassette(path, "all", normalize=anything) as cassette:
            driver = cassette.driver(lambda: ScriptedDriver(answers, default=answers[-1]))
            for _ in range(len(answers) + MANY):
                try:
                    driver.complete(CompletionRequest(()), cancel=CancelToken())
                except DriverError:
                    pass
        return self.cleanup.enter_context(Cassette(path, normalize=anything)).driver()

    def driver_that_hangs(self) -> None:
        """What was recorded is there."""


def as_reply(answer: Any) -> Any:
    """How a server fails so."""
    if isinstance(answer, RateLimited):
        return failure(429, kind="rate_limit_error", retry_after=str(answer.retry_after))
    if isinstance(answer, Overloaded):
        return failure(503)
    return failure(400, "never", "invalid_request_error") if isinstance(answer, DriverError) else answer


class TestOpenAI(DriverConformance):
    def _asking(self, *replies: Reply | CompletionResponse) -> LlmDriver:
        provider = self.cleanup.enter_context(Provider(replies))
        driver = OpenAIDriver(MODEL, base_url=provider.url)
        self.cleanup.callback(driver.close_idle)
        return driver

    def driver_that_answers(self, *answers: Any) -> LlmDriver:
        return self._asking(*map(as_reply, answers))

    def driver_that_hangs(self) -> LlmDriver:
        return self._asking(hang(after=2))


class TestResponses(TestOpenAI):
    def _asking(self, *replies: Reply | CompletionResponse) -> LlmDriver:
        provider = self.cleanup.enter_context(Provider(replies))
        driver = OpenAIDriver(MODEL, base_url=provider.url, api="responses")
        self.cleanup.callback(driver.close_idle)
        return driver


class TestAnthropic(TestOpenAI):
    def _asking(self, *replies: Reply | CompletionResponse) -> LlmDriver:
        provider = self.cleanup.enter_context(Provider(replies))
        driver = AnthropicDriver(MODEL, base_url=provider.root)
        self.cleanup.callback(driver.close_idle)
        return driver
