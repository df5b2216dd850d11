"""Telling OpenTelemetry what runs did: the only place that knows of it.

A run is told of once it is over, with the times that the journal has. Where spans go is said by the environment, as https://opentelemetry.io/docs/specs/otel/protocol/exporter/
has it.
"""

from collections.abc import Mapping
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OpenSpan
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from runbook import __version__
from runbook.journal import Journal
from runbook.schedule.spans import Span, span_of

_NS = 1_000_000_000
PATIENCE_S = 5.0
"""How long whoever ran something waits for its trace to be sent."""


def exporting(environ: Mapping[str, str]) -> TracerProvider:
    """Return a provider that sends spans to where the environment says, by OTLP over HTTP."""
    named = {} if "OTEL_SERVICE_NAME" in environ else {SERVICE_NAME: "runbook"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def send_trace(journal: Journal, run: str, provider: TracerProvider) -> None:
    """Tell `provider` of a run that is over, and wait a little for that to get through.

    Raises RunbookError where the journal cannot be read.
    """
    span = span_of(journal.find(run), journal.entries(run))
    _tell(provider.get_tracer("runbook", __version__), span, None)
    # It sends what is left, and may try for long where nobody listens.
    sending = Thread(target=provider.shutdown, daemon=True)
    sending.start()
    sending.join(PATIENCE_S)


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
