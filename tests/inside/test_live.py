"""``LiveView``: what a pool does, on a page, for who knows its token."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import socket
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

import actors
from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    CompletionResponse,
    ForkedPoolError,
    LiveView,
    PoolClosed,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    needs_approval,
    tool,
)
from actors.core.supervision.dump import ApprovalDump
from actors.events import (
    AgentEnded,
    AgentStarted,
    ApprovalRequested,
    CompletionStarted,
    MessageSent,
    ToolEnded,
    ToolStarted,
)
from actors.inside.live_view import latest_events
from actors.inside.live_view.snapshot import detail_of
from actors.testing import no_thread_left

from ..agent.doubles import asks, doing
from ..waiting import BOUND, eventually
from .visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.events import Event

HOSTILE = "</script><img onerror=x> \u2028 \ud800 \x00 \u202e"


@pytest.fixture
def pool(make_pool: Any) -> AgentPool:
    """A pool whose agents only wait."""
    made: AgentPool = make_pool(max_concurrent=4, max_queued=None)
    return made


@pytest.fixture
def watched(pool: AgentPool) -> Iterator[Visitor]:
    """A visitor who may look."""
    with LiveView(pool) as view:
        yield Visitor(view)


@pytest.fixture
def obeyed(pool: AgentPool) -> Iterator[Visitor]:
    """A visitor who may act."""
    with LiveView(pool, control=True) as view:
        yield Visitor(view)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the library logs, with the values of variables, as programs do that want to see all."""
    lines: list[str] = []
    logger.enable("actors")
    number = logger.add(lambda line: lines.append(str(line)), level="TRACE", diagnose=True, backtrace=True)
    yield lines
    logger.remove(number)
    logger.disable("actors")


@pytest.fixture
def gate(make_pool: Any, gates: Any) -> Iterator[Any]:
    """What agents wait at; it is opened before the pools close."""
    made = gates()
    yield made
    made.open()


def holding(pool: AgentPool, gate: Any, count: int, *, running: int | None = None) -> None:
    """Start *count* agents that wait at *gate*; return when those that have a slot are there."""
    for _ in range(count):
        pool.submit(gate.hold)
    for _ in range(count if running is None else running):
        gate.next()


# What it is given -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [-1, 65_536, True, "8080", 8.0, None], ids=repr)
def test_a_port_is_a_whole_number_in_its_bounds(pool: AgentPool, port: Any) -> None:
    """What is none is refused by what was given."""
    with pytest.raises(ValueError, match=r"port must be a whole number from 0 to 65535, got"):
        LiveView(pool, port=port)


def test_what_is_no_pool_is_refused(pool: AgentPool) -> None:
    """So is a control that is neither true nor false."""
    with pytest.raises(TypeError, match="LiveView looks at an AgentPool, got 'pool'"):
        LiveView("pool")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="control must be True or False, got 'yes'"):
        LiveView(pool, control="yes")  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_named(pool: AgentPool) -> None:
    """And nothing is left of the view that could not be opened."""
    with socket.create_server(("127.0.0.1", 0)) as other, no_thread_left():
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"the live view cannot listen on port {port}: Address already in use"):
            LiveView(pool, port=port)


def test_the_port_that_was_asked_for_is_free_again(pool: AgentPool) -> None:
    """At once, also when somebody was connected: the next view takes it."""
    with LiveView(pool) as first:
        visitor = Visitor(first)
        assert visitor.get("/state").status == 200
    with LiveView(pool, port=visitor.port) as second:
        assert Visitor(second).port == visitor.port
        assert visitor.get("/state").status == 401  # the token is another one


def test_a_closed_pool_is_refused(make_pool: Any) -> None:
    """There is nothing to look at any more, and nothing is left of the try."""
    pool = make_pool()
    pool.close()
    with no_thread_left(), pytest.raises(PoolClosed, match="is closed: there is nothing to look at"):
        LiveView(pool)


# Its life ---------------------------------------------------------------------------------------------------------


def test_closing_is_idempotent_and_leaves_no_thread(pool: AgentPool) -> None:
    """Also with connections open, of which one has said half a request, and one reads no answer."""
    with no_thread_left():
        view = LiveView(pool)
        visitor = Visitor(view)
        silent, half, asked = visitor.connect(), visitor.connect(), visitor.connect()
        half.sendall(b"GET /state HT")
        asked.sendall(visitor.head("/state"))
        view.close()
        view.close()
        for sock in (silent, half, asked):
            sock.close()
    with pytest.raises(ConnectionRefusedError):
        visitor.connect()


def test_closing_the_pool_closes_the_view(make_pool: Any) -> None:
    """Nobody has to think of it."""
    with no_thread_left():
        pool = make_pool()
        view = LiveView(pool)
        visitor = Visitor(view)
        assert visitor.get("/state").json["pool"]["phase"] == "open"
        pool.close()
    with pytest.raises(ConnectionRefusedError):
        visitor.connect()
    view.close()


def test_a_pool_that_closes_while_many_ask(make_pool: Any) -> None:
    """Each is answered or finds nobody, and neither waits for the other."""
    pool = make_pool()
    visitor = Visitor(LiveView(pool))
    begun = threading.Barrier(5, timeout=20)
    seen: list[int] = []

    def ask() -> None:
        begun.wait()
        try:
            while (answer := visitor.get("/state")).status:
                seen.append(answer.status)
        except OSError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    pool.close()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert set(seen) <= {200}


def test_a_view_keeps_no_pool_alive(make_pool: Any) -> None:
    """A pool that is let go of ends, and its view with it."""
    with no_thread_left():
        pool = AgentPool()
        view = LiveView(pool)
        gone = weakref.ref(pool)
        with pytest.warns(ResourceWarning, match="was not closed"):
            del pool
            gc.collect()
        assert gone() is None
    view.close()


def test_a_view_that_is_let_go_of_stays_open_until_its_pool_ends(make_pool: Any) -> None:
    """The pool keeps it: its URL may have been printed."""
    with no_thread_left():
        pool = make_pool()
        visitor = Visitor(LiveView(pool))
        gc.collect()
        assert visitor.get("/state").status == 200
        pool.close()


def test_a_view_that_was_closed_is_not_kept(pool: AgentPool) -> None:
    """Thousands of views of one pool leave nothing."""
    view = LiveView(pool)
    gone = weakref.ref(view)
    view.close()
    del view
    gc.collect()
    assert gone() is None


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_no_view(pool: AgentPool) -> None:
    """It can make none of its parent's pool, and closing its copy leaves the parent's alone."""
    with LiveView(pool) as view:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                LiveView(pool)
            except ForkedPoolError:
                os.write(write, b"refused")
            finally:
                view.close()
                os._exit(0)
        os.waitpid(child, 0)
        os.close(write)
        assert os.read(read, 100) == b"refused"
        os.close(read)
        assert Visitor(view).get("/state").status == 200


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a copy of the socket holds the port")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_hold_the_port(pool: AgentPool) -> None:
    """It has a copy of the socket, for as long as it lives."""
    read, write = os.pipe()
    with LiveView(pool) as view:
        visitor = Visitor(view)
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # until the parent closes its end
            os._exit(0)
    try:
        with pytest.raises(ConnectionRefusedError):
            visitor.connect()
        with LiveView(pool, port=visitor.port) as again:
            assert Visitor(again).get("/state").status == 200
    finally:
        os.close(write)
        os.close(read)
        os.waitpid(child, 0)


# What it tells ----------------------------------------------------------------------------------------------------


def test_the_state_tells_who_does_what(pool: AgentPool, watched: Visitor, gate: Any) -> None:
    """Figures, states, and each agent with since when."""
    holding(pool, gate, 6, running=4)
    said = watched.get("/state").json
    assert said["v"] == 1
    assert said["pool"]["name"] == pool.name
    assert said["pool"]["pid"] == os.getpid()
    assert said["pool"]["version"] == actors.__version__
    assert (said["pool"]["slots"], said["pool"]["control"]) == (4, False)
    assert said["figures"]["active"] == 4
    assert said["figures"]["queued"] == 2
    assert said["states"] == {"queued": 2, "running": 4}
    assert [agent["id"] for agent in said["agents"]] == [1, 2, 3, 4, 5, 6]
    assert said["left_off"] == 0
    assert said["agents"][0]["age"] >= said["agents"][0]["seconds"] >= 0


def test_one_agent_is_told_with_its_stack(pool: AgentPool, watched: Visitor, gate: Any) -> None:
    """And when it has ended, how."""
    first = pool.submit(gate.hold)
    gate.next()
    said = watched.get(f"/agent?id={first.id}").json
    assert said["state"] == "running"
    assert "arrive" in said["stack"]
    gate.open()
    first.outcome(BOUND)
    eventually(lambda: watched.get("/events").json["last"])
    gone = watched.get(f"/agent?id={first.id}")
    assert gone.status == 404
    assert gone.json["ended"]["status"] == "completed"
    assert "has ended, or there was none of that id" in gone.json["error"]


@pytest.mark.parametrize("query", ["", "?id=", "?id=x", "?id=-1", "?id=1&id=2", "?id=1&x=1", "?id=9999999999999999999"])
def test_an_agent_is_asked_for_by_a_number(watched: Visitor, query: str) -> None:
    """All else is refused in words."""
    assert watched.get(f"/agent{query}").status == 400


def test_hostile_names_are_text_in_json(pool: AgentPool, watched: Visitor, gate: Any) -> None:
    """Whatever a model has called its child; a name of a megabyte is shortened."""
    for name in (HOSTILE, "n" * 1_000_000):

        def hold() -> None:
            gate.hold()

        hold.__name__ = name
        pool.submit(hold)
        gate.next()
    pool.spawn(doing(gate.hold, name=HOSTILE.replace("\ud800", ""), group=("team", HOSTILE)))
    gate.next()
    watched.get("/events")
    for path in ("/state", "/agent?id=1", "/agent?id=3", "/events"):
        answer = watched.get(path)
        assert answer.status == 200
        assert answer.body.isascii()
        assert len(answer.body) < 30_000
        assert answer.json


def test_more_agents_than_fit_are_counted(pool: AgentPool, watched: Visitor, gate: Any, monkeypatch: Any) -> None:
    """Those who only wait for a slot are left off first."""
    monkeypatch.setattr("actors.inside.live_view.snapshot.MOST_BYTES", 4_000)
    holding(pool, gate, 60, running=4)
    answer = watched.get("/state")
    said = answer.json
    assert len(answer.body) <= 4_200
    assert said["left_off"] == 60 - len(said["agents"]) > 40
    assert [agent["id"] for agent in said["agents"]][:4] == [1, 2, 3, 4]
    assert said["states"] == {"running": 4, "queued": 56}


def test_of_very_many_agents_some_are_looked_at(make_pool: Any, gate: Any, monkeypatch: Any) -> None:
    """First those that wait for a person, and of those that wait for a slot the oldest; all are counted."""
    monkeypatch.setattr("actors.inside.live_view.answers.MOST_AGENTS", 2)
    monkeypatch.setattr("actors.inside.live_view.answers.MOST_QUEUED", 1)
    pool = approving(make_pool, max_concurrent=4, max_queued=None)
    holding(pool, gate, 3)
    payer = pool.spawn(SpawnConfig(AgentManifest(name="payer"), "pay"))
    eventually(lambda: payer.approvals)
    for _ in range(9):
        pool.submit(gate.hold)
    with LiveView(pool) as view:
        said = Visitor(view).get("/state").json
    assert [(agent["id"], agent["state"]) for agent in said["agents"]] == [
        (1, "running"),
        (4, "parked"),
        (6, "queued"),
    ]
    assert said["left_off"] == 10
    assert said["states"] == {"running": 4, "parked": 1, "queued": 8}
    assert [asked["agent_id"] for asked in said["approvals"]] == [4]


def test_an_answer_that_fits_says_all(pool: AgentPool, watched: Visitor, gate: Any) -> None:
    """Of five hundred agents each has its row, and the answer its bound."""
    holding(pool, gate, 504, running=4)
    answer = watched.get("/state")
    assert answer.json["left_off"] == 0
    assert len(answer.json["agents"]) == 504
    assert len(answer.body) < 400 * 504


def test_an_approval_is_told_and_given(make_pool: Any) -> None:
    """With what the tool is to be called with: who approves has to see it."""
    pool = approving(make_pool)
    with LiveView(pool, control=True) as view:
        visitor = Visitor(view)
        handle = pool.spawn(SpawnConfig(AgentManifest(name="payer"), "pay"))
        eventually(lambda: handle.approvals)
        (asked,) = visitor.get("/state").json["approvals"]
        assert (asked["agent_id"], asked["agent"], asked["tool"], asked["default"]) == (1, "payer", "pay", "deny")
        assert json.loads(asked["input"]) == {"amount": 5}
        assert asked["left"] is None
        assert asked["seconds"] >= 0
        assert visitor.order("/approve", {"agent_id": 1, "call_id": asked["call_id"]}).json == {"done": True}
        assert visitor.order("/approve", {"agent_id": 1, "call_id": asked["call_id"]}).json == {"done": False}
        assert handle.result(BOUND).text == "paid"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"note": "x" * 5_000, "path": "/srv"}, {"note": "x" * 1_000 + "…", "path": "/srv"}),
        ({"rows": [1] * 5_000, "path": "/srv"}, {"rows": ("[" + "1, " * 1_000)[:1_000] + "…", "path": "/srv"}),
        ({"n" * 5_000: 1, "path": "/srv"}, {"n" * 200 + "… (1)": 1, "path": "/srv"}),
        (
            {f"a{n}": "x" * 60 for n in range(50)},
            {**{f"a{n}": "x" * 50 + "…" for n in range(40)}, "…": "10 more"},
        ),
    ],
    ids=["text", "list", "name", "many"],
)
def test_a_long_argument_hides_no_other(pool: AgentPool, gate: Any, said: Any, told: Any) -> None:
    """Who approves a call sees something of each, and which ones are cut."""
    holding(pool, gate, 1)
    asked = ApprovalDump("c1", "send", said, 0.0, None, "deny")
    agent = dataclasses.replace(pool.dump(agent_id=1), approvals=(asked,))
    (asks_so,) = json.loads(detail_of(agent, []))["approvals"]
    assert json.loads(asks_so["input"]) == told


def test_an_approval_is_denied_with_a_reason(make_pool: Any) -> None:
    """The model is told why."""
    pool = approving(make_pool)
    with LiveView(pool, control=True) as view:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="payer"), "pay"))
        eventually(lambda: handle.approvals)
        order = {"agent_id": 1, "call_id": "c1", "reason": "too much"}
        assert Visitor(view).order("/deny", order).json == {"done": True}
        told = [message.content for message in handle.result(BOUND).messages]
        assert any("was denied: too much" in str(content) for content in told)


def approving(make_pool: Any, **options: Any) -> AgentPool:
    """A pool whose agents ask whether they may pay."""

    @needs_approval
    @tool
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    driver = ScriptedDriver([asks(("pay", {"amount": 5})), CompletionResponse("paid")])
    made: AgentPool = make_pool(driver, tools=ToolRegistry([pay]), **options)
    return made


def test_an_agent_is_aborted(pool: AgentPool, obeyed: Visitor, gate: Any) -> None:
    """With the reason that was given; one that there is not is told so."""
    holding(pool, gate, 4)
    last = pool.submit(gate.hold)
    assert obeyed.order("/abort", {"agent_id": last.id, "reason": "enough"}).json == {"done": True}
    outcome = last.outcome(BOUND)
    assert outcome.status == "cancelled"
    assert "enough" in str(outcome.error)
    assert obeyed.order("/abort", {"agent_id": 99}).json == {"done": False}


# Events -----------------------------------------------------------------------------------------------------------


def test_events_are_heard_while_somebody_asks(pool: AgentPool, watched: Visitor) -> None:
    """From the first question on, each once: who asks says what it has."""
    pool.submit(int).outcome(BOUND)
    first = watched.get("/events").json
    assert first == {"events": [], "last": 0, "missed": 0, "gap": False}
    pool.submit(int).outcome(BOUND)
    eventually(lambda: watched.get("/events?after=0").json["last"] == 2)
    said = watched.get("/events?after=0").json["events"]
    assert [(event["event"], event["agent_id"], event["seq"]) for event in said] == [
        ("agent_started", 2, 1),
        ("agent_ended", 2, 2),
    ]
    assert watched.get("/events?after=2").json == {"events": [], "last": 2, "missed": 0, "gap": False}


@pytest.mark.parametrize(
    "event",
    [
        AgentStarted(input="secret"), AgentEnded(status=AgentStatus.COMPLETED, result="secret"),
        CompletionStarted(model="m", input="secret"), MessageSent(to=1, text="secret"),
        ToolStarted(call_id="c", tool="t", input="secret"),
        ToolEnded(call_id="c", tool="t", is_error=False, duration=1.0, result="secret"),
        ApprovalRequested(call_id="c", tool="t", input={"a": "secret"}, timeout=None, default="deny"),
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_events_have_no_contents(event: Event) -> None:
    """Also of a pool whose events have: a page on a screen is seen by others."""
    assert "secret" not in json.dumps(latest_events.told(event, 1))


def test_an_event_is_json_whatever_is_in_it() -> None:
    """Tags are the user's, numbers may be none, errors may be long."""
    event = AgentEnded(
        status=AgentStatus.FAILED, error="e" * 10_000, tag=object(), moment=float("nan"), agent_id=2**60, agent=HOSTILE
    )
    said = latest_events.told(event, 3)
    assert json.dumps(said, allow_nan=False).isascii()
    assert said["moment"] is None
    assert said["agent_id"] == str(2**60)
    assert len(said["error"]) == latest_events.TEXT


def test_nothing_is_heard_when_nobody_has_asked_for_a_while(pool: AgentPool, monkeypatch: Any) -> None:
    """The door's own thread looks away: no other one has to wait for that."""
    monkeypatch.setattr(latest_events, "LOOKS_AWAY_AFTER", 0.05)
    with LiveView(pool) as view:
        Visitor(view).get("/events")
        eventually(lambda: not threads_named(f"{pool.name}-events"))
        pool.submit(int).outcome(BOUND)
        assert Visitor(view).get("/events").json["last"] == 0


def threads_named(name: str) -> list[str]:
    """Those threads that are alive, and called so."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


def test_a_burst_of_events_costs_no_more_than_is_seen(pool: AgentPool, monkeypatch: Any) -> None:
    """What is heard between two questions is bounded, and who asks is told; then it is heard on."""
    monkeypatch.setattr(latest_events, "KEPT", 20)
    with LiveView(pool) as view:
        visitor = Visitor(view)
        assert visitor.get("/events").json["gap"] is False
        for _ in range(50):
            pool.submit(int).outcome(BOUND)
        eventually(lambda: view._door._answer.__self__._latest._number == 20)  # type: ignore[attr-defined]
        assert pool._core.pool.listening is False
        said = visitor.get("/events?after=0").json
        assert (said["last"], said["missed"], said["gap"]) == (20, 0, True)
        assert pool._core.pool.listening is True
        pool.submit(int).outcome(BOUND)
        eventually(lambda: visitor.get("/events?after=20").json["last"] == 22)
        assert visitor.get("/events?after=21").json["gap"] is False


@pytest.mark.parametrize("is_full", [False, True], ids=["heard", "full"])
@pytest.mark.parametrize("first", ["view", "pool"])
def test_no_thread_is_left_of_what_was_heard(make_pool: Any, monkeypatch: Any, first: str, *, is_full: bool) -> None:
    """Whichever is closed first, and also of a subscription that has taken its last event."""
    monkeypatch.setattr(latest_events, "KEPT", 4)
    with no_thread_left():
        pool = make_pool()
        view = LiveView(pool)
        Visitor(view).get("/events")
        for _ in range(3 if is_full else 1):
            pool.submit(int).outcome(BOUND)
        assert pool._core.pool.listening is not is_full
        if first == "view":
            view.close()
            assert not threads_named(f"{pool.name}-events")
            assert pool._core.pool.listening is False
        pool.close()


def test_a_steady_stream_is_heard_without_a_gap(pool: AgentPool, monkeypatch: Any) -> None:
    """Each question makes room for as many again."""
    monkeypatch.setattr(latest_events, "KEPT", 20)
    with LiveView(pool) as view:
        visitor = Visitor(view)
        visitor.get("/events")
        for number in range(1, 21):
            pool.submit(int).outcome(BOUND)
            eventually(lambda after=2 * number: visitor.get("/events").json["last"] == after)
        assert visitor.get("/events?after=0").json["gap"] is False


def test_who_looks_does_not_make_models_stream(make_pool: Any) -> None:
    """And is told no text: how a pool asks its models is not changed by a look."""
    seen: list[bool] = []

    def streams(agent: Any, _: object) -> None:
        seen.append(agent._context.streams)

    pool = make_pool(tools=ToolRegistry())
    with LiveView(pool) as view:
        Visitor(view).get("/events")
        list(pool.map([doing(streams)]))
        end = pool.subscribe(lambda _: None)
        list(pool.map([doing(streams)]))
        end()
    assert seen == [False, True]


# Who is answered --------------------------------------------------------------------------------------------------


def test_without_the_token_nobody_is_answered(watched: Visitor) -> None:
    """Not even with what there is: every path is 401."""
    for path in ("/", "/state", "/agent?id=1", "/events", "/nothing", "/?token=", f"/?token={watched.token[:-1]}"):
        assert watched.get(path, Authorization=None).status == 401
    for wrong in ("x", watched.token + "x", watched.token[:-1], "\u00e9", "", "Bearer"):
        assert watched.get("/state", Authorization=f"Bearer {wrong}").status == 401
    assert watched.get("/state", Authorization=watched.token).status == 401
    assert watched.get("/state", Authorization=f"Basic {watched.token}").status == 401


def test_the_token_of_the_url_opens_the_page_alone(watched: Visitor) -> None:
    """All else takes it in a header, which no link can carry."""
    assert watched.get(f"/?token={watched.token}", Authorization=None).status == 200
    assert watched.get(f"/state?token={watched.token}", Authorization=None).status == 401
    assert watched.get("/nothing").status == 404


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "evil.example:{port}", "[::1]:{port}"]
)
def test_another_host_is_refused(watched: Visitor, host: str | None) -> None:
    """A page of another site whose name points here does not get in, whatever it knows."""
    said = None if host is None else host.format(port=watched.port)
    assert watched.get("/state", Host=said).status == 403
    assert watched.get("/state", Host=f"localhost:{watched.port}").status == 200


def test_two_hosts_are_none(watched: Visitor) -> None:
    """What can be understood in two ways is not understood."""
    head = watched.head("/state").replace(b"\r\n\r\n", f"\r\nHost: {watched.host}\r\n\r\n".encode())
    assert watched.raw(head).status == 400


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])
def test_who_may_look_may_only_get(watched: Visitor, method: str) -> None:
    """All else is 405, with and without the token."""
    for path in ("/state", "/abort", "/nothing"):
        answer = watched.get(path, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
        assert watched.get(path, method=method, Authorization=None).status == 405
    assert "access-control-allow-origin" not in watched.get("/state", method="OPTIONS", Origin="http://x").headers


def test_who_may_act_does_it_from_the_page_itself(pool: AgentPool, obeyed: Visitor, gate: Any) -> None:
    """With its Origin, as JSON, and with the token in a header; nobody was aborted else."""
    holding(pool, gate, 1)
    order = {"agent_id": 1}
    for wrong in (None, "null", "http://evil.example", "https://" + obeyed.host, f"http://localhost:{obeyed.port}"):
        assert obeyed.order("/abort", order, Origin=wrong).status == 403
    assert obeyed.order("/abort", order, Authorization=None).status == 401
    assert obeyed.order(f"/abort?token={obeyed.token}", order, Authorization=None).status == 401
    for wrong in (None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        assert obeyed.order("/abort", order, Content_Type=wrong).status == 415
    assert obeyed.get("/abort").status == 405
    assert obeyed.order("/state", order).status == 405
    assert obeyed.order("/nothing", order).status == 404
    assert obeyed.get("/state", method="PUT").headers["allow"] == "GET, POST"
    assert obeyed.get("/state").json["agents"][0]["state"] == "running"


@pytest.mark.parametrize(
    "said",
    [
        b"", b"{", b"[]", b"1", b"null", b'{"agent_id": NaN}', b'{"agent_id": 1, "agent_id": 2}', b'{"agent_id": "1"}',
        b'{"agent_id": true}', b'{"agent_id": 1.0}', b'{"agent_id": -1}', b'{"agent_id": 1e400}', b"\xff", b"{}",
        b'{"agent_id": 1, "more": 2}', b'{"agent_id": 1, "reason": null}', b'{"agent_id": 1, "reason": "\\ud800"}',
        b'{"agent_id": 99999999999999999999999}', b"[" * 60_000,
    ],
    ids=lambda said: said[:40].decode("latin-1"),
)  # fmt: skip
def test_an_order_is_what_it_has_to_be(obeyed: Visitor, said: bytes) -> None:
    """All else is refused in words, and nothing is done."""
    answer = obeyed.order("/abort", said)
    assert answer.status == 400
    assert answer.json["error"]


@pytest.mark.parametrize(
    "path", ["/../state", "/state/..", "/./state", "/%73tate", "/state/", "/STATE", "/state;x", "/live.js"]
)
def test_a_path_is_one_of_those_that_there_are(watched: Visitor, path: str) -> None:
    """None is made of another one: no folder is served."""
    assert watched.get(path).status == 404


def test_nothing_is_kept_framed_or_read_elsewhere(watched: Visitor) -> None:
    """The headers of every answer, and of the page what may run in it."""
    for path in ("/", "/state", "/nothing"):
        headers = watched.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["connection"] == "close"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
    assert watched.get("/state", Sec_Fetch_Site="cross-site").status == 403
    assert watched.get("/state", Sec_Fetch_Site="same-origin").status == 200


def test_each_page_has_a_nonce_of_its_own(watched: Visitor) -> None:
    """And nothing else of it runs."""
    seen = set()
    for _ in range(2):
        answer = watched.get("/")
        rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        nonce = rules["script-src"].removeprefix("'nonce-").removesuffix("'")
        assert f'nonce="{nonce}"'.encode() in answer.body
        assert rules["default-src"] == "'none'"
        assert "unsafe" not in str(rules)
        seen.add(nonce)
    assert len(seen) == 2


def test_a_defect_is_answered_and_logged_without_the_token(watched: Visitor, monkeypatch: Any, logged: Any) -> None:
    """The view lives on."""
    monkeypatch.setattr("actors.inside.live_view.answers.state_of", lambda *_, **__: 1 // 0)
    assert watched.get("/state").status == 500
    assert watched.get("/agent?id=1").status == 404
    assert any("ZeroDivisionError" in line for line in logged)
    assert not any(watched.token in line for line in logged)
