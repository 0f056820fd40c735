"""LoopGuard, RestartPolicy, Backoff."""

from __future__ import annotations

import pytest

from actors import Backoff, LoopGuard, RestartPolicy, TokenUsage, VerdictKind

GO = (VerdictKind.ALLOW, VerdictKind.WARN)


def test_words() -> None:
    """Four kinds of verdict."""
    assert {str(kind) for kind in VerdictKind} == {"allow", "warn", "block", "circuit_break"}


def test_iterations_break_after_the_last_and_warn_from_80_percent() -> None:
    """INV-001, INV-002, INV-016."""
    guard = LoopGuard(10, 100)
    kinds = [guard.check_iteration().kind for _ in range(11)]
    assert kinds[:7] == [VerdictKind.ALLOW] * 7
    assert kinds[7:10] == [VerdictKind.WARN] * 3
    assert kinds[10] == VerdictKind.CIRCUIT_BREAK


def test_one_iteration() -> None:
    """max_iterations=1 allows exactly one."""
    guard = LoopGuard(1, 1)
    assert guard.check_iteration().kind in GO
    verdict = guard.check_iteration()
    assert verdict.kind == VerdictKind.CIRCUIT_BREAK
    assert verdict.message


def test_third_identical_call_is_blocked() -> None:
    """INV-004: the message says ping-pong; other inputs and tools go on."""
    guard = LoopGuard(20, 50)
    assert guard.check_tool_call("search", {"q": "a", "n": 1}).kind in GO
    assert guard.check_tool_call("search", {"n": 1, "q": "a"}).kind in GO
    third = guard.check_tool_call("search", {"q": "a", "n": 1})
    assert third.kind == VerdictKind.BLOCK
    assert "ping-pong" in third.message
    assert guard.check_tool_call("search", {"q": "b", "n": 1}).kind in GO
    assert guard.check_tool_call("read", {"q": "a", "n": 1}).kind in GO


def test_identical_calls_need_not_be_in_a_row() -> None:
    """A, B, A, B, A: the third A is blocked."""
    guard = LoopGuard(20, 50)
    kinds = [guard.check_tool_call("t", {"x": x}).kind for x in "ababa"]
    assert kinds[4] == VerdictKind.BLOCK
    assert VerdictKind.BLOCK not in kinds[:4]


def test_tool_calls_break_above_their_limit() -> None:
    """max_tool_calls of different calls are allowed."""
    guard = LoopGuard(20, 3)
    kinds = [guard.check_tool_call("t", {"n": n}).kind for n in range(4)]
    assert all(kind in GO for kind in kinds[:3])
    assert kinds[3] == VerdictKind.CIRCUIT_BREAK


def test_cost_breaks_above_its_limit() -> None:
    """INV-005: exactly the limit is fine; the sum counts."""
    guard = LoopGuard(20, 50, 1.0)
    assert guard.record_cost(0.5).kind in GO
    assert guard.record_cost(0.5).kind in GO
    assert guard.record_cost(0.001).kind == VerdictKind.CIRCUIT_BREAK


def test_no_cost_limit() -> None:
    """0.0 = no limit."""
    guard = LoopGuard(20, 50)
    assert guard.record_cost(1e9).kind == VerdictKind.ALLOW


def test_token_budget() -> None:
    """INV-016: below 80 % nothing, from 80 % a warning, above it a break."""
    guard = LoopGuard(20, 50, max_tokens_budget=100)
    assert guard.record_usage(TokenUsage(40, 39)).kind == VerdictKind.ALLOW
    assert guard.record_usage(TokenUsage(1, 0)).kind == VerdictKind.WARN
    assert guard.record_usage(TokenUsage(0, 20)).kind == VerdictKind.WARN
    assert guard.record_usage(TokenUsage(0, 1)).kind == VerdictKind.CIRCUIT_BREAK


def test_no_token_budget() -> None:
    """None = no limit."""
    assert LoopGuard(20, 50).record_usage(TokenUsage(10**9, 10**9)).kind == VerdictKind.ALLOW


def test_five_truncations_in_a_row_break() -> None:
    """INV-006; a reset starts anew."""
    guard = LoopGuard(20, 50)
    assert all(guard.record_max_tokens().kind in GO for _ in range(4))
    guard.reset_max_tokens()
    assert all(guard.record_max_tokens().kind in GO for _ in range(4))
    assert guard.record_max_tokens().kind == VerdictKind.CIRCUIT_BREAK


def test_restart_policy_and_backoff_defaults() -> None:
    """As written; frozen."""
    policy = RestartPolicy()
    assert (policy.max_restarts, policy.window) == (0, 60.0)
    assert policy.backoff == Backoff(base=0.1, factor=2.0, maximum=30.0, jitter=0.1)
    with pytest.raises(Exception, match=r"(?i)frozen|assign|immutable"):
        policy.max_restarts = 4
