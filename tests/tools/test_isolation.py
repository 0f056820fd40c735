"""Tools in processes of their own."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    Cancelled,
    CancelToken,
    ImagePart,
    SpawnConfig,
    ToolFailed,
    ToolRegistry,
    tool,
)
from actors.agent.assembly.resolve import tool as tool_of
from actors.core.clock import SYSTEM_CLOCK
from actors.core.waiting.cancel import Deadline
from actors.tools import isolation, watched_process
from tests.agent.doubles import asks, results_of
from tests.cli.conftest import environment
from tests.waiting import BOUND, eventually

from . import isolated, rogues
from .test_shell import has_ended

pytestmark = pytest.mark.process


def call(made: Any, cancel: CancelToken | None = None, **arguments: Any) -> Any:
    return made.execute(arguments, cancel=cancel or CancelToken(), agent=None)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Any:
    """Each test ends its processes, and leaves no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert not has_children()
    assert len(os.listdir("/proc/self/fd")) <= before


def has_children() -> bool:
    """Has this program a child, be it a dead one?"""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def test_it_runs_elsewhere() -> None:
    """Each call in a process of its own; called by hand, it is the function."""
    first, second = int(call(isolated.who).content), int(call(isolated.who).content)
    assert len({first, second, os.getpid()}) == 3
    assert isolated.who() == os.getpid()


def test_results_and_arguments_are_checked_as_ever() -> None:
    """Also those of a coroutine function."""
    assert call(isolated.double, numbers=[1, "2"], note="é").content == '{"doubled":[2,4],"note":"é"}'
    assert "numbers: missing" in call(isolated.double).content


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("tool", "^as said$"),
        ("value", "^fail failed: ValueError: value$"),
        ("exit", "^fail failed: SystemExit: 3$"),
        ("die", r"^the process of fail died: .*exit code -6"),
    ],
)
def test_failures_come_back_as_errors(how: str, text: str) -> None:
    """Also the death of the process, which harms nobody else."""
    with pytest.raises(ToolFailed, match=text):
        call(isolated.fail, how=how)


def test_what_cannot_travel_is_shown() -> None:
    """As the result of any tool."""
    assert "object object" in call(isolated.fail, how="odd").content


def test_a_picture_comes_out_of_a_process() -> None:
    """As it is."""
    text, image = call(isolated.picture, size=10).content
    assert (text.text, image) == ("seen", ImagePart(b"\x89PNG\r\n\x1a\n" + bytes(10)))


def test_it_is_killed_at_its_timeout(tmp_path: Path) -> None:
    """With all that it started."""
    with pytest.raises(ToolFailed, match=r"hang ran longer than 3 s, and its process was killed"):
        call(isolated.hang, path=str(tmp_path / "pids"))
    assert all(has_ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancel_kills_it(tmp_path: Path, deaf: bool) -> None:
    """At once, also when it will not hear; its child as well."""
    token, pids = CancelToken(), tmp_path / "pids"

    def cancel() -> None:
        eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        token.cancel("enough")

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    with pytest.raises(Cancelled, match="enough"):
        call(isolated.hang, token, path=str(pids), deaf=deaf)
    cancelling.join()
    assert all(has_ended(int(pid)) for pid in pids.read_text().split())


def test_a_cancel_before_it_is_there(tmp_path: Path) -> None:
    """Nothing of the tool has run, or it is killed."""
    token = CancelToken(Deadline.after(0.01))
    with pytest.raises(Cancelled):
        call(isolated.hang, token, path=str(tmp_path / "pids"))
    with pytest.raises(Cancelled):  # not even started
        call(isolated.hang, token, path=str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_in_a_pool_the_model_gets_an_error(tmp_path: Path) -> None:
    """When the time runs out; no thread is left abandoned."""
    from actors import ScriptedDriver

    driver = ScriptedDriver([asks(("hang", {"path": str(tmp_path / "pids")})), "done"])
    with AgentPool(driver, tools=ToolRegistry([isolated.hang])) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(), "q")).outcome(BOUND)
        eventually(lambda: pool.stats().abandoned_threads == 0)
    (result,) = results_of(outcome)
    assert result.is_error
    assert "3 s" in result.content
    assert all(has_ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_one_that_needs_approval_is_found_by_its_process() -> None:
    """Under its name stands the wrapper then, which is callable as the function is."""
    assert call(isolated.careful, text="hi").content == "HI"
    assert isolated.careful("hi") == "HI"  # type: ignore[operator]


def test_only_the_process_itself_answers() -> None:
    """Not a fork of it."""
    assert [call(isolated.forks).content for _ in range(3)] == ["parent"] * 3


def test_what_it_leaves_behind_is_killed() -> None:
    """After a good answer, too."""
    assert has_ended(int(call(isolated.leaves).content))


def test_it_ends_with_the_program(tmp_path: Path) -> None:
    """Also when that is killed."""
    code = (
        "import sys; from actors import CancelToken; from tests.tools.isolated import hang\n"
        "if __name__ == '__main__':\n    hang.execute({'path': sys.argv[1]}, cancel=CancelToken(), agent=None)\n"
    )
    script = tmp_path / "host.py"
    script.write_text(code)
    root = Path(__file__).parents[2]
    env = {**environment(), "PYTHONPATH": str(root)}
    host = subprocess.Popen([sys.executable, str(script), str(tmp_path / "pids")], env=env)
    try:
        eventually(lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2)
    finally:
        host.kill()
        host.wait()
    assert all(has_ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_module_beside_a_manifest_is_found(tmp_path: Path) -> None:
    """By the process, too."""
    (tmp_path / "own_tools.py").write_text(
        "from actors import tool\n@tool(isolation='process')\ndef shout(text: str) -> str:\n"
        "    'Say it loud.'\n    return text.upper()\n"
    )
    (tmp_path / "m.toml").write_text('tools = ["own_tools:shout"]\n')
    assert call(tool_of(AgentManifest.load(tmp_path / "m.toml"), 0), text="hi").content == "HI"


def test_a_script_has_such_tools(tmp_path: Path) -> None:
    """Defined in the program itself."""
    script = tmp_path / "script.py"
    script.write_text(
        "from actors import CancelToken, tool\n"
        "@tool(isolation='process')\ndef shout(text: str) -> str:\n    'Say it loud.'\n    return text.upper()\n"
        "if __name__ == '__main__':\n"
        "    print(shout.execute({'text': 'hi'}, cancel=CancelToken(), agent=None).content)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    assert (done.stdout, done.stderr) == ("HI\n", "")


def local() -> Any:
    def inner(text: str) -> str:
        """Inner."""
        return text

    return inner


class Holder:
    def method(self, text: str) -> str:
        """Method."""
        return text


@pytest.mark.parametrize(
    "function",
    [local(), Holder().method, functools.partial(local()), lambda text: text],
    ids=["local", "method", "partial", "lambda"],
)
def test_a_function_that_no_process_finds_is_refused(function: Any) -> None:
    """When the tool is made."""
    with pytest.raises(TypeError, match="at the top of a module"):
        tool(function, isolation="process", name="x")


def with_agent(agent: Any) -> str:
    """Wants its agent."""
    return str(agent)


def test_what_stays_in_this_process_is_refused() -> None:
    """The agent, the cancel token; and another isolation."""
    with pytest.raises(TypeError, match="agent cannot go to a process"):
        tool(with_agent, isolation="process")
    with pytest.raises(ValueError, match="planet"):
        tool(with_agent, isolation="planet")


class Calls:
    """Calls of several tools at the same time, each in a thread of its own."""

    def __init__(self, *tools: Any) -> None:
        self.ends: list[tuple[Any, str]] = []
        threads = [threading.Thread(target=self._call, args=(made,)) for made in tools]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, made: Any) -> None:
        try:
            end = call(made, **({"number": 21} if made is rogues.good else {})).content
        except ToolFailed as error:
            end = str(error)
        self.ends.append((made, end))


def test_a_good_one_answers_beside_all_that_misbehave() -> None:
    """Three at a time, and a good one with them; every one of them ends as it has to, and nothing is left."""
    rest = list(rogues.ENDS)
    while rest:
        three, rest = rest[:3], rest[3:]
        for made, end in Calls(*three, rogues.good).ends:
            assert re.search("^42$" if made is rogues.good else rogues.ENDS[made], end), (made, end)
        assert not has_children()


def test_a_pool_with_such_tools_ends(tmp_path: Path) -> None:
    """All in one answer of a model: the good one's result is there."""
    from actors import ScriptedDriver

    mixed = [
        rogues.deaf,
        rogues.closes_and_hangs,
        rogues.dies_in_the_middle,
        rogues.stops_itself,
        rogues.answers_a_trap,
    ]
    asked = asks(*((made.name, {}) for made in mixed), ("good", {"number": 21}))
    with AgentPool(ScriptedDriver([asked, "done"]), tools=ToolRegistry([*mixed, rogues.good])) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(), "q")).outcome(BOUND)
        assert pool.stats().abandoned_threads == 0
    *bad, good = results_of(outcome)
    assert all(result.is_error for result in bad)
    assert good.content == "42"


def test_the_start_of_a_process_is_no_part_of_the_tools_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it takes longer than a call may; it has a bound of its own."""
    late = [0.0]
    real = isolation._Heard.hear

    def hear(self: Any, data: bytes) -> None:
        late[0] = 30.0
        real(self, data)

    clock = SimpleNamespace(monotonic=lambda: SYSTEM_CLOCK.monotonic() + late[0])
    monkeypatch.setattr(watched_process, "SYSTEM_CLOCK", clock)
    monkeypatch.setattr(isolation._Heard, "hear", hear)
    assert call(rogues.good, number=1).content == "2"
    monkeypatch.setattr(isolation, "START_SECONDS", 0.0)
    with pytest.raises(ToolFailed, match="good was not called: its process had not imported it within 0 s"):
        call(rogues.good, number=1)
    assert rogues.good.timeout is not None
    assert rogues.good.timeout > isolation.START_SECONDS + 7  # it ends by itself before it is given up


def test_large_arguments_and_what_is_no_text_travel() -> None:
    """More than a pipe holds at once; half a character."""
    assert call(isolated.size, text="é" * 3_000_000).content == "3000000"
    assert call(isolated.surrogate).content == "a\ud800b"


def test_a_program_without_a_main_guard_is_told(tmp_path: Path) -> None:
    """It would start itself again and again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from actors import CancelToken, tool\n"
        "@tool(isolation='process')\ndef shout(text: str) -> str:\n    'Say it loud.'\n    return text.upper()\n"
        "print(shout.execute({'text': 'hi'}, cancel=CancelToken(), agent=None).content)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    assert done.stdout == ""
    assert "freeze_support" in done.stderr


def test_no_descriptor_is_left_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, and nothing is left open."""

    def refuse() -> tuple[int, int]:
        raise OSError("too many open files")

    with monkeypatch.context() as patch, pytest.raises(ToolFailed, match="could not be given a process: too many"):
        patch.setattr(isolation.os, "pipe", refuse)
        call(isolated.who)
