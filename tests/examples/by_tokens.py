"""A second count of what ``examples/audit/measure.py`` measures: by tokens, not by the syntax tree."""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

Line = list[tokenize.TokenInfo]

DECISIONS = {"if", "elif", "for", "while", "except", "and", "or"}
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass
class Scope:
    """A module, class or function while its lines go by."""

    kind: str
    name: str
    depth: int
    line: int
    public: bool
    documented: bool | None = None
    """None until its first statement is seen."""
    documented_elsewhere: bool = False
    end: int = 0
    complexity: int = 1


@dataclass
class Count:
    """The numbers of one source; a function is (name, line, length, complexity)."""

    lines: int
    functions: Counter[tuple[str, int, int, int]] = field(default_factory=Counter)
    bare_excepts: list[int] = field(default_factory=list)
    missing_docstrings: Counter[str] = field(default_factory=Counter)

    @property
    def score(self) -> int:
        """The audit's formula, written down a second time."""
        score = 10 * len(self.bare_excepts) + sum(self.missing_docstrings.values())
        for (_, _, length, complexity), times in self.functions.items():
            score += times * (5 * (length > 50) + max(0, complexity - 10))
        return score


@cache  # several tests ask about the same trees
def count(source: str) -> Count:
    """Count what ``measure`` measures."""
    result = Count(lines=source.count("\n") + (source != "" and not source.endswith("\n")))
    scopes = [Scope("module", "module", -1, 1, public=True)]
    decorators: set[str] = set()
    for depth, line in logical_lines(source):
        while scopes[-1].depth >= depth:
            close(scopes.pop(), result)
        words = [token.string for token in line]
        if words[:2] == ["except", ":"]:
            result.bare_excepts.append(line[0].start[0])
        if words[0] == "@":
            note_statement(scopes[-1], line)
            if all(token.type == tokenize.NAME or token.string == "." for token in line[1:]):
                decorators.add(words[-1])
        elif "def" in words[:2] or words[0] == "class":
            note_statement(scopes[-1], line)
            scope = opened(scopes[-1], depth, line)
            scope.documented_elsewhere = bool(decorators & {"overload", "setter", "deleter"})
            decorators.clear()
            scopes.append(scope)
            body = line[(colon(words) or 0) + 1 :]
            if body:
                note_statement(scope, body)
        else:
            note_statement(scopes[-1], line)
        for scope in reversed(scopes):
            if scope.kind == "def":
                scope.complexity += decisions(line)
                break
        for scope in scopes:
            scope.end = line[-1].end[0]
    for scope in reversed(scopes):
        close(scope, result)
    return result


def logical_lines(source: str) -> Iterator[tuple[int, Line]]:
    """Each statement (or the head of one) with its depth of indentation."""
    depth = 0
    line: Line = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.INDENT:
            depth += 1
        elif token.type == tokenize.DEDENT:
            depth -= 1
        elif token.type == tokenize.NEWLINE:
            if line:
                yield depth, line
            line = []
        elif token.type not in LAYOUT:
            line.append(token)


def opened(outer: Scope, depth: int, line: Line) -> Scope:
    """The scope that a ``def`` or ``class`` line opens."""
    words = [token.string for token in line]
    at = words.index("class" if words[0] == "class" else "def")
    name = words[at + 1]
    return Scope(
        kind=words[at],
        name=name if outer.kind == "module" else f"{outer.name}.{name}",
        depth=depth,
        line=line[0].start[0],
        public=outer.public and outer.kind != "def" and not name.startswith("_"),
    )


def note_statement(scope: Scope, statement: Line) -> None:
    """The first statement of a scope decides whether it has a docstring."""
    if scope.documented is None:
        words = [token.string for token in statement]
        text = statement[: words.index(";") if ";" in words else None]
        scope.documented = all(token.type == tokenize.STRING for token in text) and any(
            isinstance(value := ast.literal_eval(token.string), str) and value for token in text
        )


def close(scope: Scope, result: Count) -> None:
    """Write down what is known of a scope at its end."""
    if scope.public and scope.documented is False and not scope.documented_elsewhere:
        result.missing_docstrings[scope.name] += 1
    if scope.kind == "def":
        length = scope.end - scope.line + 1
        result.functions[scope.name, scope.line, length, scope.complexity] += 1


def colon(words: list[str]) -> int | None:
    """Where the colon stands that ends the head of a compound statement."""
    brackets = 0
    for index, word in enumerate(words):
        brackets += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        if word == ":" and brackets == 0:
            return index
    return None


def decisions(line: Line) -> int:
    """The decisions on one logical line."""
    words = [token.string for token in line]
    found = sum(token.type == tokenize.NAME and token.string in DECISIONS for token in line)
    if words[0] == "case" and words[1:2] != [":"] and colon(words):
        found += not (words[1] == "_" and words[2] in (":", "if"))
    return found + sum(inside_f_string(token.string) for token in line if token.type == tokenize.STRING)


def inside_f_string(text: str) -> int:
    """The decisions inside an f-string, which is one token up to Python 3.11."""
    prefix = text[: text.index(text[-1])].lower()
    if "f" not in prefix:
        return 0
    return sum(
        decisions(line)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FormattedValue)
        for _, line in logical_lines(ast.unparse(node.value) + "\n")
    )
