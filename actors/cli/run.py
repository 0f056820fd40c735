"""``actors run``: jobs from a source go through a pool, outcomes into a file, the counts, the display."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import AgentCrashed
from ..pool import AgentPool
from .approver import Approver
from .events import EventSink
from .feed import Feed
from .inputs import open_source
from .interrupt import EXIT_INTERRUPTED, Interrupt
from .job import BadInput
from .jsonl import refuse_clashes
from .log import log_lines
from .options import STANDARD_STREAM
from .progress import open_progress
from .recipe import ModelChoice, memory_for, prepare_all
from .refusal import OutputLostError, RefusedError
from .results import ResultsFile
from .summary import show
from .tally import Tally
from .terminal import answering, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..agent.config import SpawnConfig
    from ..core.records.event import Event
    from ..core.records.outcome import AgentOutcome
    from .inputs import Source
    from .job import Job
    from .options import RunOptions
    from .progress import Progress
    from .recipe import Recipe

EXIT_COMPLETED = 0
EXIT_INCOMPLETE = 1
BAD_INPUTS_SHOWN = 20


def run(options: RunOptions) -> int:
    """Run every job with every manifest.

    Returns:
        The exit code: 0 all completed, 1 some did not, 130 interrupted.
    Raises:
        RefusedError: Bad usage, a bad manifest, no input, an output that cannot be written.
    """
    options.check()
    refuse_clashes(
        {"--out": options.out, "--events": options.events},
        {"--input": options.input, **{f"manifest {path}": path for path in options.manifests}},
    )
    recipes = prepare_all(options.manifests, choice=ModelChoice(options.driver, options.model, options.base_url))
    written = frozenset(os.path.realpath(path) for path in (options.out, options.events) if path)
    interrupt = Interrupt()
    source = open_source(options, read=interrupt.read, skip=written)
    with closing(source), interrupt:
        items = iter(source)
        # Before an output is emptied: without input nothing is touched.
        first = next(items, None)
        if first is None and not interrupt.requested:
            raise RefusedError(source.empty)
        started = Run(options, recipes, source, interrupt)
        return started.go(() if first is None else chain([first], items))


class Run:
    """One run, from the first job to the summary."""

    def __init__(self, options: RunOptions, recipes: Sequence[Recipe], source: Source, interrupt: Interrupt) -> None:
        self._options = options
        self._recipes = recipes
        self._source = source
        self._interrupt = interrupt
        self._tally = Tally()
        self._results: ResultsFile | None = None
        self._output_lost = False
        # Then nothing else may stand there.
        self._stdout_taken = STANDARD_STREAM in (options.out, options.events)

    def go(self, items: Iterable[Job | BadInput]) -> int:
        """Open the outputs, run everything, tell how it went; return the exit code."""
        options = self._options
        with ExitStack() as stack:
            if options.out is not None:
                self._results = stack.enter_context(closing(ResultsFile(options.out)))
            sink = stack.enter_context(closing(EventSink(self._tally, options.events)))
            if not options.quiet:
                self._source.measure()
            progress = stack.enter_context(
                open_progress(self._tally, self.expected, quiet=options.quiet, redraw=not self._stdout_taken)
            )
            # After the display: it takes over standard error.
            stack.enter_context(log_lines(options.verbose))
            try:
                self._work(items, progress, sink)
            except OutputLostError as error:
                self._lose(str(error))
            if sink.problem is not None:
                self._lose(sink.problem)
        self._tally.stop_clock()
        self._report()
        return self._exit_code()

    def expected(self) -> int | None:
        """How many agents there will be in all; None = cannot say."""
        if self._tally.input_ended:
            return self._tally.admitted
        jobs = self._source.expected(self._tally.jobs_read)
        return None if jobs is None else jobs * len(self._recipes)

    def _work(self, items: Iterable[Job | BadInput], progress: Progress, sink: EventSink) -> None:
        limit = self._options.max_concurrent
        bound = 2 * limit + 16
        approver = Approver(self._options.approve, pause=progress.paused)

        def hear(event: Event) -> None:
            sink(event)
            approver(event)

        with (
            approver,
            AgentPool(
                max_concurrent=limit,
                max_queued=bound,
                on_event=hear,
                memory=memory_for(self._recipes),
                name="actors run",
            ) as pool,
        ):
            approver.answers_for(pool)
            self._tally.gauge = lambda: (pool.active_count, pool.queued_count)
            configs = self._configs(items)
            feed = Feed(pool, configs, bound=bound) if self._source.may_wait else None
            self._interrupt.stop_with(partial(_stop, pool, feed))
            self._interrupt.show_with(lambda: str(pool.dump()))
            for outcome in feed or pool.map(configs, ordered=False):
                self._take(outcome, progress)
                self._interrupt.repeat()

    def _configs(self, items: Iterable[Job | BadInput]) -> Iterator[SpawnConfig]:
        tally, options, several = self._tally, self._options, len(self._recipes) > 1
        for item in items:
            if isinstance(item, BadInput):
                self._report_bad(item)
                continue
            tally.jobs_read += 1
            for recipe in self._recipes:
                if self._interrupt.requested:
                    break
                tally.admitted += 1
                yield recipe.config(item, timeout=options.timeout, several=several)
            if self._interrupt.requested:
                # What was yielded last may have been admitted just after everything was aborted.
                self._interrupt.repeat()
                break
        tally.input_ended = True

    def _take(self, outcome: AgentOutcome[Any], progress: Progress) -> None:
        # The counts come first: when the file fails, the summary still knows.
        self._tally.count(outcome)
        if self._results is not None:
            self._results.write(outcome)
        progress.ended(outcome)
        if self._options.verbose and isinstance(outcome.error, AgentCrashed):
            say(outcome.error.traceback)

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

    def _exit_code(self) -> int:
        if self._interrupt.requested:
            return EXIT_INTERRUPTED
        if self._tally.failed or self._tally.bad_inputs or self._output_lost:
            return EXIT_INCOMPLETE
        return EXIT_COMPLETED


def _stop(pool: AgentPool, feed: Feed | None) -> None:
    if feed is not None:
        feed.stop()  # first: what it starts meanwhile must be aborted, too
    pool.abort_all("interrupted")
