"""The browser in which pages are looked at: a page that misbehaves fails its test."""

from __future__ import annotations

from pathlib import Path

import pytest

from .browser import Browser

PAGE = "<!doctype html><title>t</title><body style='background: Canvas; color-scheme: light dark'>{}<script>{}</script>"


def test_what_a_page_does_wrong_fails_its_test(browser: Browser, tmp_path: Path) -> None:
    """It raises, tells the console of an error, or asks a server for something; one that does none of it passes."""
    file = tmp_path / "page.html"
    for script, fault in {
        "": "",
        "null.gone": "raised: ",
        "console.error('it broke')": "console: it broke",
        "new Image().src = 'http://203.0.113.7/seen.png'": "asked for http://203.0.113.7",
    }.items():
        file.write_text(PAGE.format("<p>text</p>", script))
        faults = ""
        try:
            with browser.page() as page:
                page.goto(file.as_uri(), wait_until="commit")
                page.get_by_text("text").wait_for()
                page.evaluate("new Promise(requestAnimationFrame)")
        except AssertionError as error:
            faults = str(error)
        assert (fault in faults) if fault else not faults, faults


@pytest.mark.parametrize("dark", [False, True])
def test_a_page_is_as_wide_and_as_dark_as_asked(browser: Browser, dark: bool) -> None:
    """A phone's width, and the colours of the night."""
    with browser.page(width=390, height=844, dark=dark, touch=True) as page:
        page.goto("about:blank")
        assert page.evaluate("innerWidth") == 390
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
