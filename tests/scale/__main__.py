"""`python -m tests.scale [--runs N] [--hosts N] [--workers N]`, behind `make scale`.

Prints how long a request waits for an idle service, and how many runs a second several services on
one database do; then the same while one of them is killed with its runs, the database is stopped for
10 s and another one is stopped for as long, and what came of all of it; that the same figures tell
where nothing keeps runs apart. Last, that services which keep to the same schedules fire each once.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from runbook.driver.whole import whole_run
from runbook.errors import RunbookError
from runbook.journal import RunFilter
from runbook.journal.postgres import open_journal
from runbook.model.event import FixApproved, HostFinished
from runbook.model.policy import Source
from runbook.model.verdict import Verdict
from runbook.schedule.queue import Queue
from runbook.schedule.requests import LIVE, Request
from runbook.schedule.requests import Stage as EndStage
from runbook.schedule.state import opened
from tests.postgres import Server, serving
from tests.scale.play import FIX_S
from tests.scale.sliced import HOSTS, SLICE_HOSTS, waves_of
from tests.scale.worker import BEAT_S, SCHEDULES, unguarded_queue

AWAY_S = 10.0
FIRES_S = 16.0
WITHIN_S = 900.0


@dataclass(kw_only=True)
class Stage:
    """Workers on one database, and the folder that their hosts' state is in."""

    url: str
    folder: Path
    manner: str = "guarded"
    runs_at_once: int = 6
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def hire(self, many: int) -> None:
        """Start workers, each on a machine of its own as far as that can be had."""
        for _ in range(many):
            name = f"worker{len(self.workers)}" if os.getuid() == 0 else ""
            command = [sys.executable, "-m", "tests.scale.worker", self.url, str(self.folder)]
            command += [self.manner, str(self.runs_at_once), name]
            apart = ["unshare", "--uts"] if name else []
            self.workers.append(subprocess.Popen([*apart, *command], start_new_session=True))

    def signal(self, worker: int, number: signal.Signals) -> None:
        """Send a signal to a worker and all its runs, as if to their machine."""
        os.killpg(self.workers[worker].pid, number)

    def dismiss(self) -> None:
        """Have the workers end."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(WITHIN_S)

    def put(self, runs: int, hosts: int, *, first: int = 0) -> None:
        """Ask for runs, one host each, in turn."""
        now = datetime.now(tz=UTC)
        guarding = nullcontext() if self.manner == "guarded" else unguarded_queue()
        with guarding, opened(self.url) as state, state.writing():
            for number in range(first, first + runs):
                request = Request(
                    key=str(number),
                    source=Source.TRIGGER,
                    asker="scale",
                    runbook="example",
                    pattern=f"web{number % hosts}",
                    line=str(number),
                    due=now,
                )
                Queue(state).put(request, now)

    def delays(self, many: int) -> list[float]:
        """Ask for runs one after the other, each of an idle service; return when each began, in s."""
        found: list[float] = []
        with opened(self.url) as state, closing(open_journal(self.url)) as journal:
            while len(state.heartbeats()) < len(self.workers):
                time.sleep(0.1)
            for number in range(many):
                self.put(1, 1, first=number)
                asked = time.time()
                while self.over() < number + 1:
                    time.sleep(0.1)
                [kept] = Queue(state).of_key(str(number))
                found.append(journal.find(kept.run).started_at - asked)
        return sorted(found)

    def odd_ends(self) -> Counter[str]:
        """Count the requests that came to something else than a run's verdict, by what that was."""
        with opened(self.url) as state:
            ends = Queue(state).requests(*EndStage)
        verdicts = {verdict.value for verdict in Verdict}
        return Counter(f"{one.stage}, {one.told}" for one in ends if one.told not in verdicts)

    def over(self) -> int:
        """Return how many requests are over."""
        with opened(self.url) as state:
            (found,) = state.rows(
                f"SELECT count(*) FROM requests WHERE stage NOT IN ({', '.join('?' * len(LIVE))})",
                LIVE,
            )
        return int(found[0])

    def wait(self, many: int) -> float:
        """Wait until so many requests are over; return how long that took, in seconds."""
        began = time.monotonic()
        while self.over() < many:
            if time.monotonic() - began > WITHIN_S:
                raise TimeoutError(f"{self.over()} of {many} requests are over; see {self.folder}")
            time.sleep(0.1)
        return time.monotonic() - began

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file of the folder."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What came of requests; the first four have to be nought."""

    without_verdict: int
    begun_unapproved: int
    met_on_a_host: int
    chains_broken: int
    verdicts: Counter[str]
    begun: int
    went_on: int

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (
            self.without_verdict
            or self.begun_unapproved
            or self.met_on_a_host
            or self.chains_broken
        )


def judge(stage: Stage, asked: int) -> Judged:
    """Compare the journal with what the hosts say was done to them."""
    begun = Counter(
        line for path in stage.folder.glob("*.begun") for line in stage.lines(path.name)
    )
    approved: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    broken = 0
    with closing(open_journal(stage.url)) as journal:
        for run in journal.runs(RunFilter(limit=None)):
            events = [entry.event for entry in journal.entries(run.id)]
            approved[run.id] = sum(isinstance(event, FixApproved) for event in events)
            if run.verdict is not None:
                verdicts[run.verdict.value] += 1
            try:
                journal.verify(run.id)
            except RunbookError:
                broken += 1
        held = len(journal.claims())
    return Judged(
        without_verdict=max(0, asked - sum(verdicts.values())) + held,
        begun_unapproved=sum(max(0, many - approved[run]) for run, many in begun.items()),
        met_on_a_host=len(stage.lines("overlaps")),
        chains_broken=broken,
        verdicts=verdicts,
        begun=sum(begun.values()),
        went_on=sum(" goes on " in line for line in stage.lines("log")),
    )


@contextmanager
def stage_for(server: Server, runs: int, hosts: int, *, manner: str = "guarded") -> Iterator[Stage]:
    """Give a database and a folder, with the requests put."""
    with tempfile.TemporaryDirectory(prefix="runbook-scale-") as folder:
        stage = Stage(url=server.journal(), folder=Path(folder), manner=manner)
        stage.put(runs, hosts)
        try:
            yield stage
        finally:
            for worker in stage.workers:
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()


def at_leisure(server: Server, workers: int, many: int = 20) -> bool:
    """Measure how long a request waits where there is room."""
    with stage_for(server, 0, 0) as stage:
        stage.hire(workers)
        delays = stage.delays(many)
        stage.dismiss()
        middle, worst = 1000 * median(delays), 1000 * delays[-1]
        print(f"{workers} idle workers, {many} requests one after the other:")
        print(
            f"  the run begins after {middle:.0f} ms (median), {worst:.0f} ms at most", flush=True
        )
        return judge(stage, many).kept


def in_peace(server: Server, runs: int, hosts: int, workers: int) -> bool:
    """Measure how many runs a second there are where nothing goes wrong."""
    with stage_for(server, runs, hosts) as stage:
        stage.hire(workers)
        took = stage.wait(runs)
        stage.dismiss()
        judged = judge(stage, runs)
        tell(f"{workers} workers, {runs} runs on {hosts} hosts, in peace", judged)
        print(f"  {took:.1f} s, {runs / took:.1f} runs/s (each fix takes {FIX_S} s)", flush=True)
        return judged.kept and judged.went_on == 0


def with_faults(server: Server, runs: int, hosts: int, workers: int) -> bool:
    """Kill a worker with its runs, stop the database, stop another worker; compare."""
    with stage_for(server, runs, hosts) as stage:
        stage.hire(workers)
        stage.wait(runs // 8)
        stage.signal(0, signal.SIGKILL)
        print(f"  killed a worker with its runs after {stage.over()} requests", flush=True)
        stage.hire(1)
        stage.wait(runs // 3)
        server.stop()
        time.sleep(AWAY_S)
        server.start()
        print(f"  the database was stopped for {AWAY_S:.0f} s, after {runs // 3}", flush=True)
        stage.wait(runs // 2)
        stage.signal(1, signal.SIGSTOP)
        time.sleep(AWAY_S)
        stage.signal(1, signal.SIGCONT)
        print(f"  stopped a worker with its runs for {AWAY_S:.0f} s, after {runs // 2}", flush=True)
        stage.wait(runs)
        stage.dismiss()
        judged = judge(stage, runs)
        tell(f"{workers} workers, {runs} runs on {hosts} hosts, with faults", judged)
        for what, many in sorted(stage.odd_ends().items()):
            print(f"  {many} requests: {what}")
        for error, many in sorted(Counter(map(_without_run, stage.lines("errors"))).items()):
            print(f"  {many} times: {error}")
        return judged.kept and judged.went_on > 0


def unguarded(server: Server, workers: int) -> bool:
    """Show that runs which nothing keeps apart are seen to meet on a host."""
    with stage_for(server, 12, 1, manner="unguarded") as stage:
        stage.hire(workers)
        stage.wait(12)
        stage.dismiss()
        judged = judge(stage, 12)
        tell("the control: 12 runs on 1 host, with nothing to keep them apart", judged)
        return judged.met_on_a_host > 0


def by_the_clock(server: Server, workers: int, *, guarded: bool = True) -> bool:
    """Have services keep to the same schedules while one is killed; count what each firing began."""
    manner = "scheduled guarded" if guarded else "scheduled unguarded"
    with stage_for(server, 0, 0, manner=manner) as stage:
        stage.hire(workers)
        time.sleep(FIRES_S / 2)
        if guarded:
            stage.signal(0, signal.SIGKILL)
            stage.hire(1)
        time.sleep(FIRES_S / 2)
        stage.dismiss()
        with opened(stage.url) as state:
            rows = state.rows("SELECT asker, due FROM requests")
        firings = Counter(rows)
        missing = sum(gaps([due for name, due in firings if name == one.name]) for one in SCHEDULES)
        twice = sum(many - 1 for many in firings.values())
        what = "with one killed" if guarded else "the control: nothing keeps firings apart"
        print(f"{workers} services with the same {len(SCHEDULES)} schedules, {what}:")
        print(f"  {len(firings)} firings, {twice} put twice, {missing} missing", flush=True)
        return not missing and (twice == 0) is guarded


def in_slices(server: Server, workers: int) -> bool:
    """Have workers share one run over many hosts, kill one in the midst of a wave; tell the waves."""
    with stage_for(server, 0, 0, manner="sliced") as stage:
        stage.runs_at_once = -(-HOSTS // SLICE_HOSTS // workers)
        now = datetime.now(tz=UTC)
        with opened(stage.url) as state:
            request = Request(
                key="whole",
                source=Source.TRIGGER,
                asker="scale",
                runbook="example",
                pattern="all",
                line="whole",
                due=now,
            )
            Queue(state).put(request, now)
        stage.hire(workers)
        began = time.monotonic()
        while len(list(stage.folder.glob("*.begun"))) < HOSTS // 3:
            time.sleep(0.05)
        stage.signal(0, signal.SIGKILL)
        print(f"  killed a worker in the midst of a wave, {HOSTS // 3} fixes begun", flush=True)
        stage.hire(1)
        stage.wait(1 + -(-HOSTS // SLICE_HOSTS))
        took = time.monotonic() - began
        stage.dismiss()
        with opened(stage.url) as state, closing(open_journal(stage.url)) as journal:
            [kept] = Queue(state).of_key("whole")
            waves = waves_of(journal, kept.run)
            told = whole_run(journal.find(kept.run), journal)
            verdicts = Counter(
                event.verdict
                for event in {
                    entry.event.host: entry.event
                    for entry in told.entries
                    if isinstance(entry.event, HostFinished)
                }.values()
            )
        begun = Counter(
            {path: len(path.read_text().splitlines()) for path in stage.folder.glob("*.begun")}
        )
        twice = sum(many - 1 for many in begun.values())
        went_on = sum(" goes on " in line for line in stage.lines("log"))
        print(
            f"{workers} workers, one run over {HOSTS} hosts in {len(told.slices)} slices, one killed:"
        )
        counted = ", ".join(f"{many} {verdict}" for verdict, many in verdicts.items())
        print(f"  {took:.1f} s; {counted}; waves {waves}; {went_on} slices gone on with")
        print(
            f"  {HOSTS - verdicts.total()} without a verdict, {twice} fixes begun twice", flush=True
        )
        doubled = [2**number for number in range(len(waves))]
        fits = all(one <= most for one, most in zip(waves, doubled, strict=True))
        whole = told.summary.verdict is Verdict.RESOLVED and sum(waves) == HOSTS
        return fits and whole and not twice and went_on > 0


def gaps(dues: list[float]) -> int:
    """Return how many firings of a schedule are missing between the first and the last one."""
    return round((max(dues) - min(dues)) / BEAT_S) + 1 - len(dues) if dues else 1


def tell(what: str, judged: Judged) -> None:
    """Print figures."""
    verdicts = ", ".join(f"{many} {verdict}" for verdict, many in judged.verdicts.most_common())
    print(f"{what}:")
    print(f"  {verdicts}; {judged.begun} fixes begun, {judged.went_on} runs gone on with")
    print(
        f"  {judged.without_verdict} without a verdict, {judged.begun_unapproved} fixes begun without"
        f" a yes, {judged.met_on_a_host} met on a host, {judged.chains_broken} chains broken",
        flush=True,
    )


def main() -> int:
    """Play it; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="make scale")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--workers", type=int, default=3)
    asked = parser.parse_args()
    with serving() as server:
        kept = [
            at_leisure(server, asked.workers),
            in_peace(server, asked.runs, asked.hosts, asked.workers),
            with_faults(server, asked.runs, asked.hosts, asked.workers),
            unguarded(server, asked.workers),
            by_the_clock(server, asked.workers),
            by_the_clock(server, asked.workers, guarded=False),
            in_slices(server, 2),
        ]
    print("all promises kept" if all(kept) else "A PROMISE WAS BROKEN")
    return 0 if all(kept) else 1


def _without_run(line: str) -> str:
    return line.partition(" ")[2]


if __name__ == "__main__":
    sys.exit(main())
