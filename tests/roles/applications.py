"""Small applications: packages to install, environments, and checkouts with an upstream."""

import atexit
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.roles.playing import SERVICE_USER
from tests.unit.probes.prober import python_of_nobody


def write_wheel(folder: Path, name: str, version: str) -> None:
    """Write a package that pip can install from `folder`; its module has a VERSION."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )


def pip_options(wheels: Path) -> list[str]:
    """Return the options that make pip look nowhere but in `wheels`."""
    return ["--no-index", "--find-links", str(wheels)]


@cache
def _environment() -> Path:
    """Make a virtual environment to copy: pip is put into it once."""
    holder = TemporaryDirectory(prefix="runbook-test-venv-")
    atexit.register(holder.cleanup)
    made = Path(holder.name) / "venv"
    subprocess.run([python_of_nobody(), "-m", "venv", str(made)], check=True)
    return made


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that belongs to the service's user; return its Python."""
    shutil.copytree(_environment(), folder, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, SERVICE_USER) if not path.is_symlink() else None
    return folder / "bin/python"


def installed(python: Path) -> dict[str, str]:
    """Return the versions of the packages in an environment."""
    done = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.split("==") for line in done.stdout.split())
    return {name: version for name, version in pairs if name not in ("pip", "setuptools")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A checkout with an application in `backend/`, its upstream, and where people work."""

    checkout: Path
    upstream: Path
    desk: Path

    @classmethod
    def create(cls, folder: Path) -> "Repository":
        """Create all three, with one commit that imports."""
        made = cls(checkout=folder / "app", upstream=folder / "up.git", desk=folder / "desk")
        _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(made.upstream))
        _git(folder, "clone", "--quiet", str(made.upstream), str(made.desk))
        _git(made.desk, "checkout", "--quiet", "-B", "main")
        made.publish(
            "Start", {"backend/app.py": "from core import name\n", "backend/core.py": "name = 1\n"}
        )
        _git(folder, "clone", "--quiet", str(made.upstream), str(made.checkout))
        return made

    def publish(self, subject: str, files: dict[str, str]) -> str:
        """Commit files and push them upstream; return the commit."""
        for name, text in files.items():
            path = self.desk / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        _git(self.desk, "add", "--all")
        who = ("-c", "user.name=Dev", "-c", "user.email=dev@webmagic.example")
        _git(self.desk, *who, "commit", "--quiet", "--message", subject)
        _git(self.desk, "push", "--quiet", "origin", "HEAD:main")
        return _git(self.desk, "rev-parse", "HEAD")

    def pull(self) -> None:
        """Bring the checkout to its upstream, as careless people do."""
        _git(self.checkout, "pull", "--quiet", "--ff-only")

    @property
    def head(self) -> str:
        """The commit the checkout is at."""
        return _git(self.checkout, "rev-parse", "HEAD")

    @property
    def work_trees(self) -> int:
        """How many work trees the checkout's repository knows."""
        return len(_git(self.checkout, "worktree", "list").splitlines())


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
