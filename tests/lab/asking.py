"""Ask hosts of a lab from its bridge, as their users and their administrators would."""

import http.client
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.host import LabHost
from tests.lab.lab import Lab

_ANSIBLE = Path(sys.executable).with_name("ansible")


def get(lab: Lab, host: LabHost, path: str, *, tls: bool = False) -> tuple[int, str]:
    """Ask a site through nginx; return status and body. With `tls` its certificate is checked."""

    def ask() -> tuple[int, str]:
        connection: http.client.HTTPConnection
        if tls:
            certificate = host.exec("cat", "/etc/ssl/certs/site.pem")
            context = ssl.create_default_context(cadata=certificate)
            context.check_hostname = False  # it is reached by its address
            connection = http.client.HTTPSConnection(host.address, context=context, timeout=10)
        else:
            connection = http.client.HTTPConnection(host.address, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host.plan.site.server_name})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return lab.call(ask)


def knock(lab: Lab, host: LabHost, port: int) -> str:
    """Connect to a port; return open, refused, timeout or unreachable."""

    def connect() -> str:
        try:
            socket.create_connection((host.address, port), timeout=1).close()
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "timeout"
        except OSError:
            return "unreachable"
        return "open"

    return lab.call(connect)


def ansible(lab: Lab, pattern: str, *arguments: str, roles: Path | None = None) -> str:
    """Run Ansible's own command with the lab's inventory and return all it prints."""
    environment = {} if roles is None else {"ANSIBLE_ROLES_PATH": str(roles)}
    command = [str(_ANSIBLE), "-i", str(lab.inventory), pattern, *arguments]
    done = lab.run(command, environment=environment)
    return done.stdout + done.stderr


def wait_for(true: Callable[[], bool], *, within_s: float = 90.0) -> None:
    """Wait for something to become true; fail if it does not."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
