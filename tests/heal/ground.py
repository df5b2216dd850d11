"""What is watched and healed: a site on a host of a lab, or in the sandbox where there can be no lab."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from runbook.demo.deployment import SERVER_NAME
from runbook.demo.faults import FAULTS
from runbook.demo.site import Site as SandboxSite
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """A host, `web1` of the group `prod`, with a site at `url` that goes by `server_name`.

    `stop_backend` breaks it. `before` is what programs have to be started by so that they reach it,
    and `call` has a function called there.
    """

    title: str
    url: str
    server_name: str
    inventory: Path
    stop_backend: Callable[[], object]
    before: tuple[str, ...] = ()
    call: Callable[[Callable[[], _T]], _T] = lambda function: function()

    def get(self, url: str, host: str = "") -> tuple[int, bytes]:
        """Send one GET; return status and content. Raises OSError and what HTTP can be wrong in."""
        return self.call(lambda: _get(url, host))

    def status(self) -> int:
        """Return what the site answers when it is asked how it is."""
        return self.get(self.url, self.server_name)[0]


def _get(url: str, host: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def sandbox(folder: Path) -> Iterator[Ground]:
    """Give the sandbox site, in a folder whose path is short."""
    site = SandboxSite.create(folder / "web1")
    try:
        site.up()
        yield Ground(
            title="the sandbox site",
            url=f"{site.url}/health",
            server_name=SERVER_NAME,
            inventory=site.inventory(),
            stop_backend=lambda: FAULTS["backend-stopped"].inject(site),
        )
    finally:
        site.remove()


@contextmanager
def lab(folder: Path) -> Iterator[Ground]:
    """Give a host of a lab of its own; needs root on Linux."""
    site = Site(manager=Manager.SYSTEMD)
    with Lab.create("heal", folder) as created:
        [host] = created.up(HostPlan(name="web1", site=site))
        yield Ground(
            title=f"a lab host under systemd, at {host.address}",
            url=f"http://{host.address}/health",
            server_name=site.server_name,
            inventory=created.inventory,
            stop_backend=lambda: host.exec("systemctl", "stop", "bandarupay-backend"),
            before=tuple(created.record.namespaces.connected([])),
            call=created.call,
        )
