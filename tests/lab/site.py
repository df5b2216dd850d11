"""The web site on a host: nginx, a Python backend under one of three managers, and its servers.

Both sites are those of the incidents that `fix-502` was written for: names, paths and logs are
theirs.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runbook.model.definition import Json
from tests.lab import image
from tests.lab.commands import run

PORT = 8000
"""Where the backend listens, on loopback."""

UNITS = Path("etc/systemd/system/multi-user.target.wants")


class Manager(StrEnum):
    """What starts and stops the backend."""

    SYSTEMD = "systemd"
    SUPERVISOR = "supervisor"
    PROCESS = "process"
    """Nothing does: it was started once, from its virtual environment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A web site.

    Under supervisor it is webmagic, else bandarupay. Each server can be left out: the backend then
    does without it, as it is configured. `celery` is webmagic's worker, which needs Redis.
    """

    manager: Manager
    postgresql: bool = True
    redis: bool = False
    celery: bool = False

    @property
    def name(self) -> str:
        """The application's name, which is also its user's and its layer's."""
        return "webmagic" if self.manager is Manager.SUPERVISOR else "bandarupay"

    @property
    def server_name(self) -> str:
        """The site's name in nginx."""
        return "webmagic.example" if self.name == "webmagic" else "backend.bandarupay.example"

    @property
    def layers(self) -> tuple[str, str]:
        """The layers of its image, upon Debian."""
        return ("host", self.name)

    @property
    def services(self) -> list[str]:
        """The systemd units that a host with this site starts, besides what all hosts do."""
        wanted = {
            "nginx.service": True,
            "bandarupay-backend.service": self.manager is Manager.SYSTEMD,
            "supervisor.service": self.manager is Manager.SUPERVISOR,
            "postgresql.service": self.postgresql,
            "redis-server.service": self.redis,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]

    @property
    def directory(self) -> str:
        """The backend's working directory."""
        return (
            "/var/www/webmagic/backend"
            if self.name == "webmagic"
            else "/opt/bandarupay/backend-api"
        )

    @property
    def python(self) -> str:
        """The interpreter of the backend's virtual environment."""
        environment = ".venv" if self.name == "webmagic" else "venv"
        return f"{self.directory}/{environment}/bin/python"

    def install(self, root: Path) -> None:
        """Choose what starts on the host whose file system is at `root`, and what it uses."""
        wanted = root / UNITS
        for unit in self.services:
            place = "/etc" if unit.startswith("bandarupay") else "/lib"
            (wanted / unit).symlink_to(f"{place}/systemd/system/{unit}")
        settings = []
        if self.postgresql:
            settings.append(
                f"DATABASE_URL=postgresql://{self.name}:{self.name}@127.0.0.1/{self.name}\n"
            )
        if self.redis:
            settings.append("REDIS_URL=redis://127.0.0.1:6379/0\n")
        (root / self.directory[1:] / ".env").write_text("".join(settings))
        if self.name == "webmagic" and not self.celery:
            (root / "etc/supervisor/conf.d/webmagic-celery.conf").unlink()
        if self.manager is Manager.PROCESS:
            crontab = root / "etc/bandarupay/crontab"
            crontab.rename(root / "etc/cron.d/bandarupay")
        self._make_certificate(root)

    def _make_certificate(self, root: Path) -> None:
        key = root / "etc/ssl/private/site.key"
        run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "90", "-subj", f"/CN={self.server_name}"),
                *("-addext", f"subjectAltName=DNS:{self.server_name}"),
                *("-keyout", str(key), "-out", str(root / "etc/ssl/certs/site.pem")),
            ]
        )

    def variables(self) -> dict[str, Json]:
        """Return what describes the site to Ansible and to the library of runbooks."""
        return {**self._nginx(), **self._servers(), **_COMMON, **self._application()}

    def _nginx(self) -> dict[str, Json]:
        is_webmagic = self.name == "webmagic"
        return {
            "site_url": "http://127.0.0.1",
            "server_name": self.server_name,
            "tls_port": 443,
            "nginx_command": ["nginx"],
            "nginx_manager": "systemd",
            "nginx_service": "nginx",
            "nginx_user": "www-data",
            "nginx_site_config": f"/etc/nginx/sites-available/{'webmagic' if is_webmagic else 'backend'}",
            "nginx_upstream": "webmagic_api" if is_webmagic else "backend_app",
            "nginx_headers": ["Host", "X-Real-IP", "X-Forwarded-For"],
            "nginx_timeout_s": 5,
            "nginx_error_log": "/var/log/nginx/error.log",
            "nginx_known_good": "/etc/nginx/known-good",
        }

    def _servers(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        if self.postgresql:
            found |= {
                "database_port": 5432,
                "database_service": _postgresql_unit(),
                "database_query": "from core.database import engine; engine.connect().close()",
            }
        if self.redis:
            found |= {"redis_port": 6379, "redis_service": "redis-server"}
        if self.celery:
            found |= {"celery_service": "webmagic-celery"}
        return found

    def _application(self) -> dict[str, Json]:
        application: dict[str, Json] = {
            "backend_manager": str(self.manager),
            "backend_user": self.name,
            "backend_directory": self.directory,
            "backend_python": self.python,
        }
        if self.name == "webmagic":
            return application | {
                "login_path": "/api/v1/auth/unified-login",
                "openapi_path": "/api/v1/openapi.json",
                "backend_service": "webmagic-api",
                "backend_log": "/var/log/webmagic/api_error.log",
                "backend_checkout": "/var/www/webmagic",
                "backend_import_script": "test_imports.py",
                "supervisor_config": "/etc/supervisor/supervisord.conf",
                "supervisorctl_command": ["supervisorctl"],
            }
        application |= {
            "login_path": "/api/v1/demo-login",
            "openapi_path": "/openapi.json",
            "backend_service": "bandarupay-backend",
            "backend_log": "/var/log/bandarupay/app.log",
            "backend_pattern": r"python main\.py",
        }
        if self.manager is Manager.PROCESS:
            application["backend_command"] = [
                *("setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups"),
                *(self.python, "main.py"),
            ]
        return application


_COMMON: dict[str, Json] = {
    "health_path": "/health",
    "backend_host": "127.0.0.1",
    "backend_port": PORT,
    "backend_application": "main:app",
    "backend_requirements": "requirements.txt",
}


def _postgresql_unit() -> str:
    """Return the unit of Debian's one cluster; `postgresql.service` only stands for all clusters."""
    (version,) = (image.layers()[-1] / "etc/postgresql").iterdir()
    return f"postgresql@{version.name}-main"
