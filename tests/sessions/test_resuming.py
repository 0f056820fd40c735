"""With a journal: a turn that a dead process was at goes on, buys nothing twice, and is stored once."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    CompletionResponse,
    FunctionDriver,
    ImagePart,
    Journal,
    SessionError,
    Sessions,
    SpawnConfig,
    ToolCall,
    ToolResultMessage,
    UserMessage,
    tool,
)
from actors.storage.commit import Committer
from benchmarks.kills import books

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors import CompletionRequest

BOT = AgentManifest(name="bot")
FILES = ("run.db", "chats.db")


class World:
    """What is outside: what was asked of the model and done by the tool, over all processes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.paid: list[str] = []

    def answer(self, request: CompletionRequest) -> Any:
        """Pay first, then answer."""
        last = request.messages[-1]
        query = next(each.content for each in reversed(request.messages) if isinstance(each, UserMessage))
        self.asked.append(f"{query} {'after' if isinstance(last, ToolResultMessage) else 'before'}")
        if isinstance(last, ToolResultMessage):
            return f"{len(request.messages)}: {last.content}"
        return CompletionResponse("", tool_calls=(ToolCall("c", "pay", {"what": query}),))

    def tools(self) -> list[Any]:
        """One that must not be done twice."""

        def look(effect_key: str, asked: dict[str, Any]) -> str | None:
            return f"paid {asked['what']}" if asked["what"] in self.paid else None

        @tool(effect="at_most_once", reconcile=look)
        def pay(what: str) -> str:
            """Pay."""
            self.paid.append(what)
            return f"paid {what}"

        return [pay]

    @contextmanager
    def process(self, folder: Path) -> Iterator[AgentPool]:
        """A program that begins, and ends well."""
        with ExitStack() as stack:
            sessions = stack.enter_context(Sessions(folder / "chats.db"))
            journal = stack.enter_context(Journal(folder / "run.db"))
            driver = FunctionDriver(self.answer)
            yield stack.enter_context(AgentPool(driver, tools=self.tools(), sessions=sessions, journal=journal))


class Killed(World):
    """Before its commit number *at*, in whichever file, it takes a picture of all that a kill would leave."""

    def __init__(self, folder: Path, at: int) -> None:
        super().__init__()
        self._folder, self._left = folder, at
        self.then = World()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Pictures are taken as long as this is open."""
        commit = Committer._commit

        def committed(line: Committer, batch: Sequence[Any]) -> None:
            if self._left == 0:
                self.take()
            self._left -= 1
            commit(line, batch)

        Committer._commit = committed  # type: ignore[method-assign]
        try:
            yield
        finally:
            Committer._commit = commit  # type: ignore[method-assign]

    def take(self) -> None:
        """A picture: of the files, and of the world."""
        for name in FILES:
            books.image(self._folder / name, self._folder / "image")
        self.then.asked, self.then.paid = self.asked.copy(), self.paid.copy()


def turns_in(folder: Path) -> list[tuple[int, str, str, int]]:
    with Sessions(folder / "chats.db") as sessions:
        return [(turn.number, turn.query, turn.text, len(turn.messages)) for turn in sessions.get("user/42").turns()]


EXPECTED = [(1, "one", "3: paid one", 4), (2, "two", "7: paid two", 4)]


@pytest.mark.parametrize("way", ["resume", "the same ask"])
@pytest.mark.parametrize("at", range(12))
def test_a_kill_in_every_gap(tmp_path: Path, at: int, way: str) -> None:
    """S7: before each commit of two turns: what goes on pays nothing twice, and each turn is there once, whole."""
    image = tmp_path / "image"
    image.mkdir()
    world = Killed(tmp_path, at)
    with world.process(tmp_path) as pool, world.watched():
        talk = pool.converse(BOT, "user/42")
        assert all(talk.ask(query).ok for query in ("one", "two"))
    if not list(image.iterdir()):  # it had fewer commits: both were told of, and it ended well
        world.take()
    again = world.then
    stored = turns_in(image)
    assert stored == EXPECTED[: len(stored)]
    asked = again.asked.copy()
    with again.process(image) as pool:
        talk = pool.converse(BOT, "user/42")
        resumed = talk.resume() if way == "resume" else None
        if resumed is not None:
            assert resumed.ok
            assert talk.resume() is None
        for query in [query for _, query, _, _ in EXPECTED][len(turns_in(image)) :]:
            assert talk.ask(query).ok
    assert turns_in(image) == EXPECTED
    assert again.paid == ["one", "two"]
    more = again.asked[len(asked) :]
    bought_again = [each for each in more if each in asked]
    assert len(bought_again) <= 1, f"of {asked} these were bought again: {bought_again}"
    with Journal.read(image / "run.db") as read:
        assert read.check() == []


class Louder:
    """A guardrail that changes what is asked, and what is answered."""

    def check_input(self, query: str) -> str:
        """Change it."""
        return query.upper()

    def check_output(self, value: str) -> str:
        """Change it."""
        return f"{value}!"


def left_by(folder: Path, world: Killed, *, is_stored: bool, **more: Any) -> Path:
    """What a process leaves that dies at its first ask: before its turn is stored, or before its outcome is told."""
    image = folder / "image"
    image.mkdir()
    with world.process(folder) as pool:
        append = pool._sessions.store.append  # type: ignore[union-attr]

        def appended(*args: Any, **kwargs: Any) -> None:
            if not is_stored:
                world.take()
            append(*args, **kwargs)
            if is_stored:
                world.take()

        pool._sessions.store.append = appended  # type: ignore[union-attr,method-assign]
        assert pool.converse(BOT, "user/42", **more).ask("one").ok
    return image


@pytest.mark.parametrize("way", ["resume", "the same ask"])
@pytest.mark.parametrize("rails", [(), (Louder(),)], ids=["plain", "guardrails"])
def test_a_turn_that_was_stored_and_not_told_of(tmp_path: Path, rails: tuple[Any, ...], way: str) -> None:
    """S7: killed between turn and outcome: what goes on gives the outcome, and nothing is stored or bought again; also
    where a guardrail has changed what was asked.
    """
    world = Killed(tmp_path, 10_000)
    image = left_by(tmp_path, world, is_stored=True, guardrails=rails)
    stored = turns_in(image)
    assert stored == ([(1, "ONE", "3: paid ONE!", 4)] if rails else EXPECTED[:1])
    again = world.then
    with again.process(image) as pool:
        talk = pool.converse(BOT, "user/42", guardrails=rails)
        outcome = talk.resume() if way == "resume" else talk.ask("one")
        assert outcome is not None
        assert (outcome.unwrap().text, outcome.key) == (stored[0][2], "session/user/42/1")
        assert talk.ask("two").key == "session/user/42/2"
    assert turns_in(image)[:1] == stored
    assert len(turns_in(image)) == 2
    assert len(again.asked) == 4


def test_another_one_has_stored_the_turn(tmp_path: Path) -> None:
    """S7: what broke off, and whose turn another process has stored meanwhile, is not mistaken for that one, though the
    words are the same: the same ask is a new turn.
    """
    world = Killed(tmp_path, 10_000)
    image, again = left_by(tmp_path, world, is_stored=False), world.then
    assert turns_in(image) == []
    with AgentPool(FunctionDriver(lambda _: "mine"), sessions=image / "chats.db") as other:
        assert other.converse(BOT, "user/42").ask("one").ok
    with again.process(image) as pool:
        talk = pool.converse(BOT, "user/42")
        assert talk.resume() is None
        assert talk.ask("one").key == "session/user/42/2"
    assert [(number, query) for number, query, _, _ in turns_in(image)] == [(1, "one"), (2, "one")]


def test_keys(tmp_path: Path) -> None:
    """Each turn has one of its own, over all processes; one that failed leaves its number to the next."""
    world = World()
    with world.process(tmp_path) as pool:
        talk = pool.converse(BOT, "s")
        keys = [talk.ask("one").key, talk.ask("one").key, pool.converse(BOT, "t").ask("one").key]
        assert keys == ["session/s/1", "session/s/2", "session/t/1"]
        failing = pool.converse(BOT, "s", driver=FunctionDriver(lambda _: 1 / 0))  # type: ignore[arg-type,return-value]
        assert [failing.ask("two").key, failing.ask("two").key] == ["session/s/3", "session/s/3~2"]
    with world.process(tmp_path) as pool:
        talk = pool.converse(BOT, "s")
        assert talk.resume() is None
        assert talk.ask("another").key == "session/s/3~3"
        assert talk.ask("two").key == "session/s/4"
        talk.session.undo()
        assert talk.ask("two").key == "session/s/4~2"
        given = pool.spawn(SpawnConfig(BOT, "mine", session="s", key="mine")).outcome()
        assert (given.key, given.ok, len(talk.session)) == ("mine", True, 5)
    with world.process(tmp_path) as pool:
        asked = len(world.asked)
        given = pool.spawn(SpawnConfig(BOT, "mine", session="s", key="mine")).outcome()
        assert (given.recalled, len(world.asked), len(pool.converse(BOT, "s").session)) == (True, asked, 5)
    with Journal.read(tmp_path / "run.db") as read:
        assert read.check() == []


def test_the_same_ask_on_another_day(tmp_path: Path) -> None:
    """A program that ended well has seen its outcome: the same words are a new turn."""
    world = World()
    for number in (1, 2):
        with world.process(tmp_path) as pool:
            talk = pool.converse(BOT, "user/42")
            assert talk.resume() is None
            outcome = talk.ask("one")
            assert (outcome.key, outcome.recalled) == (f"session/user/42/{number}", False)
    assert world.paid == ["one", "one"]


def test_without_a_journal_nothing_is_resumed(tmp_path: Path) -> None:
    """There is nothing that tells of it."""
    with AgentPool(FunctionDriver(lambda _: "hi"), sessions=tmp_path / "chats.db") as pool:
        assert pool.converse(BOT, "s").resume() is None


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 30


@pytest.mark.parametrize(
    "query",
    ["half \ud800", {"a": [1, None]}, ["look:", ImagePart(PNG, "image/png")], "x" * 200_000],
    ids=["half", "json", "parts", "long"],
)
def test_any_query_goes_on(tmp_path: Path, query: Any) -> None:
    """S7: the same ask finds it; what is short is resumed, too, and what is long says to ask it again."""
    image = tmp_path / "image"
    image.mkdir()
    world = Killed(tmp_path, 10_000)

    def first(request: CompletionRequest) -> str:
        world.asked.append("first")
        return "done"

    driver = FunctionDriver(first, context_window=1_000_000)
    driver.media_types = ("image/png",)  # type: ignore[attr-defined]
    with world.process(tmp_path) as pool:
        append = pool._sessions.store.append  # type: ignore[union-attr]

        def appended(*args: Any, **kwargs: Any) -> None:
            world.take()
            append(*args, **kwargs)

        pool._sessions.store.append = appended  # type: ignore[union-attr,method-assign]
        outcome = pool.converse(BOT, "user/42", driver=driver).ask(query)
        assert outcome.ok, outcome.error
    asked = len(world.asked)
    with world.then.process(image) as pool:
        talk = pool.converse(BOT, "user/42", driver=driver)
        if len(query) > 100_000:
            with pytest.raises(SessionError, match="ask it again"):
                talk.resume()
            resumed = talk.ask(query)
        else:
            again = talk.resume()
            assert again is not None
            resumed = again
        assert (resumed.unwrap().text, resumed.key) == ("done", "session/user/42/1")
    assert len(world.asked) == asked
