"""``actors run``: jobs from a source go through a pool, outcomes into a file, the counts, the display."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import EngineLost, JournalChanged, JournalError, JournalFailed
from ..inside.timeline import Timeline
from ..pool import AgentPool
from .approver import Approver
from .contents import without_content
from .doubts import say_doubts
from .engine import engine_of, refused
from .events import EventSink
from .feed import Feed
from .inputs import open_source
from .interrupt import EXIT_INTERRUPTED, Interrupt
from .job import BadInput
from .live import page_of, refuse_taken
from .log import log_lines
from .narrator import WORK, Narrator, longest_here
from .options import STANDARD_STREAM
from .output import refuse_clashes
from .progress import open_progress
from .recipe import ModelChoice, doubts_about, labels_of, memory_for, names_of, prepare_all
from .recording import files_of, key_of, open_journal, refusal_of, refuse_journal
from .refusal import REFUSALS, OutputLostError, RefusedError, why
from .results import ResultsFile
from .row import CsvShape, place_text
from .summary import show
from .survey import BAD_INPUTS_SHOWN
from .tally import Tally
from .terminal import answering, say
from .timeline import refuse_timeline
from .trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..agent.config import SpawnConfig
    from ..cluster.cluster_engine import ClusterEngine
    from ..core.records.event import Event
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.handle import AgentHandle
    from ..journal.journal import Journal
    from .job import Job
    from .options import RunOptions
    from .progress import Progress
    from .recipe import Recipe
    from .survey import Survey

EXIT_COMPLETED = 0
EXIT_INCOMPLETE = 1


def run(options: RunOptions) -> int:
    """Run every job with every manifest.

    Returns:
        The exit code: 0 all completed, 1 some did not, 130 interrupted.
    Raises:
        RefusedError: Bad usage, a bad manifest, no input, an output that cannot be written.
    """
    options.check()
    refuse_clashes(
        {
            "--out": options.out,
            "--events": options.events,
            "--timeline": options.timeline,
            "--journal": options.journal,
        },
        {"--input": options.input, **{f"manifest {path}": path for path in options.manifests}},
    )
    refuse_journal(options)
    if options.timeline is not None:
        refuse_timeline(options.timeline, option="--timeline")
    refuse_taken(options.live)
    engine = engine_of(options)
    recipes = prepare_all(options.manifests, choice=ModelChoice(options.driver, options.model, options.base_url))
    if not options.quiet:
        gets_file = options.glob is not None
        say_doubts(doubts_about(recipes, model=options.model, approved=options.approve, gets_file=gets_file))
    outputs = [path for path in (options.out, options.events, options.timeline) if path]
    written = frozenset(map(os.path.realpath, [*outputs, *files_of(options.journal)]))
    interrupt = Interrupt()
    source = open_source(options, read=interrupt.read, skip=written)
    with closing(source), interrupt:
        survey = source.survey(lambda: interrupt.requested)
        items = iter(source)
        # Before an output is touched: without input nothing is.
        first = next(items, None)
        if first is None and not (survey.bad_count or interrupt.requested):
            raise RefusedError(source.empty)
        started = Run(options, recipes, survey, interrupt, engine)
        return started.go(() if first is None else chain([first], items), first)


@dataclass(frozen=True, slots=True)
class Task:
    """One agent of a run: what it was started for, the key of its row, and what its manifest is called in a journal."""

    job: Job
    key: str
    recipe: Recipe
    name: str


class Run:
    """One run, from the first job to the summary."""

    def __init__(
        self,
        options: RunOptions,
        recipes: Sequence[Recipe],
        survey: Survey,
        interrupt: Interrupt,
        engine: ClusterEngine | None = None,
    ) -> None:
        self._options = options
        self._engine = engine
        self._recipes = recipes
        self._labels = labels_of(recipes)
        self._survey = survey
        self._interrupt = interrupt
        self._tally = Tally()
        self._names = names_of(recipes)
        self._results: ResultsFile | None = None
        self._journal: Journal | None = None
        self._trace = Trace() if options.trace else None
        self._timeline = None if options.timeline is None else Timeline(name="actors run")
        self._output_lost = False
        self._is_broken_off = False
        # Then nothing else may stand there.
        self._stdout_taken = STANDARD_STREAM in (options.out, options.events)

    def go(self, items: Iterable[Job | BadInput], first: Job | BadInput | None = None) -> int:
        """Open the outputs, run everything, tell how it went; return the exit code.

        Args:
            first: The first of *items*: the columns of an input that cannot be looked through are taken from it.
        """
        options = self._options
        with ExitStack() as stack:
            self._open(stack, first)
            sink = stack.enter_context(closing(EventSink(self._tally, options.events, resume=options.resume)))
            self._report_survey()
            stack.callback(self._save_timeline)  # also of what was interrupted
            progress = stack.enter_context(
                open_progress(
                    self._tally,
                    self.expected,
                    quiet=options.quiet,
                    redraw=not self._stdout_taken,
                    told=options.verbose > 0,
                )
            )
            # After the display: it takes over standard error.
            stack.enter_context(log_lines(options.verbose))
            try:
                self._work(items, progress, sink)
            except OutputLostError as error:
                self._lose(str(error))
            except EngineLost as error:
                self._is_broken_off = True
                say(f"error: {refused(error)}")
            if sink.problem is not None:
                self._lose(sink.problem)
        self._tally.stop_clock()
        self._report()
        self._say_how_to_go_on()
        return self._exit_code()

    def _open(self, stack: ExitStack, first: Job | BadInput | None) -> None:
        """Open the journal and the results file: first the one that is there, so that a refusal leaves no new one."""
        options = self._options
        is_there = options.journal is not None and os.path.exists(options.journal)
        if is_there:
            self._open_journal(stack)
        if options.out is not None:
            self._results = stack.enter_context(closing(ResultsFile(options, self._shape(first))))
        if not is_there:
            self._open_journal(stack)

    def _open_journal(self, stack: ExitStack) -> None:
        path = self._options.journal
        if path is not None:
            self._journal = open_journal(path, f"--journal {path}")
            stack.callback(self._close_journal, self._journal)

    def _close_journal(self, journal: Journal) -> None:
        try:
            journal.close()
        except JournalFailed as error:
            if not self._output_lost:
                self._lose(f"--journal {self._options.journal}: {error}")

    def _save_timeline(self) -> None:
        path = self._options.timeline
        if self._timeline is None or path is None:
            return
        try:
            self._timeline.save(path)
        except OSError as error:
            self._lose(f"--timeline {path}: cannot be written: {why(error)}")

    def expected(self) -> int | None:
        """How many agents there will be in all; None = cannot say."""
        if self._tally.input_ended:
            return self._tally.admitted
        if self._survey.jobs is None:
            return None
        there = 0 if self._results is None else len(self._results.kept)
        return max(self._tally.admitted, self._survey.jobs * len(self._recipes) - there)

    def _shape(self, first: Job | BadInput | None) -> CsvShape:
        options = self._options
        fields = list(self._survey.fields)
        if self._survey.jobs is None and first is not None and not isinstance(first, BadInput):
            fields = list(options.keep or first.fields)
        found = [recipe.fields() for recipe in self._recipes]
        results = None if None in found else [name for names in found for name in names or ()]
        return CsvShape(fields, results, queries=options.query is None, tags=self._survey.tagged)

    def _work(self, items: Iterable[Job | BadInput], progress: Progress, sink: EventSink) -> None:
        limit = self._options.max_concurrent
        bound = 2 * limit + 16
        options = self._options
        approver = Approver(options.approve, pause=progress.paused, elsewhere=options.control)

        narrator = Narrator(options.verbose, longest=longest_here()) if options.verbose and not options.quiet else None

        def hear(event: Event) -> None:
            if narrator is not None:
                narrator(event)
            event = without_content(event)  # the files are the same, whatever is told beside them
            sink(event)
            approver(event)
            if self._timeline is not None:
                self._timeline(event)

        with_content = narrator is not None and options.verbose >= WORK
        with (
            approver,
            self._pool(hear, queued=bound, with_content=with_content) as pool,
            page_of(pool, options.live, control=options.control),
        ):
            approver.answers_for(pool)
            self._tally.gauge = lambda: (pool.active_count, pool.queued_count)
            if self._engine is not None:
                self._tally.nodes = self._engine.nodes
            feed = Feed(pool, self._tasks(items), bound=bound, spawn=partial(self._spawn, pool))
            self._interrupt.stop_with(partial(_stop, pool, feed))
            self._interrupt.show_with(lambda: str(pool.dump()))
            for task, outcome in feed:
                self._take(task, outcome, progress)
                self._interrupt.repeat()

    def _pool(self, hear: Callable[[Event], None], *, queued: int, with_content: bool) -> AgentPool:
        try:
            return AgentPool(
                max_concurrent=self._options.max_concurrent,
                max_queued=queued,
                on_event=hear,
                events_with_content=with_content,
                memory=memory_for(self._recipes),
                journal=self._journal,
                engine=self._engine,
                name="actors run",
            )
        except EngineLost as error:
            raise refused(error) from error

    def _tasks(self, items: Iterable[Job | BadInput]) -> Iterator[tuple[Task, SpawnConfig]]:
        tally = self._tally
        for item in items:
            if isinstance(item, BadInput):
                self._report_bad(item)
                continue
            for recipe, label, name in zip(self._recipes, self._labels, self._names, strict=True):
                if self._interrupt.requested:
                    break
                task = Task(item, f"{item.key}{label}", recipe, name)
                if self._results is not None and task.key in self._results.kept:
                    tally.skipped += 1
                    continue
                tally.admitted += 1
                yield task, self._config(task)
            if self._interrupt.requested:
                # What was yielded last may have been admitted just after everything was aborted.
                self._interrupt.repeat()
                break
        tally.input_ended = True

    def _spawn(self, pool: AgentPool, task: Task, config: SpawnConfig) -> AgentHandle[Any] | None:
        """Start the agent of *task*; None: it is not what the journal says of it, which was told.

        Raises:
            RefusedError: Its manifest is good, and is none for the command line: it needs what a program gives.
        """
        try:
            return pool.spawn(config)
        except JournalFailed as error:
            raise OutputLostError(f"--journal {self._options.journal}: {error}") from None
        except REFUSALS as error:
            raise RefusedError(f"{task.recipe.place}: {refusal_of(error)}") from error
        except (JournalError, JournalChanged, ValueError) as error:
            if self._journal is None:
                raise RefusedError(f"{task.recipe.place}: {refusal_of(error)}") from error
            self._tally.refused += 1
            self._tally.admitted -= 1
            if self._tally.refused <= BAD_INPUTS_SHOWN:
                say(f"error: {refusal_of(error)}")
            elif self._tally.refused == BAD_INPUTS_SHOWN + 1:
                say("error: further agents that the journal refuses are counted, not shown")
            return None

    def _config(self, task: Task) -> SpawnConfig:
        return task.recipe.config(
            task.job,
            timeout=self._options.timeout,
            several=len(self._recipes) > 1,
            keep_messages=self._trace is not None,
            key=None if self._journal is None else key_of(task.name, task.job.key),
        )

    def _take(self, task: Task, outcome: AgentOutcome[Any], progress: Progress) -> None:
        # The counts come first: when the file fails, the summary still knows.
        self._tally.count(outcome, task.key if self._options.key is not None else "")
        if self._results is not None:
            self._results.write(task.job, task.key, outcome)
        progress.ended(outcome)
        if self._trace is not None:
            self._trace.write(outcome, str(task.recipe.manifest.model.system_prompt))
        if self._options.verbose and outcome.traceback is not None and place_text(outcome) is not None:
            say(outcome.traceback)

    def _report_survey(self) -> None:
        for bad in self._survey.bad:
            self._report_bad(bad)
        if self._survey.bad_count > len(self._survey.bad):
            self._tally.bad_inputs = self._survey.bad_count - 1
            self._report_bad(self._survey.bad[-1])

    def _report_bad(self, bad: BadInput) -> None:
        self._tally.bad_inputs += 1
        if self._tally.bad_inputs <= BAD_INPUTS_SHOWN:
            say(f"error: {bad}")
        elif self._tally.bad_inputs == BAD_INPUTS_SHOWN + 1:
            say("error: further bad inputs are counted, not shown")

    def _lose(self, problem: str) -> None:
        self._output_lost = True
        say(f"error: {problem}")

    def _report(self) -> None:
        if self._options.quiet:
            return
        out = None if self._output_lost else self._options.out
        stream = sys.stderr if self._stdout_taken else sys.stdout
        try:
            with answering():
                show(self._tally, out=out, stream=stream)
        except OutputLostError as error:
            self._lose(str(error))

    def _say_how_to_go_on(self) -> None:
        is_done = not (self._interrupt.requested or self._tally.failed or self._is_broken_off)
        if self._journal is not None and not (self._options.quiet or is_done):
            say(f"{self._options.journal}: the same command with --resume goes on; what was bought is not bought again")

    def _exit_code(self) -> int:
        if self._interrupt.requested:
            return EXIT_INTERRUPTED
        if self._tally.failed or self._tally.bad_inputs or self._tally.refused:
            return EXIT_INCOMPLETE
        if self._output_lost or self._is_broken_off:
            return EXIT_INCOMPLETE
        return EXIT_COMPLETED


def _stop(pool: AgentPool, feed: Feed[Any]) -> None:
    feed.stop()  # first: what it starts meanwhile must be aborted, too
    pool.abort_all("interrupted")
