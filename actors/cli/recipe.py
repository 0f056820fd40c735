"""Manifests, and what they name, made ready to run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..agent.agent import Agent
from ..agent.capability import FileRead
from ..agent.config import SpawnConfig
from ..agent.importing import load_object
from ..agent.llm_agent import LlmAgent
from ..agent.manifest import AgentManifest
from ..agent.ports import PrivacyTier, Tool
from ..drivers.builtin import find_driver
from ..errors import ManifestError
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..agent.ports import LlmDriver
    from .inputs import Job


@dataclass(frozen=True, slots=True)
class Recipe:
    """A manifest, and the class and the driver that all its agents share."""

    manifest: AgentManifest
    agent: type[Agent[Any]]
    driver: LlmDriver | None

    def config(self, job: Job, *, timeout: float | None, several: bool) -> SpawnConfig:
        """What to spawn for *job*.

        Args:
            job: Its name and its file go into a copy of the manifest.
            timeout: Seconds of life.
            several: Other manifests get the same job: a name of the job's must tell them apart.
        """
        return SpawnConfig(
            self._manifest_for(job, several=several),
            job.query,
            agent=self.agent,
            driver=self.driver,
            timeout=timeout,
            tag=job.tag,
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


def load_manifest(path: str) -> AgentManifest:
    """Read the manifest at *path*.

    Raises:
        RefusedError: With every problem, each with its place.
    """
    try:
        return AgentManifest.load(path)
    except ManifestError as error:
        problems = error.problems or (str(error),)
        raise RefusedError(*(placed(path, problem) for problem in problems)) from None


def prepare(manifest: AgentManifest, *, place: str, driver: str | None = None) -> Recipe:
    """Import all that *manifest* names.

    Args:
        manifest: From :func:`load_manifest`.
        place: Its path, for messages.
        driver: ``package.module:factory``; wins over the manifest's.

    Raises:
        RefusedError: With every problem.
    """
    problems: list[str] = []

    def attempt(part: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except RefusedError as error:
            problems.extend(placed(place, f"{part}: {problem}") for problem in error.problems)
            return None

    agent = attempt("agent", lambda: agent_of(manifest))
    part = "model.driver" if driver is None else "--driver"
    made = attempt(part, lambda: driver_of(manifest, driver))
    for path in manifest.tools:
        attempt("tools", partial(tool_of, manifest, path))
    if not problems:
        problems = [placed(place, problem) for problem in misfits(manifest, agent, made)]
    if problems:
        raise RefusedError(*problems)
    return Recipe(manifest, agent, made)


def prepare_all(paths: Sequence[str], *, driver: str | None = None) -> list[Recipe]:
    """Load and prepare every manifest.

    Raises:
        RefusedError: With every problem of all of them.
    """
    recipes: list[Recipe] = []
    problems: list[str] = []
    for path in paths:
        try:
            recipes.append(prepare(load_manifest(path), place=path, driver=driver))
        except RefusedError as error:
            problems.extend(error.problems)
    if problems:
        raise RefusedError(*problems)
    return recipes


def misfits(manifest: AgentManifest, agent: type[Agent[Any]], driver: LlmDriver | None) -> list[str]:
    """What would make the pool refuse every agent of *manifest*."""
    if driver is None:
        if agent.needs_driver:
            return ['model: no driver: set driver = "package.module:factory" under [model], or give --driver']
        return []
    tier = PrivacyTier(driver.privacy_tier)
    if tier.rank > manifest.privacy.rank:
        return [
            f"privacy: {manifest.privacy}, but its driver is {tier}: choose another driver or a more permissive privacy"
        ]
    return []


def agent_of(manifest: AgentManifest) -> type[Agent[Any]]:
    """The agent class of *manifest*."""
    if not manifest.agent:
        return LlmAgent
    found = imported(manifest.agent, manifest.folder)
    if not (isinstance(found, type) and issubclass(found, Agent)):
        raise RefusedError(f"{manifest.agent} is not a subclass of actors.Agent")
    return found


def driver_of(manifest: AgentManifest, path: str | None = None) -> LlmDriver | None:
    """Make the driver at *path*, else the one that *manifest* names."""
    path = path or manifest.model.driver
    if not path:
        return None
    factory = imported(path, manifest.folder) if ":" in path else built_in(path)
    if not callable(factory):
        raise RefusedError(f"{path} cannot be called: it must take the manifest and return a driver")
    try:
        driver: LlmDriver = factory(manifest)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's factory may raise anything
        raise RefusedError(f"{path} raised {type(error).__name__}: {error}") from None
    missing = [name for name in ("complete", "context_window", "privacy_tier") if not hasattr(driver, name)]
    if missing:
        raise RefusedError(f"{path} returned no driver: {type(driver).__name__} has no {', '.join(missing)}")
    return driver


def tool_of(manifest: AgentManifest, path: str) -> Tool:
    """The tool at *path*."""
    found = imported(path, manifest.folder)
    if not isinstance(found, Tool):
        raise RefusedError(f"{path} is no tool: decorate the function with @actors.tool")
    return found


def built_in(name: str) -> Callable[[AgentManifest], LlmDriver]:
    """The factory of the built-in driver *name*.

    Raises:
        RefusedError: There is none of that name.
    """
    try:
        return find_driver(name)
    except ManifestError as error:
        raise RefusedError(*(problem.removeprefix("model.driver: ") for problem in error.problems)) from None


def imported(path: str, folder: Path | None) -> Any:
    """Import ``package.module:name``, looking in *folder* first.

    Raises:
        RefusedError: It cannot be imported.
    """
    try:
        return load_object(path, beside=folder)
    except ManifestError as error:
        raise RefusedError(*error.problems) from None
    except SystemExit as error:
        raise RefusedError(f"importing {path!r} ended with SystemExit({error.code!r})") from None


def placed(place: str, problem: str) -> str:
    """*problem* with the file it belongs to, unless it says so itself."""
    return problem if problem.startswith(place) else f"{place}: {problem}"
