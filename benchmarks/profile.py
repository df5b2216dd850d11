"""Where the milliseconds of a diagnosis go, and the least they can be: `python -m benchmarks.profile`.

One host of the lab, so it needs root on Linux. The first table divides the time of `runbook diagnose
fix-502`, the second one says what it costs its host, beside the script that asks the same, and the third
has what bare programs take for parts of it; all in one run, in turn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.on_hosts import OWN, ROOT, Bench, one_host
from runbook.errors import RunbookError

PARTS = {
    "starting": "our Python, the command line, settings",
    "started": "ansible-runner imported, Ansible's process begun",
    "asked": "ours while Ansible is imported: our imports, runbook, journal, request",
    "forked": "Ansible imported, less what of ours went on meanwhile",
    "hosts": "forked; inventory and playbook read, templates at hand",
    "observed": "worker forked, probes rendered, ssh, sudo, Python there, probes, judged",
    "end": "the play's end",
    "ended": "Ansible's end",
    "over": "judged, journal",
    "exit": "report, and the end of all processes",
}
"""What came to its end with each mark, in their order."""

PYTHON = {
    "Python": "pass",
    "Python that imports ansible.cli.playbook": "import ansible.cli.playbook",
    "Python that imports ansible_runner": "import ansible_runner",
    "Python that imports what a run of ours needs": "import runbook.views.driving,"
    " runbook.views.commands.run, runbook.executor.ansible, runbook.journal.sqlite",
}
PING = """
import os, sys, tempfile, ansible_runner
with tempfile.TemporaryDirectory() as folder:
    run = ansible_runner.run(
        private_data_dir=folder, inventory=sys.argv[1], quiet=True,
        envvars={
            "ANSIBLE_PIPELINING": "True",
            "PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"],
        },
        playbook=[{"hosts": "prod", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}],
    )
sys.exit(run.rc)
"""
"""The least that ansible-runner and Ansible can be asked: one play, one task, the same host."""

THERE = {
    "ssh, connected already": "true",
    "ssh, sudo": "sudo true",
    "ssh, sudo, Python there": "sudo python3 -c pass",
}


def main() -> None:
    """Measure, and print three tables."""
    parser = argparse.ArgumentParser(description="Say where the time of a diagnosis goes.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    try:
        with (
            tempfile.TemporaryDirectory(prefix="runbook-profile-") as folder,
            one_host(Path(folder)) as bench,
        ):
            _measure(bench, Path(folder), rounds)
    except RunbookError as error:
        sys.exit(error.render())


def _measure(bench: Bench, folder: Path, rounds: int) -> None:
    script = bench.bash()
    remote = script.command[:-1]  # Without what it is to run there.
    bare: dict[str, Sequence[str]] = {
        **{name: (sys.executable, "-c", code) for name, code in PYTHON.items()},
        **{name: (*remote, words) for name, words in THERE.items()},
        "one task, ping, by ansible-runner": _ping(bench),
    }
    runs: list[Mapping[str, Mapping[str, float]]] = []
    took: dict[str, list[float]] = {name: [] for name in (*bare, script.name)}
    there: dict[str, list[float]] = {OWN: [], script.name: []}
    for number in range(-1, rounds):
        before = bench.cpu_there_ms()
        run = _marked(bench, folder / "marks.json")
        ours = bench.cpu_there_ms()
        times = {name: 1000 * _timed(words, "") for name, words in bare.items()}
        begun = bench.cpu_there_ms()
        times[script.name] = 1000 * script.once()
        if number >= 0:
            runs.append(run)
            there[OWN].append(ours - before)
            there[script.name].append(bench.cpu_there_ms() - begun)
            for name, one_ms in times.items():
                took[name].append(one_ms)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"{os.cpu_count()} cores, load {load}, medians of {rounds} rounds\n\n| part | ms | ms so far |\n|---|---|---|"
    )
    so_far = 0.0
    for mark, name in PARTS.items():
        at = median(run["marks"][mark] for run in runs)
        print(f"| {name} | {max(0.0, at - so_far):.0f} | {at:.0f} |")
        so_far = max(so_far, at)
    for name in ("runbook", "Ansible"):
        print(
            f"| *CPU of {name}'s processes here* | *{1000 * median(run['cpu_s'][name] for run in runs):.0f}* | |"
        )
    print("\n| on the host, with its servers' answers | ms of CPU |\n|---|---|")
    for name, all_ms in there.items():
        print(f"| {name} | {median(all_ms):.0f} |")
    print("\n| bare program | ms |\n|---|---|")
    for name, all_ms in took.items():
        print(f"| {name} | {median(all_ms):.0f} |")


def _ping(bench: Bench) -> Sequence[str]:
    """Return the command that has ansible-runner play one task on the host."""
    ours = bench.own("diagnose").command
    python = ours[: ours.index("-m")]
    return (*python, "-c", PING, ours[ours.index("-i") + 1])


def _marked(bench: Bench, file: Path) -> Mapping[str, Mapping[str, float]]:
    """Diagnose the host once; return the marks in milliseconds, and seconds of CPU."""
    own = bench.own("diagnose")
    place = own.command.index("runbook")
    began = time.monotonic()
    words = (str(file), str(began), *own.command[place + 1 :])
    command = (*own.command[:place], "benchmarks.marked", *words)
    _timed(command, "", {**os.environ, **(own.environment or {})})
    told: dict[str, dict[str, float]] = json.loads(file.read_text())
    told["marks"]["exit"] = 1000 * (time.monotonic() - began)
    return told


def _timed(
    command: Sequence[str], given: str, environment: Mapping[str, str] | None = None
) -> float:
    began = time.perf_counter()
    subprocess.run(
        command, input=given, text=True, capture_output=True, check=True, cwd=ROOT, env=environment
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
