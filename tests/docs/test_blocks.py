"""Every block of code on a page: a program runs and prints what stands below it, a file is what it says it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .pages import RUN_BY_GATE, RUN_ELSEWHERE, STARTS_PROCESSES, Block, agrees, blocks_of, name_of, pages
from .running import BlockFailed, run_or_fail

if TYPE_CHECKING:
    from .running import PageRun

MAY_HAVE_CONSOLE = {
    "docs/cluster.md": "other machines",
    "docs/tutorial": "an installation, a key, other machines",
    "docs/cookbook": "a key, a server that stays",
    "docs/migrating": "packages that are not installed here",
    "docs/guides": "a key, a terminal, other machines",
    "docs/command-line.md": "a key, a terminal",
    "docs/performance.md": "hours on a quiet machine",
    "docs/security.md": "another machine",
    "docs/index.md": "an installation",
}
"""Where a block ``console``, which is not run, may stand, and what it needs that a test has not."""


def page_params() -> list[Any]:
    """Each page that has blocks; those that start processes are marked."""
    params = []
    for page in pages():
        if name_of(page) in RUN_ELSEWHERE or not (blocks := blocks_of(page)):
            continue
        starts = STARTS_PROCESSES in page.read_text(encoding="utf-8") or any(one.language == "sh" for one in blocks)
        params.append(pytest.param(page, id=name_of(page), marks=[pytest.mark.process] if starts else []))
    return params


@pytest.mark.parametrize("page", page_params())
def test_the_blocks_of_a_page_work(page: Path, page_run: PageRun) -> None:
    """In order, in one folder, and leave nothing behind."""
    for block in blocks_of(page):
        if block.language == "sh" and name_of(page) in RUN_BY_GATE:
            continue
        run_or_fail(page_run, block)


def test_what_is_not_run_has_a_reason() -> None:
    """Pages may have it, by a list."""
    for page in pages():
        if any(block.language == "console" for block in blocks_of(page)):
            assert any(name_of(page).startswith(one) for one in MAY_HAVE_CONSOLE), name_of(page)


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\n", False),
        ("a \nb\n\n", "a\nb\n", True),
        ("a\nb\nc\nd\n", "a\n...\nd\n", True),
        ("a\nd\n", "a\n...\nd\n", True),
        ("a\nd\n", "a\n...\ne\n", False),
        ("took 12.3 s (a+b)\n", "took ... s (a+b)\n", True),
        ("took 12.3 s\nmore\n", "took ...\n", False),
        ("", "a\n", False),
    ],
)
def test_output_is_compared(printed: str, expected: str, same: bool) -> None:
    """To the letter, but for dots."""
    assert agrees(printed, expected) is same


@pytest.mark.parametrize(
    ("language", "text", "output", "why"),
    [
        ("python", "print(1)\n", "2\n", "prints"),
        ("python", "1 / 0\n", None, "ZeroDivisionError"),
        ("python", "import sys\nsys.exit(3)\n", None, "ends with 3"),
        ("python", "import sys\nprint(1, file=sys.stderr)\n", None, "writes to stderr"),
        ("toml", 'name = "x"\nmodle = "y"\n', None, "is no toml"),
        ("json", "{", None, "is no json"),
        ("yaml", "a: [", None, "is no yaml"),
        ("py", "", None, "no such language"),
    ],
)
def test_a_block_that_is_wrong_is_told(
    language: str, text: str, output: str | None, why: str, page_run: PageRun
) -> None:
    """With its page and line."""
    with pytest.raises(BlockFailed, match=rf"(?s)README\.md:7: .*{why}"):
        page_run.run(Block("README.md", 7, language, None, text, output))


@pytest.mark.process
def test_a_page_is_a_folder(page_run: PageRun) -> None:
    """Files are imported, changed, and used by commands; a command that fails is told."""

    def block(language: str, text: str, title: str | None = None, output: str | None = None) -> None:
        page_run.run(Block("README.md", 7, language, title, text, output))

    block("python", "PRICE = 3\nif __name__ == '__main__':\n    print(PRICE)\n", "shop.py", "3\n")
    block("python", "import shop\nprint(shop.PRICE, __name__)\n", None, "3 __main__\n")
    block("python", "PRICE = 4\n", "shop.py", "")
    block("python", "import shop\nprint(shop.PRICE)\n", None, "4\n")
    block("csv", "a,b\n", "data/in.csv")
    block("sh", "cat data/in.csv; python shop.py; actors --version\n", None, "a,b\n...\n")
    with pytest.raises(BlockFailed, match="ends with 1"):
        block("sh", "false | cat\n")


def test_blocks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With titles, lines and outputs; indented ones, too."""
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    page = tmp_path / "one.md"
    page.write_text(
        "```python\nprint(1)\n```\n\n```text\n1\n```\n"
        '??? note\n\n    ```python title="a.py"\n    if 1:\n        x = 1\n    ```\n\nText.\n```text\nno output\n```\n'
    )
    assert blocks_of(page) == [
        Block("one.md", 2, "python", None, "print(1)\n", "1\n"),
        Block("one.md", 11, "python", "a.py", "if 1:\n    x = 1\n"),
        Block("one.md", 17, "text", None, "no output\n"),
    ]
