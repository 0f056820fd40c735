"""Tools in processes of their own."""

from __future__ import annotations

import functools
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from actors import AgentManifest, AgentPool, Cancelled, CancelToken, SpawnConfig, ToolFailed, ToolRegistry, tool
from actors.agent.resolve import tool as tool_of
from actors.core.waiting.cancel import Deadline
from tests.agent.doubles import asks, results_of
from tests.cli.conftest import environment
from tests.waiting import BOUND, eventually

from . import isolated
from .test_shell import has_ended

pytestmark = pytest.mark.process


def call(made: Any, cancel: CancelToken | None = None, **arguments: Any) -> Any:
    return made.execute(arguments, cancel=cancel or CancelToken(), agent=None)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Any:
    """Each test ends its processes, and the threads that watched them."""
    yield
    eventually(lambda: not multiprocessing.active_children())
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("actors-tool")])


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


def test_without_the_package_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is ``process``."""
    monkeypatch.setitem(sys.modules, "pebble", None)
    with pytest.raises(ImportError, match=r"pip install 'actors\[process\]'"):
        call(isolated.who)
