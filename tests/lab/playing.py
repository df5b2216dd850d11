"""Play a wave of the fault matrix: break hosts, have them repaired, compare them with what they were.

All hosts of a wave are broken at once; one run of `fix-502` over ssh repairs them, each on its own
path, and a second run finds them healthy.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.model.verdict import Verdict
from tests.lab.asking import get
from tests.lab.breaking import shell
from tests.lab.cells import Cell, Wave
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.running import fix

_REPAIRED_S = 60.0

# All that people keep on a host. What runs and what it logs differs from one moment to the next.
_STATE = r"""
kept() {
  find /etc /opt /srv /usr/local /usr/lib/systemd /var/www \
    ! -path '*/__pycache__*' ! -path '*/.git/*' "$@"
}
kept \( -type f -o -type l \) -printf '%p %m %u %l\n'
kept -type f -print0 | xargs -0 sha256sum | sed -E 's/^([^ ]+) +(.*)/\2 \1/'
iptables-save | grep ^-A | grep -v ufw || true
nft list ruleset | grep -E ' (drop|reject)( |$)' | grep -v ufw | sed 's/counter packets.*bytes [0-9]*//' || true
dpkg-query --show
"""

# Of a broken configuration that was replaced, a copy is kept beside it.
_KEPT = ("/etc/nginx/sites-available/.",)


@dataclass(kw_only=True, slots=True)
class Seen:
    """What became of a cell. `wrong` is empty if all is as it has to be."""

    cell: Cell
    host: LabHost
    state: str = ""
    shown: Sequence[str] = ()
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


def play(lab: Lab, wave: Wave) -> list[Seen]:
    """Break hosts, run the runbook twice, put back what it leaves to people; say what was seen.

    Hosts that are not up are brought up. One that is not well in the end is taken away.
    """
    lab.up(*(cell.plan for cell in wave if cell.host not in lab.hosts))
    all_seen = [Seen(cell=cell, host=lab.hosts[cell.host]) for cell in wave]
    _at_once(lambda one: _break(lab, one), all_seen)
    inventories = lab.inventory, _settings(lab, wave)
    with tempfile.TemporaryDirectory() as home:
        document = fix(lab, [cell.host for cell in wave], Path(home), *inventories)
        _at_once(lambda one: _judge(lab, one, document), all_seen)
        sound = [one for one in all_seen if one.cell.fault.leaves_a_sound_site]
        if sound:
            again = fix(lab, [one.cell.host for one in sound], Path(home), *inventories)
            for one in sound:
                _judge_again(one, again)
    _at_once(lambda one: _leave(lab, one), all_seen)
    for one in all_seen:
        if one.wrong:
            lab.down(one.cell.host)
    return all_seen


def _at_once(act: Callable[[Seen], None], all_seen: Sequence[Seen]) -> None:
    """Act on all hosts at once; what goes wrong on one is written down, and leaves the others be."""

    def act_on(one: Seen) -> None:
        try:
            act(one)
        except RunbookError as error:
            one.wrong.append(error.render())

    with ThreadPoolExecutor(max_workers=len(all_seen)) as pool:
        list(pool.map(act_on, all_seen))


def _break(lab: Lab, one: Seen) -> None:
    one.state = shell(one.host, _STATE)
    one.cell.fault.inject(one.host)
    one.shown = one.cell.fault.evidence(one.host)
    one.before = _status(lab, one.host)


def _judge(lab: Lab, one: Seen, document: dict[str, Any]) -> None:
    """Compare what the run says of a host with what was done to it, and look at its site."""
    fault = one.cell.fault
    one.after = _status(lab, one.host)
    one.expect(
        true=not fault.leaves_a_sound_site or one.after == "200",
        otherwise=f"nginx answers {one.after} after it",
    )
    host = document.get("hosts", {}).get(one.cell.host)
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
        otherwise=f"the causes are {', '.join(fault.causes) or 'none'}; {host['path']}",
    )
    evidence = json.dumps(host["causes"])
    for word in one.shown:
        one.expect(true=word in evidence, otherwise=f"no {word!r} in {evidence}")
    helped = [fix for fix in host["fixes"] if fix["outcome"] in ("resolved", "cause_removed")]
    repaired = len(fault.causes) - (fault.verdict is Verdict.ESCALATED) + fault.followed_up
    told = len(helped), len(host["fixes"]) - len(helped)
    one.expect(true=told == (repaired, fault.in_vain), otherwise=f"fixes: {host['fixes']}")


def _judge_again(one: Seen, document: dict[str, Any]) -> None:
    host = document.get("hosts", {}).get(one.cell.host, {})
    told = host.get("verdict"), host.get("fixes")
    one.expect(true=told == ("healthy", []), otherwise=f"a second run: {told}; {host.get('path')}")


def _leave(lab: Lab, one: Seen) -> None:
    """Put back what no fix does, and compare the host with what it was."""
    one.cell.fault.mend(one.host)
    deadline = time.monotonic() + _REPAIRED_S
    while _status(lab, one.host) != "200" and time.monotonic() < deadline:
        time.sleep(0.2)
    one.expect(true=_status(lab, one.host) == "200", otherwise="it cannot be mended")
    changed = set(one.state.splitlines()) ^ set(shell(one.host, _STATE).splitlines())
    rest = sorted(line for line in changed if not any(map(line.startswith, _KEPT)))
    one.expect(true=not rest, otherwise="changed: " + "; ".join(rest[:6]))


def _settings(lab: Lab, wave: Iterable[Cell]) -> Path:
    """Write what the faults of a wave are about as variables of their hosts."""
    hosts = {cell.host: dict(cell.fault.settings) for cell in wave}
    path = lab.folder / "faults.yml"
    path.write_text(json.dumps({"all": {"hosts": hosts}}))
    return path


def _status(lab: Lab, host: LabHost) -> str:
    """Return what nginx answers to the bridge: a status, or the kind of silence."""
    try:
        return str(get(lab, host, "/health")[0])
    except TimeoutError:
        return "time-out"
    except (OSError, http.client.HTTPException):
        return "silence"
