"""The looks inside that the newsroom offers: a timeline, a live page, spans."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from actors import AgentPool, LiveView, OpenTelemetry, Timeline


def add_arguments(parser: ArgumentParser) -> None:
    """Which looks there are, as options."""
    parser.add_argument("--timeline", type=Path, metavar="FILE", help="a page, or JSON for Perfetto, of all the run")
    parser.add_argument(
        "--live", type=int, nargs="?", const=0, metavar="PORT", help="a page that shows what happens now"
    )
    parser.add_argument("--control", action="store_true", help="who sees the live page may approve, deny and abort")
    parser.add_argument("--traces", type=Path, metavar="FILE", help="spans as JSON, one a line (opentelemetry-sdk)")
    parser.add_argument("--content", action="store_true", help="prompts and answers, too, in all of them")


@contextmanager
def traced(asked: Namespace) -> Iterator[OpenTelemetry | None]:
    """What gives spans, if that is asked for; they are all in the file at the end of the block."""
    if asked.traces is None:
        yield None
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError as error:
        raise SystemExit(f"--traces: {error}; {sys.executable} -m pip install opentelemetry-sdk") from error

    with asked.traces.open("w", encoding="utf-8") as file:
        exporter = ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(indent=None) + "\n")
        provider = TracerProvider(resource=Resource.create({"service.name": "newsroom"}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield OpenTelemetry(provider, with_content=asked.content)
        finally:
            provider.shutdown()


@contextmanager
def looked_at(pool: AgentPool, asked: Namespace) -> Iterator[None]:
    """Open what was asked for; the timeline is saved at the end of the block, however that comes."""
    with ExitStack() as opened:
        if asked.timeline is not None:
            timeline = Timeline(name="newsroom")
            timeline.save(asked.timeline)  # of nothing yet: a path that cannot be written is told before the run
            opened.callback(_drawn, timeline, asked.timeline)
            opened.callback(pool.subscribe(timeline))  # before that: all that happened is told
        if asked.live is not None or asked.control:
            view = opened.enter_context(LiveView(pool, port=asked.live or 0, control=asked.control))
            print(f"live: {view.url}", file=sys.stderr, flush=True)
        yield


def _drawn(timeline: Timeline, path: Path) -> None:
    timeline.save(path)
    print(f"{path}:", *timeline.picture().summary.sentences, sep="\n  ", file=sys.stderr)
