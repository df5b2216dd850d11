"""Telling OpenTelemetry what runs did: the only place that knows of it.

Runs are told of once they are over, whoever drove them, with the times that the journal has. Where
spans go is said by the environment, as https://opentelemetry.io/docs/specs/otel/protocol/exporter/
has it.
"""

from collections.abc import Callable, Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OpenSpan
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from runbook import __version__
from runbook.journal import Journal
from runbook.journal.following import Follower
from runbook.model.event import RunFinished
from runbook.model.verdict import Verdict
from runbook.schedule.spans import Span, span_of

_NS = 1_000_000_000


def exporting(environ: Mapping[str, str]) -> TracerProvider:
    """Return a provider that sends spans to where the environment says, by OTLP over HTTP."""
    named = {} if "OTEL_SERVICE_NAME" in environ else {SERVICE_NAME: "runbook"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Traces:
    """Tells `provider` of the runs that end from now on. `clock` gives POSIX seconds."""

    def __init__(
        self, journal: Journal, provider: TracerProvider, clock: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._provider = provider
        self._tracer = provider.get_tracer("runbook", __version__)
        self._follower = Follower(journal, since=clock())

    def turn(self) -> None:
        """Tell of the runs that have ended since; raise RunbookError."""
        for news in self._follower.news():
            ends = [one.event for one in news.entries if isinstance(one.event, RunFinished)]
            # Who waits for an answer is not at an end; that comes later.
            if ends and ends[-1].verdict is not Verdict.WAITING:
                span = span_of(news.run, self._journal.entries(news.run.id))
                _tell(self._tracer, span, None)

    def close(self) -> None:
        """Send what was not sent yet, as far as that is possible soon."""
        self._provider.shutdown()


def _tell(tracer: Tracer, span: Span, parent: OpenSpan | None) -> None:
    context = None if parent is None else set_span_in_context(parent)
    told = tracer.start_span(
        span.name, context, attributes=span.attributes, start_time=round(span.began * _NS)
    )
    if span.failed:
        told.set_status(Status(StatusCode.ERROR))
    for one in span.inside:
        _tell(tracer, one, told)
    told.end(round(span.ended * _NS))
