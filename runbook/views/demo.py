"""`runbook demo`: bring up a sandbox site, break it, mend it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runbook.demo import fleet
from runbook.demo.faults import FAULTS, mend
from runbook.demo.site import Site, SiteStatus
from runbook.errors import RunbookError
from runbook.settings import state_folder
from runbook.views.output import columns
from runbook.views.wrapping import wrapped


def default_folder() -> Path:
    """Return where the demo lives unless `--folder` says otherwise."""
    return state_folder(os.environ) / "demo"


def _folder_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_folder,
        help="Where the sandbox lives (default: demo/ in the state directory).",
    )(command)


def _host_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--host", "name", metavar="NAME", help="One host, such as web1 (default: all of them)."
    )(command)


@click.group()
def demo() -> None:
    r"""Bring up a sandbox site, break it, mend it.

    A sandbox is a small web server host in a folder: nginx, a Python backend and supervisor. It
    needs no root and listens on 127.0.0.1 only.

    \b
    Examples:
      runbook demo up
      runbook demo break backend-stopped
    """


@demo.command()
@_folder_option
@click.option(
    "--hosts", "count", type=click.IntRange(1, 20), default=1, help="How many hosts (default: 1)."
)
def up(folder: Path, count: int) -> None:
    """Start the sandbox, creating it if need be."""
    sites = fleet.up(folder, count)
    for name, site in sites.items():
        click.echo(f"{name}  {site.url}/health")
    click.echo(f"\nInventory: {fleet.inventory_path(folder)}")
    click.echo("Break it:  runbook demo break backend-stopped")


@demo.command()
@_folder_option
def down(folder: Path) -> None:
    """Stop the sandbox and delete its folder."""
    for name in fleet.remove(folder):
        click.echo(f"{name}  removed")


@demo.command()
@_folder_option
@_host_option
def status(folder: Path, name: str | None) -> None:
    """Say how each host does; the exit code is 1 if one is not healthy."""
    healthy = True
    for host, site in _choose(folder, name).items():
        seen = site.status()
        healthy = healthy and seen.through_nginx.healthy
        _say(f"{host}  ", _describe(seen))
    if not healthy:
        raise click.exceptions.Exit(1)


@demo.command()
def faults() -> None:
    """List the ways to break a host."""
    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        note = "" if fault.repairable else " (no automatic fix)"
        _say(f"{fault.name:<{width}}  ", f"{fault.title}{note}")


@demo.command("break")
@click.argument("fault", type=click.Choice(list(FAULTS)), metavar="FAULT")
@_folder_option
@_host_option
def break_(fault: str, folder: Path, name: str | None) -> None:
    """Break a host by FAULT (see `runbook demo faults`)."""
    for host, site in _choose(folder, name).items():
        FAULTS[fault].inject(site)
        click.echo(f"{host}  {FAULTS[fault].title}: {site.ask(site.web_port)}")
    run = f"runbook run fix-502 --host {name or 'prod'} -i {fleet.inventory_path(folder)}"
    click.echo(f"\nFind and fix it:\n  {run}")


@demo.command("mend")
@_folder_option
@_host_option
def mend_(folder: Path, name: str | None) -> None:
    """Put everything back as deployed."""
    for host, site in _choose(folder, name).items():
        mend(site)
        click.echo(f"{host}  {site.ask(site.web_port)}")


@demo.command("inventory")
@_folder_option
def inventory_(folder: Path) -> None:
    """Print the path of the sandbox's Ansible inventory."""
    fleet.load(folder)
    click.echo(fleet.inventory_path(folder))


@demo.command()
@_folder_option
@click.option("--host", "name", metavar="NAME", default="web1", help="The host (default: web1).")
def url(folder: Path, name: str) -> None:
    """Print the address of a host's health page, through nginx."""
    click.echo(f"{_choose(folder, name)[name].url}/health")


def _choose(folder: Path, name: str | None) -> dict[str, Site]:
    sites = fleet.load(folder)
    if name is None:
        return dict(sites)
    if name not in sites:
        raise RunbookError.of(
            "unknown-host",
            f"the sandbox in {folder} has no host {name}",
            hint=f"It has {', '.join(sites)}.",
        )
    return {name: sites[name]}


def _say(lead: str, text: str) -> None:
    click.echo("\n".join(wrapped(lead, text, columns())))


def _describe(seen: SiteStatus) -> str:
    word = "healthy" if seen.through_nginx.healthy else "not healthy"
    services = [f"{service} {state}" for service, state in sorted(seen.services.items())]
    facts = [
        f"through nginx {seen.through_nginx}",
        f"backend {seen.direct}",
        *(services or ["supervisor is down"]),
    ]
    return f"{word}: {', '.join(facts)}"
