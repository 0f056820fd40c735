"""Does an error say that a request is too long for the model, and in which numbers? Each server has its own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS = re.compile(
    r"context[_ ]?(length|window|size)[_ ]?(exceed|is[_ ]?full)|exceed_context_size|max_prompt_tokens_exceeded"
    r"|tokens_limit_reached|prompt_too_long|input_too_long|max_tokens_per_request"
)
SURE = re.compile(
    r"max(imum)? (allowed )?(context|model|prompt|input|sequence) (length|size|window)"
    r"|exceed\w* (the |its |the model'?s? )?(available |maximum |max |configured |total )?context"
    r"|exceed\w* (the )?model('s)? max(imum)? (context|model|prompt|input|sequence|len)"
    r"|exceed\w* (the )?(max|maximum) (message tokens|(input |prompt )?length)"
    r"|exceed\w* (the )?model token limit"
    r"|context (length|window|size|limit)( has been| was|s)? (exceed|overflow|full)"
    r"|(prompt|input|context|messages?)( length| token count)? exceeds? (the )?(context|max)"
    r"|context overflow|contextwindowexceed"
    r"|(longer|larger|greater|more) than the (model'?s? )?(available )?(context|maximum (context|model))"
    r"|context (length|window|size) of (only )?\d"
    r"|inputs`? tokens \+ |`?inputs`? must have less than|range of input length should be"
    r"|input length and `?max_tokens"
    r"|max(imum)? supported sequence length"
    r"|input token count is [\d,]+ but model only supports"
    r"|(length|sum) of prompt[_ ](tokens|length).{0,80}?(less than|exceeds?)"
    r"|input[_ ]?tokens? ?\([\d,]+\) ?\+ ?max[_ ]?tokens"
    r"|max(_tokens| input token).{0,12}? (must be at least 1, got -\d|[\d,]+ exceeded, got)"
    r"|prompt 超长"
    r"|上下文.{0,12}超|超.{0,8}(上下文|最大长度)|输入.{0,8}(过长|太长|超)",
    re.IGNORECASE,
)
ANSWER_ONLY = re.compile(
    r"max(imum)?[ _](new_|completion_|output_)?tokens?\b.{0,40}?(too large|too high|must be|should be|at most|exceed"
    r"|above|not valid|less than|\d >)|supports? at most [\d,]+ (completion|output)"
    r"|(completion|output) tokens? (for|limit)",
    re.IGNORECASE,
)
"""It is the answer that may not be so long."""
LIKELY = re.compile(
    r"\b(prompt|input|inputs|request( body)?|messages?|conversation|query|context|text)s?"
    r"(?: \([^)]{0,60}\))? (is |are |was |were )?too (long|large|big)"
    r"|too many (input |prompt )?tokens"
    r"|(prompt|input|request|messages?|total)\b.{0,60}?\b(exceed|longer than|larger than|greater than).{0,60}?"
    r"(token|length|context)"
    r"|token count.{0,40}?exceed|reduce the length of (the |your )?(messages|prompt|input|conversation)"
    r"|max(imum)? length exceeded|requested [\d,]+ tokens, max",
    re.IGNORECASE,
)
RATE = re.compile(
    r"\bper[ -]?(minute|min|second|hour|day|month)\b|\b[tr]p[mdsh]\b|rate[ _-]?limit|throttl|quota|please wait|credits"
    r"|per(minute|day)",
    re.IGNORECASE,
)
"""It is not the window that is too small."""

GROUPED = re.compile(r"(?<=\d)[,_'\u2019\u2007-\u200a\u202f\u00a0](?=\d{3}(?!\d))")
NUMBER = re.compile(r"(?<![\w.-])\d{2,9}(?!\w|\.\d|-\d)")
SUM = re.compile(r"(\d{1,9}) ?\+ ?(\d{1,9}) ?>=? ?(\d{2,9})")
REST = re.compile(r"(\d{2,9}) ?>=? ?(\d{2,9}) ?[-\N{MINUS SIGN}] ?(\d{1,9})")
GIVEN = re.compile(r"must be <= ?(\d{2,9})\. Given: (\d{1,9}) .{0,12}?tokens and (\d{1,9})")
IN_BRACKETS = re.compile(r"\((\d{2,9})\)[^().]{0,20} exceeded [^().]{0,60}\((\d{2,9})\)")
SHARE = re.compile(r"\b(\d{2,9}) ?/ ?(\d{2,9})\b")
NEEDED = re.compile(
    r"request(ed|s)|required?s?\b|needs?\b|resulted in|contains?\b|\bhas\b|\bhave\b|received|\bgot\b|given|supplied"
    r"|provided|\bused?\b|keep the first|current length|total of|n_prompt_tokens|n_keep|actual",
    re.IGNORECASE,
)
AVAILABLE = re.compile(
    r"\bmax|limit|available|allowed|at most|less than|<=|>|no more than|up to|n_ctx|context (length|window|size)"
    r"|exceeds?\b|should be|supports?\b|capacity",
    re.IGNORECASE,
)
SUBJECT = re.compile(r"prompt|input|request|message|sequence|conversation|count|length", re.IGNORECASE)
NEEDED_AFTER = re.compile(r"\s*(tokens? )?(are |were |is )?(required|requested|needed)\b", re.IGNORECASE)
AVAILABLE_AFTER = re.compile(r"\s*(tokens? )?(are |is )?(available|max(imum)?|limit|allowed)\b", re.IGNORECASE)
CODE = re.compile(r"\(\d+\)\W*$")
"""A server's own number of the error, at the end."""
REACH = 80
"""Characters before a number in which the words are that it belongs to."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """A request that is too long, in tokens; None: the server does not say."""

    needed: int | None
    available: int | None


def overflow_in(text: str, kind: str, parts: Iterable[Mapping[str, Any]] = ()) -> Overflow | None:
    """Whether an error says so.

    Args:
        text: Its words.
        kind: Its type and code, in lower case.
        parts: The objects of its body: llama.cpp has its numbers in fields.
    """
    if RATE.search(kind) or not (KINDS.search(kind) or (not RATE.search(text) and _says_so(text))):
        return None
    for part in parts:
        needed, available = _tokens(part.get("n_prompt_tokens")), _tokens(part.get("n_ctx"))
        if needed is not None and available is not None:
            return Overflow(needed, available)
    return _numbers(GROUPED.sub("", text))


def _says_so(text: str) -> bool:
    return bool(SURE.search(text) or (not ANSWER_ONLY.search(text) and LIKELY.search(text)))


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


def _numbers(text: str) -> Overflow:
    """Each number with the words that it stands beside."""
    if found := SUM.search(text):
        return Overflow(int(found[1]) + int(found[2]), int(found[3]))
    if found := REST.search(text):
        return Overflow(int(found[1]) + int(found[3]), int(found[2]))
    if found := GIVEN.search(text):
        return Overflow(int(found[2]) + int(found[3]), int(found[1]))
    if found := IN_BRACKETS.search(text):
        return Overflow(int(found[1]), int(found[2]))
    if (found := SHARE.search(text)) and int(found[1]) > int(found[2]):
        return Overflow(int(found[1]), int(found[2]))
    return _beside_words(text)


def _beside_words(text: str) -> Overflow:
    if "token" not in text.lower():
        text = CODE.sub("", text)
    needed: list[int] = []
    available: list[int] = []
    unknown: list[int] = []
    seen = 0
    for number in NUMBER.finditer(text):
        before = text[max(seen, number.start() - REACH) : number.start()]
        _side(before, text[number.end() : number.end() + REACH], needed, available, unknown).append(int(number[0]))
        seen = number.end()
    room = available[0] if available else None
    need = max(needed) if needed else None
    if need is None and room is not None:  # "(33000 tokens): the limit is 32768"
        need = next((number for number in unknown if number > room), None)
    return Overflow(need, room)


def _side(before: str, after: str, needed: list[int], available: list[int], unknown: list[int]) -> list[int]:
    if NEEDED_AFTER.match(after):
        return needed
    if AVAILABLE_AFTER.match(after):
        return available
    need, room = _last(NEEDED, before), _last(AVAILABLE, before)
    if need != room:
        return needed if need > room else available
    return needed if SUBJECT.search(before) else unknown


def _last(words: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in words.finditer(text)), default=-1)
