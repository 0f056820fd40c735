"""How long the state machines run. Nothing of it reads the environment."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

BASE = {
    "deadline": None,  # a step waits for threads
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    "database": None,  # an interleaving is not part of the example: replaying one proves nothing
}
settings.register_profile(
    "ci",
    max_examples=200,
    stateful_step_count=50,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    **BASE,
)
settings.register_profile("thorough", max_examples=2000, stateful_step_count=80, **BASE)
