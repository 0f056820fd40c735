"""The measures of the audit, against small sources by hand and against a count by tokens on real trees."""

from collections import Counter
from pathlib import Path

import pytest

SAMPLE = '''\
"""A module."""

def one_line(a, b=1 if True else 2): return a and b or None

class Public:
    def documented(self):
        """Yes."""
        try:
            return [x for x in self if x if x > 1]
        except ValueError:
            pass
        except:
            return None

        # a trailing comment is not part of it

    @property
    def size(self):
        "Yes."
        @(self if self else None)
        def inner(value):
            while value:
                value -= 1
        return inner

    @size.setter
    def size(self, value): ...

    def _private(self):
        match self:
            case 1 | 2 if True: pass
            case [x]: pass
            case _: pass

class _Private:
    def method(self): f"{1 if self else 2}"

async def waits():
    async for _ in waits():
        assert _
'''


def test_each_measure_of_a_small_source(audit):
    """Names, lines, lengths, complexities, bare excepts and missing docstrings are as counted by hand."""
    found = audit("measure").measure(SAMPLE)

    assert found.lines == 40
    assert [(f.name, f.line, f.length, f.complexity) for f in found.functions] == [
        ("one_line", 3, 1, 4),
        ("Public.documented", 6, 8, 6),
        ("Public.size", 18, 7, 2),
        ("Public.size.inner", 21, 3, 2),
        ("Public.size", 27, 1, 1),
        ("Public._private", 29, 5, 4),
        ("_Private.method", 36, 1, 2),
        ("waits", 38, 3, 2),
    ]
    assert found.bare_excepts == (12,)
    assert found.missing_docstrings == ("one_line", "Public", "waits")
    assert found.score == 13


def test_long_and_complex_functions_raise_the_score(audit):
    """51 lines are long and 50 are not; each point of complexity above 10 counts one."""
    measure = audit("measure").measure
    body = '    "Doc."\n' + "    pass\n" * 48

    assert measure(f'"Doc."\ndef f():\n{body}').score == 0
    longer = measure(f'"Doc."\ndef f():\n{body}    pass\n')
    assert ([f.length for f in longer.long_functions], longer.score) == ([51], 5)
    branches = "    if x: pass\n" * 12
    tangled = measure(f'"Doc."\ndef f(x):\n    "Doc."\n{branches}')
    assert ([f.complexity for f in tangled.complex_functions], tangled.score) == ([13], 3)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_as_python_says(audit, newline):
    """Every kind of line end counts, a form feed does not, and an empty file has no lines and no fault."""
    measure = audit("measure").measure

    assert measure(newline.join(['"Doc."', "x = 1", "\fy = 2"])).lines == 3
    assert (measure("").lines, measure("").score) == (0, 0)


@pytest.mark.parametrize(
    "source",
    ["def f(:\n", "x = '\0'\n", "x = " + "(" * 5000 + ")" * 5000, "x = " + "-" * 200_000 + "1"],
    ids=["broken", "null byte", "parentheses", "deep"],
)
def test_what_is_no_python_is_a_syntax_error(audit, source):
    """Whatever the parser makes of it, the caller has one exception to expect."""
    with pytest.raises(SyntaxError):
        audit("measure").measure(source)


def test_a_real_tree_measures_as_tokens_say(audit, tree: Path, count_by_tokens):
    """Every number of every file of a real package equals a count that never builds a syntax tree."""
    files = sorted(tree.rglob("*.py"))
    assert files

    for path in files:
        source = path.read_text(encoding="utf-8")
        found, counted = audit("measure").measure(source), count_by_tokens(source)

        functions = Counter((f.name, f.line, f.length, f.complexity) for f in found.functions)
        assert functions == counted.functions, path
        assert found.lines == counted.lines, path
        assert list(found.bare_excepts) == counted.bare_excepts, path
        assert Counter(found.missing_docstrings) == counted.missing_docstrings, path
        assert found.score == counted.score, path
