"""What the recipes of ``docs/cookbook`` do beyond what they print (``tests/docs`` runs each block)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from actors import AgentPool, ScriptedDriver

from ..docs.pages import DOCS, blocks_of

PAGES = sorted((Path(__file__).parents[2] / "docs" / "cookbook").glob("*.md"))
RECIPES = [
    (page.name, name, body)
    for page in PAGES
    for name, body in re.findall(
        r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    if page.name != "index.md"
]


def run(code: str) -> dict[str, Any]:
    """Run it as a program; what it defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "docs/cookbook", "exec"), names)  # noqa: S102 - our own text
    return names


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files may be written."""
    monkeypatch.chdir(tmp_path)


def test_every_recipe_has_a_program() -> None:
    """And the contents lead to it."""
    assert len(RECIPES) >= 50
    contents = next(page for page in PAGES if page.name == "index.md").read_text(encoding="utf-8")
    for page, name, body in RECIPES:
        assert "```python" in body or "```sh" in body, name
        assert f"({page}#{re.sub(r'[^a-z0-9 _-]', '', name.lower()).replace(' ', '-')})" in contents, name


def recipe(name: str, number: int) -> str:
    """The code of one program."""
    body = next(body for _, title, body in RECIPES if title == name)
    programs: list[str] = re.findall(r"^```python\n(.*?)^```", body, re.DOTALL | re.MULTILINE)
    return programs[number - 1]


def test_a_client_that_goes_takes_its_agent_along(capsys: pytest.CaptureFixture[str], gate: Any) -> None:
    """By the cancel of its request, and by a message; one that stays is answered."""
    run(recipe("Cancel on disconnect", 1))
    assert capsys.readouterr().out == "{<AgentStatus.CANCELLED: 'cancelled'>: 1}\n"
    unless_disconnected = run(recipe("Cancel on disconnect", 2))["unless_disconnected"]

    async def main() -> None:
        left = asyncio.Event()
        async with AgentPool() as pool:
            assert await unless_disconnected(pool.submit(int, 3), left.wait) == 3
            handle = pool.submit(gate.hold)
            request = asyncio.create_task(unless_disconnected(handle, left.wait))
            while not gate.reached:
                await asyncio.sleep(0)
            left.set()
            while not handle._cell.stopping:
                await asyncio.sleep(0)
            gate.open()
            await asyncio.wait({request})

    asyncio.run(main())


@pytest.mark.parametrize("name", ["A progress bar", "A map with a progress bar"])
def test_a_bar_comes_to_its_end(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the sum below it."""
    run(recipe(name, 1))
    out = capsys.readouterr().out
    assert "100 of 100 done" in out
    assert out.endswith("328350\n")


def test_a_stream_that_is_closed_cancels_what_it_runs() -> None:
    """As a server does when the client goes."""
    lines = run(recipe("Server-sent events", 1))["lines"]

    async def main() -> None:
        async with AgentPool(max_concurrent=1) as pool:
            stream = lines(pool, ["one"] * 40)
            assert "one" in await anext(stream)
            await stream.aclose()
            pool.drain(10)
            assert pool.stats().started < 40

    asyncio.run(main())


@pytest.mark.parametrize(("method", "path", "query"), [("POST", "/ask", b""), ("GET", "/stream", b"q=hello")])
def test_a_client_of_fastapi_that_goes_takes_its_agent_along(method: str, path: str, query: bytes) -> None:
    """FastAPI ends a stream by itself; of an answer the recipe looks for the end of the connection."""
    (code,) = (block.text for block in blocks_of(DOCS / "cookbook" / "web.md") if block.title == "guide_app.py")
    names = run(code)
    names["driver"] = ScriptedDriver([], latency=600, default="too late")

    async def main() -> None:
        left, sent = asyncio.Event(), [{"type": "http.request", "body": b'{"text": "hello"}', "more_body": False}]

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            """Nobody reads it."""

        async with names["lifespan"](names["app"]) as state:
            headers = [(b"content-type", b"application/json")]
            scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path}
            scope |= {"raw_path": path.encode(), "query_string": query, "headers": headers, "state": dict(state)}
            request = asyncio.create_task(names["app"](scope, receive, send))
            while not state["pool"].active_count:
                await asyncio.sleep(0)
            left.set()
            await asyncio.wait({request}, timeout=30)
            while state["pool"].active_count:
                await asyncio.sleep(0)
            assert state["pool"].stats().ended == {"cancelled": 1}

    asyncio.run(main())
