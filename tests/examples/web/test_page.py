"""``examples/web/page.html`` in a real browser, where one is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from ...waiting import eventually
from .browser import Page, browsing, find_chromium
from .servers import BOUND, HERE, client_of, serving

pytestmark = pytest.mark.process
pytest.importorskip("sse_starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


@dataclass
class Stage:
    """The page, and the server that a test leads."""

    page: Page
    client: httpx2.Client

    def step(self, count: int = 1) -> None:
        """Let the model say so many words more."""
        self.client.post("/step", params={"n": count})

    def comes(self, text: str, state: str) -> None:
        """Wait until the page shows just that."""
        seen: list[str] = []

        def shows() -> bool:
            seen[:] = self.page.shows("text"), self.page.shows("state")
            return seen == [text, state]

        try:
            eventually(shows, BOUND)
        except AssertionError:
            assert seen == [text, state]
            raise


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One browser and one server for all tests."""
    find_chromium()
    folder = tmp_path_factory.mktemp("page")
    with (
        serving(folder / "log", HERE / "gated_sse.py") as server,
        client_of(server) as client,
        browsing(folder) as page,
    ):
        page.open(f"{server.url}/page")
        yield Stage(page, client)


def test_pieces_appear_one_after_another(stage: Stage) -> None:
    """While the agent still works; then the page says that it has ended."""
    assert stage.page.shows("state") == "ready"
    stage.page.ask("gated one two")
    stage.comes("", "waiting")
    stage.step()
    stage.comes("one", "writing: 1 piece")
    assert stage.client.get("/stats").json()["active"] == 1
    stage.step()
    stage.comes("one two", "ended: 2 pieces")
    assert stage.page.run("source === null && document.getElementById('stop').disabled") is True


def test_an_attempt_that_restarts(stage: Stage) -> None:
    """What was shown of it goes, and the page says so."""
    stage.page.ask("broken but mended")
    stage.comes("\N{GRINNING FACE} this is not the", "writing: 1 piece")
    stage.step(2)
    stage.comes("but", "writing: 2 pieces, after 1 restart")
    stage.step()
    stage.comes("but mended", "ended: 3 pieces, after 1 restart")


def test_an_agent_that_fails(stage: Stage) -> None:
    """Is told apart by more than its words."""
    stage.page.ask("crash please")
    stage.comes("", "failed: the agent crashed")
    assert stage.page.run("document.getElementById('state').className") == "failed"


def test_a_server_without_room(stage: Stage) -> None:
    """Is said, and the page does not come again by itself."""
    stage.client.post("/slots", params={"n": 0})
    stage.page.ask("Hello?")
    stage.comes("", "failed: no connection, or the server has too much to do")
    stage.client.post("/slots", params={"n": 256})
    assert stage.page.run("source") is None


def test_text_is_text(stage: Stage) -> None:
    """And never a part of the page."""
    stage.page.ask('<img src=x onerror="document.title=1"> <b>bold</b>')
    eventually(lambda: stage.page.shows("state").startswith("ended: "), BOUND)
    assert stage.page.shows("text").startswith('You wrote: <img src=x onerror="document.title=1"> <b>bold</b>')
    assert stage.page.run("document.getElementById('text').children.length") == 0
    assert stage.page.run("document.title") == "One agent's text, as it comes"


def test_a_person_who_stops_it(stage: Stage) -> None:
    """Cancels the agent."""
    before = stage.client.get("/stats").json()["ended"].get("cancelled", 0)
    stage.page.ask("gated one two")
    stage.step()
    stage.comes("one", "writing: 1 piece")
    stage.page.run("document.getElementById('stop').click()")
    stage.comes("one", "stopped")
    eventually(lambda: stage.client.get("/stats").json()["ended"].get("cancelled", 0) == before + 1, BOUND)
