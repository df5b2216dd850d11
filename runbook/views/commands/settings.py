"""`runbook settings`: what holds here, and who said so."""

import click

from runbook.settings import KEYS, Settings
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable


@click.command("settings")
@options.output
def settings_command(output: options.Output) -> None:
    r"""Show all settings and where each is from.

    Built-in defaults are overridden by the settings file (runbook.toml, or [tool.runbook] of
    pyproject.toml, in this folder or above), that by environment variables RUNBOOK_*, these by
    flags.

    \b
    Example:
      runbook settings
    """
    settings = settings_for()
    values = _values(settings)
    if output.json:
        write_json({key: {"value": values[key], "origin": settings.origins[key]} for key in KEYS})
        return
    for key, meaning in KEYS.items():
        value = values[key]
        several = value if isinstance(value, list) else [value]
        write(f"{key}: {meaning}")
        for one in several or [None]:
            write(f"  {'none' if one is None else printable(str(one))}")
        write(f"  from: {printable(settings.origins[key])}\n")


def _values(settings: Settings) -> dict[str, str | int | list[str] | None]:
    config = settings.ansible_config
    return {
        "home": str(settings.home),
        "journal": str(settings.journal),
        "library": [str(path) for path in settings.library],
        "roles": [str(path) for path in settings.roles],
        "inventory": list(settings.inventories),
        "forks": settings.forks,
        "ansible_config": None if config is None else str(config),
        "keep_ansible": settings.keep_ansible,
        "policy": None if settings.policy is None else str(settings.policy),
        "notify": None if settings.notify is None else str(settings.notify),
        "collisions_block": list(settings.collisions_block),
    }
