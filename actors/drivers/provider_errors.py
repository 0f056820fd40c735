"""Turns what a provider's package raises into the library's errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.crash import text_of
from ..errors import (
    AgentError,
    ContextOverflow,
    DriverError,
    InferenceFailed,
    MalformedAnswer,
    ModelNotFound,
    NetworkError,
    Overloaded,
    RateLimited,
)
from .rate_headers import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIRECT, BAD_REQUEST, NOT_FOUND, REQUEST_TIMEOUT, CONFLICT, TOO_LARGE = 300, 400, 404, 408, 409, 413
TOO_MANY, SERVER_ERROR, UNAVAILABLE, OVERLOADED = 429, 500, 503, 529
OVERFLOW = re.compile(
    r"context[_ ]length|context window|maximum context|prompt is too long|too many tokens|exceed[a-z]* context",
    re.IGNORECASE,
)
NO_MONEY = ("insufficient_quota", "billing", "credit balance")
NO_MODEL = re.compile(r"model.{0,80}(not (found|exist)|does ?n.t exist|unknown)|unknown model", re.IGNORECASE)
LONGEST_TEXT = 500
"""Characters of a provider's own words that an error keeps."""


def translate(error: Exception, *, model: str, url: str, window: int, tokens: int) -> AgentError:
    """What *error* means. Its cause is to be *error*.

    Args:
        model, url: What was asked, and where; for people.
        window: Tokens of the context window, for an overflow that tells no numbers.
        tokens: Estimated tokens of the request, likewise.
    """
    for cause in _chain(error):
        if isinstance(cause, AgentError):  # one of ours, raised inside the package and wrapped by it
            return cause
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= REDIRECT:
        return _of_status(status, error, what=f"model {model!r} at {url}", window=window, tokens=tokens)
    if _is(error, "APITimeoutError") or isinstance(error, TimeoutError):
        return NetworkError(f"no answer in time: {_words(error)}")
    if _is(error, "APIConnectionError") or isinstance(error, OSError):
        return NetworkError(f"the connection to {url} failed or broke: {_words(_first(error))}")
    if "authentication method" in _words(error) or _is(error, "CredentialsError"):
        return InferenceFailed(f"no API key: {_words(error)}")
    if _is(error, "APIResponseValidationError"):
        return MalformedAnswer(f"the answer cannot be read: {_words(error)}")
    if _is(error, "APIError"):  # an error in the middle of a stream
        return _of_stream(error)
    if type(error).__module__.startswith(("httpx", "httpcore", "anyio", "h11")):
        return NetworkError(f"the connection to {url} broke: {_words(error)}")
    return MalformedAnswer(f"the answer cannot be read: {type(error).__name__}: {_words(error)}")


def is_overload(error: Exception) -> bool:
    """Does the server say that it has too much to do?"""
    return getattr(error, "status_code", None) in (UNAVAILABLE, OVERLOADED) or "overloaded" in _kind(error)


def has_worked(error: Exception, ours: AgentError) -> bool:
    """Has the model worked, although no byte of its answer was read? Then the call has to be paid, perhaps."""
    if isinstance(ours, MalformedAnswer):
        return True
    never_sent = {"ConnectError", "ConnectTimeout", "PoolTimeout", "CapabilityDenied"}
    causes = {type(cause).__name__ for cause in _chain(error)}
    return isinstance(ours, NetworkError) and not getattr(error, "status_code", 0) and not causes & never_sent


def _of_status(status: int, error: Exception, *, what: str, window: int, tokens: int) -> AgentError:
    words = _words(error)
    text = f"HTTP {status}: {words}"
    wait = _wait_of(error)
    if status < BAD_REQUEST:
        return InferenceFailed(f"{text} (no redirect is followed: where should base_url lead?)")
    if status == TOO_MANY and any(mark in f"{words} {_kind(error)}".lower() for mark in NO_MONEY):
        return InferenceFailed(f"{text} (the account has no quota left: asking again does not help)")
    if status == TOO_MANY:
        return RateLimited(text, retry_after=wait)
    if status == REQUEST_TIMEOUT:
        return NetworkError(text, retry_after=wait)
    if status == CONFLICT or status >= SERVER_ERROR:
        return Overloaded(text, retry_after=wait)
    if OVERFLOW.search(f"{words} {_kind(error)}") or status == TOO_LARGE:
        return _overflow(words, window=window, tokens=tokens)
    if status == NOT_FOUND or NO_MODEL.search(words):
        return ModelNotFound(f"{text} ({what}; does base_url have the path that it needs, such as /v1?)")
    if status in (401, 403):
        return InferenceFailed(f"{text} (check the API key, and what it may do)")
    return InferenceFailed(text)


def _of_stream(error: Exception) -> DriverError:
    kind = _kind(error)
    text = f"the stream ended with an error: {_words(error)}"
    if "rate_limit" in kind:
        return RateLimited(text, retry_after=_wait_of(error))
    if "invalid_request" in kind or "authentication" in kind or "permission" in kind:
        return InferenceFailed(text)
    return Overloaded(text, retry_after=_wait_of(error))


def _overflow(words: str, *, window: int, tokens: int) -> ContextOverflow:
    """With the provider's numbers, where it tells both."""
    numbers = sorted(int(number) for number in re.findall(r"\d{3,9}", words.replace(",", "")))
    if len(numbers) > 1:
        return ContextOverflow(numbers[-1], numbers[0])
    return ContextOverflow(max(tokens, window + 1), window)


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


def _wait_of(error: Exception) -> float | None:
    response: Any = getattr(error, "response", None)
    headers = getattr(response, "headers", None)
    return None if headers is None else retry_after(headers)


def _body(error: BaseException) -> Mapping[str, Any]:
    """What the provider sent of the error; empty when that is no object."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"]
    return body if isinstance(body, Mapping) else {}


def _kind(error: Exception) -> str:
    """The provider's own words for the kind of error."""
    body = _body(error)
    return " ".join(str(part) for part in (body.get("type"), body.get("code")) if part)


def _words(error: BaseException) -> str:
    """What the provider said; else what the package says."""
    said = _body(error).get("message")
    text = said if isinstance(said, str) and said else text_of(error) or type(error).__name__
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
