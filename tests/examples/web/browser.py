"""A headless Chromium, led through its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ...waiting import comes_true, eventually
from .servers import end

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BOUND = 60.0
"""Seconds for its start on a busy machine, and for each of its answers."""


def find_chromium() -> str:
    """Where it is; a test that needs it says so where it is not."""
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip(f"no Chromium on the PATH (looked for {', '.join(NAMES)}): on Debian, apt-get install chromium")


class Page:
    """One page of it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One call; what it tells meanwhile of events is passed over."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._connection.send(json.dumps(message))
        while (answer := json.loads(self._connection.recv(BOUND))).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go there, and wait until it is there."""
        self.call("Page.navigate", url=url)
        eventually(lambda: self.run("document.readyState === 'complete' && location.href") == url, BOUND)

    def run(self, script: str) -> Any:
        """What a line of JavaScript gives."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def shows(self, element: str) -> str:
        """The text of one element, as a person sees it."""
        shown: str = self.run(f"document.getElementById({element!r}).innerText")
        return shown.rstrip()

    def ask(self, question: str) -> None:
        """Type it into the page, and send it off."""
        self.run("document.getElementById('question').focus(), document.getElementById('question').value = ''")
        self.call("Input.insertText", text=question)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, text="\r")

    def screenshot(self, file: Path) -> None:
        """As PNG, for a person who looks on."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A page of a browser that knows nobody, and is ended with the block. *folder* is for what it keeps."""
    from websockets.sync.client import connect

    log_file = folder / "chromium.log"
    command = [find_chromium(), "--headless", "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}"]
    command += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions"]
    command += ["--disable-background-networking", "--no-proxy-server"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # it refuses to have one for root; the page is our own
    with log_file.open("wb") as log:
        environment = {**os.environ, "HOME": str(folder)}
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log, env=environment)
    try:
        place = re.compile(r"DevTools listening on (ws://\S+)")
        comes_true(lambda: place.search(log_file.read_text(errors="replace")) or process.poll() is not None, BOUND)
        found = place.search(log_file.read_text(errors="replace"))
        assert found is not None, log_file.read_text(errors="replace")
        with connect(found[1], max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        end(process, BOUND)
