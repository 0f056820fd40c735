"""One recorded answer, and its line in the file of a cassette.

Nothing is imported or built because a line names it: errors are looked up among the library's own.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ... import errors
from ...agent.ports import PrivacyTier
from ...agent.takes import EVERYTHING, Takes
from ...agent.wire import response_from_data
from ...core.records.error_json import error_from_json, error_to_json
from ...core.records.usage import TokenUsage
from ...errors import AgentError, CassetteError, DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...agent.ports import CompletionResponse

VERSION: Final = 1
OURS: Final = {
    name: cls
    for name in errors.__all__
    if isinstance(cls := getattr(errors, name), type) and issubclass(cls, AgentError)
}
"""Errors that a driver may raise, by the names under which they are recorded."""
_ALONE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What JSON may hold as it is, and editors, terminals or UTF-8 do not take well."""


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """What a pool asks of a driver before it asks it anything: recorded, so that a replay needs no driver.

    Args:
        number: Which of the drivers of the cassette it was, from 0.
        usd_per_million_tokens: Of input and output, where the model of the answer was asked.
        takes: Which content beside text it was shown; not written where it was all.
    """

    number: int = 0
    context_window: int = 1_000_000
    privacy_tier: PrivacyTier = PrivacyTier.SOVEREIGN
    has_price: bool = True
    usd_per_million_tokens: Sequence[float] = (0.0, 0.0)
    takes: Takes = EVERYTHING

    def cost_of(self, usage: TokenUsage) -> float:
        """About what *usage* costs, in USD, where it was not recorded."""
        read, written = self.usd_per_million_tokens
        return (usage.input_tokens * read + usage.output_tokens * written) / 1_000_000


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What a driver answered once: a response, or an error.

    Args:
        place: Where it stands: the line of a file, the agent and step of a journal.
        digest: Of the request.
        request: As JSON has it; None where it was not kept.
        response: None when it was an error.
        error: As JSON has it; None when it was a response.
        seconds: How long it took.
        model: That was asked for; "" is the driver's own.
        cost_usd: What it cost; None where nobody knew.
        driver: Who answered.
    """

    place: str
    digest: str
    request: Mapping[str, Any] | None = field(repr=False)
    response: CompletionResponse | None
    error: Mapping[str, Any] | None = None
    seconds: float = 0.0
    model: str = ""
    cost_usd: float | None = None
    driver: DriverFacts = field(default_factory=DriverFacts, repr=False)

    def given(self) -> CompletionResponse:
        """The response; an error is raised, made anew."""
        if self.response is None:
            raise error_from_record(self.error or {})
        return self.response

    def usage(self) -> TokenUsage | None:
        """What has to be paid; None for an error of which nothing has."""
        if self.response is not None:
            return self.response.usage
        error = error_from_record(self.error or {})
        return usage_of(error)


def usage_of(error: AgentError) -> TokenUsage | None:
    """What was used before *error* came, as far as anybody knows."""
    tokens = getattr(error, "tokens", None)
    return None if tokens is None else TokenUsage(*tokens, *getattr(error, "token_parts", ()))


# Errors ---------------------------------------------------------------------------------------------------------------


def class_of(error: AgentError) -> type[AgentError] | None:
    """As what *error* is recorded: its class, or for a subclass of somebody else's the nearest of ours that is asked
    again, or not, as it is; None when there is none.
    """
    for cls in type(error).__mro__:
        if OURS.get(cls.__name__) is not cls:
            continue
        if cls is type(error):
            return cls
        if issubclass(cls, DriverError) and cls is not DriverError and isinstance(error, DriverError):
            return cls if cls.retryable == error.retryable else None
        return None
    return None


def error_record(error: AgentError, cls: type[AgentError]) -> dict[str, Any]:
    """What is recorded of *error*: its type, its words and its fields; neither its traceback nor its causes."""
    told = error_to_json(error)
    fields = {name: value for name, value in told.get("fields", {}).items() if name != "__notes__"}
    if "tokens" not in fields:
        fields.pop("token_parts", None)
    return {"retry_after": None, **fields, "type": cls.__name__, "message": told["message"]}


def error_from_record(record: Mapping[str, Any]) -> AgentError:
    """The error that :func:`error_record` told.

    Raises:
        ValueError: It is none of ours.
    """
    name = record.get("type")
    name = name.rpartition("errors.")[2] if isinstance(name, str) else name
    if not isinstance(name, str) or name not in OURS:
        raise ValueError(f"no error of this library is called {name!r}")
    fields = {key: value for key, value in record.items() if key not in ("type", "message") and value is not None}
    told = {"type": f"actors.errors.{name}", "message": record.get("message", ""), "fields": fields}
    error = error_from_json(told)
    assert isinstance(error, AgentError)
    return error


# Lines ----------------------------------------------------------------------------------------------------------------


def to_line(data: Mapping[str, Any]) -> str:
    """*data* as one line of JSON, without its end: sorted, and readable where UTF-8 is."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return _ALONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def data_of_facts(facts: DriverFacts) -> dict[str, Any]:
    """What is known of a driver, in a line."""
    data = {**asdict(facts), "privacy_tier": str(facts.privacy_tier)}
    del data["takes"]
    return data if facts.takes == EVERYTHING else {**data, "takes": facts.takes.to_data()}


def read_lines(content: bytes, name: str) -> Iterable[RecordedAnswer]:
    """The answers of a file.

    Args:
        name: The file, for messages.
    Raises:
        CassetteError: A line that is no answer.
    """
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                yield _answer_of(_parsed(line), f"line {number}")
            except (ValueError, TypeError, RecursionError) as error:
                raise CassetteError(f"{name}:{number}: {_why(error)}") from None


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8: {error}") from None
    except ValueError as error:
        raise ValueError(f"no JSON: {error}; is the line whole?") from None
    except RecursionError:
        raise ValueError("no JSON that anybody wrote: nested too deep") from None
    if not isinstance(data, dict):
        raise ValueError(f"a recorded answer is an object, this is {type(data).__name__}")
    version = data.get("v")
    if type(version) is int and version > VERSION:
        raise ValueError(f"version {version} of the format, this library knows {VERSION}: update the library")
    if version != VERSION or type(version) is not int:
        raise ValueError(f'no recorded answer: "v" is {VERSION} there, not {version!r}')
    return data


def _answer_of(data: Mapping[str, Any], place: str) -> RecordedAnswer:
    request = _object(data, "request")
    is_error = "error" in data
    if is_error == ("response" in data):
        raise ValueError('a recorded answer has either a "response" or an "error"')
    digest = data.get("digest")
    if not isinstance(digest, str) or not digest:
        raise ValueError('a recorded answer has a "digest", which is text')
    error = _error(data) if is_error else None
    return RecordedAnswer(
        place,
        digest,
        request,
        None if is_error else response_from_data(_object(data, "response")),
        error,
        _number(data, "seconds") or 0.0,
        _text(request.get("model", "")),
        _number(data, "cost_usd"),
        _facts_of(_object(data, "driver")) if "driver" in data else DriverFacts(),
    )


def _facts_of(data: Mapping[str, Any]) -> DriverFacts:
    window, number = data.get("context_window", DriverFacts().context_window), data.get("number", 0)
    rates = data.get("usd_per_million_tokens", (0.0, 0.0))
    if type(window) is not int or window < 1 or type(number) is not int or number < 0:
        raise ValueError('"driver" has a whole "context_window" above 0, and a "number" from 0')
    if not isinstance(rates, list | tuple) or len(rates) != 2:
        raise ValueError('"usd_per_million_tokens" are two numbers')
    read, written = (_number({"usd_per_million_tokens": rate}, "usd_per_million_tokens") or 0.0 for rate in rates)
    tier = PrivacyTier(data.get("privacy_tier", PrivacyTier.SOVEREIGN))
    takes = Takes.of_data(_object(data, "takes")) if "takes" in data else EVERYTHING
    return DriverFacts(number, window, tier, data.get("has_price") is not False, (read, written), takes)


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    if not isinstance(found, dict):
        raise ValueError(f'"{name}" is an object, not {type(found).__name__}')
    return found


def _error(data: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _object(data, "error")
    error_from_record(found)
    _number(found, "retry_after")
    for name, count in (("tokens", 2), ("token_parts", 3)):
        held = found.get(name)
        if held is not None and not (isinstance(held, list) and [type(one) for one in held] == [int] * count):
            raise ValueError(f'"{name}" of an error are {count} whole numbers')
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(data: Mapping[str, Any], name: str) -> float | None:
    found = data.get(name)
    if found is None:
        return None
    if type(found) not in (int, float) or not 0 <= found < math.inf:
        raise ValueError(f'"{name}" is a number from 0, not {found!r}')
    return float(found)


def _why(error: Exception) -> str:
    """What pydantic says takes lines, and repeats what stands in the file."""
    problems = getattr(error, "errors", None)
    if not callable(problems):
        return str(error)
    first = problems(include_url=False, include_input=False, include_context=False)[0]
    return f'the "response" is none: {".".join(map(str, first["loc"]))}: {first["msg"]}'
