"""A fault: how to make it, what has to be seen of it, and how to undo it.

A fault is three scripts for the shell of a host. `breaks` makes it, `shows` prints words that have
to be in the evidence, one on each line, and `mends` undoes what no fix undoes. They may use the
functions in `_BACKEND`, and the variables of `words`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.model.definition import Json
from tests.lab.host import LabHost
from tests.lab.site import Manager, Site

_COMMON = r"""
pid() { ss -Hltnp "sport = :8000" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1; }
until_answers() { until curl -sf -m 2 -o /dev/null 127.0.0.1:8000/health; do sleep 0.2; done; }
restart() { stop; start; }
"""
_BACKEND = {
    Manager.SYSTEMD: r"""
unit=bandarupay-backend
stop() { systemctl stop $unit; }
start() { systemctl reset-failed $unit 2>&- || true; systemctl start $unit; }
""",
    Manager.SUPERVISOR: r"""
stop() { supervisorctl stop webmagic-api > /dev/null; }
start() { supervisorctl start webmagic-api > /dev/null || true; }
""",
    # What the shell is told is on its command line too, so the pattern begins where that does not.
    Manager.PROCESS: r"""
stop() {
  for each in $(pgrep -f '^[^ ]*python main[.]py'); do
    kill "$each"; kill -CONT "$each"
    while kill -0 "$each" 2>&-; do sleep 0.1; done
  done
}
start() {
  cd "$DIRECTORY"
  setsid setpriv --reuid bandarupay --regid bandarupay --init-groups \
    sh -c "exec $PYTHON main.py >> $LOG 2>&1" < /dev/null > /dev/null 2>&1 &
  cd /
}
""",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault, or several at once.

    `causes` are all that have to be named, and no other. If it is `repairable` the site answers
    through nginx afterwards; else the run escalates and fixes nothing. `settings` are variables of
    the host that this fault is about.
    """

    name: str
    causes: tuple[str, ...]
    breaks: str
    shows: str = ""
    mends: str = ""
    managers: tuple[Manager, ...] = tuple(Manager)
    repairable: bool = True
    settings: Mapping[str, Json] = field(default_factory=dict)

    def inject(self, host: LabHost) -> None:
        """Break the host."""
        shell(host, self.breaks)

    def evidence(self, host: LabHost) -> list[str]:
        """Return words that the evidence has to have, as the broken host is now."""
        return shell(host, self.shows).split("\n")[:-1]

    def mend(self, host: LabHost) -> None:
        """Undo what no fix undoes."""
        shell(host, self.mends)


def shell(host: LabHost, script: str) -> str:
    """Run a script on a host, with what faults may use, and return what it prints."""
    if not script:
        return ""
    site = host.plan.site
    variables = [f"{name}={value}" for name, value in words(site).items()]
    text = "\n".join((_COMMON, _BACKEND[site.manager], script))
    return host.exec("env", *variables, "sh", "-ec", text, within_s=120)


def words(site: Site) -> dict[str, str]:
    """Return what differs between the two sites, as variables of a shell."""
    described = site.variables()
    return {
        "NAME": site.name,
        "DIRECTORY": site.directory,
        "PYTHON": site.python,
        "LOG": str(described["backend_log"]),
        "CONFIG": str(described["nginx_site_config"]),
        "UPSTREAM": str(described["nginx_upstream"]),
        "SERVER": site.server_name,
    }
