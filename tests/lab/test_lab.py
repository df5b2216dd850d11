"""The hosts of a lab are real: reached by ssh, run by systemd, serving a site through nginx."""

import json
import sys
import time
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from tests.lab.asking import ansible, get, knock, wait_for
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.network import CONTROLLER
from tests.lab.site import Manager, Site

pytestmark = pytest.mark.lab

MANAGED = ["web1", "web2", "web3"]


def test_ssh_and_sudo_work_through_ansible(lab: Lab) -> None:
    """Ansible logs in as deploy, checks the host's key, and becomes root or www-data."""
    # To become a user without privileges, Ansible needs setfacl or pipelining.
    as_nginx = ("-a", "id -un", "-e", "ansible_become_user=www-data ansible_pipelining=true")

    assert ansible(lab, ",".join(MANAGED), "-m", "ping").count("SUCCESS") == 3
    assert ansible(lab, ",".join(MANAGED), "-a", "id -un").count("\nroot") == 3
    assert ansible(lab, "web1", *as_nginx).count("\nwww-data") == 1


def test_a_host_with_another_key_is_refused(lab: Lab) -> None:
    """The file known_hosts holds real keys: a host that shows another is not logged in to."""
    known = (lab.folder / "known_hosts").read_text().splitlines()
    swapped = lab.folder / "swapped"
    swapped.write_text(known[0].replace(lab.hosts["web1"].address, lab.hosts["web2"].address))
    options = f"-o UserKnownHostsFile={swapped} -o StrictHostKeyChecking=yes -o ControlPath=none"
    given = json.dumps({"ansible_ssh_common_args": options})

    said = ansible(lab, "web2", "-m", "ping", "-e", given)

    assert "UNREACHABLE" in said
    assert "Host key verification failed" in said


@pytest.mark.parametrize("name", MANAGED)
def test_the_site_answers_through_nginx(lab: Lab, name: str) -> None:
    """From the bridge the backend answers over HTTP and TLS, with its database connected."""
    host = lab.hosts[name]

    for tls in (False, True):
        status, body = get(lab, host, "/health", tls=tls)
        assert status == 200
        assert json.loads(body)["status"] == "healthy"
        assert json.loads(body)["database"] == "connected"


@pytest.mark.parametrize(
    ("name", "log"),
    [
        ("web1", "/var/log/bandarupay/app.log"),
        ("web2", "/var/log/webmagic/api.log"),
        ("web3", "/var/log/bandarupay/app.log"),
    ],
)
def test_the_backend_learns_who_asks(lab: Lab, name: str, log: str) -> None:
    """The client's address is handed on by nginx: it is in the log, where the reports have it."""
    host = lab.hosts[name]
    get(lab, host, f"/asked-for-by-{name}")

    # A manager that collects what its programs print writes it down a little later.
    look = f"grep '/asked-for-by-{name} ' {log} || true"
    wait_for(lambda: CONTROLLER in host.exec("sh", "-c", look))


def test_services_are_under_their_managers(lab: Lab) -> None:
    """The backend is under systemd, under supervisor, and on the third host under nothing."""
    systemd, supervisor, process = (lab.hosts[name] for name in MANAGED)
    unit = "bandarupay-backend"

    assert systemd.exec("systemctl", "is-active", unit).strip() == "active"
    # For a few seconds supervisor calls starting what answers already; its exit code says so too.
    look = ("sh", "-c", "supervisorctl status || true")
    running = [["webmagic-api", "RUNNING"], ["webmagic-celery", "RUNNING"]]
    wait_for(lambda: [line.split()[:2] for line in supervisor.exec(*look).splitlines()] == running)
    enabled = process.exec("sh", "-c", f"systemctl is-enabled {unit} || true")
    assert enabled.strip() == "disabled"
    pid = process.exec("pgrep", "--full", "^python main.py$").strip()
    assert process.exec("readlink", f"/proc/{pid}/cwd").strip() == "/opt/bandarupay/backend-api"


@pytest.mark.parametrize("name", MANAGED)
def test_the_machine_is_run_by_systemd(lab: Lab, name: str) -> None:
    """Process 1 is systemd, nothing has failed, and the servers are its services."""
    host = lab.hosts[name]

    assert host.exec("cat", "/proc/1/comm").strip() == "systemd"
    assert host.exec("systemctl", "is-system-running").strip() == "running"
    active = host.exec("systemctl", "is-active", "nginx", "postgresql", "ssh")
    assert active.split() == ["active"] * 3


def test_a_plain_process_can_be_restarted_by_role(lab: Lab, repository: Path) -> None:
    """What the inventory says of a process without a manager is enough to start it anew."""
    host = lab.hosts["web3"]
    old = host.exec("pgrep", "--full", "python main.py").strip()
    variables = host.variables()
    role = {
        "service_name": variables["backend_service"],
        "service_manager": variables["backend_manager"],
        "service_process_command": variables["backend_command"],
        "service_process_directory": variables["backend_directory"],
        "service_process_pattern": variables["backend_pattern"],
        "service_process_log": variables["backend_log"],
    }

    said = ansible(
        *(lab, "web3", "-m", "include_role", "-a", "name=service", "-e", json.dumps(role)),
        roles=repository / "roles",
    )

    assert "FAILED" not in said
    wait_for(lambda: get(lab, host, "/health")[0] == 200)
    new = host.exec("pgrep", "--full", "python main.py").strip()
    assert new != old
    assert host.exec("ps", "-o", "user:20=", "-p", new).strip() == "bandarupay"


def test_work_goes_through_redis_to_the_celery_worker(lab: Lab) -> None:
    """A task that is put into the queue is done by the worker."""
    host = lab.hosts["web2"]
    site = host.plan.site
    code = "from worker import scrape; print(scrape.delay(3).get(timeout=30))"

    done = host.exec("sh", "-c", f"cd {site.directory} && {site.python} -B -c '{code}'")

    assert done.strip() == "1.0"


def test_the_checkout_can_go_back_and_pull(lab: Lab) -> None:
    """The release of the incident cannot be imported; pulling from upstream mends it."""
    host = lab.hosts["web2"]
    site = host.plan.site
    git = ("git", "-C", "/var/www/webmagic")
    imports = ("sh", "-c", f"cd {site.directory} && {site.python} -B -c 'import main'")
    first = host.exec(*git, "rev-list", "--max-parents=0", "HEAD").strip()

    host.exec(*git, "reset", "--quiet", "--hard", first)
    with pytest.raises(RunbookError, match=r"No module named 'core\.auth'"):
        host.exec(*imports)
    host.exec(*git, "pull", "--quiet", "origin", "main")

    host.exec(*imports)
    assert host.exec(*git, "status", "--short", "--branch").strip() == "## main...origin/main"


def test_servers_can_be_left_out(lab: Lab) -> None:
    """A host without PostgreSQL, Redis and Celery runs none, and its site does without them."""
    site = Site(manager=Manager.SUPERVISOR, postgresql=False)
    (host,) = lab.up(HostPlan(name="alone", site=site))

    health = json.loads(get(lab, host, "/health")[1])
    running = host.exec("ps", "-eo", "comm=").split()
    supervised = host.exec("supervisorctl", "status")
    lab.down("alone")

    assert (health["database"], health["redis"]) == ("none", "none")
    assert not {"postgres", "redis-server"} & set(running)
    assert [line.split()[0] for line in supervised.splitlines()] == ["webmagic-api"]


def test_nothing_leads_out(lab: Lab) -> None:
    """Neither hosts nor programs in the lab's network reach any other address."""
    code = (
        "import errno, socket\n"
        "try: socket.create_connection(('203.0.113.9', 80), timeout=5)\n"
        "except OSError as error: print(errno.errorcode[error.errno])"
    )

    assert lab.hosts["web1"].exec("python3", "-c", code).strip() == "ENETUNREACH"
    assert lab.run([sys.executable, "-c", code]).stdout.strip() == "ENETUNREACH"


def test_a_host_cannot_change_the_machine(lab: Lab) -> None:
    """Root of a host sets the sysctls of its own network, and no others."""
    host = lab.hosts["web1"]

    host.exec("sysctl", "-w", "net.ipv4.ip_default_ttl=64")
    with pytest.raises(RunbookError, match="Read-only file system"):
        host.exec("sh", "-c", "LC_ALL=C tee /proc/sys/kernel/panic < /proc/sys/kernel/panic")


def test_hosts_come_up_in_seconds(lab: Lab, bare: Site) -> None:
    """Two more hosts serve within a minute on a busy machine; an idle one takes two seconds."""
    began = time.monotonic()

    lab.up(HostPlan(name="quick1", site=bare), HostPlan(name="quick2", site=bare))
    took = time.monotonic() - began
    lab.down("quick1")
    lab.down("quick2")

    assert took < 60


def test_a_host_that_is_down_is_unreachable(lab: Lab, bare: Site) -> None:
    """Ansible calls it unreachable; a new one of that name has another key, and is known by it."""
    (first,) = lab.up(HostPlan(name="fallen", site=bare))
    lab.down("fallen")

    assert knock(lab, first, 22) in ("timeout", "unreachable")
    assert "UNREACHABLE" in ansible(lab, "fallen", "-m", "ping")

    (second,) = lab.up(HostPlan(name="fallen", site=bare))
    said = ansible(lab, "fallen", "-m", "ping")
    lab.down("fallen")
    assert second.public_key != first.public_key
    assert "SUCCESS" in said
