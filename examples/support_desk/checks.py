"""What is checked on the way: guardrails of the desk."""

import re

from actors import CompletionResponse, Refuse, Trip, guardrail

CARD = re.compile(r"\b(?:\d[ -]?){15}\d\b")
PROMISE = re.compile(r"\b(guarantee|promise)\b", re.IGNORECASE)


@guardrail("check_input")
def no_card_numbers(query: str) -> Trip | None:
    """A number of a credit card goes to no model."""
    return Trip("the message has the number of a card in it") if CARD.search(query) else None


@guardrail("after_completion")
def no_promises(response: CompletionResponse) -> Refuse | None:
    """Nobody here may promise anything."""
    return Refuse("say it without a promise") if PROMISE.search(response.text) else None
