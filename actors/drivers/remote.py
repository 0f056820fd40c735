"""What drivers share that ask a server."""

from __future__ import annotations

import abc
import asyncio
import re
import weakref
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from loguru import logger

from ..agent.events import TextDelta
from ..agent.ports import PrivacyTier
from ..core.process import event_loop
from ..core.records.spec import Backoff, no_sooner_than
from ..errors import Cancelled, DriverError, ManifestError, NetworkError, RateLimited
from ..network.endpoint import Endpoint
from . import sdk
from .base import Driver
from .prices import price_of
from .provider_errors import has_worked, is_overload, translate
from .session import Sessions, retire
from .shared_limiters import limiter_of
from .wording import sendable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from ..agent.manifest import AgentManifest
    from ..agent.ports import CompletionRequest, CompletionResponse, TokenUsage
    from ..core.records.event import Event
    from ..core.waiting.cancel import CancelToken
    from ..errors import AgentError
    from .limiter import Permit, RateLimiter
    from .prices import Price
    from .wording import Answer, ToolNames

REFUSALS = 8
"""How often one call is refused (429) and asked again before that counts as a failure."""
REFUSED = Backoff(base=0.5, factor=2.0, maximum=4.0, jitter=0.5)
"""The wait of one that was refused, where the server does not say."""
ANSWER_BYTES = 32 * 1024 * 1024
GOODBYE = 2.0
"""Seconds that the closing of idle connections may take."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A request in the provider's words.

    Args:
        fields: What is sent.
        names: How its tools are called there.
        tokens: Estimated, of all that is sent.
    """

    fields: dict[str, Any]
    names: ToolNames
    tokens: int


class RemoteDriver(Driver):
    """Asks a server over HTTP, with the provider's own async client on the process's private loop.

    The agent's thread waits for the answer; a cancel ends the call at once and closes its connection. The package's
    own retries are off, so no call is hidden; only what the server refused for its rate limit (429) is asked again
    here, in the limiter's line with all others. Errors are the library's, caused by the package's.

    Args:
        model: What the server calls it.
        base_url: Where the server is, as the package takes it; None takes the environment's, or the provider's own.
        api_key: None takes the environment's; a server on this machine needs none.
        limiter: What the key allows, shared with other drivers; None shares one by server and key.
        privacy: How private the server must be (``sovereign``: on this machine); None takes what it is.
        private_hosts: Host names under your own control, for ``private``.
        context_window: Tokens that request and answer may have together; None takes the provider's usual.
        timeout: Seconds for one call, from the request to the last byte of the answer.
        max_answer_bytes: A longer answer is a ``MalformedAnswer``.
        socket: Path of a local socket, in place of the network.
        proxy: URL of a proxy, for a server that is ``standard``; None uses none, whatever the environment says.
        headers: Sent with each request.
        options: Further fields of each request (``{"reasoning_effort": "low"}``).

    Raises:
        ImportError: The package is not installed; the message names the command that installs it.
        ValueError: A bad URL or number, or no API key.
        CapabilityDenied: The server is farther away than *privacy* allows.

    Threads: any. Connections are opened and used on the private loop only.
    """

    package: ClassVar[str]
    client_class: ClassVar[str]
    provider: ClassVar[str]
    key_variable: ClassVar[str]
    usual_window: ClassVar[int]
    optional: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        limiter: RateLimiter | None = None,
        privacy: PrivacyTier | str | None = None,
        private_hosts: Iterable[str] = (),
        context_window: int | None = None,
        timeout: float = 600.0,
        max_answer_bytes: int = ANSWER_BYTES,
        socket: str | None = None,
        proxy: str | None = None,
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(context_window=self.usual_window if context_window is None else context_window)
        if not isinstance(model, str) or not model:
            raise ValueError("a model needs a name: what does the server call it?")
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
        if max_answer_bytes < 1:
            raise ValueError(f"max_answer_bytes must be at least 1, got {max_answer_bytes}")
        client_class = sdk.client_class(self.package, self.client_class, type(self).__name__)
        settings = sdk.settings(client_class, base_url, api_key)
        url, key = settings.url, settings.key
        self.model = model
        self.endpoint = Endpoint.of(url, privacy=privacy, private_hosts=private_hosts, socket=socket)
        if proxy is not None and self.endpoint.tier is not PrivacyTier.STANDARD:
            raise ValueError(f"a proxy could send on what is {self.endpoint.tier}: ask {url} without one")
        self.privacy_tier = self.endpoint.tier
        if key is None and self.endpoint.tier is PrivacyTier.SOVEREIGN:
            key = sdk.NO_KEY
        if key is None and not settings.signs_in:
            raise ValueError(f"no API key for {url}: pass api_key, or set it in the environment ({self.key_variable})")
        self.limiter = limiter if limiter is not None else limiter_of(self.endpoint.server, key or "")
        self._options = dict(options or {})
        self._left_out: frozenset[str] = frozenset()
        self._timeout = timeout
        self._prices: dict[str, Price | None] = {}
        make = partial(
            sdk.make_client,
            client_class,
            self.endpoint,
            self.limiter,
            key=key,
            timeout=timeout,
            max_answer_bytes=max_answer_bytes,
            proxy=proxy,
            headers=dict(headers or {}),
        )
        # They do not hold the driver: one that nobody holds any more closes its connections.
        self._sessions: Sessions[Any] = Sessions(make, sdk.close)
        weakref.finalize(self, self._sessions.retire_soon).atexit = False

    @classmethod
    def from_manifest(cls, manifest: AgentManifest) -> Self:
        """The driver that a manifest names by a word: with its model, URL, window and privacy."""
        model = manifest.model
        if not model.name:
            raise ManifestError(
                [
                    f"model.model_repo: driver {cls.package!r} needs the name that the server knows the model by "
                    "(as remote_model, unless privacy is sovereign)"
                ]
            )
        return cls(
            model.name,
            base_url=model.base_url,
            privacy=manifest.privacy,
            private_hosts=model.private_hosts,
            context_window=model.context_window,
        )

    # The provider's part ----------------------------------------------------------------------------------------

    @abc.abstractmethod
    def _wording(self, request: CompletionRequest) -> Wording:
        """*request* in the provider's words."""

    @abc.abstractmethod
    def _answer(self, wording: Wording) -> Answer:
        """What collects the answer to *wording*."""

    @abc.abstractmethod
    async def _ask(
        self, client: Any, wording: Wording, answer: Answer, put: Callable[[str], None] | None
    ) -> CompletionResponse:
        """Send it, and read the answer; each piece of text goes to *put*, if it is given, as it arrives."""

    # The port ---------------------------------------------------------------------------------------------------

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer *request*.

        Raises:
            RateLimited, Overloaded, NetworkError, MalformedAnswer: No answer; asking again may help.
            ModelNotFound, InferenceFailed, ContextOverflow: No answer; asking again does not help.
            CapabilityDenied: The connection would leave what the privacy tier allows.
            Cancelled: *cancel* came; the connection is closed right after.
        """
        return self._call(request, None, cancel)

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Answer as :meth:`complete` does; each piece of text is a ``TextDelta``, in the caller's thread."""
        return self._call(request, on_event, cancel)

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        """What *usage* of *model* ("": the driver's own) costs, in USD; 0 where its price is not known."""
        price = self._price(model)
        return 0.0 if price is None else price.of(usage)

    def has_price(self, model: str = "") -> bool:
        """Is the price of *model* ("": the driver's own) known?"""
        return self._price(model) is not None

    def _price(self, model: str) -> Price | None:
        name = model or self.model
        if name not in self._prices:
            self._prices[name] = price_of(name, self.provider, self.endpoint.url)
        return self._prices[name]

    def close_idle(self) -> None:
        """Close the connections that no call uses. The driver goes on: later calls open their own."""
        retire(self._sessions, GOODBYE)

    # A call -----------------------------------------------------------------------------------------------------

    def _call(
        self, request: CompletionRequest, on_event: Callable[[Event], None] | None, cancel: CancelToken
    ) -> CompletionResponse:
        refused = 0
        while True:
            wording = self._wording(request)
            with self._turn(wording.tokens + request.max_tokens, cancel) as permit:
                answer = self._answer(wording)
                try:
                    response = self._attempt(wording, answer, on_event, cancel, permit)
                except Cancelled as cancelled:
                    if answer.has_begun():
                        cancelled.tokens = answer.used()
                    raise
                except _NoAnswer as failure:
                    if self._leave_out(failure.error, wording):
                        continue
                    error = self._translated(failure.error, request, wording, answer)
                    if isinstance(error, RateLimited) or is_overload(failure.error):
                        permit.refused(getattr(error, "retry_after", None))
                    refused += 1
                    # Once half an answer has come, whoever asks decides: it has to be paid, and its reader to be told.
                    if not isinstance(error, RateLimited) or refused > REFUSALS or answer.has_begun():
                        if error is failure.error:
                            raise error from error.__cause__
                        raise error from failure.error
                else:
                    permit.answered(response.usage.total)
                    return response
            logger.debug("refused {} times, waiting: {}", refused, error)
            # Without the permit, so that it is in nobody's way.
            if cancel.wait(REFUSED.delay(refused) if error.retry_after is None else no_sooner_than(error.retry_after)):
                raise self._unasked(Cancelled(cancel.reason, timed_out=cancel.timed_out))

    def _turn(self, tokens: int, cancel: CancelToken) -> Permit:
        try:
            return self.limiter.acquire(tokens, cancel=cancel)
        except Cancelled as cancelled:
            raise self._unasked(cancelled) from None

    @staticmethod
    def _unasked(cancelled: Cancelled) -> Cancelled:
        cancelled.asked = False
        return cancelled

    def _translated(self, error: Exception, request: CompletionRequest, wording: Wording, answer: Answer) -> AgentError:
        model = request.model or self.model
        ours = translate(error, model=model, url=self.endpoint.url, window=self.context_window, tokens=wording.tokens)
        if isinstance(ours, DriverError) and ours.tokens is None and (answer.has_begun() or has_worked(error, ours)):
            ours.tokens = answer.used()
        return ours

    def _attempt(
        self,
        wording: Wording,
        answer: Answer,
        on_event: Callable[[Event], None] | None,
        cancel: CancelToken,
        permit: Permit,
    ) -> CompletionResponse:
        def hand_over(text: str) -> None:
            assert on_event is not None
            on_event(TextDelta(text=text))

        def ask(put: Callable[[str], None]) -> Coroutine[Any, Any, CompletionResponse]:
            piece = None if on_event is None else put
            return self._sessions.use(lambda client: self._in_time(client, wording, answer, piece))

        permit.share()  # one that is cancelled is under way until its connection is closed
        return event_loop.relay(ask, hand_over, cancel, permit.let_go)

    async def _in_time(
        self, client: Any, wording: Wording, answer: Answer, put: Callable[[str], None] | None
    ) -> CompletionResponse:
        """Ask, within ``timeout``. What the package raises is kept apart from what a reader of the pieces may raise."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask(client, wording, answer, put)
        except TimeoutError:
            raise _NoAnswer(NetworkError(f"no whole answer within {self._timeout} s (timeout)")) from None
        except Exception as error:
            raise _NoAnswer(error) from error

    def _leave_out(self, error: Exception, wording: Wording) -> bool:
        """Does the server not know a field that it can do without? Then no further request has it."""
        if getattr(error, "status_code", None) not in (400, 422):
            return False
        words = str(error)
        sent = {*wording.fields, *wording.fields.get("extra_body", ())}
        unknown = {name for name in self.optional if name in sent and re.search(rf"\b{name}\b", words)}
        self._left_out |= unknown  # another call may have found out at the same time: this one is asked again, too
        return bool(unknown)

    def _kept(self, fields: Mapping[str, Any], past: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """*fields*, but for what the server does not know; those of *past*, and the driver's ``options``, go past the
        package, which knows only what its provider has today.
        """
        kept = {name: sendable(value) for name, value in fields.items() if name not in self._left_out}
        extra = {name: sendable(value) for name, value in past.items() if name not in self._left_out}
        extra.update((name, value) for name, value in self._options.items() if name not in self._left_out)
        return {**kept, "extra_body": extra} if extra else kept


class _NoAnswer(Exception):
    """A call ended without an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error
