"""``@tool``: makes a tool of a typed function and its docstring."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypedDict, TypeVar, cast, overload

from ..agent.effects import effect_named, key_of_call
from ..agent.ports import ToolDefinition, ToolResult
from ..agent.terms.effect import Effect
from ..agent.tool_result import result_of
from ..core.process import event_loop
from ..errors import ToolFailed
from .arguments import EFFECT_KEY, Arguments, BadArguments
from .docstring import Docstring
from .reconcile import Reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Unpack

    from ..agent.terms.capability import Capability
    from ..agent.terms.effect import EffectWord
    from ..core.waiting.cancel import CancelToken
    from .reconcile import Asked

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_TIMEOUT = 120.0
"""Seconds that a call may take."""
ISOLATION_SECONDS = 65.0
"""Seconds for a process of its own to start and to be killed: on a busy machine, that is not the tool's doing."""

# What the model providers accept as a name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Isolation(StrEnum):
    """Where a tool's function runs."""

    THREAD = "thread"
    PROCESS = "process"


IsolationWord = Literal["thread", "process"]


class ToolKeywords(TypedDict, total=False):
    """What :func:`tool` takes by name."""

    capability: Capability | None
    timeout: float | None
    name: str | None
    isolation: Isolation | IsolationWord
    repeatable: bool
    effect: Effect | EffectWord
    reconcile: Asked | None


class FunctionTool(Generic[P, R]):
    """A function as a tool; still callable as the function it was. Made by :func:`tool`.

    Threads: any; it never changes.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        capability: Capability | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        name: str | None = None,
        isolation: Isolation | IsolationWord = Isolation.THREAD,
        repeatable: bool = False,
        effect: Effect | EffectWord = Effect.AT_MOST_ONCE,
        reconcile: Asked | None = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(function) or isinstance(function, type):
            raise TypeError(f"a tool is made of a function, not of {function!r}")
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout must be above 0, or None for no bound; got {timeout!r}")
        source = _source(function)
        own_name = name if name is not None else getattr(source, "__name__", "")
        if not _NAME.fullmatch(own_name):
            raise ValueError(f"a tool's name is 1 to 64 of A-Z a-z 0-9 _ -, not {own_name!r}: set name")
        if inspect.isasyncgenfunction(source):
            raise TypeError(f"tool {own_name}: an async generator has no result; return a list")
        docstring = Docstring.parse(inspect.getdoc(source))
        try:
            self._arguments = Arguments(function, descriptions=docstring.parameters, namespace=namespace or {})
            self._effect = effect_named(effect)
            self._reconcile = None if reconcile is None else Reconcile(reconcile, self._effect, self._arguments)
        except TypeError as error:
            raise TypeError(f"tool {own_name}: {error}") from error
        except ValueError as error:
            raise ValueError(f"tool {own_name}: {error}") from error
        functools.update_wrapper(self, function)
        self.repeatable = repeatable
        self._isolation = Isolation(isolation)
        if self._isolation is Isolation.PROCESS:
            _refuse_homeless(function, own_name, (*self._arguments.injected, *self._arguments.deps))
        self.is_plain = self._isolation is Isolation.THREAD and not inspect.iscoroutinefunction(source)
        self._function = function
        self._dump: Callable[[object], bytes] | None = None  # set where it came without its module
        self._capability = capability
        self._timeout = timeout
        self._definition = ToolDefinition(own_name, docstring.description, self._arguments.json_schema)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, as if it were no tool."""
        return self._function(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        """A pickle has the name under which it stands in its module, if it stands there; else all of it."""
        module, qualified = getattr(self, "__module__", ""), getattr(self, "__qualname__", "")
        found: Any = None if module == "__main__" else sys.modules.get(module)
        for name in qualified.split("."):
            found = getattr(found, name, None)
        return qualified if found is self else super().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    @property
    def name(self) -> str:
        """The name under which the model calls it."""
        return self._definition.name

    @property
    def function(self) -> Callable[P, R]:
        """The function that it was made of."""
        return self._function

    @property
    def definition(self) -> ToolDefinition:
        """What the model is told."""
        return self._definition

    @property
    def required_capability(self) -> Capability | None:
        """What the manifest must grant; None when everyone may call it."""
        return self._capability

    @property
    def timeout(self) -> float | None:
        """Seconds that a call may take. One in a process of its own ends by itself: this is when it is given up."""
        if self._isolation is Isolation.PROCESS and self._timeout is not None:
            return self._timeout + ISOLATION_SECONDS
        return self._timeout

    @property
    def effect(self) -> Effect:
        """May a call be made again when nobody knows whether it was done?"""
        return self._effect

    @property
    def reconcile(self) -> Callable[[str, Mapping[str, Any]], ToolResult | None] | None:
        """What looks whether a call was done: called with its key and its input, it gives the result, or None."""
        return self._reconcile

    def check(self, input: Mapping[str, Any]) -> ToolResult | None:  # noqa: A002 - the port's name
        """Why these arguments do not fit, as :meth:`execute` would answer; None when they do."""
        try:
            self._arguments.bind(input)
        except BadArguments as error:
            return self._refusal(error)
        return None

    @property
    def problem_of_deps(self) -> Callable[[object], str | None] | None:
        """Says of an agent's ``deps`` why it cannot make a call, or None when it can; None: a call needs none."""
        return self._problem_of_deps if self._arguments.deps else None

    def _problem_of_deps(self, deps: object) -> str | None:
        return next(filter(None, (wanted.problem(deps) for wanted in self._arguments.deps.values())), None)

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
        """Call the function with the arguments that the model sent.

        Returns:
            What the function returned: text as it is, a ``ToolResult`` as it is, anything else as JSON. When
            the arguments do not fit, an error that names each problem, and the function is not called.
        Raises:
            Exception: What the function raises, ``ToolFailed`` included: the loop makes an error of it.
            ToolFailed: The event loop of async tools has ended, or is held by another tool that blocks.
            TypeError: The ``deps`` of *agent* are not what the function needs.
        """
        try:
            arguments = self._arguments.bind(input)
        except BadArguments as error:
            return self._refusal(error)
        available = {"cancel": cancel, "agent": agent}
        for name in self._arguments.injected:
            arguments[name] = key_of_call(agent) if name == EFFECT_KEY else available[name]
        if self._arguments.deps:
            arguments |= self._deps_of(agent)
        if self._isolation is Isolation.PROCESS:
            from .isolation import run_isolated

            return run_isolated(
                self._function, arguments, name=self.name, cancel=cancel, timeout=self._timeout, dump=self._dump
            )
        value = cast("Callable[..., Any]", self._function)(**arguments)
        if inspect.iscoroutine(value):
            value = self._awaited(value, cancel)
        return result_of(value)

    def _deps_of(self, agent: Any) -> dict[str, Any]:
        """What the function gets of the agent's ``deps``; nothing where a default holds."""
        deps = getattr(agent, "deps", None)
        if (problem := self._problem_of_deps(deps)) is not None:
            raise TypeError(f"{self.name} {problem}")
        wanted = self._arguments.deps.items()
        return {name: deps for name, each in wanted if deps is not None or not each.is_optional}

    def _awaited(self, coroutine: Any, cancel: CancelToken) -> Any:
        try:
            return event_loop.run(coroutine, cancel, event_loop.Room.USERS)
        except event_loop.LoopLost as error:
            raise ToolFailed(f"{self.name}: {error}") from error

    def _refusal(self, error: BadArguments) -> ToolResult:
        problems = "\n".join(f"- {problem}" for problem in error.problems)
        expected = self._arguments.summary()
        return ToolResult(f"invalid arguments for {self.name}:\n{problems}\nexpected: {expected}", is_error=True)


@overload
def tool(function: Callable[P, R], **options: Unpack[ToolKeywords]) -> FunctionTool[P, R]: ...


@overload
def tool(**options: Unpack[ToolKeywords]) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    *,
    capability: Capability | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    name: str | None = None,
    isolation: Isolation | IsolationWord = Isolation.THREAD,
    repeatable: bool = False,
    effect: Effect | EffectWord = Effect.AT_MOST_ONCE,
    reconcile: Asked | None = None,
) -> FunctionTool[P, R] | Callable[[Callable[P, R]], FunctionTool[P, R]]:
    """Make a tool of a typed function.

    The first paragraph of the docstring tells the model what it does, the ``Args:`` what each parameter is.
    The parameters ``cancel`` (a ``CancelToken``), ``agent`` (the calling agent) and ``effect_key`` (text that names
    the call, the same for each try of it) are filled in and not shown to the model; so is each that is annotated
    ``Deps[T]``, with the ``deps`` of the agent's ``SpawnConfig``. An ``async def`` runs on an event
    loop that all async tools share, and that nothing else uses; one that blocks it past its timeout is left behind
    with it, and those that ran beside it fail. For a method: ``tool(obj.method)``.

    Args:
        function: A function, ``async def`` or not, or a bound method.
        capability: What the manifest must grant; None: everyone may call it.
        timeout: Seconds that a call may take; None: as long as it wants. In a process of its own they count from when
            the function is called; the process has 60 s to start.
        name: The name for the model; the function's own if None.
        isolation: ``process`` calls it in a new process, which is killed at the timeout and at a cancel, with all that
            it started: for code that cannot be stopped otherwise, or may crash. The function stands at the top of a
            module, what it takes and returns is data, and it gets no ``cancel``, ``agent`` or deps. The module is
            imported anew there; a main program that has such tools so needs its ``if __name__ == "__main__":``. A call
            takes some tenths of a second more. POSIX only.
        repeatable: A call with the same arguments as before is no sign of a loop: it waits, or looks at what changes.
        effect: ``idempotent``: when nobody knows whether a call was done, since its program died meanwhile, it is made
            again, with the same ``effect_key``: right for what only reads, and for a server that takes that key.
            ``at_most_once``: it is not, unless *reconcile* says that it was not done.
        reconcile: ``reconcile(effect_key, input)`` looks whether a call was done, before it would be made again. It
            returns what the call answered, or None when it was not done; it raises when it cannot tell. ``input`` has
            the arguments as the function got them: without defaults, and without what is filled in.
    Raises:
        TypeError: The signature cannot be shown to a model (``*args``, a type that JSON cannot hold), the function
            cannot be found by another process, or *reconcile* cannot be called so.
        ValueError: The name, the timeout, the isolation or the effect is not possible.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, ScriptedDriver, SpawnConfig, tool

        PAID: dict[str, str] = {}  # a bank would know

        def was_paid(effect_key: str, input: dict[str, object]) -> str | None:
            return PAID.get(effect_key)  # None: nothing was paid

        @tool(reconcile=was_paid)
        def pay(to: str, amount: float, effect_key: str) -> str:
            '''Pay somebody.

            Args:
                to: Whom.
                amount: In EUR.
            '''
            return PAID.setdefault(effect_key, f"paid {amount} to {to}")

        driver = ScriptedDriver.tool_then_text("pay", {"to": "Ada", "amount": 3}, "Done.")
        with AgentPool(driver, tools=[pay]) as pool:
            print(pool.spawn(SpawnConfig(AgentManifest(name="clerk"), "Pay Ada.")).result().text)
        ```

        ```text
        Done.
        ```
    """
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    # Annotations may name what is defined next to the function, inside another one.
    namespace = dict(caller.f_locals) if caller is not None else {}
    del frame, caller  # a frame that holds itself would keep what its callers hold until a garbage collection

    def make(made_of: Callable[P, R]) -> FunctionTool[P, R]:
        return FunctionTool(
            made_of,
            capability=capability,
            timeout=timeout,
            name=name,
            isolation=isolation,
            repeatable=repeatable,
            effect=effect,
            reconcile=reconcile,
            namespace=namespace,
        )

    return make if function is None else make(function)


def _refuse_homeless(function: Any, name: str, injected: Sequence[str]) -> None:
    """A process of its own has to find the function by its name, and nothing of this process goes there."""
    qualified = getattr(function, "__qualname__", "<none>")
    if "<" in qualified or not inspect.isfunction(function):
        raise TypeError(f"tool {name}: isolation='process' needs a function at the top of a module, not {function!r}")
    tied = [parameter for parameter in injected if parameter != EFFECT_KEY]
    if tied:
        raise TypeError(f"tool {name}: {', '.join(tied)} cannot go to a process of its own (isolation='process')")


def _source(function: Any) -> Any:
    """The function whose name and docstring count."""
    if isinstance(function, functools.partial):
        return _source(function.func)
    return function if inspect.isroutine(function) else function.__call__
