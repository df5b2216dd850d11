"""What breaks a site, and how: each fault with the causes that `fix-502` has to name for it."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault
from tests.lab.faults_backend import BACKEND, CRASH, MANAGED
from tests.lab.faults_network import FIREWALLS, NETWORK, RULE
from tests.lab.faults_nginx import NGINX
from tests.lab.faults_servers import FILL, OLD_LOG, RESOURCES, SERVERS

_NONE = (
    Fault(name="none", causes=(), breaks="", verdict=Verdict.HEALTHY),
    Fault(
        name="none by the time it is asked again",
        causes=(),
        verdict=Verdict.SELF_RECOVERED,
        # From the first question of the run on it lets everybody wait, for longer than nginx does.
        breaks=r"""
          keep_main; sed -i '0,/^@app.get/s//_ends: list[float] = []\n\n\n\
@app.middleware("http")\nasync def wake_up(request, call_next):\n\
    import asyncio, time\n\
    if not _ends and request.headers["user-agent"] == "runbook-probe":\n\
        _ends.append(time.monotonic() + 8)\n\
    if _ends and time.monotonic() < _ends[0]:\n\
        await asyncio.sleep(_ends[0] - time.monotonic())\n\
    return await call_next(request)\n\n\n&/' $DIRECTORY/main.py; restart; until_answers""",
        mends="put_back_main",
    ),
)

_PAIRS = (
    Fault(
        name="backend stopped + upstream of the wrong port",
        causes=("backend_stopped", "upstream_wrong"),
        breaks="stop; sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; reload_nginx",
        shows="echo 8001",
    ),
    Fault(
        name="disk full of old logs + crashed until its manager gave up",
        causes=("disk_full", "start_limit"),
        managers=MANAGED,
        breaks=f"{CRASH}{FILL % OLD_LOG}; touch -d '30 days ago' {OLD_LOG}",
        mends=f"rm -f {OLD_LOG}",
    ),
    Fault(
        name="PostgreSQL + nginx stopped",
        causes=("database_down", "nginx_stopped"),
        breaks="systemctl stop postgresql@15-main nginx",
    ),
    # Who asks nginx hears nothing, as he would of a program that holds its port and hangs.
    Fault(
        name="nginx stopped + firewall: its port dropped",
        causes=("nginx_stopped", "firewall_blocking"),
        verdict=Verdict.ESCALATED,
        breaks="systemctl stop nginx; iptables -I INPUT -i lo -p tcp --dport 80 -j DROP",
        shows="echo DROP",
        mends="iptables -F INPUT",
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
    *_NONE,
)
"""All that is tried."""

NOT_RUN = {
    "docker compose": "Debian 12 has engines, and no package with `docker compose` (version 2)",
    "SELinux": "the hosts are Debian; SELinux belongs to the machine's kernel",
    "RHEL family": "there is no source of its packages on a Debian machine",
}
"""What is not tried, and why."""
