"""Errors, cookies and hostile answers of model servers over a real connection: exact bytes, both drivers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import CancelToken, CompletionRequest, Deadline, InferenceFailed, MalformedAnswer, Overloaded, UserMessage
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.drivers.remote import RemoteDriver
from tests.drivers.provider import Asked, Provider, Reply, failure, say
from tests.tools.web import Web, web_server

ASK = CompletionRequest((UserMessage("hi"),), max_tokens=50)
Ask = Callable[[], Any]


@pytest.fixture
def web() -> Iterator[Web]:
    """A server that sends bytes as they are."""
    with web_server() as running:
        yield running


@pytest.fixture(params=[OpenAIDriver, AnthropicDriver])
def kind(request: pytest.FixtureRequest) -> type[RemoteDriver]:
    """Each of the drivers."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def connect(kind: type[RemoteDriver]) -> Iterator[Callable[..., RemoteDriver]]:
    """``connect(root)`` makes a driver; its connections are closed at the end."""
    made: list[RemoteDriver] = []

    def make(root: str, **options: Any) -> RemoteDriver:
        made.append(kind("m", base_url=f"{root}/v1" if kind is OpenAIDriver else root, api_key="k", **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close_idle()


def asks(driver: RemoteDriver) -> list[Ask]:
    """Whole, and streamed."""
    return [
        lambda: driver.complete(ASK, cancel=CancelToken(Deadline.after(20))),
        lambda: driver.stream(ASK, lambda _: None, cancel=CancelToken(Deadline.after(20))),
    ]


def answer(web: Web, kind: type[RemoteDriver], sent: bytes | Callable[[socket.socket], object]) -> None:
    """Answer both ways to ask. Bytes are followed by what is left of the request: else the connection would break."""

    def send(connection: socket.socket) -> None:
        assert isinstance(sent, bytes)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    path = "/v1/chat/completions" if kind is OpenAIDriver else "/v1/messages"
    web.answers[path] = send if isinstance(sent, bytes) else sent


BODIES = [
    json.dumps([{"error": {"message": "the very reason"}}]).encode(),
    json.dumps({"detail": "the very reason"}).encode(),
    json.dumps({"detail": [{"loc": ["body"], "msg": "the very reason"}]}).encode(),
    json.dumps({"error": "the very reason"}).encode(),
    json.dumps({"error": {"metadata": {"raw": json.dumps({"error": {"message": "the very reason"}})}}}).encode(),
    b"the very reason",
    b"<html><script>x</script><h1>the very reason</h1></html>",
    '{"error": {"message": "the very reason"}}'.encode("utf-16"),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("chunked", [False, True])
def test_the_reason_of_an_error(
    web: Web, kind: type[RemoteDriver], connect: Callable[..., RemoteDriver], body: bytes, chunked: bool
) -> None:
    """Whatever the shape of the body, also where it comes byte by byte; with the place."""
    head = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json; charset=punycode\r\n"
    if chunked:
        pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        answer(web, kind, head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    else:
        answer(web, kind, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    for ask in asks(connect(web.url)):
        with pytest.raises(InferenceFailed, match=r"HTTP 400: .*the very reason.* \(model 'm' at http://127.0.0.1:"):
            ask()


def test_an_error_without_end(web: Web, kind: type[RemoteDriver], connect: Callable[..., RemoteDriver]) -> None:
    """Its beginning is enough, and the connection is closed."""
    hung_up: list[bool] = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(
            b'HTTP/1.1 500 Bad\r\nConnection: close\r\n\r\n{"error": {"message": "the reason", "echo": "'
        )
        try:
            while not web.closing.is_set():
                connection.sendall(b"x" * 65_536)
        except OSError:
            hung_up.append(True)
            raise

    answer(web, kind, flood)
    for number, ask in enumerate(asks(connect(web.url)), 1):
        with pytest.raises(Overloaded, match="HTTP 500: the reason"):
            ask()
        web._threads[-1].join(10)
        assert len(hung_up) == number


def test_interim_answers_without_end(web: Web, kind: type[RemoteDriver], connect: Callable[..., RemoteDriver]) -> None:
    """Are an answer that cannot be read."""
    answer(web, kind, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)
    for ask in asks(connect(web.url)):
        with pytest.raises(MalformedAnswer, match="the head of the answer is longer than"):
            ask()


def test_cookies_of_a_model_server(kind: type[RemoteDriver]) -> None:
    """Are never sent back, whatever they are set on."""

    def mark(asked: Asked) -> Reply:
        sent = say("ok", asked) if len(provider.asked) % 2 else failure(500)
        sent.headers["set-cookie"] = f"mark={len(provider.asked)}; Path=/"
        return sent

    with Provider(mark) as provider:
        root = provider.url if kind is OpenAIDriver else provider.root
        for _ in range(2):
            driver = kind("m", base_url=root, api_key="k")
            for ask in asks(driver) * 2:
                try:
                    ask()
                except Overloaded:
                    pass
            driver.close_idle()
        assert len(provider.asked) == 8
        assert not any("cookie" in asked.headers for asked in provider.asked)
