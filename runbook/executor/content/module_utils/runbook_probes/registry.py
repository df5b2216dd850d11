"""Which probe is found where."""

from __future__ import annotations

from types import FunctionType, ModuleType

from .call import CannotLookError

# Probe type -> the module of this package that holds it, as a function of the same name.
AREAS = {
    "http": "web",
    "certificate": "certificates",
    "tcp": "network",
    "dns": "network",
    "port": "ports",
    "process": "processes",
    "file_descriptors": "processes",
    "service": "services",
    "command": "commands",
    "python_imports": "imports",
    "file": "files",
    "log": "logs",
    "python_traceback": "logs",
    "nginx_config": "nginx",
    "disk": "system",
    "memory": "system",
    "load": "system",
    "time": "system",
    "host": "system",
    "firewall": "firewalls",
    "git": "work_trees",
    "activity": "activity",
}
# What they import only where they need it, besides.
_LATER = {
    "certificate": ("threading",),
    "dns": ("threading", "urllib.parse"),
    "file": ("hashlib",),
    "http": ("threading",),
    "tcp": ("threading",),
}


def find_all_of(kind: str) -> None:
    """Import all that a probe type may need, for a user who may not read this Python's library.

    Raises:
        CannotLookError: there is no such probe type.
    """
    find(kind)
    for name in _LATER.get(kind, ()):
        __import__(name)


def find(kind: str) -> FunctionType:
    """Return the function of a probe type.

    Only its own module is imported: on a host nothing of this package is compiled beforehand.

    Raises:
        CannotLookError: there is no such probe type.
    """
    if kind not in AREAS:
        raise CannotLookError("there is no probe of type " + kind)
    function: FunctionType = getattr(_area(AREAS[kind]), kind)
    return function


def _area(name: str) -> ModuleType:  # noqa: C901  # one arm for each module
    # Written out, because Ansible ships the modules whose import statements it can read.
    # ruff: noqa: PLC0415
    if name == "activity":
        from . import activity

        return activity
    if name == "certificates":
        from . import certificates

        return certificates
    if name == "commands":
        from . import commands

        return commands
    if name == "files":
        from . import files

        return files
    if name == "firewalls":
        from . import firewalls

        return firewalls
    if name == "imports":
        from . import imports

        return imports
    if name == "logs":
        from . import logs

        return logs
    if name == "network":
        from . import network

        return network
    if name == "nginx":
        from . import nginx

        return nginx
    if name == "ports":
        from . import ports

        return ports
    if name == "processes":
        from . import processes

        return processes
    if name == "services":
        from . import services

        return services
    if name == "system":
        from . import system

        return system
    if name == "web":
        from . import web

        return web
    from . import work_trees

    return work_trees
