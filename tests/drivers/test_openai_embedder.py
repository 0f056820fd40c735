"""Vectors from a server: what is sent, what is read, and what becomes of failures."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors import CancelToken, PrivacyTier, RateLimiter
from actors.drivers import openai_embedder
from actors.drivers.openai import OpenAIDriver, OpenAIEmbedder
from actors.errors import Cancelled, CapabilityDenied, MalformedAnswer, ModelNotFound, NetworkError, RateLimited
from actors.memory.sqlite_memory import SqliteMemory
from tests.drivers.provider import BOUND, Asked, Provider, Reply, failure, hang, reply


def vectors(asked: Asked, *, back: bool = False) -> Reply:
    """One vector for each text: its length, and 1."""
    data = [
        {"object": "embedding", "index": place, "embedding": [float(len(text)), 1]}
        for place, text in enumerate(asked.body["input"])
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return reply({"object": "list", "data": data[::-1] if back else data, "model": "m", "usage": usage})


def embedder(provider: Provider, **settings: Any) -> OpenAIEmbedder:
    return OpenAIEmbedder("m", provider.url, api_key="secret", limiter=RateLimiter(), **settings)


def embed(made: OpenAIEmbedder, *texts: str) -> list[list[float]]:
    return [list(vector) for vector in made.embed(texts, cancel=CancelToken())]


def test_on_the_wire() -> None:
    """Byte for byte, as the provider's documentation says; the order of the answer is that of the texts."""
    with Provider(lambda asked: vectors(asked, back=True)) as provider:
        made = embedder(provider)
        assert embed(made, "one", "fünf!") == [[3.0, 1.0], [5.0, 1.0]]
        (asked,) = provider.asked
        assert asked.path == "/v1/embeddings"
        assert asked.raw == b'{"model": "m", "input": ["one", "f\\u00fcnf!"], "encoding_format": "float"}'
        assert asked.headers["authorization"] == "bearer secret"
        assert asked.headers["content-type"] == "application/json"
        made.close_idle()


def test_dimensions() -> None:
    """Asked for where somebody says so; known of some models; else one text tells."""
    with Provider(vectors) as provider:
        made = embedder(provider, dimensions=2)
        assert made.dimensions == 2
        assert provider.asked == []
        embed(made, "x")
        assert provider.asked[0].body["dimensions"] == 2
        assert embedder(provider).dimensions == 2
        assert provider.asked[1].body["input"] == ["dimensions"]
        assert OpenAIEmbedder("text-embedding-3-small", provider.url, api_key="k").dimensions == 1536


def test_an_answer_tells_the_dimensions() -> None:
    """The server is not asked again for them."""
    with Provider(vectors) as provider:
        made = embedder(provider)
        embed(made, "one")
        assert made.dimensions == 2
        assert len(provider.asked) == 1


def test_many_texts_go_in_several_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many texts, and so many tokens, each; no text asks for nothing."""
    monkeypatch.setattr(openai_embedder, "TEXTS", 3)
    monkeypatch.setattr(openai_embedder, "TOKENS", 30)
    with Provider(vectors) as provider:
        made = embedder(provider)
        texts = ["a", "bb", "ccc", "dddd", "e" * 100, "f" * 40]
        assert [vector[0] for vector in embed(made, *texts)] == [1.0, 2.0, 3.0, 4.0, 100.0, 40.0]
        assert [len(asked.body["input"]) for asked in provider.asked] == [3, 2, 1]
        assert embed(made) == []
        assert len(provider.asked) == 3


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "\0", "日" * 20_000, "x" * 100_000])
def test_texts_that_servers_refuse(text: str) -> None:
    """Empty ones, halves of pairs and those that are too long are sent as something that can be embedded."""
    with Provider(vectors) as provider:
        embed(embedder(provider), text)
        (sent,) = provider.asked[0].body["input"]
        assert sent.strip() or sent == "\0"
        assert len(sent) <= 32_000


def test_a_refusal_is_waited_out() -> None:
    """As the server says; then it is asked again."""
    answers = [failure(429, retry_after="0.01"), failure(500), vectors(Asked("", {}, {"input": ["abc"]}))]
    with Provider(answers) as provider:
        assert embed(embedder(provider), "abc") == [[3.0, 1.0]]
        assert len(provider.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failure(404, "no such model", "model_not_found"), ModelNotFound),
        (reply({"error": {"message": "no such model", "code": "model_not_found"}}), Exception),
        (reply({"data": []}), MalformedAnswer),
        (reply({"data": [{"index": 7, "embedding": [1.0]}]}), MalformedAnswer),
        (reply({"data": [{"embedding": "AAAA"}]}), MalformedAnswer),
        (reply({"data": [{"embedding": [1.0, True]}]}), MalformedAnswer),
        (reply({"data": [{"embedding": [1.0, float("nan")]}]}), MalformedAnswer),
        (reply({"data": [{"embedding": [1.0, float("inf")]}]}), MalformedAnswer),
        (reply({"data": [{"index": 0, "embedding": [1.0]}] * 2}), MalformedAnswer),
        (reply([1]), MalformedAnswer),
        (Reply([b"<html>"]), MalformedAnswer),
    ],
    ids=["404", "error", "empty", "index", "base64", "bool", "nan", "infinity", "twice", "list", "html"],
)
def test_answers_that_are_none(answer: Reply, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are said in the library's words."""
    monkeypatch.setattr(openai_embedder, "FAILURES", 0)
    with Provider([answer]) as provider, pytest.raises(error):
        embed(embedder(provider), "abc")


def test_a_limit_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some refusals it is told."""
    monkeypatch.setattr(openai_embedder, "REFUSALS", 2)
    with Provider([failure(429, retry_after="0.01")]) as provider:
        with pytest.raises(RateLimited):
            embed(embedder(provider), "abc")
        assert len(provider.asked) == 3


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is given up after its time."""
    monkeypatch.setattr(openai_embedder, "FAILURES", 0)
    with Provider([hang()]) as provider, pytest.raises(NetworkError, match=r"within 0\.05 s"):
        embed(embedder(provider, timeout=0.05), "abc")


def test_a_cancel_ends_the_request() -> None:
    """At once, and its connection is closed."""
    with Provider([hang()]) as provider, ThreadPoolExecutor(1) as pool:
        token = CancelToken()
        asking = pool.submit(embedder(provider).embed, ["abc"], cancel=token)
        assert provider.arrived.acquire(timeout=BOUND)
        token.cancel("enough")
        with pytest.raises(Cancelled, match="enough"):
            asking.result(BOUND)
        assert provider.gone.acquire(timeout=BOUND)


def test_it_shares_the_limiter_of_its_key() -> None:
    """With the drivers of that server."""
    with Provider(vectors) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, api_key="shared")
        assert OpenAIEmbedder("m", provider.url, api_key="shared").limiter is driver.limiter


def test_how_far_texts_travel() -> None:
    """As far as the server is away; nearer is refused when it is made."""
    assert OpenAIEmbedder("m", "http://127.0.0.1:9/v1").privacy_tier is PrivacyTier.SOVEREIGN
    with pytest.raises(CapabilityDenied):
        OpenAIEmbedder("m", "https://api.example.com/v1", api_key="k", privacy="sovereign")


@pytest.mark.parametrize(
    ("settings", "what"), [({"model": ""}, "name"), ({"dimensions": 0}, "dimensions"), ({"timeout": 0}, "timeout")]
)
def test_bad_settings(settings: dict[str, Any], what: str) -> None:
    """They are said with their names."""
    with pytest.raises(ValueError, match=what):
        OpenAIEmbedder(**{"model": "m", "base_url": "http://127.0.0.1:9/v1", **settings})


def test_a_memory_asks_it(tmp_path: Any) -> None:
    """For what is remembered and for what is asked; a server that is gone leaves the words."""
    with Provider(vectors) as provider:
        made = embedder(provider, timeout=5)
        with SqliteMemory(tmp_path / "a.db", embedder=made) as memory:
            memory.remember("bot", "four words are here")
            assert len(memory.recall("nothing in common")) == 1
            assert memory.add_document("d", "a text\n\n" * 3).pieces == 1
    assert threading.active_count() < 20
