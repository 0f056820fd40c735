"""Make the pictures of the documentation anew: run the newsroom, and photograph what is seen of it.

    python examples/inside/pictures.py                   all of them, into docs/pictures (a minute)
    python examples/inside/pictures.py live --folder .   one of them

Needs the extra ``browser`` (Playwright, Pillow) and a Chromium: that of the system, or the one that
``python -m playwright install chromium`` brings.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

try:
    from PIL import Image
    from playwright.sync_api import Browser, Error, Page, sync_playwright
except ImportError as error:
    raise SystemExit(f"{error}; {sys.executable} -m pip install '.[browser]'") from error

from actors.cli.top.picture import svg_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
NEWSROOM = [sys.executable, str(HERE / "newsroom.py")]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SIZE = {"width": 1440, "height": 900}
FROM_HERE_ON = 30_000
"""Milliseconds to wait for something to be seen."""
MOST_BYTES = 300_000
URL = re.compile(r"http://\S+")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A Chromium, the system's before Playwright's own."""
    where = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        except Error as error:
            hint = f"no Chromium: install one, or run {sys.executable} -m playwright install chromium"
            raise SystemExit(f"{hint}\n{error}") from error
        with browser:
            yield browser


@contextmanager
def opened(browser: Browser, *, dark: bool = False) -> Iterator[Page]:
    """A page as on a good screen."""
    scheme = "dark" if dark else "light"
    page = browser.new_page(viewport=SIZE, device_scale_factor=2, color_scheme=scheme, reduced_motion="reduce")
    page.set_default_timeout(FROM_HERE_ON)
    yield page
    page.close()


def save(page: Page, file: Path, element: str = "") -> None:
    """Photograph *page*, or an element of it, once it is drawn, and keep it small: at most 256 colours."""
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
    page.evaluate("new Promise(requestAnimationFrame)")
    seen = page.locator(element).screenshot() if element else page.screenshot()
    taken = Image.open(io.BytesIO(seen)).convert("RGB")
    for colours in (256, 128, 64, 32):
        small = taken.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(file, optimize=True)
        if file.stat().st_size <= MOST_BYTES:
            break
    print(f"{file}: {file.stat().st_size // 1000} kB")


@contextmanager
def running(*options: str) -> Iterator[str]:
    """A newsroom that has just begun, and the address of its live page; it is ended with the block."""
    process = subprocess.Popen([*NEWSROOM, "--live", "--control", *options], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = next(filter(None, map(URL.search, process.stderr)), None)
        if found is None:
            raise SystemExit("the newsroom has ended without a live page")
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)  # a Ctrl-C: the pool is closed, and with it its page
        process.communicate()


def timeline(browser: Browser, folder: Path) -> None:
    """The page of a run, by day and by night."""
    with tempfile.TemporaryDirectory() as place:
        saved = Path(place) / "run.html"
        subprocess.run([*NEWSROOM, "--timeline", str(saved)], check=True)
        for dark in (False, True):
            with opened(browser, dark=dark) as page:
                page.goto(saved.as_uri())
                save(page, folder / ("timeline-dark.png" if dark else "timeline.png"))


def live(browser: Browser, folder: Path) -> None:
    """The live page when a writer asks whether it may print, and what a terminal shows in that moment."""
    with running("--agents", "44", "--slots", "9") as url, opened(browser) as page:
        page.goto(url)
        page.get_by_role("button", name="Approve").first.wait_for()
        state = state_of(url)
        save(page, folder / "live.png")
    with opened(browser) as paper:  # a page of its own: the live one lets no other style in
        paper.set_content(svg_of(state, width=120, height=30, keys=["down"]))
        save(paper, folder / "top.png", "svg")


def state_of(url: str) -> dict[str, Any]:
    """What the page at *url* is told."""
    place, _, token = url.partition("?token=")
    asked = Request(f"{place}state", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - on this machine
    with urlopen(asked, timeout=FROM_HERE_ON / 1000) as answer:  # noqa: S310 - on this machine
        state: dict[str, Any] = json.load(answer)
        return state


PICTURES: dict[str, Callable[[Browser, Path], None]] = {"timeline": timeline, "live": live}


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"{', '.join(PICTURES)} (all of them)")
    parser.add_argument("--folder", type=Path, default=HERE.parents[1] / "docs" / "pictures")
    asked = parser.parse_args()
    if unknown := set(asked.pictures) - set(PICTURES):
        parser.error(f"there is no picture {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}")
    asked.folder.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        for name in asked.pictures or PICTURES:
            PICTURES[name](browser, asked.folder)


if __name__ == "__main__":
    main()
