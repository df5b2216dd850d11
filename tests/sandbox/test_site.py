"""The sandbox site: up, down, and nothing left behind."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runbook.demo import inventory, processes
from runbook.demo.site import Site, free_ports
from runbook.errors import RunbookError


def test_answers_as_the_real_site_does(running_site: Site) -> None:
    """Through nginx, health is 200 with our body, the docs are 200 and a wrong login is 401."""
    health = running_site.ask(running_site.web_port)
    docs = running_site.ask(running_site.web_port, path="/api/v1/docs")
    connection = http.client.HTTPConnection("127.0.0.1", running_site.web_port, timeout=3)
    body = json.dumps({"identifier": "test", "password": "test"})
    connection.request(
        "POST", "/api/v1/auth/unified-login", body, {"Content-Type": "application/json"}
    )
    login = connection.getresponse()
    detail = json.loads(login.read())["detail"]
    connection.close()

    assert health.healthy
    assert json.loads(health.body)["database"] == "connected"
    assert docs.status == 200
    assert (login.status, detail) == (401, "User not found or incorrect credentials")


def test_status_names_each_service(running_site: Site) -> None:
    """The status has supervisor's word for nginx and for the backend, and both answers."""
    status = running_site.status()

    assert status.services.keys() == {"nginx", "webmagic-api"}
    assert status.through_nginx.healthy
    assert status.direct.healthy


def test_listens_on_loopback_only(running_site: Site) -> None:
    """Every socket the site listens on is bound to 127.0.0.1."""
    inodes = {
        str(link.readlink())
        for pid in processes.of_site(running_site.folder)
        for link in Path(f"/proc/{pid}/fd").iterdir()
    }
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}

    assert listening == {
        f"0100007F:{port:04X}"
        for port in (running_site.web_port, running_site.backend_port, running_site.database_port)
    }


def test_loads_from_its_folder(running_site: Site) -> None:
    """A site read back from its folder is the site that was created."""
    assert Site.load(running_site.folder) == running_site


def test_up_leaves_a_running_site_alone(running_site: Site) -> None:
    """Starting a site that runs starts nothing anew."""
    before = processes.of_site(running_site.folder)

    running_site.up()

    assert processes.of_site(running_site.folder) == before


def test_nothing_survives_although_supervisord_was_killed(folder: Path) -> None:
    """After supervisord's death its orphans are found and ended, and nothing else is."""
    site = Site.create(folder / "site")
    site.up()
    supervisord = int((site.folder / "run/supervisord.pid").read_text())
    with subprocess.Popen(["/bin/sleep", "60"], cwd=site.folder / "run") as bystander:
        os.kill(supervisord, signal.SIGKILL)
        answered = site.ask(site.web_port).healthy

        site.remove()

        bystander_lives = bystander.poll() is None
        bystander.kill()
    assert answered
    assert bystander_lives
    assert processes.of_site(site.folder) == frozenset()
    assert site.ask(site.web_port).error == "refused"
    assert site.ask(site.backend_port).error == "refused"
    assert not site.folder.exists()


def test_a_site_that_cannot_start_says_why(folder: Path) -> None:
    """If a port was taken in the meantime, the error has nginx's own words."""
    site = Site.create(folder / "site")
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.web_port))
        other.listen()
        with pytest.raises(RunbookError) as caught:
            site.up(within_s=2)
    site.remove()

    assert caught.value.problems[0].reference == "site-not-up"
    assert "bind() to 127.0.0.1" in (caught.value.problems[0].context or "")


def test_ports_are_free_and_below_the_outgoing_range() -> None:
    """The ports chosen differ, and no outgoing connection can take one of them."""
    ports = free_ports(3)
    outgoing_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert len(set(ports)) == 3
    assert max(ports) < outgoing_from


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("with space", "it contains ' '"),
        ("100%", "it contains '%'"),
        ("deep" * 30, "it is too long for a socket inside it (96 bytes at most)"),
    ],
)
def test_refuses_folders_its_servers_could_not_name(
    tmp_path: Path, name: str, complaint: str
) -> None:
    """A path that nginx, supervisor or a socket could not carry is refused before any write."""
    with pytest.raises(RunbookError) as caught:
        Site.create(tmp_path / name)

    assert caught.value.problems[0].reference == "site-folder-unsuitable"
    assert complaint in caught.value.problems[0].message
    assert not (tmp_path / name).exists()


def test_refuses_a_folder_with_other_things_in_it(tmp_path: Path) -> None:
    """A folder that holds somebody's files is neither used nor changed."""
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(RunbookError) as caught:
        Site.create(tmp_path)

    assert caught.value.problems[0].reference == "site-folder-in-use"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_without_a_site_is_said_to_have_none(tmp_path: Path) -> None:
    """Loading from an empty folder names the command that makes a site."""
    with pytest.raises(RunbookError) as caught:
        Site.load(tmp_path)

    assert caught.value.problems[0].reference == "site-not-found"
    assert caught.value.problems[0].hint == "runbook demo up"


def test_a_damaged_record_is_reported(tmp_path: Path) -> None:
    """A record that is no JSON is an error with the file's name, not a traceback."""
    (tmp_path / "site.json").write_text("{")

    with pytest.raises(RunbookError) as caught:
        Site.load(tmp_path)

    assert caught.value.problems[0].reference == "site-unreadable"
    assert "site.json" in caught.value.problems[0].message


def test_ansible_reads_the_inventory(running_site: Site) -> None:
    """Ansible finds host web1 in group prod, with the variables as they were written."""
    program = Path(sys.executable).with_name("ansible-inventory")
    listing = subprocess.run(
        [program, "--list", "-i", running_site.inventory()],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(listing.stdout)

    assert document["prod"]["hosts"] == ["web1"]
    assert document["_meta"]["hostvars"]["web1"] == inventory.host_variables(
        running_site.deployment
    )


def test_several_sites_share_one_inventory(running_site: Site, folder: Path) -> None:
    """Each site is a host of its own, with its own ports."""
    second = Site.create(folder / "web2")
    path = folder / "inventory.yml"

    inventory.write(path, {"web1": running_site.deployment, "web2": second.deployment})

    hosts = yaml.safe_load(path.read_text())["prod"]["hosts"]
    assert hosts["web1"]["backend_port"] == running_site.backend_port
    assert hosts["web2"]["backend_port"] == second.backend_port
