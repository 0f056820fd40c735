"""Turns what a provider's package raises, and what its server said, into the library's errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..core.crash import text_of
from ..errors import (
    AgentError,
    ContextOverflow,
    InferenceFailed,
    MalformedAnswer,
    ModelNotFound,
    NetworkError,
    Overloaded,
    RateLimited,
)
from .edge.error_body import LONGEST_WORDS
from .edge.error_text import harmless
from .edge.refusals import (
    NOT_FOUND,
    PAYMENT,
    REQUEST_TIMEOUT,
    SERVER_ERROR,
    TOO_LARGE,
    TOO_MANY,
    Refusal,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .edge.overflow import Overflow

REDIRECT, BAD_REQUEST, CONFLICT, TOO_EARLY = 300, 400, 409, 425
NO_MODEL = re.compile(
    r"model.{0,80}(not (found|exist)|does ?n.t exist|unknown|is not a valid)|unknown model|no such model", re.IGNORECASE
)
NO_SUCH_PATH = (NOT_FOUND, 405, 501)
SLOW_DOWN = re.compile(r"rate_?limit|too_?many_?requests|throttl|resource_?exhausted")
LONGEST_MODEL = 100


def refusal_of(error: Exception, tokens: int = 0) -> Refusal | None:
    """What the server refused, and why, for deciding what to do about it; None when it did not.

    Args:
        error: A ``ServerError``, or whatever the package raised.
        tokens: Estimated tokens of the request.
    """
    if isinstance(error, ServerError):
        return Refusal.of(error.status, error.headers, error.body, tokens)
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status < REDIRECT:
        return None
    response: Any = getattr(error, "response", None)
    headers = getattr(response, "headers", None)
    # Not ``error.body``: for the package there is but one shape.
    body = _content(response) or getattr(error, "body", None)
    return Refusal.of(status, headers if isinstance(headers, Mapping) else {}, body, tokens)


def translate(
    error: Exception,
    refusal: Refusal | None,
    *,
    model: str,
    url: str,
    window: int,
    tokens: int,
    unknown_path: str = "",
) -> AgentError:
    """What *error* means. Its cause is to be *error*.

    Args:
        refusal: What the server refused, if it did (:func:`refusal_of`).
        model, url: What was asked, and where; for people.
        window: Tokens of the context window, for an overflow that tells no numbers.
        tokens: Estimated tokens of the request, likewise.
        unknown_path: What to say of a server that does not know the path.
    """
    where = place_of(url)
    whom = f"(model {model[:LONGEST_MODEL]!r} at {where})"
    for cause in _chain(error):
        if isinstance(cause, AgentError):  # one of ours, raised inside the package and wrapped by it
            if cause is error and type(cause) in (MalformedAnswer, InferenceFailed):  # found while reading the answer
                return type(cause)(f"{cause} {whom}")
            return cause
    if refusal is not None:
        frame = f"HTTP {refusal.status}"
        if isinstance(error, ServerError):
            status = "" if refusal.status is None else f" ({refusal.status})"
            frame = f"the answer was an error{status}"
        text = f"{frame}: {refusal.words} {whom}"
        if unknown_path and refusal.status in NO_SUCH_PATH and not NO_MODEL.search(refusal.text):
            return ModelNotFound(f"{text}: {unknown_path}")
        return _of_refusal(refusal, text, window=window, tokens=tokens)
    if _is(error, "APITimeoutError") or isinstance(error, TimeoutError):
        return NetworkError(f"no answer of {where} in time: {_words(error)}")
    if _is(error, "APIConnectionError") or isinstance(error, OSError):
        return NetworkError(f"the connection to {where} failed or broke: {_words(_first(error))}")
    if "authentication method" in _words(error) or _is(error, "CredentialsError"):
        return InferenceFailed(f"no API key: {_words(error)}")
    if type(error).__module__.startswith(("httpx", "httpcore", "anyio", "h11")):
        return NetworkError(f"the connection to {where} broke: {_words(error)}")
    return MalformedAnswer(f"the answer of {where} cannot be read: {type(error).__name__}: {_words(error)}")


def has_worked(error: Exception, refusal: Refusal | None, ours: AgentError) -> bool:
    """Has the model worked, although no byte of its answer was read? Then the call has to be paid, perhaps."""
    if isinstance(ours, MalformedAnswer):
        return True
    never_sent = {"ConnectError", "ConnectTimeout", "PoolTimeout", "CapabilityDenied"}
    causes = {type(cause).__name__ for cause in _chain(error)}
    return isinstance(ours, NetworkError) and refusal is None and not causes & never_sent


def _of_refusal(refusal: Refusal, text: str, *, window: int, tokens: int) -> AgentError:
    status, wait = refusal.status, refusal.wait
    if status is not None and status < BAD_REQUEST:
        return InferenceFailed(f"{text}: no redirect is followed; where should base_url lead?")
    slow_down = status == TOO_MANY or (status in (400, 403, TOO_LARGE) and SLOW_DOWN.search(refusal.kind))
    if slow_down and refusal.hopeless is not None:
        return InferenceFailed(f"{text}: {refusal.hopeless}")
    if refusal.overflow is not None:
        return _overflow(refusal.overflow, window=window, tokens=tokens)
    if slow_down:
        return RateLimited(text, retry_after=wait)
    if status == TOO_LARGE:
        return _overflow(None, window=window, tokens=tokens)
    if status == REQUEST_TIMEOUT:
        return NetworkError(text, retry_after=wait)
    if status is None or status in (CONFLICT, TOO_EARLY) or status >= SERVER_ERROR:
        return Overloaded(text, retry_after=wait)
    if status == PAYMENT:
        return InferenceFailed(
            f"{text}: {refusal.hopeless or 'the account has to be paid; asking again does not help'}"
        )
    if status == NOT_FOUND or NO_MODEL.search(refusal.text):
        if NO_MODEL.search(refusal.text):
            return ModelNotFound(f"{text}: is that what the server calls it?")
        return ModelNotFound(
            f"{text}: is base_url right? OpenAI's protocol wants it with its path, such as /v1, Anthropic's without"
        )
    if status in (401, 403):
        return InferenceFailed(f"{text}: check the API key, and what it may do")
    return InferenceFailed(text)


def _overflow(said: Overflow | None, *, window: int, tokens: int) -> ContextOverflow:
    """With the server's numbers, as far as it tells them."""
    needed, available = (None, None) if said is None else (said.needed, said.available)
    if available is None:
        available = window if needed is None else min(window, needed - 1)
    return ContextOverflow(max(tokens if needed is None else needed, available + 1), available)


def _content(response: Any) -> bytes:
    try:
        content = response.content
    except Exception:  # noqa: BLE001 - it was closed before it was read
        return b""
    return content if isinstance(content, bytes) else b""


def place_of(url: str) -> str:
    """*url* without a password, and without what may be a key."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "its URL"
    return harmless(f"{parts.scheme}://{host}{parts.path}")[:200] if host else harmless(url.partition("?")[0])[:200]


def _is(error: Exception, name: str) -> bool:
    """Is it of that class of its package? The packages name their classes alike, and none is imported here."""
    return any(cls.__name__ == name for cls in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """*error*, what it was raised from, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _first(error: BaseException) -> BaseException:
    """What *error* was raised from, at the very bottom: there stands what happened."""
    seen: set[int] = set()
    while error.__cause__ is not None and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__
    return error


def _words(error: BaseException) -> str:
    """What the package says."""
    text = harmless(text_of(error)[: 4 * LONGEST_WORDS]) or type(error).__name__
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1]}…"
