"""Role `firewall_opened`, on real firewalls."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.playbooks import Ansible
from tests.roles.machines import Machine, download_tools, start
from tests.roles.playing import PREVIEW, Player

pytestmark = pytest.mark.lab
RULES_V4 = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 8000 -j REJECT
COMMIT
"""
LISTENING = """\
import socket, time
held = [socket.create_server(('', port)) for port in (8000, 8001)]
print('listening')
time.sleep(3600)
"""
NFTABLES = """\
flush ruleset
table inet guard {
  chain bad { tcp dport 8000 reject; }
  chain input { type filter hook input priority 0; policy accept; jump bad; }
  chain quiet { type filter hook input priority 10; policy accept; }
}
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the packages of the tools that this machine lacks."""
    folder = tmp_path_factory.mktemp("packages") / "archives"
    download_tools(folder)
    return folder


@pytest.fixture
def machine(packages: Path, tmp_path: Path) -> Iterator[Machine]:
    """Return a copy of this machine in which somebody listens on port 8000 and on 8001."""
    made = start(tmp_path / "machine", packages)
    listening = subprocess.Popen(
        [
            *made.within,
            *("/usr/bin/python3", "-uc", LISTENING),
        ],
        stdout=subprocess.PIPE,
    )
    assert listening.stdout
    listening.stdout.readline()
    assert made.connects("127.0.0.1", 8000)
    yield made
    for process in (listening, made.process):
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@pytest.fixture
def play(machine: Machine, tmp_path: Path) -> Iterator[Player]:
    """Return a function that applies a role to that machine."""
    inside = Path("/run/plays")
    folder = machine.root / inside.relative_to("/")
    folder.mkdir()
    with closing(
        Ansible.start(folder, "/usr/bin/python3", within=machine.within, inside=inside)
    ) as ansible:
        yield Player(folder=tmp_path, ansible=ansible)


def variables(tool: str, **more: object) -> dict[str, object]:
    """Return the role's variables for port 8000."""
    return {"firewall_opened_port": 8000, "firewall_opened_tool": tool, **more}


def test_iptables(play: Player, machine: Machine) -> None:
    """The port opens to the host alone, also after a restart; the undo leaves not a trace."""
    machine("mkdir -p /etc/iptables")
    machine(f"printf '%s' '{RULES_V4}' >/etc/iptables/rules.v4")
    machine(
        "iptables-restore /etc/iptables/rules.v4; iptables -A INPUT -p tcp --dport 8001 -j DROP"
    )
    machine("iptables -I OUTPUT -p tcp --dport 9000 -j DROP")
    before = machine("iptables -S; ip6tables -S")
    assert not machine.connects("127.0.0.1", 8000)

    preview = play("firewall_opened", variables("iptables"), *PREVIEW)

    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert "+iptables INPUT -i lo -p tcp -m tcp --dport 8000" in preview.output
    assert machine("iptables -S; ip6tables -S") == before

    played = play("firewall_opened", variables("iptables"))

    assert (played.failed, played.changed) == (False, 1), played.output
    assert machine.connects("127.0.0.1", 8000)
    assert machine.connects("192.0.2.1", 8000)
    assert not machine.connects("127.0.0.1", 8001)
    again = play("firewall_opened", variables("iptables"))
    assert (again.failed, again.changed) == (False, 0), again.output
    saved = machine("cat /etc/iptables/rules.v4")
    assert "8001" not in saved
    machine("iptables-save >/tmp/now; iptables-restore /etc/iptables/rules.v4")
    assert machine.connects("127.0.0.1", 8000)
    machine("iptables-restore /tmp/now")

    undone = play.undo("firewall_opened", {"firewall_opened_port": 8000})

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert machine("iptables -S; ip6tables -S") == before
    assert machine("cat /etc/iptables/rules.v4") == RULES_V4


def test_nftables(play: Player, machine: Machine) -> None:
    """Only the chain that leads to the rule gets one; the undo removes exactly that."""
    machine(f"printf '%s' '{NFTABLES}' >/etc/nftables.conf; nft -f /etc/nftables.conf")
    before = machine("nft list ruleset")
    assert not machine.connects("127.0.0.1", 8000)
    wanted = variables("nftables", firewall_opened_sources=["198.51.100.0/24", "2001:db8::7"])

    preview = play("firewall_opened", wanted, *PREVIEW)
    assert '+inet guard input iifname "lo" tcp dport 8000 accept' in preview.output
    assert machine("nft list ruleset") == before

    played = play("firewall_opened", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert machine.connects("127.0.0.1", 8000)
    rules = machine("nft list chain inet guard input")
    assert "ip saddr 198.51.100.0/24 tcp dport 8000 accept" in rules
    assert "ip6 saddr 2001:db8::7 tcp dport 8000 accept" in rules
    assert "8000" not in machine("nft list chain inet guard quiet")
    again = play("firewall_opened", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output
    machine("nft -f /etc/nftables.conf")
    assert machine.connects("127.0.0.1", 8000)

    undone = play.undo("firewall_opened", wanted)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert machine("nft list ruleset") == before
    assert machine("cat /etc/nftables.conf") == NFTABLES


def test_ufw(play: Player, machine: Machine) -> None:
    """A rule of ufw's own opens the port to a source, and its undo spares the others."""
    machine("ufw deny 8000/tcp; ufw allow 22/tcp; ufw --force enable")
    before = machine("ufw show added")
    wanted = variables("ufw", firewall_opened_local=False, firewall_opened_sources=["192.0.2.1"])

    preview = play("firewall_opened", wanted, *PREVIEW)
    assert "+from 192.0.2.1 to any port 8000 proto tcp" in preview.output
    assert machine("ufw show added") == before
    played = play("firewall_opened", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    added = machine("ufw show added")
    assert "ufw allow from 192.0.2.1 to any port 8000 proto tcp comment 'runbook'" in added
    assert added.index("allow from 192.0.2.1") < added.index("deny 8000/tcp")
    again = play("firewall_opened", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output
    # Where only ufw's policy keeps anybody out, it is ufw that gets the rule.
    by_policy = play("firewall_opened", {**wanted, "firewall_opened_tool": "iptables"}, *PREVIEW)
    assert (by_policy.failed, by_policy.changed) == (False, 0), by_policy.output

    undone = play.undo("firewall_opened", wanted)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert machine("ufw show added") == before


def test_ufw_whose_own_file_blocks(play: Player, machine: Machine) -> None:
    """One line ahead of what blocks opens the port, also after a reload; the undo takes just it."""
    blocks = "/^COMMIT/i -A ufw6-before-input -p tcp --dport 8000 -j REJECT"
    block_first = "/ufw-before-input -i lo/i -A ufw-before-input -p tcp --dport 8000 -j REJECT"
    machine(f"sed -i '{block_first}' /etc/ufw/before.rules")
    machine(f"sed -i '{blocks}' /etc/ufw/before6.rules; ufw allow 22/tcp; ufw --force enable")
    state = "iptables -S; ip6tables -S; cat /etc/ufw/*.rules; ufw show added"
    before = machine(state)
    assert not machine.connects("127.0.0.1", 8000)

    played = play("firewall_opened", variables("ufw"))

    assert (played.failed, played.changed) == (False, 1), played.output
    machine("ufw reload")
    assert machine.connects("127.0.0.1", 8000)
    again = play("firewall_opened", variables("ufw"))
    assert (again.failed, again.changed) == (False, 0), again.output

    undone = play.undo("firewall_opened", {"firewall_opened_port": 8000})

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert machine(state) == before


def test_is_not_opened_to_everybody_nor_in_vain(play: Player, machine: Machine) -> None:
    """The world is refused, in halves as well; with no way to persist that is told."""
    for source in ("0.0.0.0/0", "128.0.0.0/1", "::/0"):
        played = play("firewall_opened", variables("iptables", firewall_opened_sources=[source]))
        assert played.failed
        assert "a port is not opened to the world" in played.words
    nothing = play("firewall_opened", variables("iptables"))
    assert (nothing.failed, nothing.changed) == (False, 0), nothing.output

    machine("iptables -P INPUT DROP")
    played = play("firewall_opened", variables("iptables"))

    assert (played.failed, played.changed) == (False, 1), played.output
    assert "the port is open until then" in played.words
    assert machine.connects("127.0.0.1", 8000) is False  # the answer does not come in
    machine("iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    assert machine.connects("127.0.0.1", 8000)
