"""Perceive, reason, act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import TypeVar

from ...core.records.content import text_of_content
from ...core.records.loop_result import AgentLoopResult
from ...core.supervision.inline_call import done_apart
from ..agent import Agent
from ..loop.loop import Loop
from ..loop.prompt import prompt_of
from ..terms.message_text import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.records.parts import Part
    from ...core.supervision.inline_call import AgentSteps

T_co = TypeVar("T_co", covariant=True, default=AgentLoopResult)


class LlmAgent(Agent[T_co]):
    """An agent that asks a driver what to do, does it, and asks again, until the driver ends its turn.

    Its result is an ``AgentLoopResult``; with an ``output_type`` in its config, or an ``output`` in its manifest, a
    value of that type. A subclass whose ``run`` makes something else of it says so: ``class Terse(LlmAgent[str])``.
    """

    needs_driver: ClassVar[bool] = True
    _asked: str = ""  # what `run` was given, as text

    def instructions(self) -> str:
        """The system prompt: what the manifest says, filled in. Called once, before the first completion. Override it
        to say something else; memories, and what an answer has to be, are added to it.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, LlmAgent, SpawnConfig

            class Clerk(LlmAgent):
                def instructions(self) -> str:
                    return f"{super().instructions()} You work for {self.deps}.".strip()

            with AgentPool("echo") as pool:
                config = SpawnConfig(AgentManifest(name="clerk"), "Who are you?", agent=Clerk, deps="the mill")
                print(pool.spawn(config).result().text)
            ```

            ```text
            Who are you?
            ```
        """
        return prompt_of(self.manifest, query=self._asked, deps=self.deps, agent=self)

    def run(self, query: Any) -> Any:
        """Answer *query* (text, or anything that JSON can hold).

        Raises:
            InvalidOutput: The answer did not fit the ``output_type``, however often the model was told why.
            CircuitBreak: A limit of the manifest was reached.
            ContextOverflow: The conversation cannot be made to fit.
            DriverError: The driver cannot answer.
        """
        return done_apart(Loop(self, self._content(query)).steps())

    def _steps(self, query: Any) -> AgentSteps:
        """What :meth:`run` does, for whoever can go on with it in another thread."""
        if "run" in self.__dict__:
            return self.run(query)
        return (yield from Loop(self, self._content(query)).steps())

    def _content(self, query: Any) -> str | tuple[Part, ...]:
        content = said(query)
        self._asked = content if isinstance(content, str) else text_of_content(content)
        return content


RUN: Final = LlmAgent.run
"""What an agent that has no ``run`` of its own does, unless somebody puts another one in its place."""


def steps_of(agent_class: type[Agent[Any]]) -> Callable[[Any, Any], AgentSteps] | None:
    """What agents of *agent_class* do, step by step; None where only their ``run`` knows."""
    if issubclass(agent_class, LlmAgent) and agent_class.run is RUN:
        return agent_class._steps  # noqa: SLF001 - of the class above
    return None
