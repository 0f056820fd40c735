"""A timeline: what it takes, what it keeps, what it writes."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, SpawnConfig, Timeline
from actors.events import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentResumed,
    AgentStarted,
    CompletionFinished,
    CompletionStarted,
    MessageRead,
    MessageSent,
    TextDelta,
)

from .told import Told, own, timeline_of, told
from .trace_checker import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.events import Event

DONE = {"status": "completed"}
ANSWER = {"model": "m", "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "stop_reason": "end_turn"}


def life(number: int, begin: float, *, status: str = "completed") -> Told:
    """One that waits a second, and asks a model for a second."""
    agent = Told(number, f"writer {number}").at(begin, AgentQueued).at(begin + 1, AgentStarted, slots=2)
    agent.at(begin + 1, CompletionStarted, model="m").at(begin + 2, CompletionFinished, **ANSWER)
    return agent.at(begin + 2, AgentEnded, status=status)


# Taking -----------------------------------------------------------------------------------------------------------


class Echo(Agent[str]):
    """Says what it is told."""

    def run(self, query: str) -> str:
        """At once."""
        return query


def test_it_is_a_sink_for_a_pool() -> None:
    """And may be asked while the run goes on."""
    timeline = Timeline()
    with AgentPool(max_queued=None, on_event=timeline) as pool:
        for number in range(20):
            pool.spawn(SpawnConfig(AgentManifest(name="echo"), str(number), agent=Echo))
            timeline.picture()
        pool.join_all()
    assert [(agent.name, agent.status) for agent in timeline.picture().agents] == [("echo", "completed")] * 20
    assert all(span.end >= span.begin for span in timeline.spans())


def test_no_answer_is_streamed_for_it() -> None:
    """It wants no text, and is told none; a sink beside it that does changes that for itself."""

    class Spy(Timeline):
        """Keeps what it is told."""

        def __call__(self, event: Event) -> None:
            """As that does."""
            heard.append((type(event), event.seq))
            super().__call__(event)

    class Writer(Agent[None]):
        """Says a word, and whether the text of answers is told as it comes."""

        def run(self, query: str) -> None:
            """At once."""
            self.emit(TextDelta(text=query, attempt=1))
            streams.append(self._context.streams)

    heard: list[tuple[type[Event], int]] = []
    told: list[type[Event]] = []
    streams: list[bool] = []
    configs = [SpawnConfig(AgentManifest(name="writer"), "word", agent=Writer)]
    with AgentPool(on_event=Spy()) as pool:
        list(pool.map(configs))
        pool.subscribe(lambda event: told.append(type(event)))
        list(pool.map(configs))
    assert streams == [False, True]
    assert told == [AgentStarted, TextDelta, AgentEnded]
    assert heard == list(zip([AgentStarted, AgentEnded] * 2, range(1, 5), strict=True))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_events": 0}, ValueError),
        ({"max_events": True}, TypeError),
        ({"max_events": "many"}, TypeError),
        ({"name": 3}, TypeError),
    ],
    ids=["none", "bool", "text", "name"],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    """When it is made; and what is no event, when it is told."""
    with pytest.raises(error):
        Timeline(**options)
    with pytest.raises(TypeError, match="a timeline takes events, not str"):
        Timeline()("event")  # type: ignore[arg-type]


def test_pools_one_after_another_share_a_timeline() -> None:
    """Their agents have the same ids: those of the later one go on, with their parents and messages."""
    first = [*life(1, 0.0).events, *life(2, 0.5).events]
    parent = Told(1, "boss").at(10.0, AgentStarted, slots=2)
    child = Told(2, "child", parent_id=1, depth=1).at(11.0, AgentStarted, slots=2)
    parent.at(12.0, MessageSent, to=2)
    child.at(13.0, MessageRead, sender=1).at(14.0, AgentEnded, **DONE)
    second = sorted([*parent.at(15.0, AgentEnded, **DONE).events, *child.events], key=lambda event: event.moment)
    picture = told([*first, *second]).picture()
    assert [(agent.id, agent.parent_id) for agent in picture.agents] == [(1, None), (2, None), (3, None), (4, 3)]
    assert [(m.sender, m.receiver, m.read) for m in picture.messages] == [(3, 4, 13.0)]


def test_pools_at_the_same_time_are_refused(tmp_path: Path) -> None:
    """When an agent begins twice, and then whenever one asks: no picture rather than a wrong one."""
    timeline = told(Told(1).at(0.0, AgentStarted).events)
    with pytest.raises(ValueError, match="give each pool a Timeline of its own"):
        timeline(Told(1).at(1.0, AgentStarted).events[0])
    for ask in (timeline.spans, timeline.picture, lambda: timeline.save(tmp_path / "run.json")):
        with pytest.raises(ValueError, match="two pools told this Timeline at the same time"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_what_comes_after_the_end_changes_nothing() -> None:
    """A thread of the agent that was abandoned may still tell something."""
    agent = life(1, 0.0).at(2.5, CompletionStarted, model="late").at(3.0, AgentEnded, status="failed")
    (found,) = timeline_of(agent).picture().agents
    assert (found.status, found.end, len(own(found.spans))) == ("completed", 2.0, 2)


def test_messages_find_each_other_in_the_order_of_each_pair() -> None:
    """One that was never read has no end; of the program's only the reading is told."""
    first, second = Told(1).at(0.0, AgentStarted), Told(2).at(0.0, AgentStarted)
    first.at(1.0, MessageSent, to=2).at(2.0, MessageSent, to=2).at(3.0, MessageSent, to=2)
    second.at(4.0, MessageRead, sender=1).at(5.0, MessageRead, sender=0).at(6.0, MessageRead, sender=1)
    found = timeline_of(first, second).picture().messages
    assert [(m.sender, m.receiver, m.sent, m.read) for m in found] == [
        (1, 2, 1.0, 4.0),
        (1, 2, 2.0, 6.0),
        (1, 2, 3.0, None),
    ]


# Its bound --------------------------------------------------------------------------------------------------------


def test_above_the_bound_those_that_ended_first_are_folded() -> None:
    """Their sums stay: how they ended, for how long they were at what, what they cost, which slots they used."""
    agents = [life(number, number * 2.0, status="failed" if number == 1 else "completed") for number in range(1, 41)]
    whole, bounded = timeline_of(*agents).picture(), timeline_of(*agents, max_events=50).picture()
    rest = bounded.rest
    assert rest is not None
    assert (bounded.folded, len(bounded.agents)) == (rest.count, 40 - rest.count)
    assert rest.count >= 30
    assert rest.ends == {"failed": 1, "completed": rest.count - 1}
    assert rest.seconds == {"queued": pytest.approx(rest.count), "in_driver": pytest.approx(rest.count)}
    assert (rest.input_tokens, rest.cost_usd) == (10 * rest.count, 0.5 * rest.count)
    assert bounded.summary.seconds == pytest.approx(whole.summary.seconds)
    assert bounded.summary.mean_used == pytest.approx(whole.summary.mean_used, rel=0.02)
    assert bounded.seconds == whole.seconds


def test_who_is_folded_costs_no_look_at_all_others() -> None:
    """Else a long run gets slower with each agent that is kept."""

    class Agents(dict[Any, Any]):
        """Those that are kept."""

        def keys(self) -> Any:
            """All of them."""
            raise AssertionError("all are looked at")

        __iter__ = keys

    timeline = Timeline(max_events=20)
    timeline._agents = Agents()
    for number in range(1, 40):
        for event in life(number, number).events:
            timeline(event)
    assert timeline.picture().folded > 30


def test_an_agent_that_never_ends_is_bounded_too() -> None:
    """What it did first is folded, and it is said that it is cut; what it is at goes on."""
    agent = Told(1).at(0.0, AgentStarted, slots=1)
    for turn in range(500):
        agent.at(turn * 2.0, CompletionStarted, model="m").at(turn * 2.0 + 1, CompletionFinished, **ANSWER)
    timeline = timeline_of(agent, max_events=200)
    picture = timeline.picture()
    (found,) = picture.agents
    assert picture.folded == 0
    assert picture.rest is not None
    assert picture.rest.seconds["in_driver"] > 300
    assert (found.is_cut, found.is_open, found.input_tokens) == (True, True, 5_000)
    assert len(found.spans) < 300
    assert picture.summary.seconds["in_driver"] == pytest.approx(500)
    assert timeline.picture() == picture  # asking changes nothing


def test_messages_find_each_other_though_some_are_folded() -> None:
    """The first ones were sent and read before: the others are not paired with those."""
    first, second = Told(1).at(0.0, AgentStarted), Told(2).at(0.0, AgentStarted)
    for number in range(300):
        first.at(number + 0.1, MessageSent, to=2)
        second.at(number + 0.6, MessageRead, sender=1)
    found = timeline_of(first, second, max_events=250).picture().messages
    assert 0 < len(found) < 300
    assert {round((message.read or 0.0) - message.sent, 3) for message in found} == {0.5}


def test_threads_may_tell_and_ask_at_the_same_time() -> None:
    """Nothing is lost, and a picture is always whole."""
    timeline = Timeline(max_events=300)
    barrier = threading.Barrier(3)
    events = [event for number in range(1, 200) for event in life(number, number * 0.1).events]

    def tell(part: list[Event]) -> None:
        barrier.wait(10)
        for event in part:
            timeline(event)

    half = len(events) // 2 // 5 * 5
    threads = [threading.Thread(target=tell, args=(part,)) for part in (events[:half], events[half:])]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    for _ in range(5):
        picture = timeline.picture()
        assert len(picture.agents) + picture.folded <= 199
    for thread in threads:
        thread.join(10)
    picture = timeline.picture()
    assert len(picture.agents) + picture.folded == 199


# Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.html", "run.json", "run.JSON", "run.json.gz"])
def test_the_ending_says_what_is_written(tmp_path: Path, name: str) -> None:
    """By text or path, over what is there, and nothing else is left in the folder."""
    timeline = timeline_of(life(1, 0.0))
    (tmp_path / name).write_text("old")
    timeline.save(str(tmp_path / name))
    timeline.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "run.json":
        assert len(Trace.read(tmp_path / name).slices) == 2


@pytest.mark.parametrize("name", ["run", "run.txt", "run.gz", "run.html.gz", "html"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"\.html, \.json or \.json\.gz"):
        Timeline().save(tmp_path / name)
    with pytest.raises(TypeError):
        Timeline().save(b"run.json")  # type: ignore[arg-type]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The system's own, with the name that was given."""
    path = tmp_path / "gone" / "run.json"
    with pytest.raises(FileNotFoundError) as caught:
        Timeline().save(path)
    assert caught.value.filename == str(path)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no half file beside it."""
    path = tmp_path / "run.json"
    path.write_text("old")

    def full(picture: object) -> Iterator[str]:
        yield "half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("actors.inside.saving.chrome_lines", full)
    with pytest.raises(OSError, match="No space left"):
        timeline_of(life(1, 0.0)).save(path)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


@pytest.mark.skipif(os.name == "nt", reason="rights are another thing there")
def test_who_may_read_it_is_as_the_process_says(tmp_path: Path) -> None:
    """Of a new file; of one that is replaced as it was. A link stays one."""
    timeline, path = timeline_of(life(1, 0.0)), tmp_path / "run.json"
    timeline.save(path)
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    path.chmod(0o600)
    (tmp_path / "link.json").symlink_to(path)
    timeline.save(tmp_path / "link.json")
    assert (path.stat().st_mode & 0o777, (tmp_path / "link.json").is_symlink()) == (0o600, True)


# Where the time went -----------------------------------------------------------------------------------------------


def test_the_path_leads_back_through_all_that_was_waited_for() -> None:
    """From the last end over the child to the sender of a message, and to the one whose slot became free."""
    hog = Told(1, "hog").at(0.0, AgentStarted, slots=2).at(3.0, AgentEnded, **DONE)
    parent = Told(2, "parent").at(0.0, AgentStarted, slots=2).at(1.0, AgentParked, on="the outcome of agent 3 (child)")
    child = Told(3, "child", parent_id=2, depth=1).at(1.0, AgentQueued).at(3.0, AgentStarted)
    child.at(4.0, AgentParked, on="receive")
    helper = Told(4, "helper").at(3.5, AgentStarted).at(3.5, CompletionStarted, model="m")
    helper.at(6.0, CompletionFinished, **ANSWER).at(6.0, MessageSent, to=3).at(6.5, AgentEnded, **DONE)
    child.at(6.2, AgentResumed).at(6.2, MessageRead, sender=4).at(8.0, AgentEnded, **DONE)
    parent.at(8.1, AgentResumed).at(9.0, AgentEnded, **DONE)
    picture = timeline_of(hog, parent, child, helper).picture()
    path = [(p.agent_id, p.state, round(p.begin, 3), round(p.end, 3)) for p in picture.summary.path]
    assert path == [
        (1, "running", 0.0, 3.0),
        (0, None, 3.0, 3.5),
        (4, "in_driver", 3.5, 6.0),
        (3, "parked", 6.0, 6.2),
        (3, "running", 6.2, 8.0),
        (2, "parked", 8.0, 8.1),
        (2, "running", 8.1, 9.0),
    ]


def test_the_path_ends_though_agents_wait_for_each_other() -> None:
    """Its pieces cover the run, without a gap and without overlap."""
    first, second = Told(1).at(0.0, AgentStarted), Told(2).at(0.0, AgentStarted)
    first.at(1.0, AgentParked, on="the outcome of agent 2 (x)").at(5.0, AgentResumed).at(5.0, AgentEnded, **DONE)
    second.at(1.0, AgentParked, on="the outcome of agent 1 (x)").at(5.0, AgentResumed).at(5.0, AgentEnded, **DONE)
    path = timeline_of(first, second).picture().summary.path
    assert path[0].begin == 0.0
    assert path[-1].end == 5.0
    assert all(one.end == other.begin for one, other in pairwise(path))


def test_it_says_that_more_slots_would_have_helped() -> None:
    """With numbers; and how long they waited."""
    agents = []
    for number in range(1, 21):
        turn = (number - 1) // 2
        agent = Told(number).at(0.0, AgentQueued).at(turn * 2.0, AgentStarted, slots=2)
        agents.append(agent.at(turn * 2.0 + 2, AgentEnded, **DONE))
    picture = timeline_of(*agents).picture()
    assert picture.summary.full == pytest.approx(1.0)
    assert picture.summary.mean_used == pytest.approx(2.0)
    assert picture.summary.sentences[0].startswith(
        "All 2 slots were in use for 100 % of the run, and 18 agents waited 10 s (median) for one: "
        "more slots would have helped"
    )


def test_it_says_who_ended_last_and_why() -> None:
    """Long after all others, as attempts failed."""
    from actors.events import CompletionFailed

    quick = Told(1, "quick").at(0.0, AgentStarted, slots=9).at(1.0, AgentEnded, **DONE)
    slow = Told(2, "slow").at(0.0, AgentStarted, slots=9).at(0.0, CompletionStarted, model="m")
    slow.at(1.0, CompletionFailed, error="busy", model="m", attempt=1, delay=8.0)
    slow.at(9.0, CompletionStarted, model="m", attempt=2).at(10.0, CompletionFinished, **{**ANSWER, "attempt": 2})
    sentences = timeline_of(quick, slow.at(10.0, AgentEnded, **DONE)).picture().summary.sentences
    assert (
        "Agent 2 (slow) ended last, 9.0 s after all others: 1 attempt failed, 8.0 s in backoffs after failed attempts "
        "and 1.0 s with the model m."
    ) in sentences
    assert "Of the agents' time, 73 % went by in backoffs after failed attempts." in sentences


@pytest.mark.parametrize("helped", [False, True], ids=["for a person", "for another agent"])
def test_it_says_first_what_all_waited_for(*, helped: bool) -> None:
    """Who is parked while nobody works explains the run; who is parked for one that works does not."""
    waiting = Told(1, "writer").at(0.0, AgentStarted, slots=9).at(0.1, AgentParked, on="outcome of agent 2 (help)")
    waiting.at(9.9, AgentResumed).at(10.0, AgentEnded, **DONE)
    agents = [waiting]
    if helped:
        child = (
            Told(2, "help", parent_id=1, depth=1).at(0.1, AgentStarted, slots=9).at(0.1, CompletionStarted, model="m")
        )
        agents.append(child.at(9.9, CompletionFinished, **ANSWER).at(9.9, AgentEnded, **DONE))
    sentences = timeline_of(*agents).picture().summary.sentences
    assert (" with the model m: " in sentences[0], " waiting for " in sentences[0]) == (helped, not helped)
    parked = [number for number, each in enumerate(sentences) if "they were parked, mostly for" in each]
    worked = [number for number, each in enumerate(sentences) if "that they were not parked" in each]
    assert (parked, worked) == (([3], [1]) if helped else ([1], []))


def test_it_says_what_failed_first() -> None:
    """And how many, with those that were folded."""
    agents = [life(number, number * 2.0) for number in range(1, 4)]
    bad = Told(9, "bad").at(0.0, AgentStarted).at(0.5, AgentEnded, status="failed", error="no\nway")
    sentences = timeline_of(*agents, bad).picture().summary.sentences
    assert "1 of 4 agents did not complete (1 failed); first agent 9 (bad): no\\nway." in sentences


@pytest.mark.parametrize(
    ("events", "sentences"),
    [([], ("No agent was started.",)), (Told().at(5.0, AgentStarted).events, ("1 agent has not ended.",))],
    ids=["nobody", "just begun"],
)
def test_little_is_said_of_little(events: list[Event], sentences: tuple[str, ...]) -> None:
    """A run without a length divides by nothing."""
    assert told(events).picture().summary.sentences == sentences
