"""A backend that `fix-502` was not written for fits by inventory variables alone: Flask, gunicorn."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from runbook.model.definition import Json
from tests.lab.asking import wait_for
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.running import fix
from tests.lab.site import Site

pytestmark = pytest.mark.lab

# All that fix-502 is told of it; the rest has its defaults.
VARIABLES: dict[str, Json] = {
    "server_name": "shop.example",
    "health_path": "/ping",
    "health_pattern": "^pong from the shop",
    "backend_service": "shop",
    "backend_user": "shop",
    "backend_port": 5000,
    "backend_application": "shop:create_app()",
    "backend_pattern": "shop:create_app",
    "backend_log": "/srv/shop/log/error.log",
    "backend_checkout": "/srv/shop",
    "nginx_user": "www-data",
    "nginx_upstream": "shop",
}

INSTALL = """
useradd --system --home-dir /srv/shop shop
mkdir -p /srv/shop/log /srv/git
cd /srv/shop
printf '%s\\n' .venv log __pycache__ > .gitignore
cat > shop.py << 'END'
from flask import Flask

from prices import price_of


def create_app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/ping", view_func=lambda: f"pong from the shop: {price_of('tea')}")
    return app
END
echo 'def price(name): return 3' > prices.py
git init --quiet --initial-branch main
git config user.name 'Shopkeepers'
git config user.email shop@shop.example
git add --all
git commit --quiet --message 'Open the shop'
sed -i 's/price(/price_of(/' prices.py
git commit --quiet --all --message 'Call prices what the shop calls them'
git clone --quiet --bare . /srv/git/shop.git
git remote add origin /srv/git/shop.git
git fetch --quiet origin
git branch --quiet --set-upstream-to origin/main
python3 -m venv --system-site-packages --without-pip .venv
chown -R shop: /srv/shop /srv/git
cat > /etc/systemd/system/shop.service << 'END'
[Unit]
StartLimitIntervalSec=0

[Service]
User=shop
WorkingDirectory=/srv/shop
ExecStart=/srv/shop/.venv/bin/python -m gunicorn --bind 127.0.0.1:5000 --error-logfile log/error.log shop:create_app()
Restart=always
RestartSec=0.1
END
systemctl daemon-reload
systemctl start shop
cat > /etc/nginx/sites-available/shop.example << 'END'
upstream shop { server 127.0.0.1:5000; }
server {
    listen 80;
    server_name shop.example;
    location / { proxy_pass http://shop; }
}
END
ln -s ../sites-available/shop.example /etc/nginx/sites-enabled/
nginx -s reload
"""

# Its first release cannot be imported.
RELEASE = """
cd /srv/shop
setpriv --reuid shop --regid shop --clear-groups git reset --quiet --hard HEAD~1
systemctl restart shop
until grep -q ImportError log/error.log; do sleep 0.1; done
"""

FAULTS = [
    (RELEASE, "import_error", ["prices", "shop.py", '"line": 3']),
    ("systemctl stop shop", "backend_stopped", ['"listening": false']),
]


@pytest.fixture(scope="module")
def shop(create_lab: Callable[[], Lab], bare: Site) -> tuple[Lab, LabHost]:
    """Give a lab with a host on which the shop is open."""
    lab = create_lab()
    (host,) = lab.up(HostPlan(name="shop", site=bare))
    host.exec("sh", "-ec", INSTALL)
    wait_for(lambda: "pong" in host.exec("sh", "-c", _ASK))
    return lab, host


_ASK = "curl -s -H 'Host: shop.example' 127.0.0.1/ping || true"


def inventory(lab: Lab) -> Path:
    """Write an inventory that knows how to reach the host, and of its site only VARIABLES."""
    known = yaml.safe_load(lab.inventory.read_text())["prod"]
    address = known["hosts"]["shop"]["ansible_host"]
    path = lab.folder / "shop.json"
    hosts = {"shop": {"ansible_host": address, **known["vars"], **VARIABLES}}
    path.write_text(json.dumps({"all": {"hosts": hosts}}))
    return path


@pytest.mark.parametrize(("breaks", "cause", "shown"), FAULTS, ids=["import error", "stopped"])
def test_it_is_repaired(
    shop: tuple[Lab, LabHost], tmp_path: Path, breaks: str, cause: str, shown: list[str]
) -> None:
    """What breaks it is named and shown, it is repaired, and its own page comes through nginx."""
    lab, host = shop
    host.exec("sh", "-ec", breaks)

    document = fix(lab, ["shop"], tmp_path, inventory(lab))

    assert "hosts" in document, document
    told = document["hosts"]["shop"]
    assert told["verdict"] == "resolved", told
    assert [one["id"] for one in told["causes"]] == [cause]
    evidence = json.dumps(told["causes"])
    assert [word for word in shown if word not in evidence] == [], evidence
    assert host.exec("sh", "-c", _ASK) == "pong from the shop: 3"
