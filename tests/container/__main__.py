"""`python -m tests.container`, behind `make container`: the container file is built, and does its work.

Its base is this machine's own release, made of packages: no registry of images is asked. Buildah
runs what is inside with chroot, which needs neither a daemon nor a kernel that allows more.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runbook.errors import RunbookError
from tests.acceptance.program import PATIENCE_S, wait_until
from tests.lab import apt
from tests.lab.commands import run
from tests.security.sweeping import descendants

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "build/container"
BASE = "localhost/runbook-base"
IMAGE = "localhost/runbook"
USER = 10001
"""Whom the container file has everything run as."""

SERVICE = """
service: container
listen: 127.0.0.1:{port}
schedules:
  - {{schedule: disks, runbook: disk-full, host: localhost, mode: diagnose, every: 10s}}
"""
FILES = {
    "inventory.yml": "all: {hosts: {localhost: {ansible_connection: local}}}\n",
    "runbook.toml": 'inventory = "inventory.yml"\n',
}


def find_obstacle() -> str | None:
    """Return what stands in the way in a few words; None if nothing does."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs root on Linux"
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    return f"there is no {' and no '.join(missing)}: apt-get install it" if missing else None


def main() -> int:
    """Build it and try it; return the exit code."""
    obstacle = find_obstacle()
    if obstacle is not None:
        print(f"the container is not built: {obstacle}", file=sys.stderr)
        return 2
    try:
        if not buildah("images", "--quiet", "--filter", f"reference={BASE}").strip():
            _base()
        _image()
        with _container() as name:
            _tell(name, "runbook", "--version")
            _serves(name)
    except RunbookError as error:
        print(error.render(), file=sys.stderr)
        return error.exit_code
    return 0


def buildah(*words: str) -> str:
    """Run a command of Buildah on storage of our own; return what it prints. Raises RunbookError."""
    return run([*_BUILDAH, *words], within_s=1800)


_BUILDAH = ("buildah", "--root", f"{STORAGE}/storage", "--runroot", f"{STORAGE}/run")


def _say(what: str) -> None:
    print(what, flush=True)


def _base() -> None:
    """Make an image of this machine's release with Python, as debootstrap installs it."""
    source = apt.machine_source()
    _say(f"base: {source.suite} with Python from {source.mirror}")
    STORAGE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STORAGE) as folder:
        keyring = [f"--keyring={source.keyring}"] if source.keyring else []
        wanted = ["--variant=minbase", "--include=ca-certificates,python3-venv"]
        run(
            ["debootstrap", *keyring, *wanted, source.suite, f"{folder}/root", source.mirror],
            within_s=1800,
        )
        for package in Path(folder, "root/var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        name = buildah("from", "scratch").strip()
        buildah("copy", "--quiet", name, f"{folder}/root", "/")
        buildah("commit", "--quiet", "--rm", name, BASE)


def _image() -> None:
    """Build the container file on it, with this machine's authorities where pip is told of some."""
    began = time.monotonic()
    _say(f"image: contrib/container/Containerfile on {BASE}")
    options: list[str] = []
    authorities = os.environ.get("PIP_CERT")
    if authorities:
        settings = STORAGE / "pip.conf"
        settings.write_text("[global]\ncert = /run/authorities.crt\n")
        options += ["--volume", f"{Path(authorities).resolve()}:/run/authorities.crt:ro"]
        options += ["--volume", f"{settings}:/etc/pip.conf:ro"]
    file = ROOT / "contrib/container/Containerfile"
    options += ["--build-arg", f"BASE={BASE}", "--file", str(file), "--tag", IMAGE]
    buildah("build", "--isolation", "chroot", "--layers", *options, str(ROOT))
    size = json.loads(buildah("images", "--json", IMAGE))[0]["size"]
    _say(f"  built in {time.monotonic() - began:.0f} s, {size}")


@contextmanager
def _container() -> Iterator[str]:
    name = buildah("from", "--pull-never", IMAGE).strip()
    try:
        yield name
    finally:
        buildah("rm", name)


def _tell(name: str, *words: str) -> None:
    """Run a program inside, and show what it says.

    It says it to a file: of what is short, Buildah now and then passes on nothing.
    """
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        os.chown(folder, USER, USER)
        script = ["sh", "-c", '"$@" > /told/said', "sh"]
        run([*_entered(name, f"{folder}:/told"), *script, *words])
        said = Path(folder, "said").read_text().rstrip()
    if not said:
        raise RunbookError.of("container-silent", f"{' '.join(words)} says nothing")
    _say(f"$ {' '.join(words)}\n{said}")


def _entered(name: str, volume: str) -> list[str]:
    return [*_BUILDAH, "run", "--isolation", "chroot", "--volume", volume, name, "--"]


def _serves(name: str) -> None:
    """Have it keep to a file of schedules, ask how it is, see what it did, and stop it."""
    configured = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    command = [*configured["Entrypoint"], *configured["Cmd"]]
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        etc = Path(folder, "etc")
        etc.mkdir()
        port = _free_port()
        for file, text in {**FILES, "service.yml": SERVICE.format(port=port)}.items():
            (etc / file).write_text(text)
        log = Path(folder, "log")
        _say(f"$ {' '.join(command)}")
        with log.open("wb") as told:
            service = subprocess.Popen(
                [*_entered(name, f"{etc}:/etc/runbook:ro"), *command], stderr=told, stdout=told
            )
            try:
                wait_until(lambda: _is_well(port, "healthz") and _is_well(port, "readyz"))
                _say("  /healthz and /readyz: 200")
                wait_until(lambda: '"event": "over"' in log.read_text())
                os.kill(_first_inside(service), signal.SIGTERM)
                service.wait(timeout=PATIENCE_S)
            finally:
                service.terminate()
        print("".join(f"  {line}\n" for line in log.read_text().splitlines()), end="")
        if service.returncode != 0:
            raise RunbookError.of(
                "container-not-stopped", f"it ended with code {service.returncode}"
            )
        # The state is a volume of the container file's own: it is there as long as the container.
        _tell(name, "runbook", "report", "last")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_well(port: int, page: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _first_inside(service: subprocess.Popen[bytes]) -> int:
    """Return the container's first process, which the STOPSIGNAL goes to: Buildah passes on none."""
    for pid in descendants(service.pid):
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "tini\n":
                return pid
    raise RunbookError.of("container-not-running", "there is no process inside")


if __name__ == "__main__":
    sys.exit(main())
