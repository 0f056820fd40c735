"""Record and replay: a driver around a driver, and one in its place."""

from __future__ import annotations

import math
import time
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..agent.assembly.resolve import refuse_no_driver
from ..agent.ports import ChecksSettings, ClosesIdle, CompletionResponse, PricesModels, PrivacyTier
from ..agent.takes import Takes, takes_of
from ..agent.wire import digest, request_to_data, response_to_data
from ..core.process import fork
from ..core.records.answer import TextDelta
from ..core.records.usage import TokenUsage
from ..core.waiting.wait_graph import wait_for
from ..core.waiting.waiter import Waiter
from ..errors import AgentError, Cancelled, CassetteError, CassetteMiss
from .recorded.answer import DriverFacts, class_of, data_of_facts, error_record, usage_of
from .recorded.tape import rounded

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.ports import CompletionRequest, LlmDriver
    from ..agent.terms.settings import ModelSettings
    from ..core.records.event import Event
    from ..core.waiting.cancel import CancelToken
    from .recorded.answer import RecordedAnswer
    from .recorded.shelf import Shelf
    from .recorded.tape import Tape
    from .recorded.wording import Wording

SAMPLE = 1_000
"""Tokens by which the price of one is asked: some prices are others for very many."""
DIGITS = 9
"""Of a price by the million: what comes after them is the noise of binary fractions."""


class Reel:
    """What the drivers of one cassette have in common.

    Args:
        name: The file, for messages.
        wording: What becomes of requests and answers in it.
        hint: How to record anew.

    Locks: none. ``closed`` only ever becomes true.
    """

    def __init__(self, name: str, wording: Wording, hint: str) -> None:
        self.name = name
        self.wording = wording
        self.hint = hint
        self.closed = False
        self._born = fork.generation()

    def refuse_use(self) -> None:
        """Raise when nothing may be asked any more.

        Raises:
            CassetteError: The cassette is closed.
            ForkedPoolError: It was opened before a fork: neither is what is recorded here written, nor is what is used
                here seen by whoever opened it.
        """
        fork.refuse_after_fork(self._born)
        if self.closed:
            raise CassetteError(f"the cassette {self.name} is closed: use its drivers inside its block")

    def is_forked(self) -> bool:
        """Is this the child of the process in which it was opened?"""
        return self._born != fork.generation()


class Made:
    """A driver that is made when it is first needed, once.

    Threads: any; who comes while it is being made waits.

    Locks: ``_lock`` guards ``_is_making`` and ``_waiting``; ``_driver`` is written once.
    """

    def __init__(self, make: Callable[[], LlmDriver]) -> None:
        self._make = make
        self._lock = Lock()
        self._driver: LlmDriver | None = None
        self._is_making = False
        self._waiting: list[Waiter] = []

    @property
    def known(self) -> LlmDriver | None:
        """The driver, if it is made."""
        return self._driver

    def get(self) -> LlmDriver:
        """The driver. What making it raises goes to whoever asked; the next one tries again."""
        while (driver := self._driver) is None:
            waiter = self._stand_in_line()
            if waiter is None:
                return self._made()
            wait_for(waiter, None, "the driver of a cassette")
        return driver

    def _stand_in_line(self) -> Waiter | None:
        with self._lock:
            if not self._is_making:
                self._is_making = True
                return None
            self._waiting.append(Waiter())
            return self._waiting[-1]

    def _made(self) -> LlmDriver:
        try:
            if self._driver is None:
                made = self._make()
                if made is None:
                    raise TypeError("what is to make the driver of a cassette returned None")
                refuse_no_driver(made)
                self._driver = made
            return self._driver
        except AttributeError as error:  # whoever looks at a property would take it for a missing one
            raise CassetteError(f"making the driver of a cassette raised AttributeError: {error}") from error
        finally:
            with self._lock:
                self._is_making = False
                waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.wake()


class RecordingDriver:
    """Asks the driver that *make* makes, and keeps what it answers.

    Not kept: calls that were cancelled, and what a driver raises that is no error of this library.

    Threads: any.
    """

    def __init__(self, reel: Reel, tape: Tape, number: int, make: Callable[[], LlmDriver]) -> None:
        self._reel = reel
        self._tape = tape
        self._number = number
        self._inner = Made(make)

    @property
    def context_window(self) -> int:
        """That of the driver."""
        return self._inner.get().context_window

    @property
    def privacy_tier(self) -> PrivacyTier:
        """That of the driver."""
        return self._inner.get().privacy_tier

    @property
    def takes(self) -> Takes:
        """The content that the driver takes."""
        return takes_of(self._inner.get())

    @property
    def has_pieces(self) -> bool:
        """As the driver says."""
        return bool(getattr(self._inner.get(), "has_pieces", True))

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Ask the driver.

        Raises:
            CassetteError: The cassette is closed.
            Exception: Whatever the driver raises.
        """
        return self._recorded(request, partial(self._inner.get().complete, request, cancel=cancel))

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Ask the driver, as :meth:`complete` does, in pieces."""
        return self._recorded(request, partial(self._inner.get().stream, request, on_event, cancel=cancel))

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        """What the driver says."""
        driver = self._inner.get()
        return driver.estimate_cost(usage, model) if isinstance(driver, PricesModels) else driver.estimate_cost(usage)

    def has_price(self, model: str = "") -> bool:
        """What the driver says; one that says nothing of prices has one."""
        driver = self._inner.get()
        return driver.has_price(model) if isinstance(driver, PricesModels) else True

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """What the driver says; one that says nothing keeps to all."""
        driver = self._inner.get()
        return driver.refusal_of(settings) if isinstance(driver, ChecksSettings) else None

    def close_idle(self) -> None:
        """Close the idle connections of the driver, if it was needed."""
        driver: object = self._inner.known
        if isinstance(driver, ClosesIdle):
            driver.close_idle()

    def _recorded(self, request: CompletionRequest, ask: Callable[[], CompletionResponse]) -> CompletionResponse:
        self._reel.refuse_use()
        told = self._reel.wording.request(request)  # first: what cannot be recorded is not bought
        data: dict[str, Any] = {"digest": digest(told), "request": request_to_data(told)}
        place = self._tape.ask()
        begun = time.monotonic()
        try:
            response = ask()
        except AgentError as error:
            self._keep_error(place, data, request.model, error, time.monotonic() - begun)
            raise
        except NotImplementedError:  # it cannot stream: it is asked otherwise
            raise
        except Exception as error:
            self._say_lost(f"{type(error).__name__} is no error of this library")
            raise
        if isinstance(response, CompletionResponse):
            answer = {"response": response_to_data(self._reel.wording.response(response))}
            self._keep(place, {**data, **answer}, request.model, response.usage, time.monotonic() - begun)
        return response

    def _keep_error(self, place: int, data: dict[str, Any], model: str, error: AgentError, seconds: float) -> None:
        cls = class_of(error)
        if cls is None:
            self._say_lost(f"{type(error).__name__} is no error of this library")
            return
        record = self._reel.wording.error(error_record(error, cls))
        self._keep(place, {**data, "error": record}, model, usage_of(error), seconds)

    def _keep(self, place: int, data: dict[str, Any], model: str, usage: TokenUsage | None, seconds: float) -> None:
        if self._reel.closed:
            self._say_lost("it came after the cassette was closed")
            return
        cost = None if usage is None else self._cost(usage, model)
        facts = data_of_facts(self._facts(model))
        self._tape.keep(place, {**data, "cost_usd": cost, "driver": facts, "seconds": rounded(seconds)})

    def _facts(self, model: str) -> DriverFacts:
        rates = (TokenUsage(SAMPLE, 0), TokenUsage(0, SAMPLE))
        read, written = ((self._cost(usage, model) or 0.0) * 1_000_000 / SAMPLE for usage in rates)
        return DriverFacts(
            self._number,
            self.context_window,
            PrivacyTier(self.privacy_tier),
            self.has_price(model),
            (_digits(read), _digits(written)),
            self.takes,
        )

    def _cost(self, usage: TokenUsage, model: str) -> float | None:
        try:
            cost = float(self.estimate_cost(usage, model))
        except Exception:  # noqa: BLE001 - whoever asks for it is told; what is recorded says that nobody knows
            return None
        return cost if math.isfinite(cost) and cost >= 0 else None  # every digit: a replay costs as much, to the last

    def _say_lost(self, why: str) -> None:
        logger.warning("an answer is not recorded in {}: {}", self._reel.name, why)


class ReplayingDriver:
    """Answers as was recorded.

    Args:
        number: Which of the cassette's drivers it stands for.
        speed: 1 takes as long as it took, 2 half as long; None takes no time.

    Threads: any.
    """

    has_pieces = False

    def __init__(self, reel: Reel, shelf: Shelf, number: int, speed: float | None) -> None:
        self._reel = reel
        self._shelf = shelf
        self._number = number
        self._speed = speed
        facts = shelf.facts(number) or DriverFacts()
        self.context_window: int = facts.context_window
        self.privacy_tier: PrivacyTier = facts.privacy_tier
        self.takes: Takes = facts.takes
        self.backoff_share: float = 0.0 if speed is None else 1 / speed
        """What part of its backoff an agent waits after an error of this driver."""

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """The answer that was recorded.

        Raises:
            CassetteMiss: There is none; the message shows the nearest request that was recorded.
            CassetteError: The cassette is closed.
            AgentError: The error that was recorded.
            Cancelled: *cancel* came before.
        """
        self._reel.refuse_use()
        _unasked_check(cancel)
        told = self._reel.wording.request(request)
        name = digest(told)
        answer = self._shelf.take(name, self._number)
        if answer is None:
            raise CassetteMiss(
                f"no answer in {self._reel.name} to this request: {self._shelf.miss(told, name)}\n{self._reel.hint}"
            )
        if self._speed is not None:
            self._pass_time(answer, cancel)
        return answer.given()

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """As :meth:`complete`; the whole text is one delta."""
        response = self.complete(request, cancel=cancel)
        if response.text:
            on_event(TextDelta(text=response.text))
        return response

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        """What *usage* cost when it was recorded; of other usage, about as much."""
        known = self._shelf.cost(self._number, model, usage)
        if known is not None:
            return known
        facts = self._shelf.prices(self._number, model)
        return 0.0 if facts is None else facts.cost_of(usage)

    def has_price(self, model: str = "") -> bool:
        """Was the price of *model* known?"""
        facts = self._shelf.prices(self._number, model)
        return facts is None or facts.has_price

    def _pass_time(self, answer: RecordedAnswer, cancel: CancelToken) -> None:
        assert self._speed is not None
        try:
            cancelled = cancel.wait(answer.seconds / self._speed)
        except BaseException:  # Ctrl-C
            self._shelf.put_back(answer)
            raise
        if cancelled:
            self._shelf.put_back(answer)
            _unasked_check(cancel)


def _unasked_check(cancel: CancelToken) -> None:
    """Raise when *cancel* has come: nobody was asked anything, so nothing has to be paid."""
    try:
        cancel.check()
    except Cancelled as cancelled:
        cancelled.asked = False
        raise


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
