"""What OpenTelemetry is told of runs: their spans, as its own SDK keeps them."""

from dataclasses import dataclass, field, replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runbook.errors import RunbookError
from runbook.executor.scripted import ScriptedFix
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import Event
from runbook.model.observation import Verification
from runbook.schedule.tracing import Traces
from runbook.views.tracing import traced
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host
from tests.unit.driver.test_suspending import Colleagues, asking

USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
TIMELESS = replace(ONE_FIX, evidence_max_age_s=1e12)


@dataclass
class Told:
    """A journal whose runs are told of; `spans` are what came, by name."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(self.journal, provider, lambda: 0.0)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """Take a turn, and return all spans so far."""
        self.traces.turn()
        return {span.name: span for span in self.exporter.get_finished_spans()}


def tree(exporter: InMemorySpanExporter) -> list[str]:
    """Return the names of all spans, each after those it is in."""
    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans if span.context is not None}

    def path(span: ReadableSpan) -> str:
        above = f"{path(by_id[span.parent.span_id])} > " if span.parent is not None else ""
        return above + span.name

    return sorted(map(path, spans))


def test_a_run_is_a_trace() -> None:
    """The run, in it its hosts, in these steps and fixes: with the journal's times and its words."""
    told = Told()
    hosts = {"web1": host(), "web2": host(fixes={"restart": [USELESS]})}
    stage = Stage(runbook=TIMELESS, hosts=hosts, journal=told.journal, operator=Person(name="ann"))

    def pass_a_second(_event: Event) -> None:
        stage.now += 1.0

    stage.on_event = pass_a_second
    stage.play()

    spans = told.spans
    run, web1 = spans["run example"], spans["host web1"]
    assert tree(told.exporter) == [
        "run example",
        "run example > host web1",
        "run example > host web1 > fix restart",
        "run example > host web1 > step up",
        "run example > host web2",
        "run example > host web2 > fix restart",
        "run example > host web2 > step up",
    ]
    assert run.attributes is not None
    assert run.attributes["runbook.run"] == stage.run
    assert run.attributes["runbook.verdict"] == "unresolved"
    assert not run.status.is_ok
    assert web1.attributes == {
        "runbook.host": "web1",
        "runbook.verdict": "resolved",
        "runbook.causes": "stopped",
    }
    assert web1.status.is_unset
    fixes = [one for one in told.exporter.get_finished_spans() if one.name == "fix restart"]
    assert [one.attributes and one.attributes["runbook.result"] for one in fixes] == [
        "resolved",
        "no_effect",
    ]
    assert {one.attributes and one.attributes["runbook.approved_by"] for one in fixes} == {"ann"}
    assert all((one.end_time or 0) - (one.start_time or 0) >= 10**9 for one in fixes)
    assert (run.start_time, run.end_time) == (0, round((stage.now - 1) * 10**9))
    told.traces.turn()
    assert len(told.exporter.get_finished_spans()) == 7


def test_a_run_that_waits_is_told_of_once_it_is_over() -> None:
    """Nothing is told while a question is open; afterwards all of it is one trace."""
    told = Told()
    colleagues = Colleagues()
    stage = asking(colleagues, web1=host())
    stage.journal = told.journal
    stage.play()
    assert told.spans == {}

    colleagues.chosen["web1"] = "repair"
    stage.resume()

    assert {"run example", "host web1", "step which", "fix restart"} <= told.spans.keys()


def test_nothing_is_told_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable there is nothing to do; with it, and without the package, it says so."""
    journal = MemoryJournal()
    with traced(journal, {}) as turn:
        turn()
    monkeypatch.setattr("runbook.views.tracing.find_spec", lambda _: None)

    with (
        pytest.raises(RunbookError, match="OpenTelemetry is not installed"),
        traced(journal, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}),
    ):
        pass
