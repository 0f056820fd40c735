"""Which command lines a ``shell`` grant allows."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .shortened import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

OPTION = ("-", "@")
HARMLESS = ("-", "--")
"""Standard input (there is none), and the end of the options."""
LONGEST_SHOWN = 300
"""Characters of a refused command, or option, that its refusal repeats."""


@dataclass(frozen=True, slots=True)
class AllowedCommand:
    """One item of ``allowed_commands``, taken apart.

    ``git log --oneline --max-count=*`` allows ``git log``, with any arguments that are no options, and with these two
    options; ``*`` in an option stands for anything. What begins with ``-`` is an option, wherever it stands: an
    argument that the model makes up must not become ``--upload-pack=...`` or ``-o``. So is what begins with ``@``: many
    programs read options from a file of that name. An option before a word belongs to the words: ``python -m pytest``.

    Args:
        words: The program, and what has to follow it.
        options: Patterns.
    """

    words: tuple[str, ...]
    options: tuple[str, ...]

    @classmethod
    def parse(cls, item: str) -> AllowedCommand:
        """Take *item* apart, at white space; quotes keep a word together.

        Raises:
            ValueError: A quote is not closed, or there is no program.
        """
        import shlex

        try:
            parts = shlex.split(item)
        except ValueError as error:
            raise ValueError(f"{item!r} is no command: {error}") from None
        plain = [place for place, part in enumerate(parts) if not part.startswith(OPTION)]
        if not plain or plain[0] != 0 or not parts[0]:
            raise ValueError(f"{item!r} names no program")
        end = plain[-1] + 1
        return cls(tuple(parts[:end]), tuple(parts[end:]))

    def begins(self, command: Sequence[str]) -> bool:
        """Does *command* begin with these words?"""
        return tuple(command[: len(self.words)]) == self.words

    def refused_option(self, command: Sequence[str]) -> str | None:
        """The first option of *command*, which begins with these words, that is not allowed; None when all are."""
        for argument in command[len(self.words) :]:
            if not argument.startswith(OPTION) or argument in HARMLESS:
                continue
            if not any(fnmatchcase(argument, option) for option in self.options):
                return argument
        return None

    def covers(self, other: AllowedCommand) -> bool:
        """Does it allow all that *other* allows?"""
        return (
            self.begins(other.words)
            and self.refused_option(other.words) is None
            and all(any(_covers(pattern, option) for pattern in self.options) for option in other.options)
        )


def refusal(items: Sequence[str], command: Sequence[str]) -> str | None:
    """Why none of *items* allows *command*; None when one does."""
    allowed = [one for one in map(AllowedCommand.parse, items) if one.begins(command)]
    options = [one.refused_option(command) for one in allowed]
    if None in options:
        return None
    import shlex

    said = repr(shortened(shlex.join(command), LONGEST_SHOWN))
    what = f"the option {shortened(options[0] or '', LONGEST_SHOWN)!r} in {said}" if options else said
    return f"{what} is not in allowed_commands ({', '.join(items) or 'none'})"


def _covers(pattern: str, option: str) -> bool:
    if pattern == option:
        return True
    if _is_plain(option):
        return fnmatchcase(option, pattern)
    return pattern.endswith("*") and _is_plain(pattern[:-1]) and option.startswith(pattern[:-1])


def _is_plain(text: str) -> bool:
    return not any(sign in text for sign in "*?[")
