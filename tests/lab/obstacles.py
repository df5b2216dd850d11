"""Whether there can be a lab on this machine, and if not, why."""

import os
import shutil
import subprocess
import sys

_PROGRAMS = ("debootstrap", "ip", "nsenter", "openssl", "setpriv", "ssh", "ssh-keygen", "unshare")

# All kinds of namespaces and mounts that a lab uses, tried out in namespaces of their own.
_TRIAL = """
mount -t tmpfs trial /tmp
mkdir /tmp/upper /tmp/work /tmp/root
mount -t overlay -o lowerdir=/usr,upperdir=/tmp/upper,workdir=/tmp/work trial /tmp/root
ip link add trial type bridge
ip link add trial0 type veth peer name trial1
"""


def find() -> str | None:
    """Return what stands in the way of a lab in a few words; None if nothing does."""
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found; sh tests/lab/setup.sh installs it"
    unshare = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork"]
    done = subprocess.run(
        [*unshare, "sh", "-ec", _TRIAL], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        return f"the kernel refuses namespaces or mounts ({said})"
    return None
