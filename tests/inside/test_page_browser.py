"""The page of a timeline in a browser: it is looked at as a person looks at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from actors.core.records.state import AgentState as At
from actors.inside.page import page_of
from actors.inside.picture import PathPiece, TimelineSummary

from .pictures import a_run, agent, picture, span
from .test_page import HOSTILE, hostile_picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from actors.inside.picture import Picture

    from .browser import Browser

SEEN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What was changed is drawn with the next frame."""


def opened(page: Page, folder: Path, shown: Picture, hash: str = "") -> None:  # noqa: A002 - as it is in a link
    file = folder / "run.html"
    file.write_text(page_of(shown), encoding="utf-8")
    page.goto(file.as_uri() + hash)
    page.evaluate(SEEN)


def seen(page: Page) -> tuple[float, float]:
    """From when to when the chart shows, as the address keeps it."""
    page.wait_for_url(re.compile("[#&]from="))
    begin, end = page.evaluate("['from', 'to'].map(name => +new URLSearchParams(location.hash.slice(1)).get(name))")
    return begin, end


def test_a_run_is_searched_zoomed_and_read(browser: Browser, tmp_path: Path) -> None:
    """Search goes from match to match; wheel and keys zoom; a click on a name or a stretch tells of it."""
    with browser.page() as page:
        opened(page, tmp_path, a_run(24, with_content=True))
        assert page.title() == "newsroom of 24: timeline"
        page.keyboard.press("/")
        page.keyboard.type("writer")
        page.locator("#found", has_text="3").wait_for()
        page.keyboard.press("Enter")
        page.locator("#found", has_text="1 of 3").wait_for()
        page.locator("#details h2", has_text="writer").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.locator("#timeline").hover(position={"x": 300, "y": 100})
        page.mouse.wheel(0, -400)
        begin, end = seen(page)
        page.keyboard.press("d")
        page.wait_for_url(re.compile(f"from=(?!{begin:.0f}&)"))
        after = seen(page)
        assert after[0] > begin
        assert after[1] - after[0] == pytest.approx(end - begin, abs=2)
        page.keyboard.press("0")
        page.locator('[data-agent-id="3"] .name').first.click()
        page.locator("#details", has_text="story/3").wait_for()
        page.locator("#details .span-row").nth(1).click()
        page.locator("#slice", has_text="Here it is.").wait_for()
        page.wait_for_url(re.compile("agent=3"))


def test_filters_and_links(browser: Browser, tmp_path: Path) -> None:
    """A press on an end shows those alone, one on a state dims it; a link with an address opens the same."""
    with browser.page(dark=True) as page:
        opened(page, tmp_path, a_run(40), "#agent=9&q=story&from=1000000&to=3000000")
        page.locator("#details", has_text="story/9").wait_for()
        assert page.locator("#search").input_value() == "story"
        assert seen(page) == (1_000_000, 3_000_000)
        everyone = page.locator("#labels [role=row]").count()
        page.locator("#ends button:not([data-end=completed])").first.click()
        page.evaluate(SEEN)
        assert 0 < page.locator("#labels [role=row]").count() < everyone
        page.get_by_role("button", name="model").first.click()
        page.wait_for_url(re.compile("dim=in_driver"))
        page.get_by_role("button", name="Critical path").click()
        page.locator("#details h2", has_text="Critical path").wait_for()


def test_a_phone_has_room_for_it(browser: Browser, tmp_path: Path) -> None:
    """Nothing is wider than the screen; a finger chooses an agent, and its details come from below."""
    with browser.page(width=390, height=844, touch=True) as page:
        opened(page, tmp_path, a_run(24))
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.locator("#timeline").tap(position={"x": 100, "y": 20})
        sheet = page.locator("#details").bounding_box()
        assert sheet is not None
        assert (sheet["x"], sheet["width"]) == (0, 390)
        assert sheet["y"] > 300


def test_odd_runs_are_drawn(browser: Browser, tmp_path: Path) -> None:
    """Without a fault on the console, whatever key is pressed, and with the names of their agents."""
    lone = agent(1, span(1, At.PARKED, 0, 36_000, label="agent 2"), is_open=True, status=None)
    with browser.page() as page:
        for rows, shown in (
            (0, picture(slots=(), began_at=None)),
            (1, picture(agent(1, span(1, At.RUNNING, 0, 0)))),
            (1, picture(lone)),
            (8, picture(*(agent(n, span(n, At.IN_TOOL, 1, 1, lane=0)) for n in range(1, 9)))),
            (1, hostile_picture("".join(HOSTILE))),
        ):
            opened(page, tmp_path, shown)
            assert page.locator("#labels [role=row]").count() == rows
            for key in ("+", "ArrowDown", "Enter", "f", "r", "r", "m", "c", "?"):
                page.keyboard.press(key)
            page.evaluate(SEEN)
            assert page.locator("#help").is_visible()
            assert page.evaluate("typeof boom") == "undefined"
            page.goto("about:blank")


def test_of_two_thousand_rows_those_in_sight_are_there(browser: Browser, tmp_path: Path) -> None:
    """Only the rows in sight are in the document; one that is searched for comes into sight."""
    with browser.page() as page:
        opened(page, tmp_path, a_run(2000, turns=1))
        assert 5 < page.locator("#labels [role=row]").count() < 100
        page.locator("#search").fill("#1999")
        page.keyboard.press("Enter")
        page.locator("#details", has_text="story/1999").wait_for()
        page.locator('#labels [data-agent-id="1999"]').wait_for()


def test_a_sentence_leads_to_its_place(browser: Browser, tmp_path: Path) -> None:
    """Its button chooses the agent and the stretch of which it speaks; a narrow screen has the first one in sight."""
    place = PathPiece(2, At.IN_TOOL, 3.0, 9.0, "read_page")
    call = span(2, At.IN_TOOL, 3, 9, lane=0, label="read_page")
    slow = agent(2, span(2, At.RUNNING, 0, 3), span(2, At.IN_TOOL, 3, 9), call)
    summary = TimelineSummary(sentences=("It was a page.", "All else was fast."), places=(place, None))
    others = [agent(number, span(number, At.RUNNING, 0, 1)) for number in (1, *range(3, 30))]
    shown = picture(*others, slow, summary=summary)
    with browser.page(width=390, height=844, touch=True) as page:
        opened(page, tmp_path, shown)
        assert page.locator("#sentences li:visible").all_inner_texts() == ["It was a page. show\xa0it"]
        page.locator("#why-button").tap()
        assert page.locator("#sentences li:visible").count() == 2
        page.locator("#sentences button").tap()
        page.locator("#slice", has_text="read_page").wait_for()
        begin, end = seen(page)
        assert 0 < begin < 3_000_000 < 9_000_000 < end
        row, sheet = (page.locator(each).bounding_box() for each in ('#labels [data-agent-id="2"]', "#details"))
        assert row is not None
        assert sheet is not None
        assert row["y"] + row["height"] <= sheet["y"]
