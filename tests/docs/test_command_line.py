"""``docs/command-line.md`` has each command with its arguments and options, and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from actors.cli.main import app

from .pages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (DOCS / "command-line.md").read_text(encoding="utf-8")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
NOT_OURS = frozenset({"-vv", "-t"})
"""``-v`` twice; an option of ``ssh``."""


def commands() -> Iterator[tuple[str, Any]]:
    """Each that does something, by its whole name."""

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner: dict[str, Any] = getattr(command, "commands", {})
        if not inner:
            yield name, command
        for word, one in inner.items():
            yield from below(f"{name} {word}", one)

    yield from below("actors", typer.main.get_command(app))


COMMANDS = dict(commands())


def section(name: str) -> str:
    """What stands below the heading of a command, up to the next heading of its level or above, code left out.

    A command of a group has what its group says of all, too.
    """
    text = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"^(##+ .*)$", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    if len(name.split()) > 2:
        return found[f"## {name.rsplit(' ', 1)[0]}"] + found[f"### {name}"]
    begin = re.search(rf"^## {name}$", text, re.MULTILINE)
    assert begin is not None, f"no heading for {name}"
    return re.split(r"^## ", text[begin.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def options_of(command: Any) -> set[str]:
    """All its names for options."""
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}


def test_the_commands_are_found() -> None:
    """Else the tests below could not fail."""
    assert {"actors run", "actors journal show", "actors sessions delete"} <= COMMANDS.keys()
    assert {"--prompt", "-q", "--quiet"} <= options_of(COMMANDS["actors run"])
    assert OPTION.findall("`-o FILE`, `--output FILE`; a-b, --x-y") == ["-o", "--output", "--x-y"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_a_command_is_told(name: str) -> None:
    """In the section of its command."""
    told = {"-h", "--help"} | set(OPTION.findall(section(name)))
    assert options_of(COMMANDS[name]) - told == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_that_is_told_is_there(name: str) -> None:
    """In that command, or in one that its section speaks of."""
    there = {option for command in COMMANDS.values() for option in options_of(command)}
    in_table = {
        option
        for line in section(name).splitlines()
        if line.startswith("| ")
        for option in OPTION.findall(" ".join(re.findall(r"`([^`]*)`", line.removeprefix("| all ").split(" | ")[0])))
    }
    assert in_table - options_of(COMMANDS[name]) - {"-h", "--help"} == set()
    assert set(OPTION.findall(section(name))) - there - {"-h", "--help"} - NOT_OURS == set()


def test_all_commands_are_in_the_table_at_the_top() -> None:
    """One line for each word after ``actors``."""
    assert {" ".join(name.split()[:2]) for name in COMMANDS} == set(
        re.findall(r"^\| \[`(actors \w+)`\]", PAGE, re.MULTILINE)
    )
