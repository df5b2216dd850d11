"""Telling OpenTelemetry what a run did, where the environment wants that.

The process that drives a run to its end tells of it: so each run is told of once, however it was
started, and however many services share the journal.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec

from runbook.errors import RunbookError
from runbook.journal import Journal

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables of which one has to be set."""


def check_traces(environ: Mapping[str, str]) -> None:
    """Raise RunbookError `package-missing` where traces are wanted and OpenTelemetry is not there."""
    if _are_wanted(environ) and not _is_there():
        raise RunbookError.of(
            "package-missing",
            f"traces are wanted ({' or '.join(WANTED)} is set), and OpenTelemetry is not installed",
            hint="pip install 'runbook[otel]'",
        )


def tell_trace(run: str, journal: Journal) -> None:
    """Send the trace of a run that this process drove to its end; it is lost where that fails.

    The variables may be there for other programs: without the package nothing is sent, and nothing
    said. Raises RunbookError where the journal cannot be read.
    """
    if not (_are_wanted(os.environ) and _is_there()):
        return
    from runbook.schedule.tracing import exporting, send_trace  # noqa: PLC0415 -- an extra

    send_trace(journal, run, exporting(os.environ))


def _are_wanted(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in WANTED)


def _is_there() -> bool:
    return find_spec("opentelemetry") is not None
