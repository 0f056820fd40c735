"""Which field of a request an error refuses, and what it wants in its place. From its words alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

QUOTES = "\"'`\u2018\u2019\u201c\u201d"
Q = rf"[{QUOTES}]?"
NAME = rf"{Q}(?<![\w.])([A-Za-z_][\w.\[\]]{{0,99}}){Q}"
NAMES = (
    rf"(?<![\w.])({Q}[A-Za-z_][\w.\[\]]{{0,99}}{Q}(?:(?:, ?| and | & |, and ){Q}[A-Za-z_][\w.\[\]]{{0,99}}{Q}){{0,9}})"
)
THING = r"(?:parameter|argument|field|propert(?:y|ie)|key|name|option|attribute|param|kwarg|value|input)(?:s|\(s\))?"
NOT = (
    r"(?:not (?:yet |currently )?"
    r"(?:supported|allowed|permitted|recogni[sz]ed|accepted|available|known|implemented|enabled)"
    r"|unsupported|unknown|unrecogni[sz]ed|unexpected|deprecated|forbidden|disallowed|no longer (?:supported|accepted))"
)
REFUSED = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        # Unsupported parameter: 'x'; Unrecognized request arguments supplied: x, y; unknown field "x"
        rf"(?:unsupported|unrecogni[sz]ed|unknown|unexpected|additional|extra|undefined|disallowed|not supported)"
        rf" (?:request |keyword |input |body |json |model )?{THING}"
        r"(?: (?:supplied|provided|found|passed|included|specified|in request|in body|present))?"
        rf"(?: ?[:=] ?| )[(\[{{]?{NAMES}",
        # Argument not supported on this model: x
        rf"{THING} {NOT}(?: (?:on|by|with|for) this model)?(?: ?[:=] ?| )[(\[{{]?{NAMES}",
        # 'x' is not supported; property 'x' is unsupported; x and y are not allowed
        rf"{NAMES}(?: {THING})? (?:is|are|was|were) {NOT}",
        # 'x' does not support 0.3
        rf"[{QUOTES}]([A-Za-z_]\w{{0,99}})[{QUOTES}](?: {THING})? (?:does not|doesn't) support",
        # x cannot be set; `x` and `y` cannot both be specified
        rf"{NAMES}(?: {THING})? (?:(?:cannot|can not|can't|may not|must not|should not)"
        rf" (?:both |also )?be (?:used|set|specified|provided|sent|given|passed|present|changed|combined))",
        # This model does not support x; does not accept the parameter 'x'
        rf"(?:does not|doesn't|do not|don't|cannot|can't) (?:yet |currently )?"
        rf"(?:support|accept|recogni[sz]e|allow|know|take) (?:the |setting |a |any |custom )*"
        rf"(?:{THING})?(?: ?: ?| )?[(\[{{]?{NAMES}",
        # x: Extra inputs are not permitted
        rf"{NAME}: (?:extra (?:inputs|fields) (?:are )?not permitted|unexpected (?:field|key|property)|unknown field)",
        # Extra inputs are not permitted, field: 'x'
        rf"not (?:permitted|allowed|supported)[,;:]? ?\(?(?:{THING}: ?)?{NAMES}",
        # [{{'type': 'extra_forbidden', 'loc': ('body', 'x'), ...}}]
        r"extra_forbidden['\"], ?['\"]loc['\"]: ?[(\[]['\"]body['\"], ?['\"](\w{1,100})['\"][)\]]",
    )
)
INVALID = re.compile(
    rf"invalid (?:request |input )?{THING}(?: (?:supplied|provided|in request))?(?: ?: ?| ){NAME}(.{{0,80}})",
    re.IGNORECASE,
)
"""A field, or its value? The latter, where a bound or a type follows."""
A_VALUE = re.compile(r"must|should|between|range|expected|at (?:least|most)|less|greater|got|\d", re.IGNORECASE)
STREAM = rf"{Q}stream(?:ing|ed)?{Q}(?!\w)"
IN_OTHER_WORDS = tuple(
    (frozenset(fields), re.compile(words, re.IGNORECASE))
    for fields, words in (
        # Claude with thinking; Kimi; LiteLLM
        (
            ("temperature",),
            rf"{Q}temperature{Q} (?:may only be|can only be|must be (?:exactly )?1(?![\d.]))|invalid temperature\b"
            rf"|{Q}temperature{Q}: (?:input should be 1(?![\d.])|deprecated)|only (?:supports? )?{Q}temperature{Q} ?=",
        ),
        # DeepSeek, Groq, Azure, LM Studio, Gemini, llama.cpp
        (
            ("response_format", "output_config"),
            r"response[_ ]format\W{0,3}(?:type |value )?(?:\w+ ){0,4}(?:is )?(?:unavailable|enabled only|must be)"
            r"|response[_ ]format\.type\W{0,2} must be|(?:does not|doesn't) support (?:the )?response[_ ]format"
            r"|response mime ?type.{0,40}unsupported|json mode cannot be combined"
            r"|cannot use custom grammar constraints",
        ),
        # Responses of a model that does not reason: https://github.com/pydantic/pydantic-ai/issues/3326
        (
            ("include",),
            r"encrypted[_ ]content['\"]? (?:is|are) (?:\w+ )?not supported|invalid value: '?reasoning\.encrypted",
        ),
        # OpenAI's reasoning models and organizations that are not verified, Bedrock, LiteLLM, gateways
        (
            ("stream",),
            rf"(?<![\w-])streaming(?: \w+){{0,4}} (?:is|are) (?:\w+ )?(?:{NOT}|unavailable|disabled)"
            r"|verified to stream\b|(?:does not|doesn't|do not|don't|cannot|can't|can not)"
            rf" (?:support|accept|allow|handle|use)(?: \w+){{0,5}} {STREAM}"
            rf"|(?:cannot|can't|can not|unable to) (?:be )?{STREAM}"
            rf"|{NOT} (?:in|with|when|while|for|during) (?:using )?(?:the )?{STREAM}(?! is)"
            rf"|(?<![\w.]){Q}stream{Q}(?!\w)(?:\W{{1,3}}\w{{1,20}}){{0,3}}?"
            r" (?:be|to)(?: set to| exactly)? (?:false|disabled|off)"
            rf"|{Q}stream{Q} ?[=:] ?true{Q} (?:is|are) {NOT}|only {Q}stream{Q} ?[=:] ?false",
        ),
    )
)
"""Of fields whose values are refused where they are named otherwise, or not at all."""
ALONE = re.compile(r"[A-Za-z_][\w.\[\]]*")
NEVER = frozenset({"model", "messages", "input"})
"""Without these there is no request: no error means that they are to be left out."""
HOLDERS = frozenset({"tools", "system", "contents", "input", "stream", *NEVER})
"""What is refused within these is not the field itself."""

REPLACED = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        # 'x' is not supported with this model. Use 'y' instead.
        rf"{NAME}(?: {THING})? (?:is|are) {NOT}[^.;]{{0,100}}[.;,:]? (?:and |but )?(?:please |instead,? )*"
        rf"(?:use|try|set|specify|send|pass)(?: the)?(?: {THING})? {NAME}",
        # Unsupported parameter: 'x'. Use 'y' instead.
        rf"(?:unsupported|unrecogni[sz]ed|unknown|unexpected)[\w ()]{{0,40}}: ?{NAME}[.;,]? (?:please |instead,? )*"
        rf"(?:use|try|set|specify|send|pass)(?: the)?(?: {THING})? {NAME}",
        # 'x' has been replaced by 'y'; renamed to 'y'; deprecated in favor of 'y'
        rf"{NAME}(?: {THING})? (?:has been |have been |is |was |are |must be |should be )?(?:now )?"
        rf"(?:replaced (?:by|with)|renamed (?:to|as)|superseded by|deprecated in favou?r of)"
        rf"(?: the)?(?: {THING})? {NAME}",
    )
)
INSTEAD_OF = re.compile(
    rf"(?:use|set|specify|send|pass)(?: the)?(?: {THING})? {NAME}(?: {THING})? (?:instead of|in place of|rather than)"
    rf"(?: the)?(?: {THING})? {NAME}",
    re.IGNORECASE,
)
GUESS = re.compile(rf"{NAME}(?: {THING})?(?: (?:is|are) {NOT})?[.,;?]? did you mean {NAME}", re.IGNORECASE)
"""A guess by the letters: taken only when both names are for one thing (max_tokens, max_completion_tokens)."""
SIMPLE = re.compile(r"[A-Za-z]\w*")
LONGEST = 4_000


def replaced_field(words: str) -> tuple[str, str] | None:
    """The field that is refused, and the name of its replacement; None when the error names none."""
    text = words[:LONGEST]
    for pattern in REPLACED:
        for found in pattern.finditer(text):
            if pair := _pair(found, 1, 2):
                return pair
    for found in INSTEAD_OF.finditer(text):
        if pair := _pair(found, 2, 1):
            return pair
    for found in GUESS.finditer(text):
        pair = _pair(found, 1, 2)
        if pair and pair[0].split("_")[-1] == pair[1].split("_")[-1]:
            return pair
    return None


def _pair(found: re.Match[str], old: int, new: int) -> tuple[str, str] | None:
    """The two names, if they are names: in quotes, or with an underscore; "use another model" has none."""
    before, after = found[old].rstrip("."), found[new].rstrip(".")
    start = found.start(new)
    is_named = "_" in after or found.string[max(0, start - 1) : start] in tuple(QUOTES)
    is_simple = SIMPLE.fullmatch(before) and SIMPLE.fullmatch(after)
    return (before, after) if is_named and is_simple and before != after else None


def unknown_fields(words: str, sent: Collection[str]) -> set[str]:
    """Which of the fields that were *sent* an error refuses: as unknown, as unsupported, or in their value.

    A field whose name is merely mentioned is not among them.
    """
    text = words[:LONGEST]
    named: set[str] = set()
    for pattern in REFUSED:
        for found in pattern.finditer(text):
            named.update(name.rstrip(".") for name in ALONE.findall(found[1]))
    named.update(found[1] for found in INVALID.finditer(text) if not A_VALUE.search(found[2]))
    for fields, pattern in IN_OTHER_WORDS:
        if pattern.search(text):
            named |= fields
    paths = {name.removeprefix("body.") for name in named}
    roots = {re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths if re.search(r"[.\[]", path)} - HOLDERS
    return {name for name in sent if name in paths or name in roots} - NEVER
