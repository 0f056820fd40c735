"""Vectors from any server that has OpenAI's ``/embeddings``."""

from __future__ import annotations

import asyncio
import json
import weakref
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..agent.context_window import estimate_text
from ..core.process import event_loop
from ..core.records.spec import Backoff, no_sooner_than
from ..core.waiting.cancel import CancelToken
from ..errors import Cancelled, DriverError, MalformedAnswer, NetworkError, RateLimited
from ..network import bounded_json
from ..network.endpoint import Endpoint
from . import sdk
from .connections import Connections, retire
from .edge.refusals import error_in
from .provider_errors import refusal_of, translate
from .shared_limiters import limiter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

    from ..agent.ports import PrivacyTier, PrivacyWord
    from ..errors import AgentError
    from .limiter import Permit, RateLimiter

KNOWN = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Numbers of the vectors of models that are asked for most."""
TEXTS = 256
"""Texts of one request at most."""
TOKENS = 100_000
"""Estimated tokens of one request, unless a single text has more."""
LONGEST = 8_000
"""Estimated tokens of one text: of a longer one the beginning is embedded."""
MOST_VALUES = 8_000_000
ANSWER_BYTES = 128 * 1024 * 1024
REFUSALS = 8
"""How often one request is refused (429) and made again before that counts as a failure."""
FAILURES = 2
"""How often one whose connection or answer broke is made again."""
SOON = Backoff(base=0.25, factor=2.0, maximum=4.0, jitter=0.5)
GRACE = 2.0
"""Seconds beyond its time after which a request is given up, whatever became of the loop that works for it."""
GOODBYE = 2.0
"""Seconds that the closing of idle connections may take."""


class OpenAIEmbedder:
    """Asks any server that has OpenAI's ``/embeddings`` (OpenAI, vLLM, Ollama, llama.cpp, a proxy) for vectors, through
    the official package (extra ``openai``). An ``Embedder``.

    Example:
        ```python
        from actors.memory import OpenAIEmbedder, SqliteMemory

        embedder = OpenAIEmbedder("text-embedding-3-small", base_url="http://127.0.0.1:11434/v1")
        with SqliteMemory("notes.db", embedder=embedder) as memory:
            ...
        ```

    Many texts go in several requests, in the limiter's line with all calls of that key. A cancel ends the request at
    once, and closes its connection.

    Args:
        model: What the server calls it.
        base_url: Where the server is, as the package takes it; None takes the environment's (``OPENAI_BASE_URL``), or
            OpenAI's own.
        api_key: None takes the environment's (``OPENAI_API_KEY``); a server on this machine needs none.
        dimensions: So many numbers are asked for; None takes what the model makes.
        limiter: What the key allows, shared with drivers; None shares one by server and key.
        privacy: How private the server must be (``sovereign``: on this machine); None takes what it is.
        private_hosts: Host names under your own control, for ``private``.
        timeout: Seconds for one request.
        headers: Sent with each request.

    Raises:
        ImportError: The package is not installed; the message names the command that installs it.
        ValueError: A bad URL or number, or no API key.
        CapabilityDenied: The server is farther away than *privacy* allows.

    Threads: any. ``_dimensions`` is found once, by whoever asks first.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        dimensions: int | None = None,
        limiter: RateLimiter | None = None,
        privacy: PrivacyTier | PrivacyWord | None = None,
        private_hosts: Iterable[str] = (),
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ValueError("an embedder needs the name of its model: what does the server call it?")
        if dimensions is not None and (isinstance(dimensions, bool) or not dimensions >= 1):
            raise ValueError(f"dimensions must be at least 1, got {dimensions!r}")
        if not timeout > 0:
            raise ValueError(f"timeout must be above 0 seconds, got {timeout}")
        client_class = sdk.client_class("openai", "AsyncOpenAI", type(self).__name__)
        found = sdk.settings(client_class, base_url, api_key)
        self.model = model
        self.endpoint: Endpoint = Endpoint.of(found.url, privacy=privacy, private_hosts=private_hosts)
        self.privacy_tier: PrivacyTier = self.endpoint.tier
        key = found.key_for(self.privacy_tier, "OPENAI_API_KEY")
        self.limiter: RateLimiter = limiter if limiter is not None else limiter_of(self.endpoint.server, key or "")
        self._timeout = timeout
        self._asked_for = dimensions
        self._dimensions = dimensions if dimensions is not None else KNOWN.get(model)
        make = partial(
            sdk.make_client,
            client_class,
            self.endpoint,
            self.limiter,
            key=key,
            timeout=timeout,
            max_answer_bytes=ANSWER_BYTES,
            proxy=None,
            headers=dict(headers or {}),
        )
        self._connections: Connections[Any] = Connections(make, sdk.close)
        weakref.finalize(self, self._connections.retire_soon).atexit = False

    @property
    def dimensions(self) -> int:
        """Numbers of each vector. Where nobody has said so, the server is asked for one.

        Raises:
            DriverError: It does not answer.
        """
        if self._dimensions is None:
            return len(self.embed(["dimensions"], cancel=CancelToken())[0])
        return self._dimensions

    def embed(self, texts: Sequence[str], *, cancel: CancelToken) -> list[Sequence[float]]:
        """One vector for each of *texts*, in their order.

        Raises:
            RateLimited, Overloaded, NetworkError, MalformedAnswer: No answer; asking again may help.
            ModelNotFound, InferenceFailed, ContextOverflow: No answer; asking again does not help.
            CapabilityDenied: The connection would leave what the privacy tier allows.
            Cancelled: *cancel* came; the connection is closed right after.
        """
        cancel.check()
        vectors: list[Sequence[float]] = []
        for group, tokens in _groups(texts):
            vectors += self._ask(group, tokens, cancel)
        if self._dimensions is None and vectors:
            self._dimensions = len(vectors[0])
        return vectors

    def close_idle(self) -> None:
        """Close the connections that no request uses. Later ones open their own."""
        retire(self._connections, GOODBYE)

    def _ask(self, texts: list[str], tokens: int, cancel: CancelToken) -> list[list[float]]:
        fields: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._asked_for is not None:
            fields["dimensions"] = self._asked_for
        body = json.dumps(fields, ensure_ascii=True).encode()
        refused = failed = 0
        while True:
            wait: float | None = None
            with self.limiter.acquire(tokens, cancel=cancel) as permit:
                try:
                    vectors, used = self._read(self._attempt(body, cancel, permit), len(texts))
                except Exception as error:
                    ours, is_refusal = self._translated(error, tokens)
                    if is_refusal:
                        wait = permit.refused(getattr(ours, "retry_after", None))
                        refused += 1
                    else:
                        failed += 1
                    is_hopeless = not (isinstance(ours, DriverError) and ours.retryable)
                    if is_hopeless or refused > REFUSALS or failed > FAILURES:
                        if ours is error:
                            raise
                        raise ours from error
                else:
                    permit.answered(used or tokens)
                    return vectors
            if cancel.wait(no_sooner_than(wait) if wait else SOON.delay(refused + failed)):
                raise Cancelled(cancel.reason, timed_out=cancel.timed_out)

    def _translated(self, error: Exception, tokens: int) -> tuple[AgentError, bool]:
        refusal = refusal_of(error, tokens)
        ours = translate(error, refusal, model=self.model, url=self.endpoint.url, window=LONGEST, tokens=tokens)
        return ours, isinstance(ours, RateLimited)

    def _attempt(self, body: bytes, cancel: CancelToken, permit: Permit) -> bytes:
        """Ask once; the body of the answer."""
        pieces: list[bytes] = []

        def ask(put: Callable[[bytes], None]) -> Coroutine[Any, Any, None]:
            return self._connections.use(lambda client: permit.during(self._in_time(client, body, put)))

        permit.share()  # one that is cancelled is under way until its connection is closed
        try:
            event_loop.relay(ask, pieces.append, cancel, permit.let_go, within=self._timeout + GRACE)
        except event_loop.LoopLost as lost:
            raise NetworkError(f"no whole answer: {lost}") from lost
        return b"".join(pieces)

    async def _in_time(self, client: Any, body: bytes, put: Callable[[bytes], None]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                response = await sdk.post(client, "/embeddings", body)
                try:
                    await sdk.hand_over(response, put, at_once=True)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise NetworkError(f"no whole answer within {self._timeout} s (timeout)") from None

    def _read(self, answer: bytes, count: int) -> tuple[list[list[float]], int]:
        """The vectors in the order of their texts, and the tokens that were used."""
        try:
            said = bounded_json.loads(answer, max_values=MOST_VALUES)
        except ValueError as error:
            raise MalformedAnswer(f"the embeddings of model {self.model!r} are no JSON: {error}") from error
        problem = error_in(said, {})
        if problem is not None:
            raise problem
        data = said.get("data") if isinstance(said, dict) else None
        found: dict[int, list[float]] = {}
        for place, entry in enumerate(data if isinstance(data, list) else ()):
            vector = entry.get("embedding") if isinstance(entry, dict) else None
            if not isinstance(vector, list) or not vector or not all(map(_is_number, vector)):
                raise MalformedAnswer(f"embedding {place} of model {self.model!r} is no list of finite numbers")
            index = entry.get("index", place)
            found[index if isinstance(index, int) else place] = vector
        lengths = {len(vector) for vector in found.values()}
        if sorted(found) != list(range(count)) or len(data or ()) != count or len(lengths) != 1:
            raise MalformedAnswer(
                f"model {self.model!r} was given {count} texts, and answered {len(data or ())} vectors of lengths "
                f"{sorted(lengths)[:3]}"
            )
        usage = said.get("usage")
        used = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return [found[place] for place in range(count)], used if type(used) is int and used > 0 else 0


def _is_number(value: object) -> bool:
    """Is it one, and neither infinite nor none at all (NaN)?"""
    return (type(value) is float and isfinite(value)) or type(value) is int


def _groups(texts: Sequence[str]) -> Iterator[tuple[list[str], int]]:
    """*texts* in requests, each with its estimated tokens."""
    group: list[str] = []
    tokens = 0
    for text in texts:
        fitted = _shortened(text)
        size = estimate_text(fitted)
        if group and (len(group) >= TEXTS or tokens + size > TOKENS):
            yield group, tokens
            group, tokens = [], 0
        group.append(fitted)
        tokens += size
    if group:
        yield group, tokens


def _shortened(text: str) -> str:
    """What of *text* is embedded. Servers refuse an empty one, and half of a surrogate pair."""
    while (size := estimate_text(text)) > LONGEST:
        text = text[: max(1, len(text) * LONGEST // size)]
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if text.strip() else "."
