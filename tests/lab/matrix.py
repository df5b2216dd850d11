"""The fault matrix: real hosts are really broken, and `runbook run fix-502` has to find out how.

Three hosts, one with each manager, are broken in three ways; one run over ssh repairs them all, each
on its own path; a second run finds them healthy. That is a wave; `python -m tests.lab.matrix` makes
as many as it takes and prints a table.
"""

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.model.verdict import Verdict
from tests.lab.asking import get
from tests.lab.breaking import Fault, shell
from tests.lab.faults import FAULTS, NOT_RUN
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

PLANS = {
    Manager.SYSTEMD: HostPlan(name="web1", site=Site(manager=Manager.SYSTEMD)),
    Manager.SUPERVISOR: HostPlan(
        name="web2", site=Site(manager=Manager.SUPERVISOR, redis=True, celery=True)
    ),
    Manager.PROCESS: HostPlan(name="web3", site=Site(manager=Manager.PROCESS)),
}

_REPOSITORY = Path(__file__).resolve().parents[2]
_REPAIRED_S = 60.0

# All that people keep on a host. What runs and what it logs differs from one moment to the next.
_STATE = r"""
find /etc /opt /srv /usr/local /var/www ! -path '*/__pycache__*' ! -path '*/.git/*' \
  \( -type f -o -type l \) -printf '%p %m %u %l ' \( -type l -printf '\n' -o -exec sha256sum {} \; \) |
  sed 's, /[^ ]*$,,'
systemctl list-unit-files --no-legend --no-pager | grep -v transient
iptables-save | grep ^-A | grep -v ufw || true
nft list ruleset | grep -E ' (drop|reject)( |$)' | grep -v ufw | sed 's/counter packets.*bytes [0-9]*//' || true
dpkg-query --show
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A fault to make on the host with this manager."""

    fault: Fault
    manager: Manager


Wave = tuple[Cell, ...]
"""Cells that are made at once, each under another manager."""


@dataclass(kw_only=True, slots=True)
class Seen:
    """What became of a cell. `wrong` is empty if all is as it has to be."""

    cell: Cell
    before: str = "-"
    verdict: str = "-"
    causes: list[str] = field(default_factory=list)
    after: str = "-"
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def expect(self, *, true: bool, otherwise: str) -> None:
        """Note what is wrong unless this is true."""
        if not true:
            self.wrong.append(otherwise)


def once(faults: Iterable[Fault] = FAULTS) -> list[Wave]:
    """Return waves with each fault once, under whichever of its managers has fewest so far."""
    cells: dict[Manager, list[Cell]] = {manager: [] for manager in Manager}
    for fault in sorted(faults, key=lambda one: len(one.managers)):
        manager = min(fault.managers, key=lambda one: len(cells[one]))
        cells[manager].append(Cell(fault=fault, manager=manager))
    return _waves(cells.values())


def everywhere(faults: Iterable[Fault] = FAULTS) -> list[Wave]:
    """Return waves with each fault under each of its managers."""
    cells: dict[Manager, list[Cell]] = {manager: [] for manager in Manager}
    for fault in faults:
        for manager in fault.managers:
            cells[manager].append(Cell(fault=fault, manager=manager))
    return _waves(cells.values())


def _waves(cells: Iterable[Sequence[Cell]]) -> list[Wave]:
    return [tuple(cell for cell in row if cell) for row in zip_longest(*cells)]


def play(lab: Lab, wave: Wave) -> list[Seen]:
    """Break hosts, run the runbook twice, put back what it leaves to people; say what was seen.

    Hosts that are not up are brought up. One that is not well in the end is taken away.
    """
    seen = {PLANS[cell.manager].name: Seen(cell=cell) for cell in wave}
    lab.up(*(PLANS[one.cell.manager] for name, one in seen.items() if name not in lab.hosts))
    state = {name: shell(lab.hosts[name], _STATE) for name in seen}
    shown = {name: _break(lab, lab.hosts[name], one) for name, one in seen.items()}
    settings = _settings(lab, wave)
    with tempfile.TemporaryDirectory() as home:
        document = _run(lab, settings, list(seen), Path(home))
        for name, one in seen.items():
            _judge(one, document, name, shown[name])
            one.after = _status(lab, lab.hosts[name])
            one.expect(
                true=not one.cell.fault.leaves_a_sound_site or one.after == "200",
                otherwise=f"nginx answers {one.after} after it",
            )
        repaired = [name for name, one in seen.items() if one.cell.fault.leaves_a_sound_site]
        again = _run(lab, settings, repaired, Path(home)) if repaired else {}
    for name, one in seen.items():
        if name in repaired:
            host = again.get("hosts", {}).get(name, {})
            told = host.get("verdict"), host.get("fixes")
            one.expect(true=told == ("healthy", []), otherwise=f"a second run: {told}")
        _leave(lab, lab.hosts[name], one, state[name])
    return list(seen.values())


def _break(lab: Lab, host: LabHost, one: Seen) -> list[str]:
    one.cell.fault.inject(host)
    shown = one.cell.fault.evidence(host)
    one.before = _status(lab, host)
    return shown


def _judge(one: Seen, document: dict[str, Any], name: str, shown: Sequence[str]) -> None:
    """Compare what the run says of a host with what was done to it."""
    fault = one.cell.fault
    host = document.get("hosts", {}).get(name)
    if host is None:
        one.wrong.append(f"the run says nothing of it: {document}")
        return
    one.verdict = host["verdict"]
    one.causes = [cause["id"] for cause in host["causes"]]
    one.seconds = document["duration_s"]
    one.expect(
        true=one.verdict == fault.verdict,
        otherwise=f"not {fault.verdict}: {host['reason']}; {host['path']}",
    )
    one.expect(
        true=sorted(one.causes) == sorted(fault.causes),
        otherwise=f"the causes are {', '.join(fault.causes)}; {host['path']}",
    )
    evidence = json.dumps(host["causes"])
    for word in shown:
        one.expect(true=word in evidence, otherwise=f"no {word!r} in {evidence}")
    helped = [fix for fix in host["fixes"] if fix["outcome"] in ("resolved", "cause_removed")]
    repaired = len(fault.causes) - (fault.verdict is Verdict.ESCALATED) + fault.followed_up
    told = len(helped), len(host["fixes"]) - len(helped)
    one.expect(true=told == (repaired, fault.in_vain), otherwise=f"fixes: {host['fixes']}")


def _leave(lab: Lab, host: LabHost, one: Seen, state: str) -> None:
    """Put back what no fix does, and compare the host with what it was."""
    try:
        one.cell.fault.mend(host)
        deadline = time.monotonic() + _REPAIRED_S
        while _status(lab, host) != "200" and time.monotonic() < deadline:
            time.sleep(0.2)
        one.expect(true=_status(lab, host) == "200", otherwise="it cannot be mended")
        changed = set(state.splitlines()) ^ set(shell(host, _STATE).splitlines())
        rest = sorted(line for line in changed if not any(map(line.startswith, _KEPT)))
        one.expect(true=not rest, otherwise="changed: " + "; ".join(rest[:6]))
    except RunbookError as error:
        one.wrong.append(error.render())
    if one.wrong:
        lab.down(host.name)


# Of a broken configuration that was replaced, a copy is kept beside it.
_KEPT = ("/etc/nginx/sites-available/.",)


def _settings(lab: Lab, wave: Wave) -> Path:
    """Write what the faults of a wave are about as variables of their hosts."""
    hosts = {PLANS[cell.manager].name: dict(cell.fault.settings) for cell in wave}
    path = lab.folder / "faults.yml"
    path.write_text(json.dumps({"all": {"hosts": hosts}}))
    return path


def _run(lab: Lab, settings: Path, names: Sequence[str], home: Path) -> dict[str, Any]:
    """Run fix-502 and return its document; of one that says nothing, what it complains of."""
    command = [sys.executable, "-m", "runbook", "run", "fix-502", "--yes", "--json"]
    inventories = ["-i", str(lab.inventory), "-i", str(settings)]
    done = lab.run(
        [*command, *inventories, "--host", ":".join(names)],
        folder=_REPOSITORY,
        environment={"RUNBOOK_HOME": str(home)},
        within_s=600,
    )
    try:
        document = json.loads(done.stdout)
    except ValueError:
        return {"stderr": done.stderr}
    assert isinstance(document, dict)
    return document


def _status(lab: Lab, host: LabHost) -> str:
    """Return what nginx answers to the bridge: a status, or the kind of silence."""
    try:
        return str(get(lab, host, "/health")[0])
    except TimeoutError:
        return "time-out"
    except (OSError, http.client.HTTPException):
        return "silence"


def rows(all_seen: Iterable[Seen]) -> Iterator[str]:
    """Return lines of the table, and below each what is wrong with it."""
    for one in all_seen:
        mark = "WRONG" if one.wrong else "right"
        yield (
            f"{mark:6}{one.cell.fault.name:48}{one.cell.manager:11}{one.before:9}{one.verdict:13}"
            f"{one.after:9}{one.seconds:5.1f}  {', '.join(one.causes) or '-'}"
        )
        yield from (f"      {text}" for text in one.wrong)


def main(arguments: Sequence[str]) -> int:
    """Play the whole matrix, or the faults whose names contain one of the arguments."""
    chosen = [
        fault for fault in FAULTS if not arguments or any(word in fault.name for word in arguments)
    ]
    waves = everywhere(chosen)
    wrong = count = 0
    print(
        f"{'':6}{'fault':48}{'host':11}{'before':9}{'verdict':13}{'after':9}{'s':>5}  causes named",
        flush=True,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab.create(f"matrix-{os.getpid()}", Path(folder)) as lab,
    ):
        for wave in waves:
            seen = play(lab, wave)
            count += len(seen)
            wrong += sum(bool(one.wrong) for one in seen)
            for row in rows(seen):
                print(row, flush=True)
    for what, reason in NOT_RUN.items():
        print(f"not run: {what}: {reason}")
    print(f"{count - wrong} of {count} right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
