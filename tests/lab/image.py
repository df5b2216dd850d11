"""The file system of a host: layers that are built once and cached.

The lowest layer is Debian, installed by debootstrap from where this machine installs its own
packages. Each further layer is a folder in `layers/`: `files/` is copied over what is below, then
`install.sh` is run in it, without a network. A layer's folder in the cache is named after a hash of
all it is made of, so that a change builds it anew and leaves the others alone.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runbook.errors import RunbookError
from tests.lab import apt
from tests.lab.apt import Source
from tests.lab.commands import run

LAYERS = Path(__file__).with_name("layers")

_PACKAGES = LAYERS / "debian.packages"

# Documentation and translations are a tenth of the image; syncing each file is most of the time.
_DPKG = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
"""

# Everything that is run inside the image: without a network, and gone when it is done.
_APART = (
    *("unshare", "--mount", "--propagation=private", "--uts", "--ipc", "--net", "--pid"),
    *("--fork", "--kill-child"),
)

_INSTALL = """
umask 022
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cp -r "$3/files/." "$2/root"
mount -t proc proc "$2/root/proc"
mount -t tmpfs tmpfs "$2/root/tmp"
mount -t tmpfs tmpfs "$2/root/run"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
  chroot "$2/root" sh -s < "$3/install.sh"
"""


def cache_folder() -> Path:
    """Return where images are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "runbook-lab"


def layers(*names: str) -> tuple[Path, ...]:
    """Return the folders of the named layers and of Debian below them, topmost first.

    What is missing is built: Debian takes some minutes, any other layer seconds. Raises
    `lab-command-failed`, `lab-no-package-source`.
    """
    with _locked(cache_folder()):
        found = [_debian()]
        for name in names:
            found.insert(0, _layer(name, found))
    return tuple(found)


def packages() -> list[str]:
    """Return the names of the packages that the base image has beyond the minimal system."""
    lines = _PACKAGES.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Keep other builders out. The folder is root's alone: what is inside has setuid programs."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _debian() -> Path:
    source = apt.machine_source()
    recipe = [source.suite, *source.components, *packages(), _DPKG]
    folder = cache_folder() / f"debian-{_digest(recipe)}"
    if not folder.exists():
        with _building() as workshop:
            _install_debian(source, workshop / "root")
            for archive in (workshop / "root/var/cache/apt/archives").glob("*.deb"):
                archive.unlink()
            (workshop / "root").rename(folder)
    return folder


def _install_debian(source: Source, root: Path) -> None:
    options = [
        "--foreign",
        "--variant=minbase",
        f"--components={','.join(source.components)}",
        f"--include={','.join(packages())}",
        *([f"--keyring={source.keyring}"] if source.keyring else []),
    ]
    try:
        run(["debootstrap", *options, source.suite, str(root), source.mirror], within_s=1800)
        configuration = root / "etc/dpkg/dpkg.cfg.d"
        configuration.mkdir(parents=True, exist_ok=True)
        (configuration / "lab").write_text(_DPKG)
        run(
            [*_APART, "chroot", str(root), "/debootstrap/debootstrap", "--second-stage"],
            within_s=1800,
        )
    except RunbookError as error:
        log = root / "debootstrap/debootstrap.log"
        text = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        raise RunbookError.of(
            "lab-image-failed", "the base image cannot be built", context=f"{error}\n{text}".strip()
        ) from None


def _layer(name: str, below: Sequence[Path]) -> Path:
    source = LAYERS / name
    files = sorted(path for path in source.rglob("*") if path.is_file())
    recipe = [_INSTALL, *(path.name for path in below)]
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        recipe += [str(path.relative_to(source)), oct(path.stat().st_mode & 0o111), content]
    folder = cache_folder() / f"{name}-{_digest(recipe)}"
    if not folder.exists():
        with _building() as workshop:
            for part in ("upper", "work", "root"):
                (workshop / part).mkdir()
            lower = ":".join(map(str, below))
            arguments = ["sh", "-ec", _INSTALL, "sh", lower, str(workshop), str(source)]
            run([*_APART, *arguments], within_s=300)
            (workshop / "upper").rename(folder)
    return folder


@contextmanager
def _building() -> Iterator[Path]:
    """Give a folder beside the layers to build one in."""
    workshop = Path(tempfile.mkdtemp(prefix="building-", dir=cache_folder()))
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
