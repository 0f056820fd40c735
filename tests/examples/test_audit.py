"""The main job, offline: the audit as a program and by the command line, on trees that nobody here wrote."""

import json
import os
import shutil
from pathlib import Path

import pytest

from actors import AgentManifest, AgentPool, FileRead, ScriptedDriver, SpawnConfig

ROOT = Path(__file__).parents[2]
AUDIT = ROOT / "examples" / "audit" / "audit.py"
MANIFEST = AUDIT.with_name("audit.toml")
ACTORS = ("-c", "from actors.cli.main import main; main()")
"""The command `actors`, installed or not."""


def expected_rows(tree: Path, count_by_tokens) -> list[tuple[str, ...]]:
    """The ranking as another count has it: the numbers of each file, the worst first, and its path."""
    rows = []
    for path in tree.rglob("*.py"):
        counted = count_by_tokens(path.read_text(encoding="utf-8"))
        functions = list(counted.functions.elements())
        numbers = (
            counted.score,
            counted.lines,
            len(functions),
            sum(length > 50 for _, _, length, _ in functions),
            sum(complexity > 10 for *_, complexity in functions),
            len(counted.bare_excepts),
            sum(counted.missing_docstrings.values()),
        )
        rows.append((-counted.score, str(path), (*map(str, numbers), os.path.relpath(path, tree))))
    return [row for _, _, row in sorted(rows)]


def table_of(output: str) -> list[tuple[str, ...]]:
    """The rows between the two rules: seven numbers and the file."""
    _, rows, _ = (part.splitlines() for part in output.split("\n---"))
    cells = [row.split() for row in rows[1:]]
    return [(*row[:7], row[-1]) for row in cells]


def test_the_ranking_of_a_real_tree(run, tree, count_by_tokens):
    """Every file has its row, the numbers and the order are those of an independent count, and so are the sums."""
    done = run(AUDIT, tree, "--top", "10000")

    assert (done.returncode, done.stderr) == (0, "")
    expected = expected_rows(tree, count_by_tokens)
    assert table_of(done.stdout) == expected
    sums = [str(sum(int(row[column]) for row in expected)) for column in range(7)]
    assert done.stdout.splitlines()[-1].split() == [*sums, "all", str(len(expected)), "files"]


def test_the_command_line_audits_the_same_tree(run, tree, count_by_tokens, tmp_path):
    """`actors run --glob` gives every file one completed outcome, with the score of an independent count."""
    out = tmp_path / "results.jsonl"

    done = run(*ACTORS, "run", MANIFEST, "--glob", tree / "**" / "*.py", "--out", out, "-q")

    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {outcome["status"] for outcome in outcomes} == {"completed"}
    reports = [json.loads(outcome["result"].splitlines()[-1]) for outcome in outcomes]
    assert [report["path"] for report in reports] == [outcome["query"] for outcome in outcomes]
    found = sorted((-report["score"], report["path"], str(report["lines"])) for report in reports)
    assert found == [(-int(row[0]), str(tree / row[-1]), row[1]) for row in expected_rows(tree, count_by_tokens)]


def test_the_manifest_is_valid(run):
    """`actors validate` finds nothing to say against it."""
    done = run(*ACTORS, "validate", MANIFEST)

    assert done.returncode == 0, done.stdout + done.stderr


def test_one_slot_is_enough(run, tmp_path):
    """With one agent at a time the collector still gets every report, more of them than its inbox holds."""
    for number in range(50):
        (tmp_path / f"module_{number:02}.py").write_text('"""Doc."""\n' + "def f(): ...\n" * number)

    done = run(AUDIT, tmp_path, "--max-concurrent", "1", "--top", "50")

    assert (done.returncode, done.stderr) == (0, "")
    rows = table_of(done.stdout)
    assert [row[-1] for row in rows] == [f"module_{number:02}.py" for number in reversed(range(50))]
    assert [int(row[0]) for row in rows] == list(reversed(range(50)))


def test_files_that_cannot_be_audited(run, tmp_path):
    """Each is named with its reason, the others are ranked, and the exit code tells."""
    (tmp_path / "latin.py").write_bytes(b"name = 'caf\xe9'\n")
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "good.py").write_bytes(b'\xef\xbb\xbf"""With a byte order mark."""\r\n')

    done = run(AUDIT, tmp_path)

    assert (done.returncode, done.stderr) == (1, "")
    assert [row[-1] for row in table_of(done.stdout)] == ["good.py"]
    problems = done.stdout.splitlines()[-3:]
    assert any(line.startswith("unreadable: latin.py: ") and "not UTF-8" in line for line in problems)
    assert "unreadable: broken.py: not Python: invalid syntax (line 2)" in problems
    assert any(line.startswith("unreadable: gone.py: ") for line in problems)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "required: PATH"),
        (["nowhere"], "no such file or folder: nowhere"),
        (["."], "no Python file under ."),
        (["--max-concurrent", "0", "."], "--max-concurrent must be at least 1"),
        (["--top", "many", "."], "invalid int value: 'many'"),
    ],
)
def test_bad_usage(run, tmp_path, arguments, complaint):
    """It says what is wrong and how it is used, exits with 2, and audits nothing."""
    done = run(AUDIT, *arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: audit.py")
    assert complaint in done.stderr


def test_an_agent_reads_only_what_it_may(audit, tmp_path):
    """Asked about another file than its own, it has to say that it may not read it."""
    own, other = tmp_path / "own.py", tmp_path / "other.py"
    own.write_text('"""Doc."""\n')
    other.write_text('"""Doc."""\n')
    manifest = AgentManifest.load(MANIFEST)
    manifest = manifest.model_copy(update={"capabilities": (FileRead(allowed_paths=(str(own),)),)})

    with AgentPool(max_concurrent=2) as pool:
        outcomes = {
            outcome.query: outcome.unwrap().text
            for outcome in pool.map(SpawnConfig(manifest, str(file)) for file in (own, other))
        }

    assert outcomes[str(own)].startswith("clean: score 0, 1 line\n")
    assert outcomes[str(other)].startswith("unreadable: ")
    assert json.loads(outcomes[str(other)].splitlines()[-1])["verdict"] == "unreadable"


def test_relative_paths_with_spaces(run, tmp_path):
    """A path is a path, wherever the command stands and whatever the folders are called."""
    folder = tmp_path / "my project" / "is here.py"
    folder.mkdir(parents=True)
    (folder / "a b.py").write_text("def f(): ...\n")

    done = run(*ACTORS, "run", MANIFEST, "--glob", "my project/**/*.py", "--out", "out.jsonl", "-q", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["result"].startswith("small things: score 2, 1 line, 2 missing docstrings\n")


def test_a_model_in_place_of_the_policy(audit, tmp_path):
    """With its one line changed, the same manifest asks the pool's driver, with its prompt and its tools."""
    folder = Path(shutil.copytree(MANIFEST.parent, tmp_path / "audit"))
    text = MANIFEST.read_text(encoding="utf-8")
    line = '\ndriver = "policy:make_driver"\n'
    assert text.count(line) == 1
    (folder / "audit.toml").write_text(text.replace(line, '\nremote_model = "provider/name"\n'), encoding="utf-8")
    file = tmp_path / "a.py"
    file.write_text('"""Doc."""\n')
    manifest = AgentManifest.load(folder / "audit.toml")
    manifest = manifest.model_copy(update={"capabilities": (FileRead(allowed_paths=(str(file),)),)})
    driver = ScriptedDriver.tool_then_text("measure_file", {"path": str(file)}, "clean")

    with AgentPool(driver) as pool:
        assert pool.spawn(SpawnConfig(manifest, str(file))).result().text == "clean"

    first, second = driver.requests
    assert first.model == "provider/name"
    assert first.system == manifest.model.system_prompt
    assert [each.name for each in first.tools] == ["measure_file", "worst_functions", "read_file"]
    assert json.loads(second.messages[-1].text)["score"] == 0


def test_the_only_manifest_of_the_audit():
    """The folder holds one .toml: what the command line is given."""
    assert [path.name for path in MANIFEST.parent.glob("*.toml")] == ["audit.toml"]
