"""Where something was raised, and whose line it is."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from actors.core import places
from actors.core.crash import crashed, place_of, traceback_of
from actors.core.places import Place, innermost, is_own, printed_places
from actors.errors import AgentAbandoned, AgentCancelled, ToolFailed

HERE = __file__
PYTHONS, INSTALLED, OURS = json.__file__, pytest.__file__, places.__file__


def raised(fn: Any, *args: Any) -> Exception:
    try:
        fn(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def parse() -> None:
    json.loads("{")


def fail() -> None:
    raise ToolFailed("no")


LINE = parse.__code__.co_firstlineno + 1


def test_a_place_is_named_as_editors_name_it() -> None:
    """File, line, function."""
    assert str(Place("x.py", 12, "run")) == "x.py:12 in run"


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (HERE, True),
        ("job.py", True),
        ("<stdin>", True),
        ("<ipython-input-1-abc>", True),
        (PYTHONS, False),
        (INSTALLED, False),
        ("/usr/lib/python3/dist-packages/apt/cache.py", False),
        ("<frozen importlib._bootstrap>", False),
        (OURS, False),
        (str(Path(OURS).parents[1]) + "_mine/x.py", True),
    ],
)
def test_whose_code_a_file_is(file: str, own: bool) -> None:
    """Python's, an installed package's and this package's are not the user's."""
    assert is_own(file) is own


def test_the_innermost_is_the_users_last_line() -> None:
    """However deep in a library it was raised; without a line of the user's the last one."""
    mine, also, deep = Place(HERE, 1, "run"), Place(HERE, 2, "parse"), Place(PYTHONS, 3, "loads")
    assert innermost([mine, also, deep]) == also
    assert innermost([Place(OURS, 1, "work"), deep]) == deep
    assert innermost([]) is None


def test_a_crash_deep_in_a_library_is_placed_where_it_was_called() -> None:
    """Also when only its text is left."""
    crash = crashed(raised(parse))
    for error in (crash, pickle.loads(pickle.dumps(crash))):
        assert place_of(error) == Place(HERE, LINE, "parse")


def test_a_failure_is_placed_by_its_traceback() -> None:
    """An error of the user's that was raised here."""
    error = raised(fail)
    assert place_of(error) == Place(HERE, fail.__code__.co_firstlineno + 1, "fail")
    told = traceback_of(error)
    assert told is not None
    assert told.splitlines()[-1] == "actors.errors.ToolFailed: no"
    assert "in fail" in told


def test_what_nobody_raised_has_no_place() -> None:
    """A cancel, an abandonment, an error that was only made."""
    for error in (AgentCancelled("x"), AgentAbandoned(AgentCancelled("x")), ToolFailed("x")):
        assert traceback_of(error) is None
        assert place_of(error) is None


def test_an_error_that_was_read_has_the_text_that_came_with_it() -> None:
    """In ``_traceback``."""
    error = ToolFailed("no")
    error._traceback = f'Traceback (most recent call last):\n  File "{HERE}", line 7, in work\n    x\nToolFailed: no\n'  # type: ignore[attr-defined]
    assert traceback_of(error) == error._traceback  # type: ignore[attr-defined]
    assert place_of(error) == Place(HERE, 7, "work")


def test_a_printed_traceback_names_the_places_of_its_last_exception() -> None:
    """Causes come before it."""

    def outer() -> None:
        try:
            parse()
        except ValueError as error:
            raise KeyError("b") from error

    text = "".join(traceback.format_exception(raised(outer)))
    assert [place.function for place in printed_places(text)] == ["raised", "outer"]
    assert printed_places("KeyError: 'b'") == []
