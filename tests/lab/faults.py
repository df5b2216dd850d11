"""What breaks a site, and how: each fault with the causes that `fix-502` has to name for it."""

from tests.lab.breaking import Fault
from tests.lab.faults_backend import BACKEND
from tests.lab.faults_network import FIREWALLS, NETWORK, RULE
from tests.lab.faults_nginx import NGINX
from tests.lab.faults_servers import RESOURCES, SERVERS

_PAIRS = (
    Fault(
        name="backend stopped + upstream of the wrong port",
        causes=("backend_stopped", "upstream_wrong"),
        breaks="stop; sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; reload_nginx",
        shows="echo 8001",
    ),
    Fault(
        name="PostgreSQL + nginx stopped",
        causes=("database_down", "nginx_stopped"),
        breaks="systemctl stop postgresql@15-main nginx",
    ),
    Fault(
        name="firewall: iptables REJECT + configuration broken",
        causes=("firewall_blocking", "nginx_config_broken"),
        breaks=f"keep_config; iptables -I {RULE} -j REJECT; sed -i '2i lab_unknown on;' $CONFIG",
        shows="echo REJECT",
        mends="iptables -F INPUT; put_back_config",
    ),
)

FAULTS = (
    *BACKEND,
    *SERVERS,
    *NGINX,
    *FIREWALLS,
    *NETWORK,
    *RESOURCES,
    *_PAIRS,
)
"""All that is tried."""

NOT_RUN = {
    "oom_killed": "its manager knows only where control groups are version 2, and not on every machine",
    "certificate_expired": "openssl on the hosts refuses to make a certificate that has ended",
    "memory_exhausted": "a host of the lab sees the memory of the whole machine",
    "cpu_exhausted": "it would take the processors of the whole machine from everybody",
    "docker compose": "there is no container engine on a host of the lab",
    "SELinux": "the hosts are Debian; SELinux belongs to the machine's kernel",
    "RHEL family": "there is no source of its packages on a Debian machine",
}
"""What is not tried, and why."""
