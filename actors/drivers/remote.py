"""What drivers share that ask a server."""

from __future__ import annotations

import abc
import asyncio
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

from loguru import logger

from ..agent.ports import PrivacyTier
from ..agent.takes import problem_of_messages
from ..agent.terms.settings import NO_SETTINGS, ModelSettings
from ..core.clock import SYSTEM_CLOCK
from ..core.process import event_loop
from ..core.records.answer import TextDelta
from ..core.records.spec import Backoff, no_sooner_than
from ..errors import (
    Cancelled,
    DriverError,
    InferenceFailed,
    ManifestError,
    NetworkError,
    RateLimited,
)
from ..network.endpoint import Endpoint
from . import sdk
from .base import Driver
from .connections import Connections, retire
from .edge.reading import Reading
from .edge.returned import refuses_returned
from .limiter import tell_waited
from .own_settings import OwnSettings
from .prices import price_of
from .provider_errors import has_worked, place_of, refusal_of, translate
from .recipe import Recipe
from .shared_limiters import limiter_of
from .writer import RequestWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from ..agent.ports import CompletionRequest, CompletionResponse, PrivacyWord
    from ..agent.takes import Takes
    from ..agent.terms.manifest import AgentManifest
    from ..core.records.event import Event
    from ..core.records.usage import TokenUsage
    from ..core.waiting.cancel import CancelToken
    from ..errors import AgentError
    from .edge.answer import Answer
    from .edge.dialect import Dialect
    from .edge.profiles import ServerProfile
    from .edge.refusals import Refusal
    from .limiter import Permit, RateLimiter
    from .prices import Price
    from .writer import Sent

REFUSALS = 8
"""How often one call is refused (429) and asked again before that counts as a failure."""
REFUSED = Backoff(base=0.25, factor=2.0, maximum=4.0, jitter=0.5)
"""The wait of one that was refused, where the server does not say."""
SOON = Backoff(base=0.1, factor=2.0, maximum=4.0, jitter=0.5)
"""The wait of one whose connection or answer broke, or that met an error of its server: most of that is chance."""
FEW = 4
"""So many failures, and no answer, are still chance."""
ANSWER_BYTES = 32 * 1024 * 1024
GOODBYE = 2.0
"""Seconds that the closing of idle connections may take."""
LESSONS = 6
"""So often one call is asked again at once because its server said what it wants otherwise."""
GRACE = 2.0
"""Seconds beyond its time after which a call is given up, whatever became of the loop that works for it."""


class RemoteSettings(TypedDict, total=False):
    """What every :class:`RemoteDriver` takes beside its model."""

    base_url: str | None
    api_key: str | None
    limiter: RateLimiter | None
    privacy: PrivacyTier | PrivacyWord | None
    private_hosts: Iterable[str]
    context_window: int | None
    timeout: float
    max_answer_bytes: int
    socket: str | None
    proxy: str | None
    headers: Mapping[str, str] | None
    options: Mapping[str, Any] | None
    settings: ModelSettings | None


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
        options: Further fields of each request (``{"reasoning_effort": "low"}``). They win over the driver's own; None
            leaves a field out.
        settings: How the model is to answer where neither the config nor the manifest of an agent says so.

    Raises:
        ImportError: The package is not installed; the message names the command that installs it.
        ValueError: A bad URL or number, no API key, or *settings* that it cannot keep to.
        CapabilityDenied: The server is farther away than *privacy* allows.

    Threads: any. Connections are opened and used on the private loop only.
    """

    package: ClassVar[str]
    client_class: ClassVar[str]
    provider: ClassVar[str]
    key_variable: ClassVar[str]
    usual_window: ClassVar[int]

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        limiter: RateLimiter | None = None,
        privacy: PrivacyTier | PrivacyWord | None = None,
        private_hosts: Iterable[str] = (),
        context_window: int | None = None,
        timeout: float = 600.0,
        max_answer_bytes: int = ANSWER_BYTES,
        socket: str | None = None,
        proxy: str | None = None,
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        super().__init__(context_window=self.usual_window if context_window is None else context_window)
        if not isinstance(model, str) or not model:
            raise ValueError("a model needs a name: what does the server call it?")
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
        if max_answer_bytes < 1:
            raise ValueError(f"max_answer_bytes must be at least 1, got {max_answer_bytes}")
        client_class = sdk.client_class(self.package, self.client_class, type(self).__name__)
        found = sdk.settings(client_class, base_url, api_key)
        url = found.url
        self.model = model
        private_hosts = tuple(private_hosts)
        self.endpoint: Endpoint = Endpoint.of(url, privacy=privacy, private_hosts=private_hosts, socket=socket)
        if proxy is not None and self.endpoint.tier is not PrivacyTier.STANDARD:
            raise ValueError(f"a proxy could send on what is {self.endpoint.tier}: ask {url} without one")
        self.privacy_tier = self.endpoint.tier
        key = found.key_for(self.endpoint.tier, self.key_variable)
        self.limiter: RateLimiter = limiter if limiter is not None else limiter_of(self.endpoint.server, key or "")
        arguments = {
            "base_url": url, "limiter": self.limiter, "privacy": privacy, "private_hosts": private_hosts,
            "context_window": context_window, "timeout": timeout, "max_answer_bytes": max_answer_bytes,
            "socket": socket, "proxy": proxy, "headers": headers, "options": options, "settings": settings,
        }  # fmt: skip
        self._recipe = Recipe(model, arguments, api_key is not None)
        self._timeout = timeout
        self._failures = 0  # in a row, of all calls; a count that is lost between two threads does no harm
        self._dialect = self._dialect_of()
        self.settings: ModelSettings = NO_SETTINGS if settings is None else ModelSettings.model_validate(settings)
        self._writer = RequestWriter(
            self._profile_of(url),
            self._dialect.words,  # nothing below holds the driver
            optional=self._dialect.optional,
            options=options or {},
            settings=OwnSettings(self.settings, self._dialect, place_of(url)),
            model=model,
            window=self.context_window,
            owner=" ".join(filter(None, (self.provider, self._dialect.keeper, self.endpoint.server))),
            place=place_of(url),
        )
        if (problem := self.refusal_of(self.settings)) is not None:
            raise ValueError(problem)
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
        self._connections: Connections[Any] = Connections(make, sdk.close)
        weakref.finalize(self, self._connections.retire_soon).atexit = False

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the arguments, but no key."""
        return self._recipe.reduced(self, self._own_arguments())

    def _own_arguments(self) -> dict[str, Any]:
        """What its class takes beside those of all."""
        return {}

    @property
    def profile(self) -> ServerProfile:
        """What is known of the server by now."""
        return self._writer.profile

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
        return cls(model.name, **cls._of_manifest(manifest))

    @classmethod
    def _of_manifest(cls, manifest: AgentManifest) -> dict[str, Any]:
        """The arguments that a manifest says."""
        model = manifest.model
        return {
            "base_url": model.base_url,
            "privacy": manifest.privacy,
            "private_hosts": model.private_hosts,
            "context_window": model.context_window,
        }

    # The provider's part ----------------------------------------------------------------------------------------

    @abc.abstractmethod
    def _profile_of(self, url: str) -> ServerProfile:
        """What is known of the server at *url*."""

    @abc.abstractmethod
    def _dialect_of(self) -> Dialect:
        """The protocol that is spoken."""

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

    @property
    def takes(self) -> Takes:
        """The content beside text that the protocol has words for."""
        return self._dialect.takes

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

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """Which of *settings* it cannot keep to, and who can; None when it keeps to all."""
        return self._writer.refusal_of(settings)

    def close_idle(self) -> None:
        """Close the connections that no call uses. The driver goes on: later calls open their own."""
        retire(self._connections, GOODBYE)

    # A call -----------------------------------------------------------------------------------------------------

    def _call(
        self, request: CompletionRequest, on_event: Callable[[Event], None] | None, cancel: CancelToken
    ) -> CompletionResponse:
        if (what := problem_of_messages(request.messages, self.takes, type(self).__name__)) is not None:
            raise InferenceFailed(f"nothing was sent: {what}")
        refused = lessons = spare = 0
        is_bare = False
        while True:
            sent = self._writer.write(request, streams=on_event is not None, spare=spare, is_bare=is_bare)
            with self._turn(sent.asked.tokens + sent.limit, cancel) as permit:
                answer = self._dialect.answer(sent.asked)
                try:
                    response = self._attempt(sent, answer, on_event, cancel, permit)
                except Cancelled as cancelled:
                    if answer.has_begun():
                        _tell_used(cancelled, answer)
                    raise
                except _NoAnswer as failure:
                    refusal = refusal_of(failure.error, sent.asked.tokens)
                    error = self._translated(failure.error, refusal, request, sent, answer)
                    if refusal is not None and lessons < LESSONS and not answer.has_begun():
                        lessons += 1
                        if not is_bare and refuses_returned(refusal.text):
                            logger.info(
                                "{} does not take back what was thought before: {}", sent.asked.owner, refusal.words
                            )
                            is_bare = True
                            continue
                        if self._writer.learn(refusal, sent):
                            continue
                        if 0 < refusal.too_many_tokens < sent.limit:
                            spare += refusal.too_many_tokens
                            continue
                    if isinstance(error, RateLimited) or (refusal is not None and refusal.is_overload):
                        wait = permit.refused(getattr(error, "retry_after", None))
                    elif isinstance(error, DriverError) and error.retryable and error.retry_after is None:
                        error.retry_after = self._soon()
                    refused += 1
                    # Once half an answer has come, whoever asks decides: it has to be paid, and its reader to be told.
                    if not isinstance(error, RateLimited) or refused > REFUSALS or answer.has_begun():
                        if error is failure.error:
                            raise error from error.__cause__
                        raise error from failure.error
                else:
                    permit.answered(response.usage.total)
                    self._failures = 0
                    return response
            logger.debug("refused {} times, waiting: {}", refused, error)
            self._rest(no_sooner_than(wait) if wait else REFUSED.delay(refused), cancel)

    def _rest(self, seconds: float, cancel: CancelToken) -> None:
        """Wait after a refusal: without the permit, so that it is in nobody's way."""
        since = SYSTEM_CLOCK.monotonic()
        is_cancelled = cancel.wait(seconds)
        tell_waited(since)
        if is_cancelled:
            raise self._unasked(Cancelled(cancel.reason, timed_out=cancel.timed_out))

    def _soon(self) -> float:
        """Seconds after which one that failed by chance, as it seems, is asked again: more when nothing else comes."""
        self._failures += 1
        return SOON.delay(1 + self._failures // FEW)

    def _turn(self, tokens: int, cancel: CancelToken) -> Permit:
        try:
            return self.limiter.acquire(tokens, cancel=cancel)
        except Cancelled as cancelled:
            raise self._unasked(cancelled) from None

    @staticmethod
    def _unasked(cancelled: Cancelled) -> Cancelled:
        cancelled.asked = False
        return cancelled

    def _translated(
        self, error: Exception, refusal: Refusal | None, request: CompletionRequest, sent: Sent, answer: Answer
    ) -> AgentError:
        ours = translate(
            error,
            refusal,
            model=request.model or self.model,
            url=self.endpoint.url,
            window=self.context_window,
            tokens=sent.asked.tokens,
            unknown_path=self._dialect.unknown,
        )
        has_begun = answer.has_begun() or has_worked(error, refusal, ours)
        if isinstance(ours, DriverError) and ours.tokens is None and has_begun:
            _tell_used(ours, answer)
        return ours

    def _attempt(
        self,
        sent: Sent,
        answer: Answer,
        on_event: Callable[[Event], None] | None,
        cancel: CancelToken,
        permit: Permit,
    ) -> CompletionResponse:
        """Ask once. What arrives is read here, in the agent's thread: its size and shape are the server's choice."""
        reading = Reading(answer)
        told = False

        def read(take: Callable[[], str]) -> None:
            nonlocal told
            try:
                text = take()
            except Exception as error:
                raise _NoAnswer(error) from error
            if text and on_event is not None:
                told = True
                on_event(TextDelta(text=text))

        def take(piece: bytes) -> None:
            read(lambda: reading.take(piece))

        def ask(put: Callable[[bytes], None]) -> Coroutine[Any, Any, None]:
            return self._connections.use(lambda client: permit.during(self._in_time(client, sent, reading, put)))

        permit.share()  # one that is cancelled is under way until its connection is closed
        broke: _NoAnswer | None = None
        try:
            event_loop.relay(ask, take, cancel, permit.let_go, patience=reading.patience, within=self._timeout + GRACE)
        except event_loop.LoopLost as lost:  # it has ended, or something holds it: its own clock stands still there
            broke = _NoAnswer(NetworkError(f"no whole answer: {lost}"))
        except _NoAnswer as failure:
            if not failure.on_the_way:
                raise
            broke = failure
        try:
            if broke is None:
                read(reading.end)
            response = answer.response(ended=broke is None)
        except _NoAnswer:
            raise
        except Exception as error:
            # What broke the connection says more than that the answer is not whole.
            raise broke or _NoAnswer(error) from error
        if response.text and on_event is not None and not told:
            on_event(TextDelta(text=response.text))
        return response

    async def _in_time(self, client: Any, sent: Sent, reading: Reading, put: Callable[[bytes], None]) -> None:
        """Ask, within ``timeout``, and hand over the bytes of the answer: as they arrive, or all at once where nobody
        is to be told of them before.
        """
        head = False
        try:
            async with asyncio.timeout(self._timeout):
                response = await sdk.post(client, self._dialect.path, sent.body)
                try:
                    head = True
                    reading.begin(response.headers)
                    await sdk.hand_over(response, put, at_once="stream" not in sent.fields)
                finally:
                    await response.aclose()
        except TimeoutError:
            timed_out = NetworkError(f"no whole answer within {self._timeout} s (timeout)")
            raise _NoAnswer(timed_out, on_the_way=head) from None
        except Exception as error:
            raise _NoAnswer(error, on_the_way=head) from error


def _tell_used(error: Cancelled | DriverError, answer: Answer) -> None:
    """Half an answer has to be paid, too."""
    used = answer.used()
    error.tokens = used.input_tokens, used.output_tokens
    error.token_parts = used.cached_input_tokens, used.cache_write_tokens, used.reasoning_tokens


class _NoAnswer(Exception):
    """A call ended without an answer.

    Args:
        on_the_way: The answer had begun to arrive.
    """

    def __init__(self, error: Exception, *, on_the_way: bool = False) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.on_the_way = on_the_way
