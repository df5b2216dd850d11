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
from runbook.schedule.tracing import send_trace
from runbook.views.tracing import check_traces, tell_trace
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host
from tests.unit.driver.test_suspending import Colleagues, asking
from tests.unit.schedule.collecting import collector

USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
TIMELESS = replace(ONE_FIX, evidence_max_age_s=1e12)


@dataclass
class Told:
    """A journal, and what was told of a run of it."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def spans_of(self, run: str) -> dict[str, ReadableSpan]:
        """Tell of a run, and return its spans by name."""
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        send_trace(self.journal, run, provider)
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

    spans = told.spans_of(stage.run)
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


def test_a_run_that_has_waited_is_one_trace() -> None:
    """What was before the question and what came after it are told of together."""
    told = Told()
    colleagues = Colleagues()
    stage = asking(colleagues, web1=host())
    stage.journal = told.journal
    stage.play()
    colleagues.chosen["web1"] = "repair"
    stage.resume()

    spans = told.spans_of(stage.run)
    assert {"run example", "host web1", "step which", "fix restart"} <= spans.keys()


def test_a_trace_goes_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of a collector has all of the run; without the variable, or the package, none."""
    told = Told()
    stage = Stage(runbook=TIMELESS, hosts={"web1": host()}, journal=told.journal)
    stage.play()
    with collector() as (url, got):
        tell_trace(stage.run, told.journal)
        assert got == []
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        tell_trace(stage.run, told.journal)
        (sent,) = got
        assert b"run example" in sent
        assert b"fix restart" in sent
        monkeypatch.setattr("runbook.views.tracing.find_spec", lambda _: None)
        tell_trace(stage.run, told.journal)
        assert len(got) == 1


def test_a_service_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on for long, so that is said before it begins; where nothing is wanted, nothing is."""
    monkeypatch.setattr("runbook.views.tracing.find_spec", lambda _: None)

    check_traces({})
    with pytest.raises(RunbookError, match="OpenTelemetry is not installed"):
        check_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
