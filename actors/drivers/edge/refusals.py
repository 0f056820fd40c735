"""What a server means by an error: decided from plain data, not from the exceptions of any package.

An error comes with a status, or inside an answer that says 200, whole or as one event of a stream (:func:`error_in`).
:class:`Refusal` says what it means: whether the request is too long, whether a wait mends it, and which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ..rate_headers import HOUR, retry_after
from .error_body import ErrorBody
from .overflow import Overflow, overflow_in

PAYMENT, NOT_FOUND, REQUEST_TIMEOUT, TOO_LARGE, TOO_MANY = 402, 404, 408, 413, 429
SERVER_ERROR, UNAVAILABLE, OVERLOADED = 500, 503, 529
OTHER_NAMES = {
    499: "Client Closed Request",
    520: "Unknown Error of the server behind the proxy",
    521: "Server Is Down",
    522: "Connection Timed Out",
    523: "Origin Is Unreachable",
    524: "A Timeout Occurred",
    525: "TLS Handshake Failed",
    526: "Invalid Certificate",
    OVERLOADED: "Overloaded",
    530: "Site Frozen",
}
"""Statuses that proxies and providers have made up."""

STATUS_OF_KIND: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (status, re.compile(words))
    for status, words in (
        (PAYMENT, r"insufficient_?(quota|balance|credit|fund)|billing|payment|arrearage|no_?credits|account_?overdue"),
        (
            TOO_MANY,
            r"rate_?limit|too_?many_?requests|resource_?exhausted|throttl|ratelimited|requests?_?limit|limit_?burst",
        ),
        (OVERLOADED, r"overloaded"),
        (UNAVAILABLE, r"unavailable|capacity|server_?busy|slow_?down|model_?(is_?)?loading|not_?ready"),
        (401, r"authentication|api_?key|unauthori[sz]ed|unauthenticated|invalid_?token|expired_?token|credential"),
        (403, r"permission|forbidden|access_?denied|access_?terminated"),
        (TOO_LARGE, r"request_?too_?large|payload_?too_?large|entity_?too_?large"),
        (400, r"context_?(length|window|size)|max_tokens|content_?(filter|policy)|data_?inspection"),
        (NOT_FOUND, r"not_?found|no_?such|does_?not_?exist|not_?exist|unknown_?model"),
        (504, r"time_?d?_?out|deadline_?exceeded"),
        (400, r"invalid|bad_?request|validation|unprocessable|failed_?precondition|unsupported|value_?error|missing"),
        (
            SERVER_ERROR,
            r"internal|server_?error|api_?error|service_?error|unknown_?error|upstream|provider_?error|network",
        ),
    )
)
"""Words for the kind of an error, the more telling ones first."""
STATUS_OF_WORDS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (status, re.compile(words, re.IGNORECASE))
    for status, words in (
        (PAYMENT, r"insufficient (quota|balance|credit|fund)|out of credit|credit balance|payment required|余额不足"),
        (TOO_MANY, r"rate[ -]?limit|too many requests|quota|\bqps\b|限流|频率|频繁"),
        (UNAVAILABLE, r"overloaded|at capacity|(temporarily|currently) unavailable|too busy|is loading"),
        (
            401,
            r"(invalid|incorrect|missing|no|expired) (api|access|auth\w*)[ -]?(key|token)|unauthori[sz]ed|authenticat",
        ),
        (403, r"forbidden|permission|access denied"),
        (NOT_FOUND, r"model.{0,80}(not found|not exist|n.t exist)|not found|unknown model"),
        (504, r"timed? ?out"),
        (SERVER_ERROR, r"internal (server )?error|something went wrong"),
        (400, r"invalid|bad request|unsupported|not supported|required|must be"),
    )
)
ANSWER_KEYS = ("choices", "content", "delta", "output", "usage", "candidates")
"""What has one of these, filled, is a part of an answer."""
EVENTS = re.compile(r"message_|content_block|ping|response\.|message$|completion")

NO_MONEY_KIND = re.compile(
    r"insufficient_?(quota|balance|credit|fund)|billing_|payment_?required|arrearage|account_?overdue"
)
NO_MONEY = re.compile(
    r"insufficient (quota|balance|credit|fund)|credit balance|out of credits|requires more credits|payment required"
    r"|billing (hard )?limit|account (is )?(in arrears|overdue|suspended)|check your plan and billing|余额不足|欠费",
    re.IGNORECASE,
)
DAILY = re.compile(r"per[ _-]?day|\bdaily\b|\b[tr]pd\b|per[ _-]?month|\bmonthly\b|\bweekly\b", re.IGNORECASE)
TOO_LARGE_FOR_LIMIT = re.compile(
    r"request too large for|(input|output) tokens must be reduced|request is larger than the (rate )?limit",
    re.IGNORECASE,
)
NO_LIMIT_AT_ALL = re.compile(r"\blimit: 0\b")
LIMIT_AND_REQUEST = re.compile(r"\blimit:? ?([\d,]{1,15}).{0,60}?\brequested:? ?([\d,]{1,15})", re.IGNORECASE)
REQUEST_AND_LIMIT = re.compile(
    r"\b(?:request(?:ed|s)?|prompt tokens)\b[^.;\d]{0,40}?([\d,]{2,15})(?: tokens?)?[^.;\d]{0,40}?"
    r"(?:limit|exceeds?|above|>)[^.;\d]{0,40}?([\d,]{2,15})",
    re.IGNORECASE,
)
A_MINUTE = re.compile(r"([\d,]{1,15}) (?:input |output )?tokens per min", re.IGNORECASE)
FAR_ABOVE = 2.0
"""So much of a limit a minute is asked for: the estimate may be wrong by a half, not by that."""

UNITS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": HOUR, "d": 24 * HOUR}
SPAN = (
    r"\d{1,9}(?:\.\d{1,12})? ?(?:ms|milliseconds?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\b"
)
COMPACT = r"(?:\d{1,9}(?:\.\d{1,12})?(?:ms|[dhms])){1,5}\b"
WAIT = re.compile(
    rf"(?:try(?:ing)?(?: your request)? again|retry(?:ing)?|wait|reset\w*|available)[^.\d]{{0,30}}?"
    rf"({COMPACT}|{SPAN}(?:(?:,? and |,? ){SPAN}){{0,3}})",
    re.IGNORECASE,
)
BARE_WAIT = re.compile(r"retry[ -_]?after(?: ?[:=] ?| )(\d{1,9}(?:\.\d{1,12})?)(?![\w.])", re.IGNORECASE)
PIECE = re.compile(r"(\d{1,9}(?:\.\d{1,12})?) ?(ms|milli|[dhms])", re.IGNORECASE)
WAIT_KEYS = (
    ("retryDelay", 1.0),
    ("retry_after", 1.0),
    ("retryAfter", 1.0),
    ("retry_after_seconds", 1.0),
    ("retry_after_ms", 0.001),
)


class ServerError(Exception):
    """A server answered with an error, under whatever status of HTTP.

    Args:
        status: What it would have been as a status; None when the error does not say.
        headers: Those of the answer.
        body: The error as it came: JSON that was parsed, bytes or text.
    """

    def __init__(self, status: int | None, headers: Mapping[str, str], body: Any) -> None:
        super().__init__(status, headers, body)
        self.status = status
        self.headers = headers
        self.body = body

    def __str__(self) -> str:
        words = ErrorBody.of(self.body).words
        return f"{self.status}: {words}" if self.status else words


def error_in(answer: object, headers: Mapping[str, str]) -> ServerError | None:
    """The error that *answer* is, although its status was 200: a whole body, or the data of one event.

    Args:
        answer: JSON that was parsed, of any shape.
        headers: Those of the answer.
    Returns:
        None when it is an answer, a part of one, or nothing that is known.
    """
    if isinstance(answer, list | tuple):
        return next(filter(None, (error_in(item, headers) for item in answer[:8] if isinstance(item, Mapping))), None)
    if not isinstance(answer, Mapping) or not _is_error(answer):
        return None
    error = answer if answer.get("error") or not _in_choice(answer) else _in_choice(answer)
    body = ErrorBody.of(error)
    return ServerError(_status_of(body), headers, error)


def _in_choice(answer: Mapping[Any, Any]) -> Any:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") if isinstance(first, Mapping) else None


def _is_error(answer: Mapping[Any, Any]) -> bool:
    has_answer = any(answer.get(key) for key in ANSWER_KEYS)
    error, kind = answer.get("error"), answer.get("type")
    if isinstance(error, Mapping | str | list) and error:
        return True
    if answer.get("object") == "error" or kind == "error" or _filled(_in_choice(answer)):
        return True
    if has_answer or (isinstance(kind, str) and EVENTS.match(kind)):
        return False
    base = answer.get("base_resp")  # MiniMax, which has it in good answers, too
    if isinstance(base, Mapping):
        return base.get("status_code") not in (0, None)
    if answer.get("code") in (0, 200, "0", "200"):
        return False
    if error is True or answer.get("success") is False or answer.get("status") == "error":
        return True
    told = (answer.get(key) for key in ("detail", "errors", "message", "msg", "Message", "error_msg", "error_message"))
    return any(isinstance(text, str | list) and text for text in told) or isinstance(answer.get("detail"), Mapping)


def _filled(value: object) -> bool:
    return isinstance(value, Mapping | str) and bool(value)


def _status_of(body: ErrorBody) -> int | None:
    code = body.code
    if code is not None and 400 <= code < 600:
        return code
    kind = re.sub(r"[^a-z_]+", "_", body.kind)
    for status, words in STATUS_OF_KIND:
        if words.search(kind):
            return status
    for status, words in STATUS_OF_WORDS:
        if words.search(body.text):
            return status
    if code is not None and 40_000 <= code < 60_000 and code // 100 in HTTPStatus._value2member_map_:  # 40003: a 400
        return code // 100
    return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error means.

    Args:
        status: Of HTTP, or what it would have been; None: unknown.
        words: What the server said, for people: one line, at most 500 characters; else the name of the status.
        kind: The server's words for the kind of error, in lower case.
        text: What it said, up to 4,000 characters.
        wait: Seconds that it asks to wait; None when it does not say. At most an hour.
        overflow: The request is too long for the model.
        hopeless: Why no wait mends it, for a refusal that looks as if one did (429).
    """

    status: int | None
    words: str
    kind: str
    text: str
    wait: float | None
    overflow: Overflow | None
    hopeless: str | None

    @property
    def is_overload(self) -> bool:
        """Does the server say that it has too much to do?"""
        return self.status in (UNAVAILABLE, OVERLOADED) or "overloaded" in self.kind

    @property
    def too_many_tokens(self) -> int:
        """By how many tokens question and answer together are too long, as the server counts; 0: it does not say so."""
        overflow = self.overflow
        if overflow is None or overflow.needed is None or overflow.available is None:
            return 0
        return max(0, overflow.needed - overflow.available)

    @classmethod
    def of(cls, status: int | None, headers: Mapping[str, str], body: object, tokens: int = 0) -> Refusal:
        """Read an error of any shape. Never raises.

        Args:
            body: Bytes, text, or JSON that was parsed.
            tokens: Estimated tokens of the request.
        """
        said = ErrorBody.of(body, str(headers.get("content-type") or ""))
        stated = retry_after(headers)
        wait = stated if stated is not None else _wait_in(said)
        return cls(
            status,
            said.words or _name(status),
            said.kind,
            said.text,
            None if wait is None else min(wait, HOUR),
            None if status in (401, PAYMENT, 403, NOT_FOUND) else overflow_in(said.text, said.kind, said.parts),
            _hopeless(said, wait, tokens),
        )


def _name(status: int | None) -> str:
    if status is None:
        return "no words"
    try:
        return OTHER_NAMES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "no words"


def _hopeless(said: ErrorBody, wait: float | None, tokens: int) -> str | None:
    text, kind = said.text, said.kind
    limit = _limit_below_request(text, tokens)
    if limit is not None:
        return (
            f"this request alone is larger than the limit of {limit:,} tokens: no wait helps; shorten it, lower "
            "max_tokens, or have the limit raised"
        )
    if TOO_LARGE_FOR_LIMIT.search(text) and not LIMIT_AND_REQUEST.search(text):
        return "this request alone is larger than the limit: no wait helps; shorten it, or lower max_tokens"
    if NO_MONEY_KIND.search(kind) or (NO_MONEY.search(text) and wait is None):
        return "the account has no quota left: asking again does not help; check its plan and billing"
    if NO_LIMIT_AT_ALL.search(text):
        return "the account has no quota for this model: asking again does not help"
    if (_is_daily(said) and wait is None) or (wait is not None and wait > HOUR):
        return "the quota is used up for longer than an hour: asking again does not help before"
    return None


def _limit_below_request(text: str, tokens: int) -> int | None:
    """The limit that the request would not even fit if nobody else asked."""
    for found in LIMIT_AND_REQUEST.finditer(text):
        limit, requested = (int(number.replace(",", "") or 0) for number in found.groups())
        if requested > limit > 0:
            return limit
    for found in REQUEST_AND_LIMIT.finditer(text) if "token" in text.lower() else ():
        requested, limit = (int(number.replace(",", "") or 0) for number in found.groups())
        if requested > limit > 0:
            return limit
    for found in A_MINUTE.finditer(text):
        limit = int(found[1].replace(",", "") or 0)
        if limit > 0 and tokens > FAR_ABOVE * limit:
            return limit
    return None


def _is_daily(said: ErrorBody) -> bool:
    return bool(DAILY.search(said.text) or any(DAILY.search(str(part.get("quotaId"))[:200]) for part in said.parts))


def _wait_in(said: ErrorBody) -> float | None:
    """Seconds to wait, as fields of the body or its words say."""
    if any("PerDay" in str(part.get("quotaId"))[:200] for part in said.parts):
        return None  # Google tells a wait of seconds for a quota of a day, too
    for part in said.parts:
        for key, unit in WAIT_KEYS:
            if (seconds := _seconds(part.get(key), unit)) is not None:
                return seconds
    if found := WAIT.search(said.text):
        return sum(float(number) * UNITS[unit.lower()] for number, unit in PIECE.findall(found[1]))
    found = BARE_WAIT.search(said.text)
    return float(found[1]) if found else None


def _seconds(value: object, unit: float) -> float | None:
    """``"34.5s"``, 34.5, or Google's ``{"seconds": 34}``."""
    if isinstance(value, Mapping):
        value = value.get("seconds")
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}(\.\d{1,12})?s?", value.strip()):
        value = float(value.strip().rstrip("s"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        return None
    return min(float(value), 1e9) * unit
