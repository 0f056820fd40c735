"""Errors of servers: their status, headers and body."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from typing import TYPE_CHECKING, Any

from actors.drivers.edge.error_body import ErrorBody
from actors.drivers.edge.names import CallIds
from actors.drivers.edge.profiles import CAREFUL, learn
from actors.drivers.edge.refusals import Refusal, error_in
from actors.drivers.edge.refused_fields import replaced_field, unknown_fields
from actors.drivers.provider_errors import has_worked, refusal_of, translate
from actors.drivers.rate_headers import HOUR
from actors.errors import ActorsError, ContextOverflow

from ..target import Target, Violation, files, hold, hold_message

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

SENT = ("model", "messages", "max_tokens", "temperature", "stream", "stream_options", "tools", "response_format")
LESSONS, CALLS = 4, 100
STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 500, 503, 529)


class Response:
    """As a provider's package keeps it."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content


class APIStatusError(Exception):
    """As a provider's package raises it; it is known by its name."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"Error code: {response.status_code}")
        self.status_code, self.response, self.body = response.status_code, response, None


class Errors(Target):
    """A file of the tests' corpus: an object with the status, the headers and the body; else the body alone."""

    about = "errors of servers: status, headers, body"
    words = (
        *(b"tokens", b"maximum context length is ", b"limit: 5, requested: 7 ", b"try again in 5s", b"per day", b"%"),
        *(
            b"<script>",
            b"</",
            b"<!--",
            b'Unknown name \\"x\\"',
            b"Use 'max_completion_tokens' instead",
            b"tool call id, length of 1 ",
            b"\\u001b]0;",
        ),
    )

    def seeds(self) -> Iterable[bytes]:
        """Those that the tests know, and their bodies."""
        for content in files("drivers/errors/*.json"):
            yield content
            yield _case(content)[2]

    def work(self, data: bytes) -> object:
        """What a driver does with one."""
        status, headers, body = _case(data)
        return Refusal.of(status, headers, body, 500)

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """It is one of the library's errors, in few words, and what it says to do can be done."""
        status, headers, body = _case(data)
        raised = APIStatusError(Response(status, headers, body))
        refusal = refusal_of(raised, 500)
        error = translate(
            raised,
            refusal,
            model="m",
            url="https://u:secret@models.example.com/v1?key=secret",
            window=8_000,
            tokens=500,
        )
        hold(isinstance(error, ActorsError), "only the library's own errors", error)
        hold_message(str(error))
        wait = getattr(error, "retry_after", None)
        hold(wait is None or (math.isfinite(wait) and 0 <= wait <= HOUR), "a wait is at most an hour", wait)
        if isinstance(error, ContextOverflow):
            hold(error.required > error.available >= 0, "what is too long is longer than what there is", error)
        if refusal is not None:
            hold(0 <= refusal.too_many_tokens < 10**10, "numbers of tokens are bounded", refusal.too_many_tokens)
            hold(isinstance(refusal.is_overload, bool), "it is an overload or not", refusal)
        has_worked(raised, refusal, error)
        said = ErrorBody.of(body, headers.get("content-type", ""))
        hold_message(said.words, 500)
        fields, pair = unknown_fields(said.text, SENT), replaced_field(said.text)
        hold(fields <= {*SENT} - {"model", "messages"}, "what is left out was sent, and can be left out", fields)
        learned = _learned(said.text, fields, pair)
        in_200 = self._in_200(body, headers)
        return type(error), status // 100, bool(fields), pair is not None, learned, in_200, wait is None

    @staticmethod
    def _in_200(body: bytes, headers: dict[str, str]) -> str:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        found = error_in(value, headers)
        if found is None:
            return ""
        hold_message(str(found), 600)
        error = translate(
            found, refusal_of(found, 500), model="m", url="https://models.example.com/v1", window=8_000, tokens=500
        )
        hold_message(str(error))
        return type(error).__name__

    def grown(self, data: bytes, times: int) -> bytes | None:
        """Its body so many times."""
        status, headers, body = _case(data)
        large = base64.b64encode(body * times).decode()
        return json.dumps({"status": status, "headers": headers, "base64": large}).encode()


def _learned(words: str, fields: set[str], pair: tuple[str, str] | None) -> bool:
    """Is anything learned? Once or twice: a server that says the same for ever is not asked for ever."""
    profile = CAREFUL
    for times in range(LESSONS):
        learned = learn(profile, words, unknown=frozenset(fields), renamed=pair, null_sent=True)
        if learned is None:
            return times > 0
        profile = learned
        ids = CallIds(re.compile(profile.call_id), profile.call_id_length)
        hold(len({ids.of_call("") for _ in range(CALLS)}) == CALLS, "there are ids enough", profile)
    raise Violation("what was learned is not learned again and again", words)


def _case(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body that *data* stands for."""
    status, headers, body = STATUSES[zlib.crc32(data) % len(STATUSES)], dict[str, str](), data
    try:
        case: Any = json.loads(data)
    except (ValueError, RecursionError):
        return status, headers, body
    if not isinstance(case, dict) or not {"body", "base64"} & case.keys():
        return status, headers, body
    given = case.get("status")
    status = given if type(given) is int and 300 <= given < 600 else status
    if isinstance(case.get("headers"), dict):
        headers = {name.lower(): value for name, value in case["headers"].items() if isinstance(value, str)}
    if isinstance(case.get("base64"), str):
        try:
            return status, headers, base64.b64decode(case["base64"])
        except ValueError:
            return status, headers, data
    said = case.get("body")
    text = said if isinstance(said, str) else json.dumps(said)
    return status, headers, text.encode("utf-8", "surrogatepass")


TARGET = Errors()
