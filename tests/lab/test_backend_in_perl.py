"""A backend that is not FastAPI, nor Python at all: fix-502 fits it by variables alone."""

import json
from pathlib import Path

import pytest

from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.running import fix
from tests.lab.site import Site

pytestmark = pytest.mark.lab

_SERVER = r"""
use strict; use warnings; use IO::Socket::INET;
my $server = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => 9000, Listen => 20, ReuseAddr => 1) or die "no port: $!";
$| = 1; print "shop is open\n";
while (my $client = $server->accept) {
    while (my $line = <$client>) { last if $line =~ /^\s*$/ }
    my $page = "all is well\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Length: @{[length $page]}\r\nConnection: close\r\n\r\n$page";
    close $client;
}
"""
_UNIT = """
[Service]
User=games
WorkingDirectory=/srv/shop
ExecStart=/usr/bin/perl server.pl
StandardOutput=append:/var/log/shop.log
"""
_SITE = """
upstream shop { server 127.0.0.1:9000; }
server { listen 80; server_name shop.example; location / { proxy_pass http://shop; } }
"""
_FILES = {
    "/srv/shop/server.pl": _SERVER,
    "/etc/systemd/system/shop.service": _UNIT,
    "/etc/nginx/conf.d/shop.conf": _SITE,
}
VARIABLES = {
    "server_name": "shop.example",
    "health_path": "/status",
    "health_pattern": "^all is well",
    "login_path": "",
    "tls_port": 0,
    "backend_port": 9000,
    "backend_service": "shop",
    "backend_user": "games",
    "backend_directory": "/srv/shop",
    "backend_python": "",
    "backend_pattern": r"perl server\.pl",
    "backend_log": "/var/log/shop.log",
    "backend_ready_pattern": "shop is open",
    "nginx_site_config": "/etc/nginx/conf.d/shop.conf",
    "nginx_upstream": "shop",
    "nginx_headers": [],
}


@pytest.fixture
def shop(lab: Lab, bare: Site) -> LabHost:
    """Give a host with a shop in Perl beside the lab's own site."""
    (host,) = lab.up(HostPlan(name="shop", site=bare))
    host.exec("mkdir", "/srv/shop")
    for path, text in _FILES.items():
        host.exec("tee", path, stdin=text)
    host.exec("sh", "-ec", "systemctl daemon-reload; systemctl start shop; nginx -s reload")
    return host


def test_a_backend_in_another_language_is_repaired(lab: Lab, shop: LabHost, tmp_path: Path) -> None:
    """Killed with nginx pointed elsewhere, both are found and mended, and nothing is said of Python."""
    shop.exec("systemctl", "kill", "--signal=KILL", "shop")
    shop.exec("sed", "-i", "s/:9000/:9001/", "/etc/nginx/conf.d/shop.conf")
    shop.exec("nginx", "-s", "reload")

    variables = tmp_path / "shop.yml"
    variables.write_text(json.dumps({"all": {"hosts": {"shop": VARIABLES}}}), encoding="utf-8")
    document = fix(lab, ["shop"], tmp_path / "home", lab.inventory, variables)
    lab.down("shop")

    assert "hosts" in document, document
    told = document["hosts"]["shop"]
    assert told["verdict"] == "resolved", told
    assert [cause["id"] for cause in told["causes"]] == ["backend_crashed", "upstream_wrong"]
    assert [fix["outcome"] for fix in told["fixes"]] == ["cause_removed", "resolved"]
