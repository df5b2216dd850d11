"""Telling OpenTelemetry what runs did, where the environment wants that."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from time import time

from runbook.errors import RunbookError
from runbook.journal import Journal

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables of which one has to be set."""


@contextmanager
def traced(journal: Journal, environ: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Give what is to be called now and then, so that runs which have ended are told of.

    Raises RunbookError `package-missing` where it is wanted and OpenTelemetry is not there.
    """
    if not any(environ.get(name) for name in WANTED):
        yield lambda: None
        return
    if find_spec("opentelemetry") is None:
        raise RunbookError.of(
            "package-missing",
            f"traces are wanted ({' or '.join(WANTED)} is set), and OpenTelemetry is not installed",
            hint="pip install 'runbook[otel]'",
        )
    from runbook.schedule.tracing import Traces, exporting  # noqa: PLC0415 -- an extra

    traces = Traces(journal, exporting(environ), time)
    try:
        yield traces.turn
    finally:
        traces.close()
