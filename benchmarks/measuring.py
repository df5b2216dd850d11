"""Whole processes, timed in turn, so that a busy while of the machine is one for all of them."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

SAMPLE_S = 0.2


class Timed(Protocol):
    """Something that does the work, again and again."""

    @property
    def name(self) -> str:
        """What it is called in results."""

    def once(self) -> float:
        """Do the work once; return its seconds, or exit where it was not done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A program that does the work; exit codes but `expected` mean that it did not.

    `prepare` is called before each round, and not timed.
    """

    name: str
    command: Sequence[str]
    expected: tuple[int, ...] = (0,)
    environment: Mapping[str, str] | None = None
    stdin: str | None = None
    prepare: Callable[[], None] | None = None

    def once(self) -> float:
        """Start the program, and wait for its end."""
        if self.prepare is not None:
            self.prepare()
        began = time.perf_counter()
        done = subprocess.run(
            self.command,
            env=_environment(self),
            input=self.stdin or "",
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        _judge(self, done.returncode, done.stdout + done.stderr)
        return took


@dataclass(kw_only=True)
class Standing:
    """A program that stays, and does the work for each line it is given; `answer` is what it says."""

    name: str
    process: "subprocess.Popen[str]"
    line: str
    answer: str

    def once(self) -> float:
        """Ask it, and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        began = time.perf_counter()
        self.process.stdin.write(f"{self.line}\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline().strip()
        took = time.perf_counter() - began
        if told != self.answer:
            raise SystemExit(f"{self.name}: it said {told!r}")
        return took


def in_turn(contenders: Sequence[Timed], rounds: int, *, warm_up: bool = True) -> dict[str, float]:
    """Return each contender's median of seconds, over rounds of A B C A B C …."""
    took: dict[str, list[float]] = {one.name: [] for one in contenders}
    for number in range(-1 if warm_up else 0, rounds):
        for one in contenders:
            seconds = one.once()
            print(f"  {one.name}: {seconds:.2f} s", file=sys.stderr, flush=True)
            if number >= 0:
                took[one.name].append(seconds)
    return {name: median(each) for name, each in took.items()}


def cpu_ms(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Return each command's milliseconds of CPU, the median of some rounds taken in turn."""
    took: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(-1, rounds):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if number >= 0:
                took[name].append(1000 * spent)
    return {name: median(each) for name, each in took.items()}


def peak_memory_mib(one: Contender, *, enough_s: float = 60.0) -> float:
    """Do the work; return the most memory its process tree held at a time, MiB.

    What processes share is counted once (`Pss` of proc_pid_smaps(5)). Work that takes longer than
    `enough_s` is ended then, as all its processes are there by that time.
    """
    if one.prepare is not None:
        one.prepare()
    with subprocess.Popen(
        one.command,
        env=_environment(one),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        most = 0.0
        ends = time.monotonic() + enough_s
        while process.poll() is None and time.monotonic() < ends:
            most = max(most, sum(_proportional_kib(pid) for pid in _tree(process.pid)) / 1024)
            time.sleep(SAMPLE_S)
        if process.poll() is None:
            process.terminate()
            return most
    _judge(one, process.returncode, "")
    return most


def _environment(one: Contender) -> dict[str, str]:
    return {**os.environ, **(one.environment or {})}


def _judge(one: Contender, code: int, said: str) -> None:
    if code not in one.expected:
        raise SystemExit(f"{one.name}: exit code {code}\n{said[-3000:]}")


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(place.name)] = int(
                (place / "stat").read_text().rpartition(")")[2].split()[1]
            )
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _proportional_kib(pid: int) -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0
