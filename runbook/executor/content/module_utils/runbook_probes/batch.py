"""Run many probes at the same time, in processes of their own.

A probe that crashes, hangs, prints without end or is killed costs its own answer and nothing else:
it is looked at by a forked worker in a process group of its own, with its own time-out. A worker
that is not as it was before, since the probe started a program, changed the user or ran out of its
time, is killed with everything it started; others take the next probe. The parent only waits on
pipes.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import selectors
import signal
import sys
import time

from . import commands, identity, registry
from .call import CannotLookError, Look, OverTimeError, bind
from .values import plain

DEFAULT_TIMEOUT_S = 5.0
DEFAULT_DEADLINE_S = 30.0
DEFAULT_MAX_BYTES = 65536
# What a probe gets beyond its time to hand over its answer, before it is killed from outside.
GRACE_S = 0.5
# What starting Python through sudo takes of a probe's time, at most half.
_SUDO_S = 0.5
# JSON escapes make a character up to six bytes long; nothing honest is longer than this.
_ESCAPED = 6
_READ_SIZE = 65536
# One for each processor; another one can look while a tool is at work.
_WORKERS = min(max(os.cpu_count() or 1, 2), 4)
# How long all workers may be held up before there are twice as many, with a processor for each; the
# most it is where more processes want to run than there are processors.
_PATIENCE_S = 0.03
_MOST_PATIENCE_S = 0.2
# Types of probes that mostly ask the same of the same tools: one worker has them tell it once.
_SHARING = frozenset(["firewall", "nginx_config"])
# Types of probes that begin first, as they take longest: they wait for tools, or import much.
_LONG = frozenset(["certificate", "firewall", "nginx_config", "service"])
# Those that end their worker, who asks whatever else there is first.
_LAST = frozenset(["command", "git", "python_imports"])
# JSON holds no tab that is not escaped; the end of a line that says that its worker can go on.
_REUSABLE = b"\t\n"


def answer(request: dict[str, object]) -> dict[str, object]:
    """Answer a request of probes.

    `request["probes"]` is a list of `{"id", "type", "args", "timeout", "as"}`; `sample` asks for
    rounds `every` so many seconds through `for` seconds; `deadline` bounds the whole request in
    seconds, `max_bytes` the facts of one probe. Returns `{"changed": false, "answers": {id: answer}}`
    and with `sample` also `"samples": [{"at_s", "answers"}]`, where `answers` are those of the last
    round. An answer is `{"looked": true, "facts", "took_s"}` or `{"looked": false, "reason",
    "took_s"}`.
    """
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        # A fork copies locks that other threads hold; a process of our own has no other threads.
        return identity.answer_elsewhere([], request)
    probes = [_Probe(probe) for probe in _records(request.get("probes"))]
    started = time.monotonic()
    ends = started + _number(request.get("deadline"), DEFAULT_DEADLINE_S)
    max_bytes = int(_number(request.get("max_bytes"), DEFAULT_MAX_BYTES))
    sample = request.get("sample")
    if not isinstance(sample, dict):
        _get_ready(probes, rounds=1)
        return {"changed": False, "answers": _round(probes, ends, max_bytes)}
    _get_ready(probes, rounds=2)
    samples: list[dict[str, object]] = []
    last_s = _number(sample.get("for"), 0.0)
    every_s = max(_number(sample.get("every"), 1.0), 0.01)
    due_s = 0.0
    while not samples or (due_s <= last_s and started + due_s < ends):
        time.sleep(max(started + due_s - time.monotonic(), 0))
        at_s = time.monotonic() - started
        answers = _round(probes, ends, max_bytes)
        samples.append({"at_s": round(at_s, 3), "answers": answers})
        # The end of the period is always seen, whether or not it is a multiple of the interval.
        due_s = last_s if due_s < last_s < at_s + every_s else at_s + every_s
    return {"changed": False, "answers": samples[-1]["answers"], "samples": samples}


def _records(value: object) -> list[dict[str, object]]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return []


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float, str)) else default


class _Probe:
    def __init__(self, record: dict[str, object]) -> None:
        self.id = str(record.get("id"))
        self.kind = str(record.get("type"))
        args = record.get("args")
        self.args = args if isinstance(args, dict) else {}
        self.timeout_s = _number(record.get("timeout"), DEFAULT_TIMEOUT_S)
        user = record.get("as")
        self.user = str(user) if user else None


class _Worker:
    """A process that looks: at one probe after another, as long as each leaves it as it was."""

    def __init__(self, probes: list[_Probe], max_bytes: int) -> None:
        self.probes = probes
        self.limit = max_bytes * _ESCAPED + _READ_SIZE
        self.reusable = True
        self.kinds: set[str] = set()
        asked_fd, self.ask_fd = os.pipe()
        try:
            self.fd, told_fd = os.pipe()
        except OSError:
            os.close(asked_fd)
            os.close(self.ask_fd)
            raise
        try:
            self.pid = os.fork()
        except OSError:
            for fd in (asked_fd, self.ask_fd, self.fd, told_fd):
                os.close(fd)
            raise
        if self.pid == 0:
            _be_a_worker(probes, max_bytes, asked_fd, told_fd)
        os.close(asked_fd)
        os.close(told_fd)

    def begin(self, number: int, ends: float) -> None:
        """Have it look at one of the probes."""
        self.probe = self.probes[number]
        self.kinds.add(self.probe.kind)
        self.started = time.monotonic()
        left_s = max(ends - self.started, 0.001)
        self.timeout_s = min(self.probe.timeout_s, left_s)
        self.kill_at = self.started + self.timeout_s + min(GRACE_S, left_s)
        self.chunks: list[bytes] = []
        self.size = 0
        try:
            os.write(self.ask_fd, b"%d %r\n" % (number, self.timeout_s))
        except OSError:
            # It is gone, which the end of what it tells says as well.
            return

    def read(self) -> bool:
        """Take what it tells of the probe; return False once that is all."""
        chunk = os.read(self.fd, _READ_SIZE)
        self.chunks.append(chunk)
        self.size += len(chunk)
        return bool(chunk) and not chunk.endswith(b"\n") and self.size <= self.limit

    def outcome(self, finished: bool) -> dict[str, object]:
        """Return the probe's answer; end the process unless it can take another one."""
        told = b"".join(self.chunks)
        self.reusable = told.endswith(_REUSABLE)
        try:
            result = json.loads(told)
        except ValueError:
            result = None
        if not isinstance(result, dict):
            if self.size > self.limit:
                reason = "the answer is longer than allowed"
            elif finished:
                reason = "the probe crashed: " + _ended(self.pid)
            else:
                reason = _over_time(self.timeout_s)
            result = {"looked": False, "reason": reason}
        if not self.reusable:
            self.end()
        result["took_s"] = round(time.monotonic() - self.started, 4)
        return result

    def end(self) -> None:
        """End it, with whatever it started."""
        # As long as its process is not waited for, its number cannot become someone else's.
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except OSError:
                # Already gone, or not yet a group of its own, or (under sudo) not ours to kill:
                # that one ends by its own alarm.
                continue
        os.close(self.fd)
        os.close(self.ask_fd)
        try:
            # Never waits: a process stuck in the kernel (a dead network file system) stays behind.
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return


def _ended(pid: int) -> str:
    """Say how a process ended that has closed all its files."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        result = None
    if result is None:
        return "its process is gone"
    how = "exit status" if result.si_code == os.CLD_EXITED else "signal"
    return f"{how} {result.si_status}"


def _over_time(timeout_s: float) -> str:
    return f"not finished within {round(timeout_s, 2):g} s"


def _round(probes: list[_Probe], ends: float, max_bytes: int) -> dict[str, object]:
    """Look once at everything; return the answers by the ids of probes."""
    # What is there by now would only be copied, should each of them look through it for garbage.
    gc.freeze()
    gc.enable()
    with selectors.DefaultSelector() as selector:
        return _Crew(probes, ends, max_bytes, selector).answers()


class _Crew:
    """The workers of a round.

    A process for each probe costs more than most probes do. So a few share what there is, which is
    as quick while none of them is held up. Each time that none of them comes back for a while there are
    twice as many.
    """

    def __init__(
        self, probes: list[_Probe], ends: float, max_bytes: int, selector: selectors.BaseSelector
    ) -> None:
        self.probes = probes
        self.ends = ends
        self.max_bytes = max_bytes
        self.selector = selector
        self.allowed = _WORKERS
        self.working: list[_Worker] = []
        self.idle: list[_Worker] = []
        self.told: dict[str, object] = {probe.id: None for probe in probes}

    def answers(self) -> dict[str, object]:
        """Look at everything; return the answers by the ids of probes."""
        waiting = sorted(range(len(self.probes)), key=lambda number: _turn(self.probes[number]))
        patience_s = _patience_s()
        while waiting or self.working:
            while waiting and (self.idle or len(self.working) < self.allowed):
                number, worker = self._next(waiting)
                if number is None:
                    break
                waiting.remove(number)
                self._begin(number, worker)
            if self.working and not self._take(patience_s if waiting else None):
                self.allowed = 2 * len(self.working)
        for worker in self.idle:
            worker.end()
        return self.told

    def _next(self, waiting: list[int]) -> tuple[int | None, _Worker | None]:
        """Choose one of the probes that wait, and a worker for it, or None for a new one.

        Those that share what they are told are for the worker that was told; while that is at work,
        and nobody is held up, they wait for it, so that there may be none to begin.
        """
        for worker in self.idle:
            for number in waiting:
                if self.probes[number].kind in worker.kinds & _SHARING:
                    self.idle.remove(worker)
                    return number, worker
        told: set[str] = set()
        if self.allowed == _WORKERS:
            told = {worker.probe.kind for worker in self.working} & _SHARING
        for number in waiting:
            if self.probes[number].kind not in told:
                return number, self.idle.pop() if self.idle else None
        return None, None

    def _begin(self, number: int, worker: _Worker | None) -> None:
        try:
            worker = worker or _Worker(self.probes, self.max_bytes)
        except OSError as error:
            # No more processes, or no more files: that may be the very fault of the host.
            reason = f"the probe cannot be started: {error.strerror}"
            answer = {"looked": False, "reason": reason, "took_s": 0.0}
            self.told[self.probes[number].id] = answer
            return
        worker.begin(number, self.ends)
        self.working.append(worker)
        self.selector.register(worker.fd, selectors.EVENT_READ, worker)

    def _take(self, patience_s: float | None) -> bool:
        """Wait for answers, at most so long; say whether a worker is free again, or gone."""
        wait_s = max(min(worker.kill_at for worker in self.working) - time.monotonic(), 0)
        if patience_s is not None:
            wait_s = min(wait_s, patience_s)
        done = [key.data for key, _ in self.selector.select(wait_s) if not key.data.read()]
        now = time.monotonic()
        over = [worker for worker in self.working if worker in done or worker.kill_at <= now]
        for worker in over:
            self.selector.unregister(worker.fd)
            self.working.remove(worker)
            self.told[worker.probe.id] = worker.outcome(finished=worker in done)
            if worker.reusable:
                self.idle.append(worker)
        return bool(over)


def _turn(probe: _Probe) -> int:
    if probe.kind in _LAST or probe.user is not None:
        return 2
    return 0 if probe.kind in _LONG else 1


def _patience_s() -> float:
    """Say after how long a worker is held up by what it looks at, not by others on the machine."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            running = int(file.read().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return _PATIENCE_S
    return min(_PATIENCE_S * max(running / (os.cpu_count() or 1), 1), _MOST_PATIENCE_S)


def _get_ready(probes: list[_Probe], rounds: int) -> None:
    """Import what more than one worker will need; what one needs it imports beside the others."""
    kinds = {probe.kind for probe in probes}
    for kind in kinds:
        areas = [registry.AREAS.get(probe.kind) for probe in probes]
        asked = 1 if kind in _SHARING else areas.count(registry.AREAS.get(kind))
        if asked * rounds > 1:
            get_ready(kind)


def get_ready(kind: str) -> None:
    """Import a probe once, here, so that processes forked from this one need not."""
    try:
        registry.find(kind)
    except Exception:
        # Said by the child that needs it.
        return


def _be_a_worker(probes: list[_Probe], max_bytes: int, asked_fd: int, told_fd: int) -> None:
    """Look at each probe that is asked for, and tell its answer as a line. Never returns."""
    try:
        _settle(asked_fd, told_fd)
        _end_with_parent(asked_fd)
        commands.share_answers()
        asked = os.read(asked_fd, _READ_SIZE)
        while asked:
            number, timeout_s = asked.split()
            data = _told(probes[int(number)], float(timeout_s), max_bytes)
            while data:
                data = data[os.write(told_fd, data) :]
            asked = os.read(asked_fd, _READ_SIZE)
        os._exit(0)
    finally:
        os._exit(1)


def _told(probe: _Probe, timeout_s: float, max_bytes: int) -> bytes:
    """Return a probe's answer as a line, which ends differently where the process is as it was."""
    left_as_it_was = False
    # None of the time it has to look.
    get_ready(probe.kind)
    signal.signal(signal.SIGALRM, _ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, timeout_s, 2 * GRACE_S)
            result = _looked_at(probe, timeout_s, max_bytes)
            data = json.dumps(result, allow_nan=False).encode("ascii")
            left_as_it_was = probe.user is None and not commands.has_run()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except OverTimeError:
        left_as_it_was = False
        data = json.dumps({"looked": False, "reason": _over_time(timeout_s)}).encode("ascii")
    return data + (_REUSABLE if left_as_it_was else b"\n")


def _looked_at(probe: _Probe, timeout_s: float, max_bytes: int) -> dict[str, object]:
    try:
        look = Look(timeout_s, max_bytes)
        if probe.user is not None:
            registry.find_all_of(probe.kind)
            if not identity.become(probe.user):
                return identity.answer_as(probe.user, _only(probe, look))
        function = registry.find(probe.kind)
        facts, cut = plain(function(look, **bind(function, probe.args)), max_bytes)
        if isinstance(facts, dict):
            facts["truncated"] = bool(facts.get("truncated")) or cut
    except CannotLookError as error:
        reason = str(error)
    except OverTimeError:
        raise
    except PermissionError as error:
        reason = f"not permitted: {error.filename or error.strerror}"
    except Exception as error:
        reason = "the probe crashed: " + _described(error)
    else:
        return {"looked": True, "facts": facts}
    return {"looked": False, "reason": str(plain(reason, max_bytes)[0])}


def _only(probe: _Probe, look: Look) -> dict[str, object]:
    # Sooner than our own time is up, so that a time-out that is an answer still comes back.
    left_s = max(look.left_s() - _SUDO_S, look.left_s() / 2)
    record = {"id": probe.id, "type": probe.kind, "args": probe.args, "timeout": left_s}
    return {"probes": [record], "deadline": left_s + GRACE_S, "max_bytes": look.max_bytes}


def _described(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        name = os.path.basename(trace.tb_frame.f_code.co_filename)
        place = f" ({name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{place}"


def _settle(*kept: int) -> None:
    """Cut every tie to the parent but the pipes."""
    os.setsid()
    # A probe stuck in the kernel must hold nothing open that somebody waits for.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        fd = int(name)
        if fd > 2 and fd not in kept:
            try:
                os.close(fd)
            except OSError:
                # The descriptor of the listing itself, closed by now.
                continue
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _end_with_parent(asked_fd: int) -> None:
    """End, with whatever was started, once nobody is left who could ask: the parent was killed.

    The kernel tells who has asked for it that a pipe was closed on its other side, or written to.
    """
    asking = select.poll()
    asking.register(asked_fd, 0)

    def look(number: int, frame: object) -> None:
        del number, frame
        if asking.poll(0):
            os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGIO, look)
    try:
        fcntl.fcntl(asked_fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(asked_fd, fcntl.F_SETFL, fcntl.fcntl(asked_fd, fcntl.F_GETFL) | os.O_ASYNC)
    except (AttributeError, OSError):
        # It ends by its own alarm then.
        return
    look(signal.SIGIO, None)


def _ring(number: int, frame: object) -> None:
    # The first alarm tells the probe; the second, should the parent be dead, ends the whole group.
    del number, frame
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    raise OverTimeError
