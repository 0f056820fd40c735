"""A support desk: triage hands off to billing and tech, each customer has a session, a refund needs a person.

    python examples/support_desk/desk.py C-7                      talk as the customer C-7
    python examples/support_desk/desk.py C-7 --driver openai      the same, answered by a real model (OPENAI_API_KEY)
    python examples/support_desk/desk.py C-7 --say "Hello" --say "Please refund order A-1001" --approve

Without ``--driver`` it answers by rules (``policy.py``), offline. What was said is in ``desk-chats.db`` and goes on the
next time; the handbook is in ``desk-handbook.db``.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from policy import desk
from shop import Order, Shop

from actors import AgentManifest, AgentOutcome, AgentPool, Conversation, Event, Sessions, SqliteMemory
from actors.events import ApprovalRequested, HandedOff

HERE = Path(__file__).parent
MODELS = {"openai": "openai:gpt-5-mini", "anthropic": "anthropic:claude-haiku-4-5"}
ORDERS = {
    "A-1001": Order("C-7", "a lamp", 49.0),
    "A-1002": Order("C-7", "a rug", 180.0),
    "A-2001": Order("C-8", "a chair", 95.0),
}


class Person:
    """Who works at the desk: sees where a customer is handed on to, and agrees to refunds, or does not.

    Args:
        answer: Yes or no to each refund; None asks at the terminal.
    """

    def __init__(self, answer: bool | None) -> None:
        self.pool: AgentPool | None = None
        self._answer = answer

    def __call__(self, event: Event) -> None:
        """Take one event of the pool."""
        if isinstance(event, HandedOff):
            print(f"[{event.source} -> {event.target}]", file=sys.stderr)
        if isinstance(event, ApprovalRequested) and self.pool is not None:
            if self._agrees(event):
                self.pool.approve(event.agent_id, event.call_id)
            else:
                self.pool.deny(event.agent_id, event.call_id, "a colleague looks at it first")

    def _agrees(self, event: ApprovalRequested) -> bool:
        print(f"[{event.tool} {event.input}]", file=sys.stderr)
        if self._answer is not None:
            return self._answer
        try:
            return input("a person at the desk: refund? [y/N] ").strip().lower() == "y"
        except EOFError:  # nobody is there, and the agent waits for an answer
            return False


def said(lines: list[str]) -> Iterator[str]:
    """What the customer says: *lines*, or what is typed until the input ends."""
    yield from lines
    while not lines:
        try:
            yield input("customer> ")
        except EOFError:
            return


def shown(outcome: AgentOutcome) -> str:
    """The answer and who gave it, or why there is none."""
    return f"{outcome.answered_by}: {outcome.result.text}" if outcome.result else f"(no answer: {outcome.error})"


def talk(conversation: Conversation, lines: list[str]) -> None:
    """Answer what the customer says."""
    for line in said(lines):
        print(shown(conversation.ask(line)))


def main(arguments: list[str] | None = None) -> None:
    """Answer one customer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("customer", help="the customer's number: C-7, C-8")
    parser.add_argument(
        "--driver", default="", help="openai, anthropic, or a word such as openai:llama3.2@http://127.0.0.1:11434/v1"
    )
    parser.add_argument("--say", action="append", default=[], metavar="TEXT", help="in place of the terminal")
    parser.add_argument("--approve", action=argparse.BooleanOptionalAction, help="every refund, or none")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the files are kept")
    asked = parser.parse_args(arguments)
    person, driver = Person(asked.approve), MODELS.get(asked.driver, asked.driver) or desk
    triage = AgentManifest.load(HERE / "triage.toml")
    with (
        Sessions(asked.folder / "desk-chats.db") as sessions,
        SqliteMemory(asked.folder / "desk-handbook.db") as handbook,
        AgentPool(driver, sessions=sessions, memory=handbook, on_event=person) as pool,
    ):
        # A section is a piece. A text that has not changed is not written again.
        handbook.add_document("handbook", HERE / "handbook.md", words_per_piece=50, overlap=0)
        person.pool = pool
        talk(pool.converse(triage, asked.customer, deps=Shop(asked.customer, dict(ORDERS))), asked.say)


if __name__ == "__main__":
    main()
