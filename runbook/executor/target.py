"""What a run is aimed at and with: inventories, variables, secrets' sources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runbook.model.definition import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """How Ansible is called; paths are absolute.

    `inventories` are as for `ansible-playbook -i` (paths, or host lists with a comma), `given` the
    values of `--set`, `extra_vars` arguments of `-e` as typed, `vault_ids` of `--vault-id` and
    `vault_password_files` of `--vault-password-file`. `forks` bounds how many hosts at once.
    """

    inventories: tuple[str, ...] = ()
    given: Mapping[str, Json] = field(default_factory=dict)
    extra_vars: tuple[str, ...] = ()
    vault_ids: tuple[str, ...] = ()
    vault_password_files: tuple[str, ...] = ()
    roles: tuple[Path, ...] = ()
    config: Path | None = None
    forks: int = 50
    verbosity: int = 0
