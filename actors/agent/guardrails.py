"""The guardrails of an agent, in the order in which they are asked."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.crash import safe_repr
from ..core.shown import shown
from .guardrail import Guardrail, GuardrailStage
from .ledger import quoted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

LONGEST_NAME: Final = 100
"""Characters of the name of one."""
GIVEN: Final = ("agent", "cancel")
"""What one may have beside what it looks at, by the names of its parameters."""
REVERSED: Final = frozenset({GuardrailStage.AFTER_COMPLETION, GuardrailStage.AFTER_TOOL, GuardrailStage.CHECK_OUTPUT})
AT_THE_DOORS: Final = frozenset({GuardrailStage.CHECK_INPUT, GuardrailStage.CHECK_OUTPUT})
"""What an agent is asked, and what it answers, is its own: a child has another job."""


@dataclass(frozen=True, slots=True)
class Rail:
    """One guardrail at one stage.

    Args:
        name: Of the function, or the class.
        of: What was given for it: who is given twice is asked once.
        call: Asks it.
        wants: Which of ``agent`` and ``cancel`` it has a parameter for.
        concurrent: May it run beside the first completion?
        step: Names it among those of its stage, in a ledger.
    """

    name: str
    stage: GuardrailStage
    of: Any
    call: Callable[..., Any]
    wants: tuple[str, ...] = ()
    concurrent: bool = False
    step: str = ""

    @property
    def who(self) -> Hashable:
        """The same for all that were made of the same guardrail, at the same stage."""
        if inspect.ismethod(self.of):
            return self.stage, id(self.of.__self__), id(self.of.__func__)
        return self.stage, id(self.of)


def rails_of(entries: Iterable[Any], *, concurrent: bool = False) -> tuple[Rail, ...]:
    """The guardrails that *entries* are: functions, methods, objects with some of the methods.

    Args:
        concurrent: May all that check the input run beside the first completion?
    Raises:
        TypeError: One of them is none; the message says what to do.
    """
    return tuple(rail for entry in entries for rail in _rails(entry, concurrent=concurrent))


def _rails(entry: Any, *, concurrent: bool) -> list[Rail]:
    if isinstance(entry, type):
        raise TypeError(
            f"{entry.__name__} is a class: a guardrail is an object of it ({entry.__name__}()), or a function"
        )
    if inspect.isroutine(entry) or isinstance(entry, partial) or (callable(entry) and hasattr(entry, "stage")):
        made = [_of_function(entry)]
    else:
        made = _of_object(entry)
    for rail in made:
        _refuse_async(rail)
    says = (entry, getattr(entry, "__self__", None))
    beside = concurrent or any(getattr(each, "concurrent", False) for each in says)
    return [replace(each, concurrent=True) if beside and _is_input(each) else each for each in made]


def _is_input(rail: Rail) -> bool:
    return rail.stage is GuardrailStage.CHECK_INPUT


def _of_function(entry: Any) -> Rail:
    inner = entry
    while isinstance(inner, partial):
        inner = inner.func
    own = getattr(inner, "__name__", type(inner).__name__)
    stage = getattr(entry, "stage", getattr(inner, "stage", own))
    if stage not in list(GuardrailStage):
        raise TypeError(
            f"the guardrail {shown(str(own))} does not say where it looks: put @actors.guardrail('check_input') above "
            f"it, or name it so (the stages are {', '.join(GuardrailStage)})"
        )
    name = own
    if inspect.ismethod(entry):
        holder = entry.__self__ if isinstance(entry.__self__, type) else type(entry.__self__)
        name = f"{holder.__name__}.{own}"
    return _rail(name, GuardrailStage(stage), entry, entry)


def _of_object(entry: Any) -> list[Rail]:
    name = type(entry).__name__
    made = []
    for stage in GuardrailStage:
        if getattr(type(entry), stage, None) is getattr(Guardrail, stage) and stage not in getattr(
            entry, "__dict__", ()
        ):
            continue  # it has nothing to say there
        method = getattr(entry, stage, None)
        if method is not None:
            if not callable(method):
                raise TypeError(f"{stage} of the guardrail {name} can not be called: {safe_repr(method)[:200]}")
            made.append(_rail(name, stage, entry, method))
    if not made:
        raise TypeError(
            f"{safe_repr(entry)[:200]} is no guardrail: it is a function named for one of the stages, or an object "
            f"with methods of these names: {', '.join(GuardrailStage)}"
        )
    return made


def _rail(name: str, stage: GuardrailStage, entry: Any, call: Callable[..., Any]) -> Rail:
    try:
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(call).parameters
    except (TypeError, ValueError):  # it does not tell
        parameters = {}
    looked_at = 2 if stage is GuardrailStage.AFTER_TOOL else 1
    wants = [
        name
        for place, (name, each) in enumerate(parameters.items())
        if name in GIVEN
        and (each.kind is each.KEYWORD_ONLY or place >= looked_at)
        and each.kind is not each.VAR_KEYWORD
    ]
    return Rail(str(name)[:LONGEST_NAME] or "guardrail", stage, entry, call, tuple(wants))


def _refuse_async(rail: Rail) -> None:
    call = rail.call
    while isinstance(call, partial):
        call = call.func
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None)):  # noqa: B004
        raise TypeError(f"{rail.stage} of the guardrail {rail.name} is async: it has to be a plain function")


class Guardrails:
    """The guardrails of one agent.

    Guarantees: what goes out, a query, a request or a call, is looked at in the order given, and what comes back in the
    reverse order: the last one given sees what is sent as it is sent, and what comes as it came. Nobody is asked twice.

    Args:
        rails: The manifest's, then the config's, then those of whoever started the agent: a child's own ones change
            nothing behind the back of its parent's.

    Threads: any; nothing changes.
    """

    __slots__ = ("_by_stage", "rails")

    def __init__(self, rails: Sequence[Rail]) -> None:
        self.rails = rails = _without_doubles(rails)
        self._by_stage = {stage: _numbered([each for each in rails if each.stage is stage]) for stage in GuardrailStage}

    def at(self, stage: GuardrailStage) -> tuple[Rail, ...]:
        """Those that look there, in the order in which they are asked."""
        return self._by_stage[stage]

    @property
    def inherited(self) -> tuple[Rail, ...]:
        """What holds for children, too: all but those at the two doors."""
        return tuple(rail for rail in self.rails if rail.stage not in AT_THE_DOORS)

    def under(self, rails: Sequence[Rail]) -> Guardrails:
        """These and, before them, *rails*: those of a manifest under which the conversation goes on."""
        return Guardrails((*rails, *self.rails)) if rails else self


def _without_doubles(rails: Sequence[Rail]) -> tuple[Rail, ...]:
    kept: dict[Hashable, Rail] = {}
    for rail in reversed(rails):  # the last one counts: nobody's guardrail is moved forward by a copy of it
        kept.setdefault(rail.who, rail)
    return tuple(reversed(kept.values()))


def _numbered(rails: Sequence[Rail]) -> tuple[Rail, ...]:
    """*rails* of one stage in the order in which they are asked, with names that tell them apart in each life."""
    seen: Counter[str] = Counter()
    named = []
    for rail in rails:
        seen[rail.name] += 1
        quoted = quoted_name(rail.name)
        named.append(replace(rail, step=quoted if seen[rail.name] == 1 else f"{quoted}~{seen[rail.name]}"))
    return tuple(reversed(named) if rails and rails[0].stage in REVERSED else named)
