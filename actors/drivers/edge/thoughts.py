"""Thoughts that stand in a text before the answer, between marks."""

from __future__ import annotations

import json

MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""Of DeepSeek, Qwen and most others; of Gemini, Seed, Magistral, Kimi, Cohere, and gpt-oss behind a server that does
not know its marks. What opens them is looked for at the very beginning only: an answer may speak of them.
"""
_LONGEST = max(len(begin) for begin, _ in MARKS)
_LONE = tuple(end for _, end in MARKS)
"""Some templates put the opening mark into the question: then the answer has the closing one alone."""


def split_thoughts(text: str) -> tuple[str, str]:
    """The thoughts before the answer, and the answer. A text without thoughts is the answer as it is."""
    thoughts: list[str] = []
    rest = text
    while True:
        start = rest.lstrip()
        marks = next((marks for marks in MARKS if start.startswith(marks[0])), None)
        if marks is None:
            break
        thought, found, rest = start[len(marks[0]) :].partition(marks[1])
        thoughts.append(thought)
        if not found:
            return _joined(thoughts), ""
    if not thoughts:
        lone = _lone_end(text)
        if lone is None:
            return "", text
        thoughts, rest = [text[: lone[0]]], text[lone[1] :]
    return _joined(thoughts), rest.lstrip()


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(thought for thought in map(str.strip, thoughts) if thought)


def _lone_end(text: str) -> tuple[int, int] | None:
    """Where a closing mark that nothing opened begins and ends; None when *text* only speaks of it."""
    if _is_json(text):
        return None  # which may hold anything
    for end in _LONE:
        at = text.find(end)
        if at < 0 or end.replace("/", "") in text[:at]:
            continue
        if not _is_quoted(text[:at], text[at + len(end) :]):
            return at, at + len(end)
    return None


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_quoted(before: str, after: str) -> bool:
    """Does what stands between them stand in quotes, or in code?"""
    line_before, line_after = before.rpartition("\n")[2], after.partition("\n")[0]
    return (
        (before[-1:] in ('"', "'") and after[:1] == before[-1:])
        or bool(line_before.count("`") % 2 and "`" in line_after)
        or bool(before.count("```") % 2 and after.count("```") % 2)
    )


class ThoughtFilter:
    """The same for a text that comes in pieces: tells what is no thought, as soon as it can be known.

    What came before a closing mark that nothing opened was told by then.
    """

    def __init__(self) -> None:
        self._held = ""  # may be the beginning of a mark
        self._end = ""  # the mark that ends the thoughts at hand
        self._thought = False  # there were thoughts: what parts them from the answer is not told
        self._passed = False  # the answer has begun

    def feed(self, text: str) -> str:
        """What of the text so far may be told now."""
        if self._passed:
            return text
        self._held += text
        while True:
            if self._end:
                _, found, rest = self._held.partition(self._end)
                if not found:
                    self._held = self._held[-len(self._end) :]
                    return ""
                self._held, self._end, self._thought = rest, "", True
            start = self._held.lstrip()
            marks = next((marks for marks in MARKS if start.startswith(marks[0])), None)
            if marks is None:
                break
            self._held, self._end = start[len(marks[0]) :], marks[1]
        if len(start) < _LONGEST and any(begin.startswith(start) for begin, _ in MARKS):
            return ""
        return self.end()

    def end(self) -> str:
        """What is left when no more comes."""
        told = "" if self._end else self._held.lstrip() if self._thought else self._held
        self._held, self._passed = "", not self._end
        return told
