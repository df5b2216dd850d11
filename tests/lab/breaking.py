"""A fault: how to make it, what has to be seen of it, and how to undo it.

A fault is three scripts for the shell of a host. `breaks` makes it, `shows` prints words that have
to be in the evidence, one on each line, and `mends` undoes what no fix undoes. They may use the
functions in `_BACKEND`, and the variables of `words`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.model.definition import Json
from runbook.model.verdict import Verdict
from tests.lab.host import LabHost
from tests.lab.site import Manager, Site

_COMMON = r"""
pid() { ss -Hltnp "sport = :8000" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1; }
until_answers() { until curl -sf -m 2 -o /dev/null 127.0.0.1:8000/health; do sleep 0.2; done; }
restart() { stop; start; }
reload_nginx() { nginx -t 2>&- && nginx -s reload; sleep 0.5; }
keep_config() { cp -p "$CONFIG" /run/lab-site; }
put_back_config() { cp -p /run/lab-site "$CONFIG"; systemctl start nginx; reload_nginx; }
keep_main() { cp -p "$DIRECTORY/main.py" /run/lab-main; }
put_back_main() { cp -p /run/lab-main "$DIRECTORY/main.py"; restart; }
foreign() {
  systemd-run --quiet --unit=lab-foreign --working-directory=/mnt \
    /usr/bin/python3 -m http.server "$1" --bind "$2"
  until ss -Hltn "sport = :$1" | grep -q .; do sleep 0.1; done
}
end_foreign() {
  systemctl stop lab-foreign 2>&- || true
  systemctl reset-failed lab-foreign 2>&- || true
}
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

    `causes` are all that have to be named, and no other; where the run escalates, the last one is
    what it cannot mend, after `in_vain` fixes that did not help. `followed_up` are fixes of no cause,
    which one of another entails. `verdict` is what the run comes to.
    `settings` are variables of the host that this fault is about.
    """

    name: str
    causes: tuple[str, ...]
    breaks: str
    shows: str = ""
    mends: str = ""
    managers: tuple[Manager, ...] = tuple(Manager)
    verdict: Verdict = Verdict.RESOLVED
    in_vain: int = 0
    followed_up: int = 0
    settings: Mapping[str, Json] = field(default_factory=dict)

    @property
    def leaves_a_sound_site(self) -> bool:
        """Whether the site answers through nginx when the run is over."""
        return self.verdict in (Verdict.HEALTHY, Verdict.RESOLVED, Verdict.SELF_RECOVERED)

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
        "MANAGER": str(site.manager),
        "DIRECTORY": site.directory,
        "PYTHON": site.python,
        "LOG": str(described["backend_log"]),
        "CONFIG": str(described["nginx_site_config"]),
        "UPSTREAM": str(described["nginx_upstream"]),
        "SERVER": site.server_name,
    }
