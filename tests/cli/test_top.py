"""``actors top``: finds a live view, shows its pool once, or on a terminal until it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, LiveView, SpawnConfig
from actors.cli.top import command
from actors.cli.top.address import address_of
from actors.cli.top.client import Client, NoAnswer, Trouble
from actors.cli.top.reader import Reader, Seen, state_of
from actors.cli.top.watch import Watch, last_word
from actors.inside.live_view.doorplate import Door

from .views import LIMIT, TOKEN, agent, answer_of, approval, http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Waits(Agent):
    """Until it is told."""

    def run(self, query: threading.Event) -> str:
        """Wait."""
        query.wait(LIMIT)
        return "done"


@pytest.fixture
def view() -> Iterator[str]:
    """The URL of a view of a pool with an agent at work."""
    gate = threading.Event()
    with AgentPool(max_concurrent=2, name="night") as pool, LiveView(pool) as opened:
        pool.spawn(SpawnConfig(AgentManifest(name="guard"), gate, agent=Waits))
        try:
            yield opened.url
        finally:
            gate.set()


def test_one_look_at_a_real_pool(cli: Callable[..., Any], view: str) -> None:
    """Without a terminal it shows the pool once, by URL, by process, and with --json as the view tells it."""
    shown = cli("top", view)
    assert shown.exit_code == 0
    assert f"process {os.getpid()}" in shown.stdout
    assert "#1  guard  C own code" in shown.stdout
    told = json.loads(cli("top", view, "--json").stdout)
    assert [one["name"] for one in told["agents"]] == ["guard"]
    assert cli("top", str(os.getpid()), "--once").stdout.splitlines()[1:3] == shown.stdout.splitlines()[1:3]


def test_views_that_are_there(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """None: it says how to open one. Several: it lists them, and takes none."""
    found: list[Door] = []
    monkeypatch.setattr(command, "doors", lambda pid=None: [door for door in found if pid in (None, door.pid)])
    none = cli("top")
    assert (none.exit_code, "actors run ... --live" in none.stderr) == (1, True)
    assert "process 7 is not yours" in cli("top", "7").stderr
    found += [Door(7, f"http://127.0.0.1:{port}/?token={TOKEN}", "night\x1b[31m", 0.0) for port in (1, 2)]
    several = cli("top")
    assert several.exit_code == 2
    assert several.stderr.count("  7  night\\x1b[31m  since") == 2
    assert f"http://127.0.0.1:2/?token={TOKEN}" in several.stderr
    assert "actors top URL" in several.stderr
    found[1:] = []
    gone = cli("top", "7")
    assert (gone.exit_code, "nobody answers" in gone.stderr) == (1, True)
    monkeypatch.setattr(command, "doors", _strange)
    assert "mode 0700" in cli("top").stderr


def _strange(pid: int | None) -> list[Door]:
    raise PermissionError(f"the folder must have mode 0700: {pid}")


def test_what_makes_no_sense_is_refused(cli: Callable[..., Any]) -> None:
    """Neither a process nor a URL."""
    refused = cli("top", "night\x1b[31m")
    assert refused.exit_code == 2
    assert r"night\x1b[31m: is neither the id of a process nor the URL" in refused.stderr


class Scripted:
    """A view that answers one state after another, the last one again and again."""

    def __init__(self, *states: dict[str, Any] | None) -> None:
        self._states = list(states)
        self.deeds: list[tuple[bytes, dict[str, Any]]] = []

    def __call__(self, request: bytes) -> bytes | None:
        head, _, body = request.partition(b"\r\n\r\n")
        if head.startswith(b"POST"):
            self.deeds.append((head.split()[1], json.loads(body)))
            return http({"done": True})
        if b"/agent" in head:
            return http({**agent(1), "stack": '  File "bot.py", line 3, in run\n', "children": [2]})
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return b"" if state is None else http(state)


class Terminal:
    """A pseudo terminal in the place of standard input and output; ``seen`` is what was drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        termios = pytest.importorskip("termios")
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.stdin, self.stdout = os.fdopen(theirs, "r"), os.fdopen(os.dup(theirs), "w")
        self.before = termios.tcgetattr(theirs)
        self._patch = monkeypatch
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.delenv("LINES", raising=False)
        self.seen = ""
        self._script: list[tuple[str, Callable[[], object]]] = []
        self._thread = threading.Thread(target=self._read)
        self._bound = threading.Timer(LIMIT, self.types("\x1bnq"))  # a test that waits in vain fails

    def when(self, words: str, act: Callable[[], object]) -> None:
        """Act once *words* are drawn, after what was said before."""
        self._script.append((words, act))

    def types(self, text: str) -> Callable[[], object]:
        """An act: these keys are pressed."""
        return lambda: os.write(self._ours, text.encode())

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()
        self._bound.start()

    def take_over(self) -> None:
        """Stand where the streams are. In the test itself: pytest sets them anew before it calls one."""
        self._patch.setattr("sys.stdin", self.stdin)
        self._patch.setattr("sys.stdout", self.stdout)

    def _read(self) -> None:
        since = 0
        while True:
            try:
                data = os.read(self._ours, 65_536)
            except OSError:
                return
            self.seen += data.decode()
            while self._script and self._script[0][0] in self.seen[since:]:
                since = len(self.seen)
                self._script.pop(0)[1]()

    def close(self) -> None:
        """Away with it."""
        self._bound.cancel()
        self._bound.join()
        self.stdin.close()
        self.stdout.close()
        self._thread.join(LIMIT)
        os.close(self._ours)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal, which is as it was afterwards."""
    made = Terminal(monkeypatch)
    made.start()
    try:
        yield made
        import termios

        assert termios.tcgetattr(made.stdin) == made.before
    finally:
        made.close()
    assert made.seen.rfind("\x1b[?1049l") > made.seen.rfind("\x1b[?1049h"), "the other screen was left"
    assert made.seen.rfind("\x1b[?25h") > made.seen.rfind("\x1b[?25l"), "the cursor is there"


def watched(terminal: Terminal, reply: Callable[[bytes], bytes | None]) -> tuple[NoAnswer | None, Watch]:
    """Watch what *reply* answers until it ends."""
    terminal.take_over()
    with serving(reply) as fake:
        client = Client(address_of(fake.url))
        watch = Watch(client, state_of(client.get("/state")), interval=0.02)
        return watch.show(), watch


def test_a_call_is_approved_on_the_screen(terminal: Terminal) -> None:
    """The screen is drawn, keys choose, look closely and approve, and the terminal is as before."""
    view = Scripted(answer_of(agent(1), control=True, approvals=[approval()]))
    terminal.when("asks to call delete_file", terminal.types("\x1b[B\r"))
    terminal.when('File "bot.py"', terminal.types("\x1b"))
    terminal.when("s by time in state", terminal.types("a"))
    terminal.when("y approve", terminal.types("y"))
    terminal.when("done: approve delete_file", terminal.types("q"))
    why, _ = watched(terminal, view)
    assert why is None
    assert view.deeds == [(b"/approve", {"agent_id": 1, "call_id": "c1"})]


def test_pasted_text_answers_no_question(terminal: Terminal) -> None:
    """What comes together with the key that asks is not the answer."""
    view = Scripted(answer_of(agent(1), control=True, approvals=[approval()]))
    terminal.when("asks to call", terminal.types("ayyy"))
    terminal.when("y approve", terminal.types("n"))
    terminal.when("nothing was done", terminal.types("q"))
    watched(terminal, view)
    assert view.deeds == []


def test_the_end_of_the_pool_ends_it(terminal: Terminal) -> None:
    """Whether the view says so or is gone; what was seen last is said."""
    why, watch = watched(terminal, Scripted(answer_of(agent(1)), answer_of(phase="closed")))
    assert why is None
    assert last_word(watch.state, why) == "night has ended: 5 completed, 1 failed in 1 min 05 s"
    why, watch = watched(terminal, Scripted(answer_of(agent(1)), None))
    assert why is not None
    assert last_word(watch.state, why).endswith("Seen last: 5 completed, 1 failed in 1 min 05 s, 1 not ended")


def test_a_sigterm_gives_the_terminal_back(terminal: Terminal) -> None:
    """As q does."""
    terminal.when("night", lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    why, _ = watched(terminal, Scripted(answer_of(agent(1))))
    assert why is None
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_view_that_is_busy_is_asked_again() -> None:
    """What was seen stays, and the next look may be better."""
    replies = iter([http({}, 503), http(answer_of())])
    heard: list[Any] = []
    came = threading.Event()

    def hear(news: Any) -> None:
        heard.append(news)
        if isinstance(news, Seen):
            came.set()

    with (
        serving(lambda _: next(replies, http(answer_of()))) as fake,
        Reader(Client(address_of(fake.url)), hear, interval=0.01),
    ):
        assert came.wait(LIMIT)
    assert heard[0].error.trouble is Trouble.BUSY
