"""The catalogue of faults: ways to break a sandbox site as real sites break."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runbook.demo import damage
from runbook.demo.deployment import UPSTREAM
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
            damage.wait(
                lambda: site.ask(site.web_port).status == self.status,
                f"{self.name} did not show: expected {Answer(status=self.status, error='refused')}",
            )


def mend(site: Site) -> None:
    """Put everything back as deployed and start it; logs stay. Raises `site-not-up`."""
    site.down()
    site.deployment.write()
    site.up()


_CATALOGUE = (
    Fault(
        name="backend-stopped",
        title="The backend is not running",
        effect="Stops the backend's service.",
        cause="backend_stopped",
        status=502,
        damage=damage.stop_backend,
    ),
    Fault(
        name="import-error",
        title="A model is not exported from its package",
        effect="Removes ScrapeSession from app/models/__init__.py and restarts the backend.",
        cause="import_error",
        status=502,
        damage=damage.edit_application(
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
        damage=damage.edit_application(
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
        damage=damage.edit_application("api/v1/endpoints/scrapes.py", "AdminUser", "User"),
        repairable=False,
    ),
    Fault(
        name="port-taken",
        title="Another process holds the backend's port",
        effect="Stops the backend, lets another process listen on its port, starts it in vain.",
        cause="port_taken",
        status=404,
        damage=damage.take_port,
    ),
    Fault(
        name="upstream-port",
        title="nginx forwards to a wrong port",
        effect="Writes a wrong port into nginx's upstream and reloads nginx.",
        cause="upstream_wrong",
        status=502,
        damage=damage.edit_site_config(
            lambda site: f"server 127.0.0.1:{site.backend_port};",
            lambda site: f"server 127.0.0.1:{site.spare_port};",
        ),
    ),
    Fault(
        name="nginx-config-broken",
        title="nginx's saved configuration is broken, the old one still serves",
        effect="Removes a semicolon from nginx's configuration and leaves nginx alone.",
        cause="nginx_config_broken",
        status=200,
        damage=damage.break_nginx_config,
    ),
    Fault(
        name="nginx-down-config-broken",
        title="nginx does not start, because its configuration is broken",
        effect="Removes a semicolon from nginx's configuration and restarts nginx.",
        cause="nginx_config_broken",
        status=None,
        damage=damage.break_nginx_config_and_restart,
    ),
    Fault(
        name="nginx-stopped",
        title="nginx is not running",
        effect="Stops nginx's service.",
        cause="nginx_stopped",
        status=None,
        damage=damage.stop_nginx,
    ),
    Fault(
        name="backend-hanging",
        title="The backend accepts connections and does not answer",
        effect="Stops the backend's process in its tracks (SIGSTOP); its port stays open.",
        cause="backend_hanging",
        status=504,
        damage=damage.hang_backend,
    ),
    Fault(
        name="package-missing",
        title="A third-party package is not installed",
        effect="Removes webmagic_pricing from the virtual environment and restarts the backend.",
        cause="package_missing",
        status=502,
        damage=damage.lose_package,
    ),
    Fault(
        name="crash-loop",
        title="The backend crashed until its manager gave up; the reason is gone since",
        effect="Lets the application raise an error until supervisor gives up, and mends it then.",
        cause="start_limit",
        status=502,
        damage=damage.crash_until_given_up,
    ),
    Fault(
        name="wrong-port",
        title="The backend listens on another port",
        effect="Writes a wrong port into supervisor's configuration and has the backend restarted.",
        cause="port_wrong",
        status=502,
        damage=damage.listen_on("--port", lambda site: str(site.spare_port)),
        repairable=False,
    ),
    Fault(
        name="wrong-address",
        title="The backend listens on another address",
        effect="Has supervisor start the backend on 127.0.0.2.",
        cause="address_wrong",
        status=502,
        damage=damage.listen_on("--host", lambda _: "127.0.0.2"),
        repairable=False,
    ),
    Fault(
        name="virtualenv-missing",
        title="The backend's virtual environment is gone",
        effect="Removes the virtual environment and restarts the backend.",
        cause="virtualenv_missing",
        status=502,
        damage=damage.remove(lambda site: site.deployment.backend_directory / ".venv"),
        repairable=False,
    ),
    Fault(
        name="directory-missing",
        title="The backend's working directory is gone",
        effect="Removes the backend's folder and restarts the backend.",
        cause="directory_missing",
        status=502,
        damage=damage.remove(lambda site: site.deployment.backend_directory),
        repairable=False,
    ),
    Fault(
        name="log-directory-missing",
        title="The backend's log has no directory",
        effect="Removes the folder of the backend's log and restarts the backend.",
        cause="log_unwritable",
        status=502,
        damage=damage.remove(lambda site: site.deployment.backend_log.parent),
    ),
    Fault(
        name="files-exhausted",
        title="The backend can open no more files",
        effect="Lowers the backend's limit of open files to what it has open.",
        cause="fd_limit",
        status=504,
        damage=damage.exhaust_files,
    ),
    Fault(
        name="backend-slow",
        title="The backend needs longer than nginx waits",
        effect="Lets the health page take 3 s, while nginx waits for 2 s.",
        cause="timeouts_short",
        status=504,
        damage=damage.change_application(
            '    return {\n        "status"',
            '    __import__("time").sleep(3)\n    return {\n        "status"',
        ),
    ),
    Fault(
        name="login-missing",
        title="The login endpoint is at another path",
        effect="Moves the login endpoint to /api/v1/accounts and restarts the backend.",
        cause="login_path_wrong",
        status=200,
        damage=damage.change_application('prefix="/api/v1/auth"', 'prefix="/api/v1/accounts"'),
        repairable=False,
    ),
    Fault(
        name="database-stopped",
        title="The database is not running",
        effect="Stops the database's service; the backend answers, and says so.",
        cause="database_down",
        status=200,
        damage=damage.stop_database,
    ),
    Fault(
        name="location-missing",
        title="nginx has no location for the site",
        effect="Renames nginx's location / and reloads nginx.",
        cause="location_missing",
        status=404,
        damage=damage.edit_site_config(lambda _: "location / {", lambda _: "location /static/ {"),
    ),
    Fault(
        name="headers-missing",
        title="nginx does not tell the backend who asks",
        effect="Removes X-Real-IP from nginx's configuration and reloads nginx.",
        cause="headers_missing",
        status=200,
        damage=damage.edit_site_config(
            lambda _: "        proxy_set_header X-Real-IP $remote_addr;\n", lambda _: ""
        ),
    ),
    Fault(
        name="upstream-missing",
        title="nginx's configuration has no such upstream",
        effect="Renames the upstream in nginx's configuration and leaves nginx alone.",
        cause="upstream_missing",
        status=200,
        damage=damage.corrupt_site_config(f"upstream {UPSTREAM} {{", f"upstream {UPSTREAM}_old {{"),
    ),
    Fault(
        name="directive-unknown",
        title="nginx's configuration has an unknown directive",
        effect="Misspells proxy_pass in nginx's configuration and leaves nginx alone.",
        cause="nginx_config_broken",
        status=200,
        damage=damage.corrupt_site_config("proxy_pass ", "proxy_passs "),
    ),
    Fault(
        name="listen-duplicate",
        title="nginx's configuration listens twice",
        effect="Repeats a listen in nginx's configuration and leaves nginx alone.",
        cause="nginx_config_broken",
        status=200,
        damage=damage.listen_twice,
    ),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _CATALOGUE})
