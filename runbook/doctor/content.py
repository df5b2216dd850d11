"""What runs are made of: the inventory, the runbooks, the vault's password."""

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from runbook.doctor import Finding, State
from runbook.errors import Severity
from runbook.executor.runner import environment_of
from runbook.executor.target import Target
from runbook.spec.library import check
from runbook.spec.places import runbook_files

TOOL_S = 60.0
"""How long a tool of Ansible may take; dynamic inventories ask others."""

_SEALED = re.compile(
    r"^(?P<margin>[ \t]*)\$ANSIBLE_VAULT;.*(?:\n(?P=margin)[0-9a-f]+)+", re.MULTILINE
)
_PLACE = re.compile(r"(/[^\s:'\"]+):(\d+)(?::(\d+))?")
_TAG = re.compile(r"^\[\w+\]:\s*")
_SOURCES = ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST")
_CONFIGURED = re.compile(r"^\s*vault_(?:password_file|identity_list)\s*=\s*\S", re.MULTILINE)
_GIVE = "give it: --vault-password-file FILE, or ANSIBLE_VAULT_PASSWORD_FILE=FILE"
_MOST_FILES = 2000
_MOST_BYTES = 1 << 20


def inventory(target: Target) -> Iterator[Finding]:
    """Have Ansible read the inventory, as a run would."""
    if not target.inventories:
        yield _inventory(State.NOTE, "none", "name one: -i PATH, or `inventory` in runbook.toml")
        return
    sources = [word for source in target.inventories for word in ("-i", source)]
    words = ["ansible-inventory", *sources, "--list", *_vault_words(target)]
    done = _tool(target, words)
    told = ", ".join(target.inventories)
    if done.returncode != 0:
        yield _inventory(State.BAD, _said(done.stderr) or "Ansible cannot read it", " ".join(words))
        return
    groups = json.loads(done.stdout)
    hosts = {
        host
        for group in groups.values()
        if isinstance(group, dict)
        for host in group.get("hosts", ())
    }
    if not hosts:
        yield _inventory(State.BAD, f"no host in {told}", " ".join(words))
        return
    yield _inventory(State.GOOD, f"{len(hosts)} host{'s' * (len(hosts) != 1)} in {told}")


def _inventory(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(check="inventory", title="Inventory", state=state, seen=seen, remedy=remedy)


def _said(text: str) -> str:
    """Return what a tool of Ansible complains of first, after the place if it names one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"ERROR|WARNING|error", line)]
    words = _TAG.sub("", (telling or lines or [""])[0])[:600]
    place = next((_PLACE.search(line) for line in lines if line.startswith("Origin")), None)
    return f"{place[0]}: {words}" if place else words


def runbooks(library: Sequence[Path]) -> Iterator[Finding]:
    """Lint the whole library."""
    files = [file for folder in library for file in runbook_files(folder)]
    problems = check(files, library)
    wrong = [problem for problem in problems if problem.severity is Severity.ERROR]
    if wrong:
        seen = f"{len(wrong)} in {len(files)} runbooks; {wrong[0].where}: {wrong[0].message}"
        state, remedy = State.BAD, "runbook lint"
    elif not files:
        seen, state = "none", State.NOTE
        remedy = "write one into runbooks/, or name a folder: RUNBOOK_LIBRARY"
    else:
        seen, state, remedy = f"{len(files)}, all sound", State.GOOD, None
    yield Finding(check="runbooks", title="Runbooks", state=state, seen=seen, remedy=remedy)


def vault(target: Target, library: Sequence[Path]) -> Iterator[Finding]:
    """Try the vault's password on something that is sealed, where there is such a thing.

    The plain text goes nowhere.
    """
    sealed = next(_sealed(target.inventories, library), None)
    if sealed is None:
        yield _vault(State.GOOD, "nothing is sealed here")
        return
    path, text = sealed
    if not _has_password(target):
        yield _vault(State.BAD, f"{path} is sealed, and no password is given", _GIVE)
        return
    words = ["ansible-vault", "decrypt", *_vault_words(target), "--output", "-"]
    done = _tool(target, words, text=text, shown=False)
    if done.returncode == 0:
        yield _vault(State.GOOD, f"its password opens {path}")
        return
    yield _vault(State.BAD, f"{path} cannot be opened: {_said(done.stderr)}", _GIVE)


def _has_password(target: Target) -> bool:
    """Say whether there is a source of passwords; without one, Ansible would ask at the terminal."""
    environment = (os.environ.get(name) for name in _SOURCES)
    configured = target.config.read_text("utf-8", "replace") if target.config else ""
    return bool(
        target.vault_ids
        or target.vault_password_files
        or any(environment)
        or _CONFIGURED.search(configured)
    )


def _vault(state: State, seen: str, remedy: str | None = None) -> Finding:
    return Finding(check="vault", title="Vault password", state=state, seen=seen, remedy=remedy)


def _sealed(inventories: Iterable[str], library: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield files with something sealed in them, and its text, within bounds."""
    for number, path in enumerate(_files(inventories, library)):
        if number >= _MOST_FILES:
            return
        try:
            if path.stat().st_size > _MOST_BYTES:
                continue
            found = _SEALED.search(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if found:
            yield path, textwrap.dedent(found[0]) + "\n"


def _files(inventories: Iterable[str], library: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of inventories, of the variables beside them, and of the library."""
    for source in inventories:
        path = Path(source)
        if "," in source or not path.exists():
            continue
        if path.is_file():
            yield path
        for folder in (path,) if path.is_dir() else ():
            yield from _below(folder)
        beside = path.parent if path.is_file() else path
        for name in ("group_vars", "host_vars"):
            yield from _below(beside / name)
    for folder in library:
        yield from _below(folder)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names))


def _vault_words(target: Target) -> list[str]:
    return [
        *(word for value in target.vault_ids for word in ("--vault-id", value)),
        *(
            word
            for value in target.vault_password_files
            for word in ("--vault-password-file", value)
        ),
    ]


def _tool(
    target: Target, words: Sequence[str], *, text: str = "", shown: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a tool of the Ansible that is installed beside us, in the environment that runs have."""
    program = Path(sys.executable).parent / words[0]
    try:
        return subprocess.run(
            [str(program), *words[1:]],
            env={**os.environ, **environment_of(target.config)},
            input=text,
            stdout=subprocess.PIPE if shown else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=TOOL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        late = f"ERROR: not finished within {TOOL_S:.0f} s"
        return subprocess.CompletedProcess(args=words, returncode=124, stdout="", stderr=late)
