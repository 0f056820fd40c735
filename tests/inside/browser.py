"""A headless Chromium, led by Playwright, whose pages tell of every fault of theirs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import pytest

from ..examples.web.browser import find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as Chromium, ConsoleMessage, Page, Request

LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:", "http://localhost:")


class Browser:
    """Opens pages, each as a person who has never been there.

    ``with browser.page(width=390, dark=True) as page: page.goto(path.as_uri())`` gives a ``playwright.sync_api.Page``.
    """

    def __init__(self, chromium: Chromium) -> None:
        self.chromium = chromium

    @contextlib.contextmanager
    def page(
        self, *, width: int = 1440, height: int = 900, dark: bool = False, touch: bool = False, scale: float = 1
    ) -> Iterator[Page]:
        """A page of its own; it fails the test if it raised, wrote an error to the console or left this machine.

        Args:
            width, height: In CSS pixels; a phone is 390 by 844.
            dark: What ``prefers-color-scheme`` says.
            touch: Fingers in place of a mouse.
            scale: Pixels of the device for one of CSS.
        """
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        context = self.chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, device_scale_factor=scale
        )
        faults: list[str] = []
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(f"raised: {error}"))
        page.on("console", lambda message: _hear(message, faults))
        page.on("request", lambda request: _look(request, faults))
        try:
            yield page
        finally:
            context.close()
        assert not faults, faults


def _hear(message: ConsoleMessage, faults: list[str]) -> None:
    # A refused request is written there by the browser itself; the test that provokes one looks at what came of it.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        faults.append(f"console: {message.text}")


def _look(request: Request, faults: list[str]) -> None:
    if not request.url.startswith(LOCAL):
        faults.append(f"asked for {request.url}")


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Start one, and end it with the block.

    Not for a whole session: as long as it runs, asyncio believes that the main thread's loop does, and nobody else can
    run one there.
    """
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (the extra `browser`)")
    where = find_chromium()
    with api.sync_playwright() as playwright:
        # Root's Chromium refuses to have a sandbox; the pages are our own.
        chromium = playwright.chromium.launch(executable_path=where, args=["--no-sandbox", "--no-proxy-server"])
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
