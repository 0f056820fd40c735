"""The support desk: hands off, remembers each customer, lets a person approve refunds, and stops what must not pass."""

from pathlib import Path

from actors import CompletionResponse, ToolCall

from ..drivers.provider import Asked, Provider

DESK = Path(__file__).parents[2] / "examples" / "support_desk" / "desk.py"


def said(*lines: str) -> list[str]:
    """The customer's lines as arguments."""
    return [argument for line in lines for argument in ("--say", line)]


def test_customers_are_served(run, tmp_path):
    """The next day goes on where this one ended; a refund that a person denies is not made; no card number passes."""
    lines = said("Hello, my name is Ada", "Please refund order A-1001", "I cannot log in", "4111 1111 1111 1111")
    first = run(DESK, "C-7", "--folder", tmp_path, *lines, "--approve")
    more = said("Who am I?", "Refund order A-2001", "Refund order A-1002")
    second = run(DESK, "C-7", "--folder", tmp_path, *more, "--no-approve")
    other = run(DESK, "C-8", "--folder", tmp_path, *said("Who am I?", "Refund order A-2001"))  # no input: nobody agrees

    assert [done.returncode for done in (first, second, other)] == [0, 0, 0]
    hello, refund, login, *_, card = first.stdout.splitlines()
    assert hello.startswith("triage: Hello Ada!")
    assert refund == "billing: 49.00 EUR of order A-1001 went back"
    assert login.startswith("tech: The handbook, piece 1:")
    assert "asks for a new password" in first.stdout
    assert "no_card_numbers tripped in check_input" in card
    assert first.stderr.splitlines() == [
        "[triage -> billing]",
        "[refund {'number': 'A-1001', 'amount': 49.0}]",
        "[triage -> tech]",
    ]
    known, foreign, denied = second.stdout.splitlines()
    assert known.startswith("triage: Hello Ada!")
    assert foreign == "billing: there is no order A-2001 of this customer"
    assert "it was denied: a colleague looks at it first" in denied
    stranger, alone = other.stdout.splitlines()
    assert stranger.startswith("triage: Hello! I can")  # of Ada it knows nothing
    assert "it was denied: a colleague looks at it first" in alone


def test_a_real_model_answers(run, tmp_path, monkeypatch):
    """The same desk over Chat Completions: it is told of the handoffs, and goes on with the prompt of who answers."""
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    asked: list[Asked] = []

    def answer(request: Asked) -> CompletionResponse | str:
        asked.append(request)
        if len(asked) == 1:
            return CompletionResponse(tool_calls=[ToolCall("c1", "transfer_to_tech", {"reason": "E-41"})])
        return "The first line has no column sku. I promise!" if len(asked) == 2 else "The first line lacks sku."

    with Provider(answer) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        done = run(DESK, "C-7", "--folder", tmp_path, *said("What is E-41?"), "--driver", "openai")

    assert (done.returncode, done.stdout) == (0, "tech: The first line lacks sku.\n")
    first, second, third = (request.body for request in asked)
    assert {tool["function"]["name"] for tool in first["tools"]} == {"transfer_to_billing", "transfer_to_tech"}
    assert "C-7" in first["messages"][0]["content"]
    assert "Search the handbook first" in second["messages"][0]["content"]
    assert "without a promise" in third["messages"][-1]["content"]
    assert first["model"] == "gpt-5-mini"


def test_a_bad_word_is_refused(run, tmp_path):
    """With the one that was meant."""
    done = run(DESK, "C-7", "--folder", tmp_path, *said("Hello"), "--driver", "opanai")

    assert done.returncode == 1
    assert "'opanai', did you mean 'openai'" in done.stderr.splitlines()[-1]
