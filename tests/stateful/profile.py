"""The settings of the machines, and rules that apply only now and then."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable


def chosen() -> settings:
    """Those of the profile that was asked for; of ``ci`` when none was."""
    name = settings.get_current_profile_name()
    return settings.get_profile(name if name == "thorough" else "ci")


def always(_: Any) -> bool:
    """The rule applies in every state."""
    return True


def when(applies: Callable[[Any], object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """In states in which the rule does not apply, call ``self.otherwise()`` instead.

    Not Hypothesis's ``precondition``: what is drawn must not depend on the state, because the state may depend on which
    of two threads was first. So an example is the same list of rules each time.
    """

    def wrap(rule: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(rule)
        def step(self: Any, **drawn: Any) -> None:
            if applies(self):
                self.acted = True
                rule(self, **drawn)
            else:
                self.otherwise()

        return step

    return wrap
