"""Manifests, and what they name, made ready to run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..agent.assembly import resolve
from ..agent.assembly.llm_agent import LlmAgent
from ..agent.config import SpawnConfig
from ..agent.terms.capability import FileRead, Memory
from ..agent.terms.driver_word import DriverWord
from ..agent.terms.linked import names_of_linked, reached
from ..agent.terms.manifest import AgentManifest
from ..core.shown import shown
from ..drivers.builtin import find_driver
from ..errors import ManifestError
from ..memory.in_memory import InMemorySubstrate
from .doubts import NamedTool, named_tool, of_approvals, of_manifest, of_model
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..agent.agent import Agent
    from ..agent.ports import LlmDriver
    from .job import Job


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Who answers in place of what the manifest says: the options of the command line. None leaves it as it is.

    Args:
        driver: A word for a built-in one (``openai``, ``openai:NAME@URL``), or ``package.module:factory``.
        model: What the server calls the model.
        base_url: Where the server is.
    """

    driver: str | None = None
    model: str | None = None
    base_url: str | None = None

    def applied_to(self, manifest: AgentManifest) -> AgentManifest:
        """*manifest*, with the model and the server that were chosen.

        Raises:
            ManifestError: The driver is none, or what it names is named by another option, too.
        """
        model, word = manifest.model, None
        if self.driver is not None:  # another driver, another server
            word = DriverWord.parse(self.driver, "--driver")
            model = model.model_copy(update={"base_url": None}) if word is None else word.instead_of(model)
        if word is not None:
            self._refuse_twice(word)
        changes: dict[str, Any] = {}
        if self.model is not None:  # another model, other prices
            changes |= {"remote_model": self.model, "model_repo": None, "model_path": None}
            changes |= dict.fromkeys(("usd_per_million_input_tokens", "usd_per_million_output_tokens"))
        if self.base_url is not None:
            changes["base_url"] = self.base_url
        return resolve.with_model(manifest, model.model_copy(update=changes) if changes else model)

    def _refuse_twice(self, word: DriverWord) -> None:
        for option, given, named in (
            ("--model", self.model, word.model),
            ("--base-url", self.base_url, word.base_url),
        ):
            if given is not None and named not in (None, given):
                raise ManifestError([f"{option}: --driver names {shown(named)!r} already: name it in one place"])


NO_CHOICE = ModelChoice()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A manifest, and the class and the driver that all its agents share. ``place`` is its path."""

    manifest: AgentManifest
    agent: type[Agent[Any]]
    driver: LlmDriver | None
    place: str = ""

    def tools(self) -> list[NamedTool]:
        """Those that its manifest names."""
        manifest = self.manifest
        return [named_tool(manifest, index, resolve.tool(manifest, index)) for index in range(len(manifest.tools))]

    def all_tools(self) -> list[NamedTool]:
        """Those that its manifest and the manifests that it names name, and those by which they are called."""
        every = [self.manifest, *(manifest for _, manifest in reached(self.manifest, []))]
        return [
            *(named_tool(one, index, resolve.tool(one, index)) for one in every for index in range(len(one.tools))),
            *(NamedTool(name, name, None) for one in every for name in names_of_linked(one)),
        ]

    def fields(self) -> list[str] | None:
        """The fields of its results, where the manifest says that they are objects with fields of these names."""
        shape = resolve.output_shape(self.manifest) if issubclass(self.agent, LlmAgent) else None
        return None if shape is None else shape.fields()

    def config(
        self, job: Job, *, timeout: float | None, several: bool, keep_messages: bool = False, key: str | None = None
    ) -> SpawnConfig:
        """What to spawn for *job*.

        Args:
            job: Its name and its file go into a copy of the manifest.
            timeout: Seconds of life.
            several: Other manifests get the same job: a name of the job's must tell them apart.
            keep_messages: Does anybody look at the conversation?
            key: Names the agent in a journal.
        """
        return SpawnConfig(
            self._manifest_for(job, several=several),
            job.query,
            agent=self.agent,
            driver=self.driver,
            timeout=timeout,
            tag=job.tag,
            keep_messages=keep_messages,
            key=key,
        )

    def _manifest_for(self, job: Job, *, several: bool) -> AgentManifest:
        changes: dict[str, Any] = {}
        if job.name is not None:
            changes["name"] = f"{job.name}@{self.manifest.name}" if several else job.name
        if job.file is not None:
            # Where it leads now, and absolute: a link may be turned elsewhere before the agent reads, and a
            # relative path may be "*", which would allow every file.
            grant = FileRead(allowed_paths=(os.path.realpath(job.file),))
            changes["capabilities"] = (*self.manifest.capabilities, grant)
        return self.manifest.model_copy(update=changes) if changes else self.manifest


def labels_of(recipes: Sequence[Recipe]) -> list[str]:
    """What tells the rows of one manifest from those of the others: nothing when there is one, else its name, with a
    number where another one has that name, too.
    """
    return [""] if len(recipes) == 1 else [f"@{name}" for name in names_of(recipes)]


def names_of(recipes: Sequence[Recipe]) -> list[str]:
    """What the manifests are called, with a number where another one before has that name, too."""
    names = [recipe.manifest.name for recipe in recipes]
    return [
        name if names.index(name) == index else f"{name}-{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]


def doubts_about(
    recipes: Sequence[Recipe], *, model: str | None, approved: Sequence[str], gets_file: bool
) -> Iterator[str]:
    """What is good enough to run with *recipes*, and most probably not meant.

    Args:
        model: What ``--model`` names.
        approved: What ``--approve`` names.
        gets_file: Does each agent get a file that it may read?
    """
    for recipe in recipes:
        manifest = recipe.manifest
        found = [
            *of_manifest(manifest, recipe.tools(), gets_file=gets_file),
            *of_model(manifest, recipe.agent, recipe.driver, model),
        ]
        yield from (f"{recipe.place}: {doubt}" for doubt in found)
    if all(recipe.manifest.agent is None for recipe in recipes):  # code of its own may start others with other tools
        tools = [tool for recipe in recipes for tool in recipe.all_tools()]
        yield from of_approvals(approved, [recipe.manifest for recipe in recipes], tools)


def memory_for(recipes: Sequence[Recipe]) -> InMemorySubstrate | None:
    """A memory for those that have tools for one, gone with the command; None for all others, who begin afresh."""
    tools = (resolve.tool(recipe.manifest, index) for recipe in recipes for index in range(len(recipe.manifest.tools)))
    wanted = any(isinstance(tool.required_capability, Memory) for tool in tools)
    return InMemorySubstrate() if wanted else None


def load_manifest(path: str) -> AgentManifest:
    """Read the manifest at *path*.

    Raises:
        RefusedError: With every problem, each with its place.
    """
    try:
        return AgentManifest.load(path)
    except ManifestError as error:
        problems = error.problems or (str(error),)
        raise RefusedError(*(f"{path}: {problem}" for problem in problems)) from None


def prepare(manifest: AgentManifest, *, place: str, choice: ModelChoice = NO_CHOICE) -> Recipe:
    """Import all that *manifest* names, and make its driver.

    Args:
        manifest: From :func:`load_manifest`.
        place: Its path, for messages.
        choice: Wins over the manifest.

    Raises:
        RefusedError: With every problem.
    """
    try:
        manifest, driver = choice.applied_to(manifest), choice.driver
    except ManifestError as error:
        raise RefusedError(*(f"{place}: {problem}" for problem in error.problems)) from None
    found = resolve.problems(manifest, find_driver)
    if driver is not None:
        found = [problem for problem in found if not problem.startswith(resolve.DRIVER)]
    made = None
    try:
        made = resolve.driver(manifest, find_driver, driver, resolve.DRIVER if driver is None else "--driver")
    except ManifestError as error:
        found += [problem for problem in error.problems if problem not in found]
    if found:
        raise RefusedError(*(f"{place}: {problem}" for problem in found))
    agent = resolve.agent_class(manifest)
    misfit = resolve.misfit(manifest, agent, made) or resolve.settings_misfit(manifest, None, made)
    if misfit is not None:
        raise RefusedError(f"{place}: {misfit}")
    return Recipe(manifest, agent, made, place)


def prepare_all(paths: Sequence[str], *, choice: ModelChoice = NO_CHOICE) -> list[Recipe]:
    """Load and prepare every manifest.

    Raises:
        RefusedError: With every problem of all of them.
    """
    recipes: list[Recipe] = []
    problems: list[str] = []
    for path in paths:
        try:
            recipes.append(prepare(load_manifest(path), place=path, choice=choice))
        except RefusedError as error:
            problems.extend(error.problems)
    if problems:
        raise RefusedError(*problems)
    return recipes
