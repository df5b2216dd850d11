"""`python -m tests.lab up|down|image`: a lab for hands-on use, behind `make lab` and `make lab-down`.

`image` builds what hosts are made of, behind `make test`, while the processor waits for other things.
"""

import os
import sys
from pathlib import Path

import click

from runbook.errors import RunbookError
from tests.lab import image, obstacles, records
from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

NAME = "hands-on"

PLANS = (
    HostPlan(name="web1", site=Site(manager=Manager.SYSTEMD)),
    HostPlan(name="web2", site=Site(manager=Manager.SUPERVISOR, redis=True, celery=True)),
    HostPlan(name="web3", site=Site(manager=Manager.PROCESS)),
)


@click.group()
def main() -> None:
    """Bring up a lab of real hosts, or take it away."""


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="build/lab")
def up(folder: Path) -> None:
    """Bring up web1, web2 and web3, and write inventory and keys to FOLDER."""
    try:
        lab = Lab.create(NAME, folder, hands_on=True)
        for one in lab.up(*PLANS):
            site = one.plan.site
            click.echo(f"{one.name}  {one.address}  {site.name}, backend: {site.manager}")
        _hand_over(lab)
    except RunbookError as error:
        click.echo(error.render(), err=True)
        sys.exit(error.exit_code)
    inventory = Path(os.path.relpath(lab.inventory))
    click.echo(f"\nrunbook diagnose fix-502 -i {inventory} --host prod")
    click.echo(
        f"ssh -i {inventory.parent / 'id_ed25519'} "
        f"-o UserKnownHostsFile={inventory.parent / 'known_hosts'} deploy@198.51.100.11"
    )


@main.command()
def down() -> None:
    """Take the lab away, and what is left of labs that crashed."""
    try:
        with records.changing():
            record = records.read(NAME)
            if record is not None:
                record.clear()
                click.echo(f"{NAME}: taken away")
            for name in records.clear_stale():
                click.echo(f"{name}: was left behind, taken away")
    except (RunbookError, PermissionError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)


@main.command("image")
def build_image() -> None:
    """Build what is missing of the hosts' file systems; where there can be no lab, do nothing."""
    if obstacles.find() is not None:
        return
    try:
        for manager in Manager:
            image.layers(*Site(manager=manager).layers)
    except RunbookError as error:
        click.echo(error.render(), err=True)
        sys.exit(error.exit_code)


def _hand_over(lab: Lab) -> None:
    """Give what was written to whoever used sudo."""
    owner = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if None not in owner:
        user, group = (int(number or 0) for number in owner)
        for path in (lab.folder, *lab.record.written, lab.record.folder / "connections"):
            os.chown(path, user, group)


if __name__ == "__main__":
    main()
