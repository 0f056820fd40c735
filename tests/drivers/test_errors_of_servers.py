"""What is made of the errors of real servers: one file each in ``errors/``.

Who meets a new one adds a file: ``source`` (where it was seen), ``status``, ``headers`` and ``body`` (an object, or
text; ``base64`` for bytes), and what is right: ``error`` (the class), ``words`` (that stand in its message), for an
overflow ``required`` and ``available`` (null: the server does not say), ``retryable`` and ``retry_after``. With the
status 200 the body is an answer, or an event of a stream, that is an error.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from actors import AgentError, ContextOverflow, errors
from actors.drivers.edge.refusals import error_in
from actors.drivers.provider_errors import refusal_of, translate

FILES = sorted((Path(__file__).parent / "errors").glob("*.json"))
WINDOW, ESTIMATED = 1_000_000, 500
URL = "https://user:secret@models.example.com/v1?key=secret"


class Response:
    """As a package keeps it."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content


class APIStatusError(Exception):
    """As a package raises it, with nothing of use but the response."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"Error code: {response.status_code}")
        self.status_code, self.response, self.body = response.status_code, response, None


def sent(case: dict[str, Any]) -> bytes:
    """The body as it comes."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    body = case["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def translated(case: dict[str, Any]) -> AgentError:
    """What is made of it."""
    error: Exception | None
    if case["status"] == 200:
        error = error_in(json.loads(sent(case)), case["headers"])
        assert error is not None, "it is taken for an answer"
    else:
        error = APIStatusError(Response(case["status"], case["headers"], sent(case)))
    return translate(error, refusal_of(error, ESTIMATED), model="m", url=URL, window=WINDOW, tokens=ESTIMATED)


def test_there_are_many() -> None:
    """Each from somewhere."""
    assert len(FILES) >= 60
    assert all(json.loads(file.read_text())["source"].startswith("https://") for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_error_of_a_server(file: Path) -> None:
    """Its class, its words, its numbers, and whether and when to ask again."""
    case = json.loads(file.read_text())
    error = translated(case)
    assert type(error) is getattr(errors, case["error"]), str(error)
    assert getattr(error, "retryable", False) is case["retryable"]
    assert getattr(error, "retry_after", None) == (
        None if case["retry_after"] is None else pytest.approx(case["retry_after"])
    )
    text = str(error)
    for words in case["words"]:
        assert words in text
    assert text.isprintable()
    assert "secret" not in text
    if isinstance(error, ContextOverflow):
        available = case["available"] or WINDOW
        assert (error.required, error.available) == (case["required"] or max(ESTIMATED, available + 1), available)
    else:
        assert "https://models.example.com/v1" in text
        assert len(text) < 1_000
