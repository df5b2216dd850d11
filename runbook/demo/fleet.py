"""Several sandbox sites in one folder, as hosts `web1`, `web2`, … of one inventory."""

import re
from collections.abc import Mapping
from pathlib import Path

from runbook.demo import inventory
from runbook.demo.site import Site
from runbook.errors import RunbookError

_NAME = re.compile(r"web(\d+)")


def load(folder: Path) -> Mapping[str, Site]:
    """Return the sites in `folder` by host name, in order; raises `site-not-found` if none."""
    found = [
        path.parent for path in folder.glob("*/site.json") if _NAME.fullmatch(path.parent.name)
    ]
    if not found:
        raise RunbookError.of(
            "site-not-found", f"there is no sandbox site in {folder}", hint="runbook demo up"
        )
    return {
        path.name: Site.load(path) for path in sorted(found, key=lambda path: int(path.name[3:]))
    }


def up(folder: Path, count: int) -> Mapping[str, Site]:
    """Start sites until at least `count` run in `folder`, and write their inventory.

    Sites that are there already are started as they stand, broken or not. Raises what
    `Site.create` and `Site.up` raise.
    """
    # What runbook keeps beside it, the journal say, is nobody else's to read.
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = folder.absolute() / f"web{number}"
        if not (path / "site.json").exists():
            Site.create(path)
    sites = load(folder)
    for site in sites.values():
        site.up()
    inventory.write(inventory_path(folder), {name: site.deployment for name, site in sites.items()})
    return sites


def remove(folder: Path) -> list[str]:
    """End and delete every site in `folder`, and what was written beside them; return their names."""
    sites = load(folder)
    for site in sites.values():
        site.remove()
    for path in (inventory_path(folder), service_path(folder), policy_path(folder)):
        path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return list(sites)


def inventory_path(folder: Path) -> Path:
    """Return where the inventory of the sites in `folder` is."""
    return folder.absolute() / "inventory.yml"


def service_path(folder: Path) -> Path:
    """Return where the file of a service is that heals the sites in `folder`, if there is one."""
    return folder.absolute() / "service.yml"


def policy_path(folder: Path) -> Path:
    """Return where that service's policy is."""
    return folder.absolute() / "policy.yml"
