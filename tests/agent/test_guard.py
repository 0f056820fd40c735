"""The guard: what it counts, when it warns, blocks and breaks the circuit."""

from __future__ import annotations

import copy

import pytest

from actors import (
    CircuitBreak,
    CostExceeded,
    IterationsExceeded,
    LoopGuard,
    TokensExceeded,
    TokenUsage,
    ToolCallsExceeded,
    TruncationExceeded,
    Verdict,
    VerdictKind,
)
from actors.agent.guard import canonical

ALLOW, WARN, BLOCK, BREAK = VerdictKind.ALLOW, VerdictKind.WARN, VerdictKind.BLOCK, VerdictKind.CIRCUIT_BREAK


def test_iterations_allow_warn_break() -> None:
    """Of ten, the eighth warns and the eleventh breaks (INV-001, INV-016)."""
    guard = LoopGuard(10, 10)
    kinds = [guard.check_iteration().kind for _ in range(11)]
    assert kinds == [ALLOW] * 7 + [WARN] * 3 + [BREAK]


def test_the_iteration_counter_rises_by_one() -> None:
    """Exactly one for each check (INV-002)."""
    guard = LoopGuard(3, 3)
    seen = []
    for _ in range(5):
        guard.check_iteration()
        seen.append(guard.iterations)
    assert seen == [1, 2, 3, 4, 5]


def test_tool_calls_break_above_the_limit() -> None:
    """The limit itself may be used."""
    guard = LoopGuard(10, 2)
    verdicts = [guard.check_tool_call("t", {"n": n}) for n in range(3)]
    assert [verdict.kind for verdict in verdicts] == [ALLOW, ALLOW, BREAK]
    assert verdicts[2].error is ToolCallsExceeded
    assert "max_tool_calls is 2" in verdicts[2].message


def test_the_third_same_call_is_blocked() -> None:
    """The model is told "ping-pong"; other calls in between do not matter (INV-004)."""
    guard = LoopGuard(10, 50)
    kinds = []
    for _ in range(4):
        verdict = guard.check_tool_call("look", {"a": 1, "b": [2]})
        kinds.append(verdict.kind)
        assert guard.check_tool_call("look", {"a": len(kinds) + 100}).kind is ALLOW
    assert kinds == [ALLOW, ALLOW, BLOCK, BLOCK]
    assert "ping-pong" in verdict.message
    assert "look" in verdict.message


def test_another_tool_or_input_is_another_call() -> None:
    """Same input to another tool, and another input to the same tool, count apart."""
    guard = LoopGuard(10, 50)
    for _ in range(2):
        for name, given in (("a", {"x": 1}), ("b", {"x": 1}), ("a", {"x": "1"}), ("a", {})):
            assert guard.check_tool_call(name, given).kind is ALLOW
    assert guard.check_tool_call("a", {"x": 1}).kind is BLOCK


def test_the_order_of_arguments_does_not_matter() -> None:
    """Equal inputs are one input, however they are written."""
    guard = LoopGuard(10, 50)
    guard.check_tool_call("a", {"x": 1, "y": {"p": 1, "q": 2}})
    guard.check_tool_call("a", {"y": {"q": 2, "p": 1}, "x": 1})
    assert guard.check_tool_call("a", {"x": 1, "y": {"p": 1, "q": 2}}).kind is BLOCK


def test_equal_numbers_are_one_input() -> None:
    """JSON knows no whole numbers apart; a text is no number, and neither is a truth value."""
    assert canonical({"x": [1, {"y": 2}]}) == canonical({"x": [1.0, {"y": 2.0}]})
    assert len({canonical({"x": value}) for value in (1, 1.5, "1", "1.0", True, "true", None, "null", [1])}) == 9
    guard = LoopGuard(10, 50)
    assert [guard.check_tool_call("a", {"x": value}).kind for value in (1, 1.0, 1)] == [ALLOW, ALLOW, BLOCK]


def test_canonical_takes_what_json_cannot_hold() -> None:
    """Any input has a text, and different ones have different texts."""
    assert canonical({"x": {1}}) != canonical({"x": {2}})
    assert canonical({"ä": 1}) == '{"ä": 1}'


def test_blocked_calls_count() -> None:
    """A model that repeats itself for ever runs into ``max_tool_calls``."""
    guard = LoopGuard(10, 3)
    kinds = [guard.check_tool_call("a", {}).kind for _ in range(4)]
    assert kinds == [ALLOW, ALLOW, BLOCK, BREAK]


def test_tokens_allow_warn_break() -> None:
    """Below 80 % nothing, from there a warning, above the budget a break (INV-016)."""
    guard = LoopGuard(10, 10, max_tokens_budget=100)
    assert guard.record_usage(TokenUsage(70, 9)).kind is ALLOW
    assert guard.record_usage(TokenUsage(1, 0)).kind is WARN
    assert guard.record_usage(TokenUsage(0, 20)).kind is WARN
    verdict = guard.record_usage(TokenUsage(1, 0))
    assert verdict.kind is BREAK
    assert verdict.error is TokensExceeded
    assert guard.tokens == 101


def test_without_a_budget_tokens_are_only_counted() -> None:
    """None has no limit."""
    guard = LoopGuard(10, 10)
    assert guard.record_usage(TokenUsage(10**9, 10**9)).kind is ALLOW
    assert guard.tokens == 2 * 10**9


def test_cost_breaks_above_the_limit() -> None:
    """The limit itself may be spent (INV-005)."""
    guard = LoopGuard(10, 10, max_cost_usd=0.5)
    assert guard.record_cost(0.25).kind is ALLOW
    assert guard.record_cost(0.25).kind is ALLOW
    verdict = guard.record_cost(0.25)
    assert verdict.kind is BREAK
    assert verdict.error is CostExceeded
    assert "0.75" in verdict.message


def test_without_a_limit_cost_is_only_counted() -> None:
    """0 has no limit."""
    guard = LoopGuard(10, 10)
    assert guard.record_cost(1e6).kind is ALLOW
    assert guard.cost_usd == 1e6


def test_five_cut_answers_break() -> None:
    """In a row; an answer that was not cut starts again (INV-006)."""
    guard = LoopGuard(10, 10)
    assert [guard.record_max_tokens().kind for _ in range(4)] == [ALLOW] * 4
    guard.reset_max_tokens()
    verdicts = [guard.record_max_tokens() for _ in range(5)]
    assert [verdict.kind for verdict in verdicts] == [ALLOW] * 4 + [BREAK]
    assert verdicts[4].error is TruncationExceeded


def test_what_was_counted() -> None:
    """Stands in the error of a break: with the step that it refused, and the limit."""
    guard = LoopGuard(1, 1, 0.5, 10)
    guard.check_iteration()
    guard.check_tool_call("a", {})
    found = []
    for verdict in (
        guard.check_iteration(),
        guard.check_tool_call("a", {}),
        guard.record_usage(TokenUsage(10, 2)),
        guard.record_cost(0.75),
    ):
        with pytest.raises(CircuitBreak) as caught:
            verdict.enforce()
        found.append((caught.value.kind, caught.value.used, caught.value.limit, caught.value.budget))
    assert found == [
        ("iterations", 2, 1, None),
        ("tool_calls", 2, 1, None),
        ("tokens", 12, 10, None),
        ("cost_usd", 0.75, 0.5, None),
    ]


def test_a_break_without_counts() -> None:
    """Raises whatever class it has, also one that knows no counts."""

    class Own(CircuitBreak):
        def __init__(self, text: str) -> None:
            super().__init__(f"own: {text}")

    with pytest.raises(Own, match="own: x") as caught:
        Verdict(BREAK, "x", Own).enforce()
    assert (caught.value.kind, caught.value.used, caught.value.limit) == (None, None, None)


@pytest.mark.parametrize("kind", [ALLOW, WARN, BLOCK])
def test_only_a_break_raises(kind: VerdictKind) -> None:
    """A warning is for the log, a block for the model."""
    assert Verdict(kind, "x").enforce() is None


@pytest.mark.parametrize("error", [IterationsExceeded, CircuitBreak])
def test_a_break_raises_its_own_error(error: type[CircuitBreak]) -> None:
    """The error is the class that the verdict names, with its message."""
    with pytest.raises(error, match="too much"):
        Verdict(BREAK, "too much", error).enforce()


def test_what_a_tool_makes_of_its_input_counts_for_nothing() -> None:
    """It was noted as it was asked: flat or nested, the third call with the same one is blocked."""
    told: list[dict[str, object]] = [{"n": 1}, {"n": [1]}]
    for said in told:
        guard = LoopGuard(10, 10)
        for count in range(3):
            given: dict[str, object] = copy.deepcopy(said)
            assert guard.check_tool_call("t", given).kind is (BLOCK if count == 2 else ALLOW)
            given.clear()


def test_the_first_call_of_a_name_is_counted_like_all_others() -> None:
    """Its text is made when there is another one, which may say the same in another way."""
    guard = LoopGuard(10, 10)
    for given in ({"a": 1, "b": "x"}, {"b": "y"}, {"b": "x", "a": 1.0}):
        assert guard.check_tool_call("t", given).kind is ALLOW
    assert guard.check_tool_call("other", {"a": 1, "b": "x"}).kind is ALLOW
    assert guard.check_tool_call("t", {"a": 1, "b": "x"}).kind is VerdictKind.BLOCK
    assert guard.check_tool_call("t", {"a": True, "b": "x"}).kind is ALLOW
