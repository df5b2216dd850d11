"""The network of a lab: a bridge that nothing but its hosts is connected to.

Addresses are of a range kept for documentation. Without a route to anywhere else, what a host or a
test sends to any other address fails at once, whatever the machine's own network would answer.
"""

from pathlib import Path

from tests.lab.commands import run
from tests.lab.namespaces import Namespaces

CONTROLLER = "198.51.100.1"
"""The address of programs that run in a lab's network."""

DOOR = "198.51.100.2"
"""The machine's own address, where there is a door."""

MOST_HOSTS = 200

_BRIDGE = "lab"
_DOOR_OUTSIDE = "runbook-lab"  # An interface's name has 15 characters at most.
_DOOR_INSIDE = "door"
_LENGTH = 24


def address(number: int) -> str:
    """Return the address of a host; hosts count from 1."""
    return f"198.51.100.{10 + number}"


def _card(number: int) -> str:
    """Return the hardware address of a host's network card.

    A new host at an old address has the same: neighbours remember it for half a minute.
    """
    return f"02:00:00:00:00:{number:02x}"


def create(namespaces: Namespaces) -> None:
    """Create the bridge."""
    namespaces.run(
        *("ip", "-batch", "-"),
        stdin=f"""\
link add {_BRIDGE} type bridge
address add {CONTROLLER}/{_LENGTH} dev {_BRIDGE}
link set {_BRIDGE} up
""",
    )


def connect(namespaces: Namespaces, number: int, namespace: Path) -> None:
    """Create a host's network namespace as the file `namespace`, and connect it to the bridge."""
    cable = f"host{number}"
    namespaces.run("touch", str(namespace))
    namespaces.run("unshare", f"--net={namespace}", "true")
    namespaces.run(
        *("ip", "-batch", "-"),
        stdin=f"""\
link add {cable} type veth peer name eth0 address {_card(number)} netns {namespace}
link set {cable} master {_BRIDGE} up
""",
    )
    namespaces.run(
        *("nsenter", f"--net={namespace}", "ip", "-batch", "-"),
        stdin=f"""\
address add {address(number)}/{_LENGTH} dev eth0
link set eth0 up
""",
    )


def disconnect(namespaces: Namespaces, number: int, namespace: Path) -> None:
    """Take a host's network away."""
    # The kernel takes its time with a namespace that is not used any more.
    namespaces.run("ip", "link", "delete", f"host{number}")
    namespaces.run("umount", str(namespace))
    namespaces.run("rm", str(namespace))


def open_door(namespaces: Namespaces) -> None:
    """Connect the machine itself to the bridge: its programs then reach the hosts.

    Raises `lab-command-failed`, if another lab has a door.
    """
    inside = f"/proc/{namespaces.holder.pid}/ns/net"
    run(
        ["ip", "-batch", "-"],
        stdin=f"""\
link add {_DOOR_OUTSIDE} type veth peer name {_DOOR_INSIDE} netns {inside}
address add {DOOR}/{_LENGTH} dev {_DOOR_OUTSIDE}
link set {_DOOR_OUTSIDE} up
""",
    )
    namespaces.run("ip", "link", "set", _DOOR_INSIDE, "master", _BRIDGE, "up")


def close_door() -> None:
    """Take the machine's connection away, if there is one."""
    if Path("/sys/class/net", _DOOR_OUTSIDE).exists():
        run(["ip", "link", "delete", _DOOR_OUTSIDE])
