"""Roles `nginx_timeouts` and `nginx_location`, on a real nginx."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbook.demo.deployment import find_nginx
from tests.roles.playing import PREVIEW, Player

MAIN = """\
{user}pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen unix:{folder}/backend;
        return 200 "backend $uri from $http_x_real_ip via $http_x_forwarded_proto";
    }}
    include {folder}/site.conf;
}}
"""
SITE = """\
upstream backend_app {{ server unix:{folder}/backend; }}
server {{ listen unix:{folder}/plain; server_name web.example; return 301 https://$host$request_uri; }}
server {{
    listen unix:{folder}/site;
    server_name web.example;
    # a brace in a comment }}

    location / {{
        proxy_pass http://backend_app;
        proxy_connect_timeout 2s;
        proxy_read_timeout 1m30s;
    }}
    location = /health {{ proxy_pass http://backend_app; proxy_set_header X-Real-IP kept; }}
    location /static/ {{ root /srv; }}
}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nginx:
    """An nginx that serves `site.conf` of its folder on the socket file `site`."""

    folder: Path

    @property
    def command(self) -> list[str]:
        """Arguments that run it."""
        folder = self.folder
        return [
            *(str(find_nginx()), "-p", str(folder)),
            *("-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"),
        ]

    @property
    def site(self) -> Path:
        """The file that the roles change."""
        return self.folder / "site.conf"

    def variables(self, role: str, **more: object) -> dict[str, object]:
        """Return a role's variables for this nginx; the keys of `more` lack the role's name."""
        known: dict[str, object] = {
            "file": str(self.site),
            "server_name": "web.example",
            "command": self.command,
            "state_directory": str(self.folder / "kept"),
        }
        return {f"{role}_{name}": value for name, value in {**known, **more}.items()}

    def ask(self, path: str) -> str:
        """Return what the site answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.folder / "site"))
            client.sendall(f"GET {path} HTTP/1.0\r\nHost: web.example\r\n\r\n".encode())
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()


@pytest.fixture
def nginx(shared_folder: Path) -> Iterator[Nginx]:
    """Return a running nginx."""
    made = Nginx(folder=shared_folder)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (shared_folder / "nginx.conf").write_text(MAIN.format(folder=shared_folder, user=user))
    made.site.write_text(SITE.format(folder=shared_folder))
    subprocess.run(made.command, check=True)
    yield made
    subprocess.run([*made.command, "-s", "stop"], check=True)


def test_raises_timeouts_and_goes_back(play: Player, nginx: Nginx) -> None:
    """Shorter times are raised, longer ones stay; a second time nothing changes; undo restores."""
    before = nginx.site.read_text()
    wanted = nginx.variables("nginx_timeouts", location="/", connect_s=10, read_s=60, send_s=60)

    preview = play("nginx_timeouts", wanted, *PREVIEW)

    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert "+        proxy_connect_timeout 10s;" in preview.output
    assert nginx.site.read_text() == before

    played = play("nginx_timeouts", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert nginx.site.read_text() == before.replace(
        "timeout 2s;\n        proxy_read_timeout 1m30s;\n",
        "timeout 10s;\n        proxy_read_timeout 1m30s;\n        proxy_send_timeout 60s;\n",
    )
    again = play("nginx_timeouts", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output

    undone = play.undo("nginx_timeouts", wanted)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert nginx.site.read_text() == before


def test_a_server_says_it_for_its_locations(play: Player, nginx: Nginx) -> None:
    """A longer time of the server counts for its location; of a link only the target changes."""
    link = nginx.folder / "enabled"
    link.symlink_to(nginx.site)
    server = nginx.variables("nginx_timeouts", send_s=60, file=str(link))
    inside = nginx.variables("nginx_timeouts", location="= /health", send_s=50)

    played = play("nginx_timeouts", server)
    enough = play("nginx_timeouts", inside)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert "    proxy_send_timeout 60s;\n}" in nginx.site.read_text()
    assert link.is_symlink()
    assert (enough.failed, enough.changed) == (False, 0), enough.output


def test_undo_refuses_what_somebody_changed_since(play: Player, nginx: Nginx) -> None:
    """A file that was edited after the fix is left alone by its undo."""
    wanted = nginx.variables("nginx_timeouts", read_s=60)
    assert not play("nginx_timeouts", wanted).failed
    nginx.site.write_text(nginx.site.read_text() + "# mine\n")

    undone = play.undo("nginx_timeouts", wanted)

    assert undone.failed
    assert "was changed since: not taken back" in undone.words
    assert nginx.site.read_text().endswith("# mine\n")


def test_adds_a_location_that_serves(play: Player, nginx: Nginx) -> None:
    """The missing location forwards with its headers at once; a second time nothing changes."""
    wanted = nginx.variables("nginx_location", path="/api/", proxy_pass="http://backend_app/v1/")
    assert "backend /api/x from" in nginx.ask("/api/x")

    preview = play("nginx_location", wanted, *PREVIEW)
    assert "+    location /api/ {" in preview.output
    assert "backend /api/x from" in nginx.ask("/api/x")

    played = play("nginx_location", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    _wait_for(nginx, "/api/x", "backend /v1/x from unix: via http")
    again = play("nginx_location", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output

    assert not play.undo("nginx_location", wanted).failed
    _wait_for(nginx, "/api/x", "backend /api/x from")


def test_adds_only_headers_to_what_is_there(play: Player, nginx: Nginx) -> None:
    """Of an existing location, headers that are set stay, and so does where it forwards to."""
    wanted = nginx.variables("nginx_location", path="= /health", proxy_pass="http://other")

    played = play("nginx_location", wanted)

    assert not played.failed, played.output
    assert nginx.site.read_text().count("X-Real-IP") == 1
    _wait_for(nginx, "/health", "backend /health from kept via http")


def test_restores_the_file_if_nginx_rejects_it(play: Player, nginx: Nginx) -> None:
    """With an upstream that does not resolve the file ends as it was, and its undo does nothing."""
    before = nginx.site.read_text()
    wanted = nginx.variables("nginx_location", path="/api/", proxy_pass="http://nowhere.invalid")

    played = play("nginx_location", wanted)
    undone = play.undo("nginx_location", wanted)

    assert played.failed
    assert "host not found in upstream" in played.words
    assert (undone.failed, undone.changed) == (False, 0)
    assert nginx.site.read_text() == before


def test_points_an_upstream_elsewhere_and_back(play: Player, nginx: Nginx) -> None:
    """An undo takes back what one application wrote: nothing, where that had only to load the file."""
    before = nginx.site.read_text()
    wanted = nginx.variables("nginx_upstream", name="backend_app", host="2001:db8::1", port=8000)

    played = play("nginx_upstream", wanted)
    assert (played.failed, played.changed) == (False, 1), played.output
    assert "server [2001:db8::1]:8000;" in nginx.site.read_text()
    assert play("nginx_upstream", wanted).changed == 1, "nginx may have run with an older file"

    assert play.undo("nginx_upstream", wanted).changed == 0
    assert play.undo("nginx_upstream", wanted).changed == 1
    assert nginx.site.read_text() == before


def test_refuses_what_is_not_to_be_guessed(play: Player, nginx: Nginx) -> None:
    """A server of two, an unknown location, a static one and a value with a second directive."""
    role = "nginx_location"
    injected = nginx.variables(role, path="/x", proxy_pass="http://a; return 200")
    static = nginx.variables(role, path="/static/", proxy_pass="http://backend_app")
    unknown = nginx.variables("nginx_timeouts", location="/nonsuch", read_s=60)
    before = nginx.site.read_text()

    for name, variables, reason in (
        (role, injected, "cannot be written without quotes"),
        (role, static, "forwards to nothing: left alone"),
        ("nginx_timeouts", unknown, "web.example has no location /nonsuch"),
    ):
        played = play(name, variables)
        assert played.failed
        assert reason in played.words
    assert nginx.site.read_text() == before

    double = before + before[before.index("server {\n") :].replace("/site;", "/tls;")
    nginx.site.write_text(double)
    played = play("nginx_timeouts", nginx.variables("nginx_timeouts", read_s=60))
    assert played.failed
    assert "2 servers are meant by web.example, expected one" in played.words
    nginx.site.write_text(before)


def _wait_for(nginx: Nginx, path: str, answer: str) -> None:
    # For a moment after a reload old and new workers answer in turn.
    deadline = time.monotonic() + 90
    while answer not in (got := nginx.ask(path)):
        assert time.monotonic() < deadline, got
        time.sleep(0.02)
