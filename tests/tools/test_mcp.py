"""MCP servers: those that others wrote, and those that misbehave."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    Cancelled,
    CancelToken,
    Capability,
    CapabilityDenied,
    ManifestError,
    Mcp,
    ScriptedDriver,
    SpawnConfig,
    ToolFailed,
)
from actors.core.waiting.cancel import Deadline
from actors.ports import AudioPart, FilePart, ImagePart, TextPart
from actors.tools import mcp_server
from actors.tools.mcp import McpServers
from tests.agent.doubles import asks, results_of
from tests.cli.conftest import environment
from tests.core.pictures import PDF, png, wav
from tests.waiting import BOUND, eventually

from .test_shell import has_ended

pytestmark = pytest.mark.process

ROGUE = str(Path(__file__).with_name("mcp_rogue.py"))


def rogue(mode: str = "good", lives: Path | None = None, **fields: Any) -> dict[str, Any]:
    command = [sys.executable, "-S", "-E", ROGUE, mode, *([] if lives is None else [str(lives)])]
    return {"name": "rogue", "command": command, **fields}


def manifest(*servers: dict[str, Any], grants: tuple[Capability, ...] = (), **fields: Any) -> AgentManifest:
    granted = grants or tuple(Mcp(server=server["name"]) for server in servers)
    return AgentManifest(capabilities=granted, mcp_servers=servers, **fields)


def tools(servers: McpServers, *named: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {tool.name: tool for tool in servers.tools_for(manifest(*named, **fields), CancelToken())}


def call(tool: Any, cancel: CancelToken | None = None, **arguments: Any) -> Any:
    return tool.execute(arguments, cancel=cancel or CancelToken(), agent=None)


def pids(lives: Path) -> list[int]:
    return [int(line) for line in lives.read_text().split()] if lives.exists() else []


# Servers that others wrote ---------------------------------------------------------------------------------------


def test_the_time_server(servers: McpServers) -> None:
    """``mcp-server-time``: its tools under its name, results and errors."""
    found = tools(servers, {"name": "time", "command": [sys.executable, "-m", "mcp_server_time"]})
    assert set(found) == {"time.get_current_time", "time.convert_time"}
    now = found["time.get_current_time"]
    assert now.definition.input_schema["required"] == ["timezone"]
    assert json.loads(call(now, timezone="Europe/Vienna").content)["timezone"] == "Europe/Vienna"
    assert "Nowhere" in call(now, timezone="Nowhere").content
    assert call(now, timezone="Nowhere").is_error
    assert call(now).is_error


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with two commits."""
    folder = tmp_path / "repo"
    folder.mkdir()

    def git(*args: str) -> None:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        command = [str(shutil.which("git")), *identity, *args]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment())

    git("init", "-b", "main")
    for number in (1, 2):
        (folder / "a.txt").write_text(f"{number}\n")
        git("add", "a.txt")
        git("commit", "-m", f"commit {number}")
    return folder


def test_the_git_server(servers: McpServers, repository: Path) -> None:
    """``mcp-server-git``, over a real repository; another one is refused by the server."""
    command = [sys.executable, "-m", "mcp_server_git", "--repository", str(repository)]
    found = tools(servers, {"name": "git", "command": command, "env": ["GIT_PYTHON_REFRESH"]})
    log = call(found["git.git_log"], repo_path=str(repository), max_count=5).content
    assert log.index("commit 2") < log.index("commit 1")
    assert call(found["git.git_log"], repo_path="/").is_error


def test_the_fetch_server_in_a_pool() -> None:
    """``mcp-server-fetch``, asked by a model for a page on this machine."""
    from .web import web_server

    with web_server() as web:
        web.page("/robots.txt", "User-agent: *\nAllow: /\n", "text/plain")
        web.page("/page", "<html><body><article><h1>News</h1><p>It rains in Linz today.</p></article></body></html>")
        server = {"name": "fetch", "command": [sys.executable, "-m", "mcp_server_fetch", "--allow-private-ips"]}
        driver = ScriptedDriver([asks(("fetch.fetch", {"url": f"{web.url}/page", "raw": True})), "done"])
        driver.context_window = 100_000
        with AgentPool(driver) as pool:
            outcome = pool.spawn(SpawnConfig(manifest(server), "Read it.")).outcome(3 * BOUND)
    (result,) = results_of(outcome)
    assert "It rains in Linz today." in result.content


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Starts a server by streamable HTTP, made with the official package, on the same port each time."""
    script = tmp_path / "server.py"
    script.write_text(
        "import sys\nfrom mcp.server import MCPServer\nserver = MCPServer('adder')\n"
        "@server.tool()\ndef add(a: int, b: int) -> int:\n    'Add two numbers.'\n    return a + b\n"
        "print('up', flush=True)\nserver.run('streamable-http', port=int(sys.argv[1]))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running: list[subprocess.Popen[bytes]] = []

    def start() -> str:
        for process in running:
            process.kill()
            process.wait()
        running.append(
            subprocess.Popen(
                [sys.executable, str(script), str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        )

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(answers)
        return f"http://127.0.0.1:{port}/mcp"

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_server_by_streamable_http(servers: McpServers, http_server: Callable[[], str]) -> None:
    """The same tools; when it is started anew, and knows no session of before, calls get through again."""
    server = {"name": "adder", "transport": "http", "url": http_server()}
    add = tools(servers, server, privacy="private")["adder.add"]
    assert call(add, a=1, b=2).content == "3"
    assert call(add, a="x", b=2).is_error
    http_server()

    def works() -> bool:
        try:
            return bool(call(add, a=2, b=2).content == "4")
        except ToolFailed:
            return False

    eventually(works)


def test_a_server_by_http_that_is_not_there(servers: McpServers) -> None:
    """A readable error."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = {"name": "gone", "transport": "http", "url": f"http://127.0.0.1:{port}/mcp"}
    with pytest.raises(ToolFailed, match="MCP server 'gone' could not be opened"):
        tools(servers, server, privacy="private")


def test_privacy_holds_for_servers_of_the_network(servers: McpServers) -> None:
    """A private agent reaches this machine and its private hosts; a sovereign one no network at all."""
    server = {"name": "far", "transport": "http", "url": "http://203.0.113.1/mcp"}
    with pytest.raises(CapabilityDenied, match="privacy private does not allow"):
        tools(servers, server, privacy="private")
    with pytest.raises(ManifestError, match="sovereign"):
        manifest(server)


# What the manifest decides ---------------------------------------------------------------------------------------


def test_a_server_that_is_not_granted_is_not_started(servers: McpServers, lives: Path) -> None:
    """Neither it nor its tools."""
    assert tools(servers, rogue(lives=lives), grants=(Mcp(server="other"),)) == {}
    assert pids(lives) == []


def test_a_tool_has_its_own_capability() -> None:
    """A grant of one tool offers one, and a call of another is refused before it is made."""
    driver = ScriptedDriver([asks(("rogue.echo", {"text": "hi"}), ("rogue.die", {})), "done"])
    with AgentPool(driver) as pool:
        config = SpawnConfig(manifest(rogue(), grants=(Mcp(server="rogue", tool="echo"),)), "q")
        outcome = pool.spawn(config).outcome(BOUND)
    echo, die = results_of(outcome)
    assert echo.content.endswith(" hi")
    assert die.content == "capability denied: rogue.die needs the capability 'mcp', which is not granted"
    assert [definition.name for definition in driver.requests[0].tools] == ["rogue.echo"]


def test_markers_in_what_a_server_says_are_taken_out(servers: McpServers) -> None:
    """In descriptions and schemas, too: a model reads them."""
    definition = tools(servers, rogue())["rogue.echo"].definition
    assert definition.description == "echo [SANITIZED] it"
    assert definition.input_schema["properties"]["text"]["description"] == "[SANITIZED]"


def test_its_environment_is_cleared_but_for_a_list(servers: McpServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is handed on by name."""
    monkeypatch.setenv("SECRET_TOKEN", "x")
    assert "SECRET_TOKEN" not in call(tools(servers, rogue())["rogue.env"]).content
    assert "SECRET_TOKEN" in call(tools(servers, rogue(env=["SECRET_TOKEN"]))["rogue.env"]).content


@pytest.mark.parametrize("name", ["*", "a.b", "a b", "", "x" * 65])
def test_a_name_that_is_a_pattern_or_breaks_others_is_refused(name: str) -> None:
    """It stands before the dot of its tools, and in grants and approvals."""
    with pytest.raises(ManifestError, match=r"mcp_servers.0.name: must be 1 to 64 of"):
        manifest({**rogue(), "name": name}, grants=(Mcp(server="x"),))


def test_a_child_brings_no_server_of_its_own(lives: Path) -> None:
    """Under a name that its parent was granted it would start another program."""
    parent = manifest(rogue())
    child = manifest(rogue(), rogue("babbles", lives) | {"name": "other"}, grants=(Mcp(server="rogue"),))
    assert [server.name for server in child.narrowed(parent).mcp_servers] == ["rogue"]
    changed = manifest(rogue("babbles", lives))
    assert changed.narrowed(parent).mcp_servers == ()


def test_other_bounds_share_the_same_server(servers: McpServers, lives: Path) -> None:
    """What is started is one program, whatever each agent waits for."""
    tools(servers, rogue(lives=lives, timeout=1))
    tools(servers, rogue(lives=lives, timeout=2, start_timeout=3))
    assert len(pids(lives)) == 1


def test_two_servers_of_one_name_are_refused() -> None:
    """Their tools would have the same names."""
    with pytest.raises(ManifestError, match=r"mcp_servers.1.name: another server is named 'rogue'"):
        manifest(rogue(), rogue("mute"))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"timeout": 0}, "timeout"), ({"start_timeout": -1}, "start_timeout"), ({"env": "PATH"}, "env"), ({"x": 1}, "x")],
)
def test_bad_fields_are_problems(fields: dict[str, Any], problem: str) -> None:
    """With their place."""
    with pytest.raises(ManifestError, match=rf"mcp_servers.0.{problem}"):
        manifest(rogue(**fields))


# Servers that misbehave ------------------------------------------------------------------------------------------


def test_one_that_dies_in_a_call(servers: McpServers, lives: Path) -> None:
    """The call fails with its last words; the next one gets a new server."""
    found = tools(servers, rogue(lives=lives))
    with pytest.raises(ToolFailed, match=r"MCP server 'rogue' ended during the call of die: out of memory"):
        call(found["rogue.die"])
    assert call(found["rogue.echo"], text="again").content.endswith(" again")
    assert len(pids(lives)) == 2


def test_one_that_is_killed_between_calls(servers: McpServers, lives: Path) -> None:
    """The next call gets a new one, and nobody notices."""
    echo = tools(servers, rogue(lives=lives))["rogue.echo"]
    (pid,) = pids(lives)
    os.kill(pid, signal.SIGKILL)
    assert has_ended(pid)

    def works() -> bool:
        try:
            return not call(echo).content.startswith(str(pid))
        except ToolFailed:  # its end had not been seen yet
            return False

    eventually(works)


def test_one_that_dies_again_and_again_is_given_up(servers: McpServers, lives: Path) -> None:
    """Within bounds; its calls fail readably and at once."""
    die = tools(servers, rogue(lives=lives))["rogue.die"]
    texts = []
    for _ in range(6):
        with pytest.raises(ToolFailed) as info:
            call(die)
        texts.append(str(info.value))
    assert ["ended during the call" in text for text in texts] == [True] * 4 + [False] * 2
    assert texts[-1] == "MCP server 'rogue' ended 4 times within 60 s; it is not started again for now"
    assert len(pids(lives)) == 4


def test_one_that_never_answers_a_call(servers: McpServers, lives: Path) -> None:
    """The call ends with its time, the server is told, and others go on."""
    found = tools(servers, rogue(lives=lives))
    with pytest.raises(Cancelled):
        call(found["rogue.hang"], CancelToken(Deadline.after(0.1)))
    eventually(lambda: "notifications/cancelled" in call(found["rogue.seen"]).content)
    assert len(pids(lives)) == 1


def test_one_that_never_answers_in_a_pool(lives: Path) -> None:
    """The model gets an error after the server's timeout."""
    driver = ScriptedDriver([asks(("rogue.hang", {}), ("rogue.echo", {"text": "hi"})), "done"])
    with AgentPool(driver) as pool:
        outcome = pool.spawn(SpawnConfig(manifest(rogue(lives=lives, timeout=0.3)), "q")).outcome(BOUND)
    hang, echo = results_of(outcome)
    assert hang.content == "rogue.hang timed out after 0.3 s"
    assert echo.content.endswith(" hi")
    assert all(has_ended(pid) for pid in pids(lives))


@pytest.mark.parametrize("lines", ["", "lines"])
def test_one_that_answers_nonsense(servers: McpServers, lines: str) -> None:
    """A readable error; the next call is answered."""
    found = tools(servers, rogue())
    with pytest.raises(ToolFailed, match="answered nonsense"):
        call(found["rogue.nonsense"], text=lines)
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("exits", "could not be opened: no such repository"),
        ("confused", "could not be opened: ValidationError"),
        ("mute", "does not answer"),
    ],
)
def test_one_that_cannot_be_opened(servers: McpServers, mode: str, problem: str) -> None:
    """Its agents fail, readably."""
    server = rogue(mode, start_timeout=1.0)
    with pytest.raises(ToolFailed, match=rf"MCP server 'rogue' {problem}"):
        tools(servers, server)
    with AgentPool(ScriptedDriver(["x"])) as pool:
        outcome = pool.spawn(SpawnConfig(manifest(server), "q")).outcome(BOUND)
    assert outcome.status is AgentStatus.FAILED
    assert problem in str(outcome.error)


def test_a_command_that_is_not_there(servers: McpServers) -> None:
    """As any server that cannot be opened."""
    with pytest.raises(ToolFailed, match=r"could not be opened: FileNotFoundError"):
        tools(servers, {"name": "x", "command": ["no-such-program-here"]})


def test_one_that_babbles_before_it_speaks(servers: McpServers) -> None:
    """Lines that are no messages are passed over."""
    assert call(tools(servers, rogue("babbles"))["rogue.echo"], text="hi").content.endswith(" hi")


@pytest.mark.parametrize(("mode", "count"), [("endless", 1), ("huge", 1), ("many", 500), ("patterns", 1)])
def test_the_list_of_tools_is_bounded(servers: McpServers, mode: str, count: int) -> None:
    """An endless list, a schema that is a novel, thousands of tools, names that are none."""
    assert len(tools(servers, rogue(mode))) == count


def test_bytes_that_are_no_text_do_no_harm(servers: McpServers) -> None:
    """They are passed over, and the answers after them are heard."""
    found = tools(servers, rogue())
    assert call(found["rogue.bad_bytes"]).content == "after"
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")


def test_its_death_is_noticed_while_a_child_holds_its_output(servers: McpServers, lives: Path) -> None:
    """And the child ends with it."""
    found = tools(servers, rogue(lives=lives))
    child = int(call(found["rogue.orphan"]).content)
    assert has_ended(child)

    def works() -> bool:
        try:
            return bool(call(found["rogue.echo"], text="hi").content.endswith(" hi"))
        except ToolFailed:  # its end had not been seen yet
            return False

    eventually(works)
    assert len(pids(lives)) == 2


def test_an_endless_line_ends_it(servers: McpServers) -> None:
    """In bounded memory; the next call gets a new server."""
    found = tools(servers, rogue())
    with pytest.raises(
        ToolFailed, match=r"ended during the call of long_line: it wrote a line of more than 16,000,000"
    ):
        call(found["rogue.long_line"])
    assert call(found["rogue.echo"], text="hi").content.endswith(" hi")


def test_callers_that_are_cancelled_use_up_no_restart(servers: McpServers, lives: Path) -> None:
    """One death is one restart, however many wait for it."""
    echo = tools(servers, rogue(lives=lives))["rogue.echo"]
    os.kill(pids(lives)[0], signal.SIGKILL)
    for _ in range(6):
        with pytest.raises((Cancelled, ToolFailed)):
            call(echo, CancelToken(Deadline.after(0.02)))
    eventually(lambda: call(echo, text="hi").content.endswith(" hi"))
    assert len(pids(lives)) == 2


def test_a_flood_is_cut(servers: McpServers) -> None:
    """So much of a result reaches the model."""
    content = call(tools(servers, rogue())["rogue.flood"]).content
    assert len(content) < 101_000
    assert content.endswith("[2,900,000 more characters were cut]")


def test_what_is_no_text_is_named(servers: McpServers) -> None:
    """A model of texts is told what it does not see."""
    assert call(tools(servers, rogue())["rogue.image"]).content == "[image of type image/png, 4 characters]"


def test_images_audio_and_files_are_parts(servers: McpServers) -> None:
    """What is what it says; all else is named. Texts side by side are one."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": "a"},
        {"type": "resource", "resource": {"uri": "file:///b.txt", "text": "b"}},
        {"type": "image", "data": b64encode(png()).decode(), "mimeType": "image/png"},
        {"type": "image", "data": b64encode(png()).decode(), "mimeType": "text/html; drop"},
        {"type": "image", "data": "no base64!", "mimeType": "image/png"},
        {"type": "audio", "data": b64encode(wav()).decode(), "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "x://h/a%2Fb%0A.pdf", "blob": b64encode(PDF).decode()}},
        {"type": "resource", "resource": {"uri": "x://h/none", "blob": "AAAA"}},
    ]
    size = len(b64encode(png()))
    assert call(tools(servers, rogue())["rogue.image"], text=json.dumps(blocks)).content == (
        TextPart("a\nb"),
        ImagePart(png()),
        TextPart(f"[image of type text/html; drop, {size} characters]\n[image of type image/png, 10 characters]"),
        AudioPart(wav()),
        FilePart(PDF, name="a_b_.pdf"),
        TextPart("[data of x://h/none]"),
    )


# Many agents, cancels, ends --------------------------------------------------------------------------------------


def test_twenty_agents_share_one_server(lives: Path) -> None:
    """One process for all of them; their answers are not mixed up, whatever the others do."""
    answers = [
        asks(("rogue.echo", {"text": f"a{number}"}), ("rogue.late", {}), ("rogue.echo", {"text": f"b{number}"}))
        for number in range(20)
    ]
    with AgentPool(max_concurrent=20) as pool:
        handles = [
            pool.spawn(SpawnConfig(manifest(rogue(lives=lives)), "q", driver=ScriptedDriver([answer, "done"])))
            for answer in answers
        ]
        outcomes = [handle.outcome(BOUND) for handle in handles]
        eventually(lambda: len(pids(lives)) == 1)
    for number, outcome in enumerate(outcomes):
        first, late, second = (result.content for result in results_of(outcome))
        assert (first.split()[1], late, second.split()[1]) == (f"a{number}", "late", f"b{number}")
    assert len(pids(lives)) == 1
    assert has_ended(pids(lives)[0])


def test_when_it_dies_all_its_calls_fail_and_go_on(lives: Path) -> None:
    """Twenty agents in calls of one server that ends: each gets an error for the model, none hangs."""
    with AgentPool(max_concurrent=21) as pool:
        waiting = [
            pool.spawn(
                SpawnConfig(
                    manifest(rogue(lives=lives)),
                    "q",
                    driver=ScriptedDriver([asks(("rogue.hang", {})), asks(("rogue.echo", {"text": "x"})), "done"]),
                )
            )
            for _ in range(20)
        ]
        eventually(lambda: len(pids(lives.with_name("lives.hangs"))) == 20)  # a call that was not sent is made again
        (pid,) = pids(lives)
        os.kill(pid, signal.SIGKILL)
        outcomes = [handle.outcome(BOUND) for handle in waiting]
    for outcome in outcomes:
        hang, echo = results_of(outcome)
        assert re.match(r"MCP server 'rogue' ended during the call of hang", hang.content)
        assert echo.content.endswith(" x")
    assert len(pids(lives)) == 2


def test_an_abort_ends_calls_and_the_pool_ends_servers(lives: Path) -> None:
    """No process and no thread is left, also of a server that hears nothing."""
    server = rogue("stubborn", lives)
    with AgentPool(max_concurrent=5) as pool:
        handles = [
            pool.spawn(SpawnConfig(manifest(server), "q", driver=ScriptedDriver([asks(("rogue.hang", {})), "done"])))
            for _ in range(5)
        ]
        eventually(lambda: sum("rogue.hang" in str(agent.on) for agent in pool.dump().agents) == 5)
        pool.abort_all("enough")
        assert {handle.outcome(BOUND).status for handle in handles} == {AgentStatus.CANCELLED}
    assert all(has_ended(pid) for pid in pids(lives))


def test_a_cancel_while_it_is_opened(servers: McpServers) -> None:
    """The agent does not wait; who else waits for the server does."""
    with pytest.raises(Cancelled):
        servers.tools_for(manifest(rogue("mute")), CancelToken(Deadline.after(0.2)))


def test_a_pool_that_closes_while_a_server_opens(lives: Path) -> None:
    """It ends all the same."""
    with AgentPool(ScriptedDriver(["x"])) as pool:
        handle = pool.spawn(SpawnConfig(manifest(rogue("mute", lives)), "q"))
        eventually(lambda: pids(lives))
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert all(has_ended(pid) for pid in pids(lives))


def test_one_that_hears_nothing_is_killed_when_it_cannot_be_opened(lives: Path) -> None:
    """Also when the pool closes just then."""
    made = McpServers()
    with pytest.raises(ToolFailed, match="does not answer"):
        tools(made, rogue("mute_stubborn", lives, start_timeout=0.2))
    made.close()
    assert has_ended(pids(lives)[0])


def test_after_the_end_none_is_started(lives: Path) -> None:
    """By an agent that was abandoned, say; nor for one that was cancelled."""
    made = McpServers()
    token = CancelToken()
    token.cancel("before")
    with pytest.raises(Cancelled):
        made.tools_for(manifest(rogue(lives=lives)), token)
    made.close()
    with pytest.raises(ToolFailed, match="its pool was closed"):
        tools(made, rogue(lives=lives))
    assert pids(lives) == []


HOST = """
import sys
from actors import AgentManifest, AgentPool, Mcp, ScriptedDriver, SpawnConfig
manifest = AgentManifest(capabilities=[Mcp(server="rogue")], mcp_servers=[{"name": "rogue", "command": sys.argv[1:]}])
pool = AgentPool(ScriptedDriver(["done"]))
pool.spawn(SpawnConfig(manifest, "q")).result(20)
print("open", flush=True)
"""


@pytest.mark.parametrize("mode", ["good", "lingers"])
def test_at_the_end_of_the_program_servers_end(mode: str, lives: Path, tmp_path: Path) -> None:
    """Of a pool that nobody closed; also those that do not care that their input has ended."""
    script = tmp_path / "host.py"
    script.write_text(HOST)
    done = subprocess.run(
        [sys.executable, str(script), *rogue(mode, lives)["command"]],
        capture_output=True, text=True, timeout=60, env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "open\n"), done.stderr
    assert has_ended(pids(lives)[0])


def test_a_close_that_is_interrupted_ends_servers(lives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C does not wait for agents; what was started for them is ended all the same."""
    pool = AgentPool(ScriptedDriver(["done"]))
    pool.spawn(SpawnConfig(manifest(rogue("lingers", lives)), "q")).result(BOUND)
    shutdown = pool._core.shutdown

    def interrupted(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutdown, "_wait_until_idle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    assert has_ended(pids(lives)[0])


def test_after_the_end_calls_fail(lives: Path) -> None:
    """A tool that somebody kept."""
    servers = McpServers()
    echo = tools(servers, rogue(lives=lives))["rogue.echo"]
    servers.close()
    assert has_ended(pids(lives)[0])
    with pytest.raises(ToolFailed, match="closed with its pool"):
        call(echo)


def test_agents_that_open_at_the_same_time_open_once(lives: Path, servers: McpServers) -> None:
    """Thirty threads."""
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(tools(servers, rogue(lives=lives))))) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert found == [17] * 30
    assert len(pids(lives)) == 1


def test_without_the_package_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is ``mcp``; without servers nothing is needed."""
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ImportError, match=r"pip install 'httpx2>=2' 'mcp<3,>=2.3'"):
        McpServers().tools_for(manifest(rogue()), CancelToken())
    assert McpServers().tools_for(AgentManifest(), CancelToken()) == []


def test_a_transport_that_the_package_has_no_more(servers: McpServers) -> None:
    """Old ones are named."""
    server = {"name": "old", "transport": "sse", "url": "http://127.0.0.1:1/sse"}
    with pytest.raises(ToolFailed, match="the transport sse is not supported; use http"):
        tools(servers, server, privacy="private")


def test_restarts_are_spread() -> None:
    """A server that ends at once is not started in a loop."""
    assert mcp_server.RESTARTS.max_restarts == 3
    assert mcp_server.RESTARTS.backoff.delay(2) > mcp_server.RESTARTS.backoff.delay(1) / 2
