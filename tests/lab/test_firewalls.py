"""Firewalls on a host really drop and reject, whichever tool wrote the rule."""

import pytest

from tests.lab.asking import get, knock
from tests.lab.host import HostPlan, LabHost
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

pytestmark = pytest.mark.lab

NFT_CHAIN = """
nft add table inet lab
nft add chain inet lab input '{ type filter hook input priority 0; }'
"""

RAISED = {
    "iptables drop": "iptables -I INPUT -p tcp --dport 80 -j DROP",
    "iptables reject": "iptables -I INPUT -p tcp --dport 80 -j REJECT",
    "nft drop": f"{NFT_CHAIN} nft add rule inet lab input tcp dport 80 drop",
    "nft reject": f"{NFT_CHAIN} nft add rule inet lab input tcp dport 80 reject with tcp reset",
    "ufw deny": "ufw allow 22/tcp; ufw deny 80/tcp; ufw --force enable",
    "ufw reject": "ufw allow 22/tcp; ufw reject 80/tcp; ufw --force enable",
}
TORN_DOWN = {
    "iptables": "iptables -F INPUT",
    "nft": "nft delete table inet lab",
    "ufw": "ufw --force reset",
}
EFFECT = {"drop": "timeout", "deny": "timeout", "reject": "refused"}


@pytest.fixture(scope="module")
def walled(lab: Lab) -> LabHost:
    """Give a host to try firewalls on."""
    site = Site(manager=Manager.SYSTEMD, postgresql=False)
    (host,) = lab.up(HostPlan(name="walled", site=site))
    return host


@pytest.mark.parametrize("firewall", RAISED)
def test_firewalls_drop_and_reject(lab: Lab, walled: LabHost, firewall: str) -> None:
    """A rule of each tool makes a port silent or closed for the bridge, and ssh goes on."""
    tool, effect = firewall.split()

    assert knock(lab, walled, 80) == "open"
    walled.exec("sh", "-ec", RAISED[firewall])
    seen = knock(lab, walled, 80), knock(lab, walled, 22)
    walled.exec("sh", "-ec", TORN_DOWN[tool])

    assert seen == (EFFECT[effect], "open")
    assert knock(lab, walled, 80) == "open"


@pytest.mark.parametrize(("target", "status"), [("REJECT", 502), ("DROP", 504)])
def test_a_firewall_between_nginx_and_backend(
    lab: Lab, walled: LabHost, target: str, status: int
) -> None:
    """On loopback too: where connections are rejected nginx says 502, where dropped 504."""
    rule = ("INPUT", "-i", "lo", "-p", "tcp", "--dport", "8000", "-j", target)

    walled.exec("iptables", "-I", *rule)
    seen = get(lab, walled, "/health")[0]
    walled.exec("iptables", "-D", *rule)

    assert seen == status
    assert get(lab, walled, "/health")[0] == 200
