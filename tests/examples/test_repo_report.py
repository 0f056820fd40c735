"""The report on a repository: files, a command, an MCP server, memory, messages, an approval; all together, offline."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from actors import (
    AgentManifest,
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "examples" / "repo_report" / "report.py"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository by two authors: two folders, and files beside them; what git ignores is no folder of it."""
    folder = tmp_path / "demo"

    def git(*args: str, author: str = "Ada") -> None:
        identity = ["-c", f"user.name={author}", "-c", f"user.email={author}@example.com"]
        subprocess.run([str(shutil.which("git")), *identity, *args], cwd=folder, check=True, capture_output=True)

    def write(name: str, text: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    folder.mkdir()
    git("init", "-b", "main")
    write(".gitignore", "build/\n")
    write("build/junk.py", "# TODO: not ours\n")
    write("README.md", "# Demo\n\nA demonstration of things. With more.\n")
    write("src/one.py", "x = 1  # TODO: a pipe | in it\n")
    write("src/deep/two.py", "# FIXME: later\n")
    git("add", "-A")
    git("commit", "-m", "begin")
    write("docs/README.md", "# Docs\n\n![badge](x)\nHow it is used.\n")
    git("add", "-A")
    git("commit", "-m", "describe it", author="Grace")
    return folder


def test_the_report_says_what_is_there(run, repository, tmp_path):
    """Counts, open points with their places, the last commits, the authors, the notes."""
    pytest.importorskip("re2")
    out = tmp_path / "out" / "REPORT.md"
    out.parent.mkdir()

    done = run(REPORT, repository, "--out", out, "--yes")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"wrote {out} (")
    text = out.read_text()
    assert "3 of 3 folders were looked at: 5 files, 2 open points." in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in rows] == ["| .", "| docs", "| src"]
    docs, src = rows[1], rows[2]
    assert docs.endswith("| Grace (1) |")
    assert " describe it | " in docs
    assert "| 2 | 2 | " in src
    assert src.endswith("begin | Ada (1) |")
    assert "- src/one.py:1:x = 1 # TODO: a pipe \\| in it" in text
    assert "- src/deep/two.py:1:# FIXME: later" in text
    assert "- docs has 1 files and 0 open points. How it is used." in text
    assert "not ours" not in text


def test_without_approval_nothing_is_written(run, repository, tmp_path):
    """Nobody is at the terminal: the answer is no, and the exit code says so."""
    out = tmp_path / "REPORT.md"
    done = run(REPORT, repository, "--out", out)
    assert done.returncode == 1
    assert "writer asks to call write_file for" in done.stdout
    assert "write_file was not called: it was denied: the user said no" in done.stdout
    assert not out.exists()


def test_a_folder_that_cannot_be_searched_is_a_failure(run, repository, tmp_path):
    """Without the package that searches, nothing is known of open points: not that there are none."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "re2.py").write_text("raise ImportError('not here')\n")
    out = tmp_path / "REPORT.md"
    done = run(REPORT, repository, "--out", out, "--yes", first=tmp_path / "without")
    assert done.returncode == 1
    assert "-m pip install 'google-re2>=1.1'" in done.stderr
    text = out.read_text()
    assert "0 of 3 folders were looked at" in text
    assert "- src could not be looked at: " in text


def test_what_is_no_repository_is_refused(run, tmp_path):
    """With git's own words; exit code 2."""
    done = run(REPORT, tmp_path)
    assert done.returncode == 2
    assert "is no git repository" in done.stderr


def test_what_a_search_says_beside_its_hits_is_no_open_point(policy):
    """That there is none, that files were passed over, that more would follow, that something was left out."""
    job = UserMessage(json.dumps({"folder": "src", "writer": 1}))
    asked = policy.analyse(CompletionRequest((job,)))
    ids = {call.name: call.id for call in asked.tool_calls}
    for said, todos in [
        ("no line holds it\n[passed over: 2 files that are no text]", []),
        ("no line holds it\n\n[passed over, as it cannot be listed: secret]", []),
        (
            "a.py:3:# TODO: it\n[... 12 characters left out ...]\n... only the first 1 are shown",
            ["src/a.py:3:# TODO: it"],
        ),
        ("deep/b.py:10:FIXME", ["src/deep/b.py:10:FIXME"]),
    ]:
        answers = {"find_files": "a.py", "grep_files": said, "run_command": "exit code 0\nout:\n1 begin"}
        results = [ToolResultMessage(id_, answers.get(name, "none"), name not in answers) for name, id_ in ids.items()]
        noted = policy.analyse(CompletionRequest((job, AssistantMessage("", asked.tool_calls), *results)))
        (note,) = noted.tool_calls
        assert note.input == {"content": f"src has 1 files and {len(todos)} open points. "}
        found = policy.finding(
            "src", policy.results_of(CompletionRequest((job, AssistantMessage("", asked.tool_calls), *results)))
        )
        assert found["todos"] == todos


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch):
    """The functions that answer in place of models."""
    import importlib
    import sys

    monkeypatch.syspath_prepend(str(REPORT.parent))
    monkeypatch.delitem(sys.modules, "policy", raising=False)
    module = importlib.import_module("policy")
    yield module
    sys.modules.pop("policy", None)


def test_the_writer_does_not_wait_for_one_that_failed(policy):
    """The program tells of it, and the report, too."""
    job = json.dumps({"name": "demo", "analysts": 2, "report": "R.md"})
    found = {"folder": "src", "files": 1, "todos": [], "commits": [], "authors": {}, "about": ""}
    told = [
        UserMessage(f"[message from agent 2 (id 2)] {json.dumps(found)}"),
        UserMessage('[message from the program (id 0)] {"folder": "docs", "failed": "it | crashed"}'),
    ]
    asked = policy.write(CompletionRequest((UserMessage(job), *told)))
    assert [call.name for call in asked.tool_calls] == ["memory_recall_shared"]
    recalled = (AssistantMessage("", asked.tool_calls), ToolResultMessage(asked.tool_calls[0].id, "[]"))
    asked = policy.write(CompletionRequest((UserMessage(job), *told, *recalled)))
    (call,) = asked.tool_calls
    assert "1 of 2 folders were looked at" in call.input["content"]
    assert "- docs could not be looked at: it \\| crashed" in call.input["content"]


def test_the_writer_gives_up_waiting(policy):
    """After a wait that ran out it writes what it has."""
    job = UserMessage(json.dumps({"name": "demo", "analysts": 1, "report": "R.md"}))
    asked: CompletionResponse = policy.write(CompletionRequest((job,)))
    (wait,) = asked.tool_calls
    assert wait.name == "wait_for_message"
    ran_out = (AssistantMessage("", (ToolCall(wait.id, wait.name, {}),)), ToolResultMessage(wait.id, "none", True))
    assert policy.write(CompletionRequest((job, *ran_out))).tool_calls[0].name == "memory_recall_shared"


@pytest.mark.parametrize("name", ["analyst.toml", "writer.toml"])
def test_its_manifests_grant_no_more_than_they_need(name):
    """Reading here, one command with one option, one tool of the server, no children."""
    manifest = AgentManifest.load(REPORT.with_name(name))
    granted = {grant.type: grant for grant in manifest.capabilities}
    assert granted["spawn"].max_depth == 0
    assert ("shell" in granted) is (name == "analyst.toml")
    assert ("file_write" in granted) is (name == "writer.toml")
    assert (manifest.approval.rule_for("write_file") is not None) is (name == "writer.toml")
