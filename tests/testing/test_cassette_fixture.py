"""The fixture ``cassette``: a file beside the test, recorded when it is told to, and held to what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import pytest
from actors import AgentManifest, AgentPool, FunctionDriver, SpawnConfig
from actors.testing.fixtures import cassette

MADE = []

def make():
    MADE.append(1)
    return FunctionDriver(lambda request: request.messages[0].content.upper())

def ask(cassette, text):
    with AgentPool(cassette.driver(make)) as pool:
        return pool.spawn(SpawnConfig(AgentManifest(name="a"), text)).result(10).text
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> object:
    """``run(tests, mode, ci=)`` runs them in this process; their outcomes, and the result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take most of the time
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("ACTORS_CASSETTE", raising=False)
    folder = pytester.mkdir("tests")

    def go(tests: str, mode: str = "", *, ci: str | None = None, name: str = "test_mine.py") -> pytest.RunResult:
        (folder / name).write_text(HEAD + tests)
        with pytest.MonkeyPatch.context() as patch:
            if mode:
                patch.setenv("ACTORS_CASSETTE", mode)
            if ci is not None:
                patch.setenv("CI", ci)
            return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "tests")

    return go


def files(pytester: pytest.Pytester) -> list[str]:
    return sorted(path.name for path in (pytester.path / "tests" / "cassettes").glob("*"))


ONE = """
def test_summary(cassette):
    assert ask(cassette, "built?") == "BUILT?"
"""


def test_it_is_recorded_once_and_replayed(pytester: pytest.Pytester, run: Any) -> None:
    """Beside the test's file, under the test's name; without a word in the environment nothing is recorded."""
    run(ONE).assert_outcomes(failed=1)
    assert files(pytester) == []
    run(ONE, "once").assert_outcomes(passed=1)
    assert files(pytester) == ["test_summary.jsonl"]
    replayed = ONE + "    assert MADE == []\n"
    for mode in ("", "none", "once"):
        run(replayed, mode).assert_outcomes(passed=1)
    run(replayed, "all").assert_outcomes(failed=1)


def test_where_ci_is_set_nothing_is_recorded(pytester: pytest.Pytester, run: Any) -> None:
    """Whatever the other word says; a ``CI`` that says no is none."""
    for ci in ("true", "1", "anything"):
        result = run(ONE, "all", ci=ci)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*CassetteMiss*"])
    run("@pytest.fixture\ndef cassette_options():\n    return {'mode': 'once'}\n" + ONE, ci="1").assert_outcomes(
        failed=1
    )
    assert files(pytester) == []
    run(ONE, "once", ci="false").assert_outcomes(passed=1)


def test_another_word_in_the_environment(run: Any) -> None:
    """Is told: else a test would silently replay."""
    result = run(ONE, "record")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*none, once or all, not 'record'*"])


def test_each_parameter_and_class_has_a_file_of_its_own(pytester: pytest.Pytester, run: Any) -> None:
    """With a name that every system takes, whatever the parameters are."""
    tests = """
@pytest.mark.parametrize("text", ["plain", "a/b", "a b", "A B", "../../up", "", "nul\\x00", "ü" * 300, "a]b["])
def test_p(cassette, text):
    assert ask(cassette, text or "-") == (text or "-").upper()

class TestIt:
    def test_p(self, cassette):
        assert ask(cassette, "in a class") == "IN A CLASS"
"""
    run(tests, "once").assert_outcomes(passed=10)
    names = files(pytester)
    assert len(names) == 10
    assert {"test_p-plain.jsonl", "TestIt.test_p.jsonl"} < set(names)
    assert all(name.replace("_", "").replace("-", "").replace(".", "").isalnum() and name.isascii() for name in names)
    assert max(map(len, names)) < 100
    assert len({name.lower() for name in names}) == 10
    run(tests).assert_outcomes(passed=10)


def test_two_tests_of_one_name_are_told(run: Any) -> None:
    """In two files of one folder: they would overwrite each other's."""
    run(ONE, "once", name="test_other.py").assert_outcomes(passed=1)
    result = run(ONE, "once")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*would share the cassette test_summary.jsonl*"])


def test_a_test_that_is_not_good_writes_nothing(pytester: pytest.Pytester, run: Any) -> None:
    """One that fails, is skipped, or is expected to fail, nor one whose set-up fails."""
    tests = """
def test_fails(cassette):
    ask(cassette, "x")
    assert False

def test_skips(cassette):
    ask(cassette, "x")
    pytest.skip("no")

@pytest.mark.xfail
def test_expected(cassette):
    ask(cassette, "x")
    assert False

@pytest.fixture
def broken(cassette):
    ask(cassette, "x")
    raise OSError

def test_broken(broken):
    pass
"""
    for mode in ("once", "all"):
        run(tests, mode).assert_outcomes(failed=1, skipped=1, xfailed=1, errors=1)
    assert files(pytester) == []


def test_a_failure_leaves_the_old_file(pytester: pytest.Pytester, run: Any) -> None:
    """Byte for byte; and what was not used because it failed is not told beside it."""
    run(ONE, "once").assert_outcomes(passed=1)
    file = pytester.path / "tests" / "cassettes" / "test_summary.jsonl"
    content = file.read_bytes()
    failing = 'def test_summary(cassette):\n    ask(cassette, "other")\n    assert False\n'
    run(failing, "all").assert_outcomes(failed=1)
    result = run("def test_summary(cassette):\n    assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*not used*")
    assert file.read_bytes() == content


def test_answers_that_nobody_asked_for_fail_the_test(run: Any) -> None:
    """With what they answer, and how to record anew; after all that the test's own fixtures do at the end."""
    two = 'def test_summary(cassette):\n    ask(cassette, "one")\n    ask(cassette, "two")\n'
    run(two, "once").assert_outcomes(passed=1)
    result = run('def test_summary(cassette):\n    ask(cassette, "one")\n')
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*recorded and not used: 1 answer of *test_summary.jsonl*", "*line 2: two*", "*ACTORS_CASSETTE=all*"]
    )
    late = """
@pytest.fixture
def pool(cassette):
    with AgentPool(cassette.driver(make)) as pool:
        yield pool

def test_summary(pool):
    for text in ("one", "two"):
        pool.spawn(SpawnConfig(AgentManifest(name="a"), text))
"""
    run(late).assert_outcomes(passed=1)


def test_a_file_that_is_no_cassette_is_told(pytester: pytest.Pytester, run: Any) -> None:
    """Before the test runs."""
    (pytester.path / "tests" / "cassettes").mkdir()
    (pytester.path / "tests" / "cassettes" / "test_summary.jsonl").write_text("no\n")
    result = run(ONE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*CassetteError: *test_summary.jsonl:1: no JSON*"])


def test_options_of_a_project(pytester: pytest.Pytester, run: Any) -> None:
    """A fixture of one's own gives them; one that fails is not taken for none."""
    options = """
@pytest.fixture
def cassette_options():
    return {"redact": lambda text: text.replace("built", "***")}
"""
    run(options + ONE, "once").assert_outcomes(passed=1)
    assert "built" not in (pytester.path / "tests" / "cassettes" / "test_summary.jsonl").read_text()
    run("@pytest.fixture\ndef cassette_options(nothing):\n    return {}\n" + ONE).assert_outcomes(errors=1)


def test_as_a_plugin_of_a_conftest(pytester: pytest.Pytester, run: Any) -> None:
    """As well as by an import."""
    pytester.makeconftest('pytest_plugins = ["actors.testing.fixtures"]')
    run("del cassette\n" + ONE, "once").assert_outcomes(passed=1)
    assert files(pytester) == ["test_summary.jsonl"]
