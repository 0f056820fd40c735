"""What a driver raises."""

from __future__ import annotations

from typing import ClassVar

from .base import AgentError


class DriverError(AgentError):
    """A driver could not answer.

    Args:
        message: What happened.
        retry_after: Seconds that the server asked to wait; None when it did not say.

    ``tokens`` is what the call used before it failed, read and written, as far as anybody knows; None: the model did
    not work at all. ``token_parts`` are those of them that were cached, written into a cache, and thoughts. A driver
    sets them, so that accounts and budgets count what has to be paid.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.tokens: tuple[int, int] | None = None
        self.token_parts = (0, 0, 0)


class RateLimited(DriverError):
    """The provider asks to slow down (HTTP 429)."""

    retryable = True


class Overloaded(DriverError):
    """The provider has no capacity now (HTTP 5xx)."""

    retryable = True


class NetworkError(DriverError):
    """The connection failed, broke or timed out."""

    retryable = True


class MalformedAnswer(DriverError):
    """The answer could not be parsed."""

    retryable = True


class ModelNotFound(DriverError):
    """The provider does not know the model."""


class InferenceFailed(DriverError):
    """The provider refused the request, or the driver has no answer."""
