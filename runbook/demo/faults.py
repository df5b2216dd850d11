"""The catalogue of faults: ways to break a sandbox site as real sites break."""

import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from runbook.demo import processes
from runbook.demo.deployment import BACKEND_SERVICE, NGINX_SERVICE
from runbook.demo.site import Answer, Site
from runbook.errors import RunbookError


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A way to break a site.

    `effect` says what breaking it this way does. `cause` is the id of the cause that the runbook
    `fix-502` must find. `status` is what nginx then answers, None if nothing answers at all.
    `repairable` says whether an automatic fix exists.
    """

    name: str
    title: str
    effect: str
    cause: str
    status: int | None
    damage: Callable[[Site], None]
    repairable: bool = True

    def inject(self, site: Site) -> None:
        """Break `site` and wait until it shows; several faults may be injected one after another.

        Raises `RunbookError`: `site-is-down` if nothing runs, `fault-has-no-effect`.
        """
        before = site.status()
        if not before.services:
            raise RunbookError.of(
                "site-is-down",
                f"the site in {site.folder} does not run, so there is nothing to break",
                hint="runbook demo up",
            )
        self.damage(site)
        # On a site that is broken already, what shows is the sum of its faults.
        if before.through_nginx.healthy:
            _wait(
                lambda: site.ask(site.web_port).status == self.status,
                f"{self.name} did not show: expected {Answer(status=self.status, error='refused')}",
            )


def mend(site: Site) -> None:
    """Put everything back as deployed and start it; logs stay. Raises `site-not-up`."""
    site.down()
    site.deployment.write()
    site.up()


def _stop_backend(site: Site) -> None:
    site.supervisorctl("stop", BACKEND_SERVICE)
    _wait_for_state(site, BACKEND_SERVICE, "STOPPED")


def _edit_application(file: str, old: str, new: str) -> Callable[[Site], None]:
    """Return a deployment of a broken application: one text in one file replaced, restarted."""

    def damage(site: Site) -> None:
        _replace(site.deployment.backend_directory / "app" / file, old, new)
        site.supervisorctl("restart", BACKEND_SERVICE)
        _wait_for_state(site, BACKEND_SERVICE, "FATAL")

    return damage


def _take_port(site: Site) -> None:
    _stop_backend(site)
    empty = site.folder / "tmp/other"
    empty.mkdir(exist_ok=True)
    other = [str(site.python), "-m", "http.server", str(site.backend_port)]
    options = ["--bind", "127.0.0.1", "--directory", str(empty)]
    # Through a shell that ends at once, so that it is nobody's child, as a forgotten process is.
    line = f"{shlex.join(other + options)} >log/other.log 2>&1 </dev/null &"
    site.run(["/bin/sh", "-c", line], marked=True)
    _wait(
        lambda: site.ask(site.backend_port).status is not None,
        f"no other process answers on port {site.backend_port}",
    )
    site.supervisorctl("start", BACKEND_SERVICE)
    _wait_for_state(site, BACKEND_SERVICE, "FATAL")


def _point_upstream_elsewhere(site: Site) -> None:
    _replace(
        site.deployment.nginx_site_config,
        f"server 127.0.0.1:{site.backend_port};",
        f"server 127.0.0.1:{site.spare_port};",
    )
    old_workers = processes.children(int((site.folder / "run/nginx.pid").read_text()))
    site.run([*site.deployment.nginx_command, "-s", "reload"])
    # For a moment after a reload, old and new workers answer in turn.
    _wait(
        lambda: not any(processes.is_alive(worker) for worker in old_workers),
        "nginx did not reload",
    )


def _break_nginx_config(site: Site) -> None:
    _replace(site.deployment.nginx_site_config, "proxy_read_timeout 2s;", "proxy_read_timeout 2s")


def _break_nginx_config_and_restart(site: Site) -> None:
    _break_nginx_config(site)
    site.supervisorctl("restart", NGINX_SERVICE)
    _wait_for_state(site, NGINX_SERVICE, "FATAL")


def _stop_nginx(site: Site) -> None:
    site.supervisorctl("stop", NGINX_SERVICE)
    _wait_for_state(site, NGINX_SERVICE, "STOPPED")


def _hang_backend(site: Site) -> None:
    answer = site.supervisorctl("pid", BACKEND_SERVICE).stdout.strip()
    if not answer.isdigit() or answer == "0":
        raise RunbookError.of(
            "fault-has-no-effect", "the backend does not run, so it cannot hang", context=answer
        )
    os.kill(int(answer), signal.SIGSTOP)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise RunbookError.of(
            "fault-has-no-effect",
            f"{path} is not as deployed: it does not contain {old!r}",
            hint="runbook demo mend",
        )
    path.write_text(text.replace(old, new))


def _wait_for_state(site: Site, service: str, state: str) -> None:
    _wait(
        lambda: bool(re.search(rf"\s{state}\s", site.supervisorctl("status", service).stdout)),
        f"supervisor does not say {state} of {service}",
    )


def _wait(condition: Callable[[], bool], complaint: str, *, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise RunbookError.of("fault-has-no-effect", f"{complaint}, after {within_s:g} s")
        time.sleep(0.05)


_CATALOGUE = (
    Fault(
        name="backend-stopped",
        title="The backend is not running",
        effect="Stops the backend's service.",
        cause="backend_stopped",
        status=502,
        damage=_stop_backend,
    ),
    Fault(
        name="import-error",
        title="A model is not exported from its package",
        effect="Removes ScrapeSession from app/models/__init__.py and restarts the backend.",
        cause="import_error",
        status=502,
        damage=_edit_application(
            "models/__init__.py",
            "from app.models.scrape_session import ScrapeSession\n",
            "",
        ),
        repairable=False,
    ),
    Fault(
        name="import-error-auth",
        title="An endpoint imports from a module that does not exist",
        effect="Imports get_current_user from app.core.auth and restarts the backend.",
        cause="import_error",
        status=502,
        damage=_edit_application(
            "api/v1/endpoints/scrapes.py", "from app.api.deps", "from app.core.auth"
        ),
        repairable=False,
    ),
    Fault(
        name="import-error-class",
        title="An endpoint imports a class that does not exist",
        effect="Imports User in place of AdminUser and restarts the backend.",
        cause="import_error",
        status=502,
        damage=_edit_application("api/v1/endpoints/scrapes.py", "AdminUser", "User"),
        repairable=False,
    ),
    Fault(
        name="port-taken",
        title="Another process holds the backend's port",
        effect="Stops the backend, lets another process listen on its port, starts it in vain.",
        cause="port_taken",
        status=404,
        damage=_take_port,
    ),
    Fault(
        name="upstream-port",
        title="nginx forwards to a wrong port",
        effect="Writes a wrong port into nginx's upstream and reloads nginx.",
        cause="upstream_wrong",
        status=502,
        damage=_point_upstream_elsewhere,
    ),
    Fault(
        name="nginx-config-broken",
        title="nginx's saved configuration is broken, the old one still serves",
        effect="Removes a semicolon from nginx's configuration and leaves nginx alone.",
        cause="nginx_config_broken",
        status=200,
        damage=_break_nginx_config,
    ),
    Fault(
        name="nginx-down-config-broken",
        title="nginx does not start, because its configuration is broken",
        effect="Removes a semicolon from nginx's configuration and restarts nginx.",
        cause="nginx_config_broken",
        status=None,
        damage=_break_nginx_config_and_restart,
    ),
    Fault(
        name="nginx-stopped",
        title="nginx is not running",
        effect="Stops nginx's service.",
        cause="nginx_stopped",
        status=None,
        damage=_stop_nginx,
    ),
    Fault(
        name="backend-hanging",
        title="The backend accepts connections and does not answer",
        effect="Stops the backend's process in its tracks (SIGSTOP); its port stays open.",
        cause="backend_hanging",
        status=504,
        damage=_hang_backend,
    ),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _CATALOGUE})
