"""This machine: Python, Ansible, ssh, Ansible's configuration, the clock."""

import configparser
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from runbook.doctor import Finding, State
from runbook.driver.requirements import OLDEST_CORE
from runbook.executor.nearby import ask_controller
from runbook.executor.probing import module_request

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 14)
OLDEST_RUNNER = (2, 4)

VersionOf = Callable[[str], str | None]

# Of Ansible's configuration, by section and key: what nobody can answer, and what shows secrets.
_ASKS = {
    ("defaults", "ask_pass"): "an SSH password",
    ("defaults", "ask_vault_pass"): "a vault password",
    ("privilege_escalation", "become_ask_pass"): "a password of become",
}
_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})


def installed(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def python(version: tuple[int, int, int] = sys.version_info[:3]) -> Iterator[Finding]:
    """Look at the Python that runs us."""
    seen = ".".join(map(str, version))
    state, remedy = State.GOOD, None
    if version[:2] < OLDEST_PYTHON:
        state, remedy = State.BAD, "install runbook with Python 3.11 or later"
    elif version[:2] > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        state, remedy = State.NOTE, f"tried up to Python {newest}; should something fail, use that"
    yield Finding(check="python", title="Python", state=state, seen=seen, remedy=remedy)


def ansible(version_of: VersionOf = installed) -> Iterator[Finding]:
    """Look at the versions of Ansible."""
    for package, oldest in (("ansible-core", OLDEST_CORE), ("ansible-runner", OLDEST_RUNNER)):
        version = version_of(package)
        wanted = ".".join(map(str, oldest))
        good = version is not None and _numbers(version) >= oldest
        yield Finding(
            check=package,
            title=package,
            state=State.GOOD if good else State.BAD,
            seen=version or "not installed beside runbook",
            remedy=None if good else f"pip install --upgrade '{package}>={wanted}'",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def ssh(path: str | None = None) -> Iterator[Finding]:
    """Look for the SSH client; `path` is as the variable PATH."""
    found = shutil.which("ssh", path=path)
    yield Finding(
        check="ssh",
        title="SSH client",
        state=State.GOOD if found else State.NOTE,
        seen=found or "none",
        remedy=None if found else "only local hosts can be reached: apt install openssh-client",
    )


def ansible_config(path: Path | None) -> Iterator[Finding]:
    """Look for what in Ansible's configuration is in the way of a run that nobody types into."""
    if path is None:
        yield _configured(State.GOOD, "none")
        return
    parser = configparser.ConfigParser(
        inline_comment_prefixes=(";",), interpolation=None, strict=False
    )
    try:
        parser.read_string(path.read_text("utf-8"), source=str(path))
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        yield _configured(State.BAD, f"{path} cannot be read: {words}", f"mend it: {path}")
        return
    found = [*_asking(path, parser), *_showing(path, parser)]
    yield from found or [_configured(State.GOOD, str(path))]


def _asking(path: Path, parser: configparser.ConfigParser) -> Iterator[Finding]:
    for (section, key), what in _ASKS.items():
        if parser.get(section, key, fallback="").strip().lower() in _TRUE:
            yield _configured(
                State.BAD,
                f"{path}: {key} has Ansible ask for {what}, where nobody can answer",
                f"take {key} out of [{section}]; give the password by a file or a vaulted variable",
            )


def _showing(path: Path, parser: configparser.ConfigParser) -> Iterator[Finding]:
    if parser.get("defaults", "log_path", fallback=""):
        yield _configured(
            State.NOTE,
            f"{path}: log_path has Ansible keep a log of its own, in which nothing is masked",
            "take log_path out of [defaults]",
        )
    checking = parser.get("defaults", "host_key_checking", fallback="true")
    if checking.strip().lower() not in _TRUE:
        yield _configured(
            State.NOTE,
            f"{path}: host_key_checking is off, so that nobody knows which host answers",
            "take host_key_checking out of [defaults]; learn keys with ssh-keyscan",
        )


def _configured(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(
        check="ansible-config",
        title="ansible.cfg",
        state=state,
        seen=seen,
        remedy=remedy,
    )


def clock() -> Iterator[Finding]:
    """Ask the kernel whether somebody keeps the clock: leases and evidence go by it."""
    request = {"id": "clock", "type": "time", "args": {}, "timeout": 5.0, "as": None}
    told = ask_controller(module_request([request], None))()
    yield clock_of(told.get("answers", {}).get("clock", {}).get("facts") or {})


def clock_of(facts: dict[str, object]) -> Finding:
    """Judge the facts of the probe `time`."""
    seen, state, remedy = "synchronised", State.GOOD, None
    if facts.get("synchronised") is None:
        seen, state = "nobody can tell whether it is synchronised", State.NOTE
        remedy = "timedatectl status"
    elif not facts["synchronised"]:
        seen, state = "not synchronised, says the kernel", State.NOTE
        remedy = "timedatectl set-ntp true (in a container, on the machine below it)"
    return Finding(check="clock", title="Clock", state=state, seen=seen, remedy=remedy)
