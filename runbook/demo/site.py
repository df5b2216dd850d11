"""The sandbox site: nginx, a FastAPI backend and supervisor in one folder.

No root, nothing outside the folder, nothing beyond loopback. Linux only.
"""

import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from runbook.demo import inventory, processes
from runbook.demo.deployment import (
    BACKEND_SERVICE,
    NGINX_SERVICE,
    SERVER_NAME,
    Deployment,
    check_folder,
    find_nginx,
)
from runbook.errors import RunbookError

_RECORD = "site.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one request got: a `status` with its `body`, or an `error` instead."""

    status: int | None = None
    body: str = ""
    error: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether it is our own backend that answered, and answered well."""
        return self.status == 200 and '"status":"healthy"' in self.body

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status else f"no answer ({self.error})"


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteStatus:
    """How a site does: `through_nginx` and `direct` are answers to a request for its health.

    `services` has supervisor's word for each service, and is empty if supervisor is down.
    """

    services: Mapping[str, str]
    through_nginx: Answer
    direct: Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A site in a folder, running or not; addresses stay the same for its whole life."""

    folder: Path
    web_port: int
    backend_port: int
    spare_port: int
    database_port: int
    nginx: Path
    python: Path

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Choose free ports and deploy a site into `folder`, which must be new or empty.

        Raises `RunbookError`: `site-folder-unsuitable`, `site-folder-in-use`, `nginx-not-found`,
        `site-needs-linux`, `package-missing`.
        """
        if not Path("/proc/self/environ").exists():
            raise RunbookError.of(
                "site-needs-linux", "the sandbox site runs on Linux only: it relies on /proc"
            )
        _require_packages("fastapi", "supervisor", "uvicorn")
        folder = folder.absolute()
        check_folder(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunbookError.of(
                "site-folder-in-use",
                f"{folder} is not an empty folder",
                hint="Name a folder that does not exist yet.",
            )
        web_port, backend_port, spare_port, database_port = free_ports(4)
        site = cls(
            folder=folder,
            web_port=web_port,
            backend_port=backend_port,
            spare_port=spare_port,
            database_port=database_port,
            nginx=find_nginx(),
            python=Path(sys.executable),
        )
        site.deployment.write()
        record = {
            "web_port": web_port,
            "backend_port": backend_port,
            "spare_port": spare_port,
            "database_port": database_port,
            "nginx": str(site.nginx),
            "python": str(site.python),
        }
        (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n")
        site.inventory()
        return site

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the site that was created in `folder`; raises `site-not-found`, `site-unreadable`."""
        folder = folder.absolute()
        try:
            record = json.loads((folder / _RECORD).read_text())
            return cls(
                folder=folder,
                web_port=int(record["web_port"]),
                backend_port=int(record["backend_port"]),
                spare_port=int(record["spare_port"]),
                database_port=int(record["database_port"]),
                nginx=Path(record["nginx"]),
                python=Path(record["python"]),
            )
        except (FileNotFoundError, NotADirectoryError):
            raise RunbookError.of(
                "site-not-found",
                f"there is no sandbox site in {folder}",
                hint="runbook demo up",
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunbookError.of(
                "site-unreadable", f"cannot read {folder / _RECORD}: {error!r}"
            ) from None

    @property
    def deployment(self) -> Deployment:
        """Where the parts of the site are."""
        return Deployment(
            folder=self.folder,
            web_port=self.web_port,
            backend_port=self.backend_port,
            database_port=self.database_port,
            nginx=self.nginx,
            python=self.python,
        )

    @property
    def url(self) -> str:
        """The site's address through nginx, without a path."""
        return f"http://127.0.0.1:{self.web_port}"

    def up(self, *, within_s: float = 90.0) -> None:
        """Start everything and wait until the site is healthy through nginx.

        A site that runs already is left as it is, healthy or not. Raises `RunbookError`
        `site-not-up`.
        """
        if self._supervisor_pid() is not None:
            return
        self.down()
        configuration = str(self.deployment.supervisor_config)
        started = self.run(
            [str(self.python), "-m", "supervisor.supervisord", "-c", configuration], marked=True
        )
        deadline = time.monotonic() + within_s
        while started.returncode == 0 and time.monotonic() < deadline:
            if self.ask(self.web_port, timeout_s=1.0).healthy:
                return
            time.sleep(0.02)
        log = started.stdout + "".join(
            path.read_text(errors="replace")[-1500:]
            for path in (self.deployment.backend_log, self.folder / "log/nginx.log")
            if path.exists()
        )
        raise RunbookError.of(
            "site-not-up",
            f"the site in {self.folder} did not come up within {within_s:g} s",
            context=log.strip() or None,
            hint=f"See {self.folder / 'log'}.",
        )

    def down(self) -> None:
        """End every process of the site; files and logs stay. Raises `site-not-down`."""
        survivors = processes.end_all(self.folder)
        if survivors:
            raise RunbookError.of(
                "site-not-down", f"processes {sorted(survivors)} of {self.folder} do not end"
            )
        for leftover in (self.folder / "run").glob("*"):
            with suppress(FileNotFoundError):
                leftover.unlink()

    def remove(self) -> None:
        """End every process of the site and delete its folder."""
        self.down()
        shutil.rmtree(self.folder)

    def status(self) -> SiteStatus:
        """Look at the site from outside and through supervisor; takes up to 6 s if it hangs."""
        listing = self.supervisorctl("status") if self._supervisor_pid() is not None else None
        words = [line.split() for line in listing.stdout.splitlines()] if listing else []
        return SiteStatus(
            services={
                word[0]: word[1] for word in words if word[0] in (BACKEND_SERVICE, NGINX_SERVICE)
            },
            through_nginx=self.ask(self.web_port),
            direct=self.ask(self.backend_port),
        )

    def ask(self, port: int, *, path: str = "/health", timeout_s: float = 3.0) -> Answer:
        """Send one GET to a port of this site."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        try:
            connection.request("GET", path, headers={"Host": SERVER_NAME})
            response = connection.getresponse()
            body = response.read(65536).decode(errors="replace")
            return Answer(status=response.status, body=body)
        except TimeoutError:
            return Answer(error="timeout")
        except ConnectionRefusedError:
            return Answer(error="refused")
        except (OSError, http.client.HTTPException) as error:
            return Answer(error=type(error).__name__)
        finally:
            connection.close()

    def inventory(self) -> Path:
        """Write `inventory.yml` with this site as host `web1` of group `prod`; return its path."""
        path = self.folder / "inventory.yml"
        inventory.write(path, {"web1": self.deployment})
        return path

    def supervisorctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run supervisorctl; its exit code is no verdict, so nothing is raised for it."""
        deployment = self.deployment
        return self.run(
            [*deployment.supervisorctl_command, "-c", str(deployment.supervisor_config), *arguments]
        )

    def run(
        self, arguments: list[str], *, marked: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the site's folder; if `marked`, what it starts belongs to the site."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        if marked:
            environment[processes.MARKER] = str(self.folder)
        return subprocess.run(
            arguments,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def _supervisor_pid(self) -> int | None:
        try:
            pid = int((self.folder / "run/supervisord.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in processes.of_site(self.folder) else None


def free_ports(count: int) -> list[int]:
    """Return ports on 127.0.0.1 that nothing uses now.

    They lie below the range the kernel gives to outgoing connections, so that none is taken
    by accident while a fault keeps its owner down.
    """
    ports: list[int] = []
    candidates = iter(random.sample(range(20000, 32000), 1000))
    while len(ports) < count:
        port = next(candidates)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def _require_packages(*names: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise RunbookError.of(
            "package-missing",
            f"the sandbox site needs {', '.join(missing)}",
            hint="pip install 'runbook[demo]'",
        )
