"""Run many probes at the same time, each in a process of its own.

A probe that crashes, hangs, prints without end or is killed costs its own answer and nothing else:
it is a forked child in a process group of its own, with its own time-out, and is killed with
everything it started. The parent only waits on pipes.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import threading
import time

from . import identity, registry
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


def answer(request: dict[str, object]) -> dict[str, object]:
    """Answer a request of probes.

    `request["probes"]` is a list of `{"id", "type", "args", "timeout", "as"}`; `sample` asks for
    rounds `every` so many seconds through `for` seconds; `deadline` bounds the whole request in
    seconds, `max_bytes` the facts of one probe. Returns `{"changed": false, "answers": {id: answer}}`
    and with `sample` also `"samples": [{"at_s", "answers"}]`, where `answers` are those of the last
    round. An answer is `{"looked": true, "facts", "took_s"}` or `{"looked": false, "reason",
    "took_s"}`.
    """
    if threading.active_count() > 1:
        # A fork copies locks that other threads hold; a process of our own has no other threads.
        return identity.answer_elsewhere([], request)
    probes = [_Probe(probe) for probe in _records(request.get("probes"))]
    started = time.monotonic()
    ends = started + _number(request.get("deadline"), DEFAULT_DEADLINE_S)
    max_bytes = int(_number(request.get("max_bytes"), DEFAULT_MAX_BYTES))
    sample = request.get("sample")
    if not isinstance(sample, dict):
        return {"changed": False, "answers": _round(probes, ends, max_bytes)}
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


class _Child:
    """A running probe: its process, the pipe its answer comes through, when to kill it."""

    def __init__(self, probe: _Probe, ends: float, max_bytes: int) -> None:
        self.probe = probe
        self.started = time.monotonic()
        left_s = max(ends - self.started, 0.001)
        self.timeout_s = min(probe.timeout_s, left_s)
        self.kill_at = self.started + self.timeout_s + min(GRACE_S, left_s)
        self.limit = max_bytes * _ESCAPED + _READ_SIZE
        self.chunks: list[bytes] = []
        self.size = 0
        self.fd, write_fd = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.fd)
            os.close(write_fd)
            raise
        if self.pid == 0:
            _be_the_probe(probe, self.timeout_s, max_bytes, write_fd)
        os.close(write_fd)

    def read(self) -> bool:
        """Take what the probe has written; return False once that is all."""
        chunk = os.read(self.fd, _READ_SIZE)
        self.chunks.append(chunk)
        self.size += len(chunk)
        return bool(chunk) and self.size <= self.limit

    def outcome(self, finished: bool) -> dict[str, object]:
        """Return the probe's answer, and end it with whatever it started."""
        try:
            result = json.loads(b"".join(self.chunks))
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
        self._kill()
        result["took_s"] = round(time.monotonic() - self.started, 4)
        return result

    def _kill(self) -> None:
        # As long as its process is not waited for, its number cannot become someone else's.
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except OSError:
                # Already gone, or not yet a group of its own, or (under sudo) not ours to kill:
                # that one ends by its own alarm.
                continue
        os.close(self.fd)
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
    for kind in {probe.kind for probe in probes}:
        _prepare(kind)
    answers: dict[str, object] = {probe.id: None for probe in probes}
    with selectors.DefaultSelector() as selector:
        for probe in probes:
            try:
                child = _Child(probe, ends, max_bytes)
            except OSError as error:
                # No more processes, or no more files: that may be the very fault of the host.
                reason = f"the probe cannot be started: {error.strerror}"
                answers[probe.id] = {"looked": False, "reason": reason, "took_s": 0.0}
                continue
            selector.register(child.fd, selectors.EVENT_READ, child)
        while selector.get_map():
            running = [key.data for key in selector.get_map().values()]
            wait_s = max(min(child.kill_at for child in running) - time.monotonic(), 0)
            done = [key.data for key, _ in selector.select(wait_s) if not key.data.read()]
            now = time.monotonic()
            for child in running:
                if child in done or child.kill_at <= now:
                    selector.unregister(child.fd)
                    answers[child.probe.id] = child.outcome(finished=child in done)
    return answers


def _prepare(kind: str) -> None:
    """Import a probe once, here, so that the children need not."""
    try:
        registry.find(kind)
    except Exception:
        # Said by the child that needs it.
        return


def _be_the_probe(probe: _Probe, timeout_s: float, max_bytes: int, write_fd: int) -> None:
    """Look, write the answer, and end this process. Never returns."""
    try:
        try:
            result = _looked_at(probe, timeout_s, max_bytes, write_fd)
        except OverTimeError:
            result = {"looked": False, "reason": _over_time(timeout_s)}
        data = json.dumps(result, allow_nan=False).encode("ascii")
        signal.setitimer(signal.ITIMER_REAL, 0)
        while data:
            data = data[os.write(write_fd, data) :]
        os._exit(0)
    finally:
        os._exit(1)


def _looked_at(probe: _Probe, timeout_s: float, max_bytes: int, write_fd: int) -> dict[str, object]:
    try:
        look = Look(timeout_s, max_bytes)
        _settle(timeout_s, write_fd)
        if probe.user is not None and not identity.become(probe.user):
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


def _settle(timeout_s: float, write_fd: int) -> None:
    """Cut every tie to the parent but the pipe, and set the alarm."""
    os.setsid()
    # A probe stuck in the kernel must hold nothing open that somebody waits for.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        fd = int(name)
        if fd > 2 and fd != write_fd:
            try:
                os.close(fd)
            except OSError:
                # The descriptor of the listing itself, closed by now.
                continue
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s, 2 * GRACE_S)


def _ring(number: int, frame: object) -> None:
    # The first alarm tells the probe; the second, should the parent be dead, ends the whole group.
    del number, frame
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    raise OverTimeError
