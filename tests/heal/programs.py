"""The programs that watch a site, as `setup.sh` fetched them or the machine has them."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

_FETCHED = Path(__file__).resolve().parents[2] / "build/heal"

PROMETHEUS = "prometheus"
PROMTOOL = "promtool"
ALERTMANAGER = "prometheus-alertmanager"
AMTOOL = "amtool"
BLACKBOX = "prometheus-blackbox-exporter"

# Debian's Alertmanager starts only where its templates are at the place of its package.
_WITH_TEMPLATES = (
    'mount -t overlay none -o "lowerdir=$1:/usr/share" /usr/share && shift && exec "$@"'
)


def command_of(program: str) -> list[str]:
    """Return what starts a program; raise FileNotFoundError."""
    fetched = shutil.which(program, path=_FETCHED / "bin")
    if fetched is None:
        found = shutil.which(program)
        if found is None:
            raise FileNotFoundError(program)
        return [found]
    return [*_seeing_templates(), fetched] if program == ALERTMANAGER else [fetched]


def _seeing_templates() -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    unshare = ["unshare", *as_root, "--mount", "--propagation=private"]
    return [*unshare, "sh", "-c", _WITH_TEMPLATES, "sh", str(_FETCHED / "share")]


@cache
def find_obstacle() -> str | None:
    """Say why nothing can be watched here; None where it can."""
    try:
        commands = {
            program: command_of(program)
            for program in (PROMETHEUS, PROMTOOL, ALERTMANAGER, AMTOOL, BLACKBOX)
        }
        subprocess.run(
            [*commands[ALERTMANAGER], "--version"], check=True, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        return f"there is no {error}; tests/heal/setup.sh fetches it on Debian"
    except subprocess.CalledProcessError as error:
        return f"Alertmanager does not start: {error.stderr.strip()}"
    return None
