"""The page of a running pool: what it is made of, and what a person does with it in a browser."""

from __future__ import annotations

import contextlib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lxml import html
from typing_extensions import override

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    FunctionDriver,
    LiveView,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.inside.live_view import page as live_page

from ..agent.doubles import asks
from ..waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from .browser import Browser

HOSTILE = '</script><img src=x onerror="document.title=1">\u202e\x00\u2028'


class Waits(Agent[str]):
    """Waits until it is cancelled."""

    @override
    def run(self, query: str) -> str:
        self.sleep(600)
        return query


class Starts(Agent[str]):
    """Waits for an agent that it has started."""

    @override
    def run(self, query: str) -> str:
        return str(self.spawn(waiting("hand")).result())


@tool
def wipe(path: str, why: str = "") -> str:
    """Delete what is there."""
    return f"{path} is gone {why}"


def waiting(name: str, **fields: Any) -> SpawnConfig:
    return SpawnConfig(AgentManifest(name=name), "wait", **{"agent": Waits, **fields})


def asking(name: str = "writer") -> SpawnConfig:
    return SpawnConfig(AgentManifest(name=name, approval={"tools": ["wipe"]}), "Write.")


def script() -> ScriptedDriver:
    return ScriptedDriver([asks(("wipe", {"path": "/srv/a", "why": HOSTILE})), "done"])


@contextlib.contextmanager
def looked_at(
    browser: Browser, *spawns: SpawnConfig, control: bool = True, driver: Any = None, **size: Any
) -> Iterator[tuple[AgentPool, list[Any], Page]]:
    """A pool with these agents, their handles, and its page when it has drawn them."""
    with AgentPool(driver or script(), tools=ToolRegistry([wipe]), name="newsroom", max_concurrent=8) as pool:
        try:
            handles = [pool.spawn(spawn) for spawn in spawns]
            with LiveView(pool, control=control) as view, browser.page(**size) as page:
                page.goto(view.url)
                page.locator("#heard[data-live=true]").wait_for()
                yield pool, handles, page
        finally:
            pool.abort_all("the test is over")


def ask_now(page: Page) -> None:
    """Have the page ask at once, and not when its second is over."""
    page.evaluate("dispatchEvent(new Event('online'))")


# What it is made of ----------------------------------------------------------------------------------------------


def document() -> html.HtmlElement:
    return html.document_fromstring(live_page.page("n0nce").decode())


def test_it_asks_nobody_but_its_server() -> None:
    """It names no other place, runs what bears its nonce alone, and has neither handlers nor styles in its markup."""
    page = document()
    assert not page.xpath(
        "//@src | //@srcset | //@action | //base | //iframe | //object | //form | //meta[@http-equiv]"
    )
    assert not [url for url in page.xpath("//@href") if not url.startswith(("data:image/", "#"))]
    assert not page.xpath("//@*[starts-with(name(), 'on') or name() = 'style']")
    assert page.xpath("//script/@nonce | //style/@nonce") == ["n0nce", "n0nce"]
    assert len(page.xpath("//script | //style")) == 2
    whole = live_page.page("n0nce").decode()
    assert not re.search(
        r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(|\bimport\b\s*[({'\"]|XMLHttpRequest|WebSocket", whole
    )


def test_text_goes_in_as_text() -> None:
    """No script of it reads markup, or runs what it was sent."""
    for name in live_page.SCRIPTS:
        text = files("actors.inside.live_view").joinpath(f"{name}.js").read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|DOMParser|srcdoc", text
        )


def test_every_file_of_it_is_served_and_every_place_is_there() -> None:
    """No script is forgotten, and each finds the elements that it writes to."""
    folder = files("actors.inside.live_view")
    there = {file.name.removesuffix(".js") for file in folder.iterdir() if file.name.endswith(".js")}
    assert there == set(live_page.SCRIPTS)
    scripts = "".join(folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in live_page.SCRIPTS)
    ids = set(document().xpath("//@id"))
    assert set(re.findall(r'byId\("([\w-]+)"\)', scripts)) <= ids
    assert {"search", "agents", "details", "approvals", "events"} <= ids


def test_no_nonce_stands_in_it_but_its_own() -> None:
    """What marks the places of its parts is gone."""
    assert not re.search(rb"@(NONCE|STYLE|SCRIPT)@", live_page.page("n0nce"))


# What a person does with it --------------------------------------------------------------------------------------


def test_a_click_approves(browser: Browser) -> None:
    """It asks for the person in the title too; the call is made once it is approved, and the page tells so."""
    with looked_at(browser, asking()) as (_, [handle], page):
        page.get_by_role("button", name="Approve").wait_for()
        assert page.title() == "(1) newsroom"
        assert "wipe" in page.locator("#aloud").inner_text()
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("Approved.").wait_for()
        assert handle.result(timeout=BOUND).text == "done"
        page.wait_for_function("document.title === 'newsroom'")


def test_a_click_denies_with_a_reason(browser: Browser) -> None:
    """The model is told what was written beside the button."""
    told: list[Any] = []

    def answer(request: Any) -> Any:
        told.append(request.messages)
        return asks(("wipe", {"path": "/srv/a"})) if len(told) == 1 else "done"

    with looked_at(browser, asking(), driver=FunctionDriver(answer)) as (_, [handle], page):
        page.get_by_role("textbox", name="Reason").fill("not that one")
        page.get_by_role("button", name="Deny").click()
        page.get_by_text("Denied.").wait_for()
        assert handle.result(timeout=BOUND).text == "done"
    assert "not that one" in str(told[-1])


def test_a_second_click_aborts(browser: Browser) -> None:
    """The first one only asks; the panel says how the agent ended."""
    with looked_at(browser, waiting("sleeper")) as (_, [handle], page):
        page.locator(f"#agents tr[data-agent-id='{handle.id}']").click()
        page.get_by_role("button", name="Abort").click()
        assert not handle.done()
        page.get_by_role("button", name="Keep it running").click()
        page.get_by_role("button", name="Abort").click()
        page.get_by_role("textbox", name="Reason for the abort").fill("enough")
        page.get_by_role("button", name="Abort").click()
        assert handle.outcome(timeout=BOUND).status == "cancelled"
        ask_now(page)
        page.locator("#details .badge[data-end=cancelled]").wait_for()
        assert page.get_by_role("button", name="Show stack").is_disabled()


def test_a_stack_is_shown_when_asked_for(browser: Browser) -> None:
    """Of one agent, on demand: it names the line that waits."""
    with looked_at(browser, waiting("sleeper", key="k7")) as (_, _, page):
        page.get_by_role("cell", name="sleeper").click()
        assert page.locator("#details pre").count() == 0
        page.get_by_role("button", name="Show stack").click()
        assert "self.sleep(600)" in page.locator("#details pre").first.inner_text()
        assert "k7" in page.locator("#details dl").inner_text()
        page.keyboard.press("Escape")
        page.locator("#details").wait_for(state="hidden")


def test_hostile_names_stay_text(browser: Browser) -> None:
    """In the table, the panel and the approvals; nothing of them runs."""
    with looked_at(browser, waiting(HOSTILE, key=HOSTILE, group=HOSTILE), asking(HOSTILE)) as (_, _, page):
        page.locator("#approvals pre").wait_for()
        page.locator("#agents tr[data-agent-id]").nth(1).click()
        page.locator("#details h2").wait_for()
        for place in ("#agents", "#details", "#approvals"):
            assert "</script><img src=x" in page.locator(place).inner_text()
        assert page.locator("img").count() == 0
        assert page.title() == "(1) newsroom"
        assert "\u202e" not in page.locator("body").inner_text()


def test_who_may_only_look_is_told_how_to_answer(browser: Browser) -> None:
    """Without control there is no button that acts."""
    with looked_at(browser, asking(), control=False, width=390, height=844, touch=True) as (_, [handle], page):
        page.locator("#approvals li").wait_for()
        assert f"pool.approve({handle.id}, " in page.locator("#needs-how").inner_text()
        page.locator("#agents tr[data-agent-id]").click()
        page.get_by_role("button", name="Show stack").wait_for()
        for name in ("Approve", "Deny", "Abort"):
            assert page.get_by_role("button", name=name).count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_table_is_searched_sorted_and_led_by_keys(browser: Browser) -> None:
    """A slash searches, arrows select, Enter opens, a state's chip filters, and a reload shows the same."""
    spawns = [waiting(name, key=f"key-{name}") for name in ("ada", "bob", "cyd")]
    with looked_at(browser, *spawns) as (_, _, page):
        rows = page.locator("#agents tbody tr[data-agent-id]")
        page.get_by_role("button", name="Agent", exact=True).click()
        assert [row.split()[0] for row in rows.all_inner_texts()] == ["ada", "bob", "cyd"]
        page.keyboard.press("/")
        page.keyboard.type("KEY-b")
        eventually(lambda: rows.count() == 1)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.locator("#details").get_by_text("bob").first.wait_for()
        page.reload()
        page.locator("#details").get_by_text("bob").first.wait_for()
        assert rows.count() == 1
        page.get_by_role("button", name="Clear filters").click()
        page.locator("[data-filter=in_driver]").click()
        page.get_by_text("No agent is like that now.").wait_for()


def test_rows_stay_where_they_are_under_the_pointer(browser: Browser) -> None:
    """One that ends keeps its place and says how it ended, until the pointer leaves."""
    with looked_at(browser, *[waiting(name) for name in ("ada", "bob", "cyd")]) as (_, handles, page):
        rows = page.locator("#agents tbody tr[data-agent-id]")
        before = [row.get_attribute("data-agent-id") for row in rows.all()]
        rows.nth(1).hover()
        gone = next(one for one in handles if str(one.id) == before[0])
        gone.cancel("enough")
        ask_now(page)
        page.locator("#agents tr.gone .badge[data-end=cancelled]").wait_for()
        assert [row.get_attribute("data-agent-id") for row in rows.all()] == before
        page.mouse.move(5, 5)
        eventually(lambda: rows.count() == 2)


def test_a_pool_that_has_ended_leaves_its_last_picture(browser: Browser) -> None:
    """The page says since when nothing is heard, and keeps what it showed."""
    with looked_at(browser, waiting("sleeper")) as (pool, _, page):
        pool.abort_all("closing")
        pool.close()
        ask_now(page)
        page.get_by_text(re.compile("The pool has ended")).wait_for()
        assert page.title().endswith("not reached")
        assert page.locator("body.away").count() == 1


def test_a_wrong_token_is_told(browser: Browser) -> None:
    """The page that is open while the token changes says what to do, and asks no more."""
    with looked_at(browser, waiting("sleeper")) as (_, _, page):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.route("**/state", lambda route: route.fulfill(status=401, body=json.dumps({"error": "no"})))
        ask_now(page)
        page.get_by_text(re.compile("The token is wrong")).wait_for()
        seen = len(asked)
        ask_now(page)
        assert len(asked) == seen


def test_nobody_is_asked_while_the_page_is_hidden(browser: Browser) -> None:
    """A round that is on its way ends; none begins until it is shown again, and then one does at once."""
    with looked_at(browser, waiting("sleeper")) as (_, _, page):
        turn = "isHidden => { Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});"
        turn += " document.dispatchEvent(new Event('visibilitychange')) }"
        page.evaluate(turn, True)
        rounds: list[str] = []
        page.on("request", lambda request: rounds.append(request.url) if request.url.endswith("/state") else None)
        for _ in range(3):
            ask_now(page)
        assert rounds == []
        with page.expect_response("**/state"):
            page.evaluate(turn, False)
            ask_now(page)
        assert rounds


def test_it_shows_who_waits_for_whom(browser: Browser) -> None:
    """Who waits stands in a chain that ends with whoever holds it up; the head says how many slots are taken."""
    with looked_at(browser, waiting("boss", agent=Starts), dark=True) as (_, _, page):
        ask_now(page)
        chain = page.locator("#stuck .chain").first
        chain.wait_for()
        assert chain.inner_text().split() == ["P", "boss", "1", "→", "C", "hand", "2"]
        assert "of 8 slots" in page.locator("#verdict").inner_text()
