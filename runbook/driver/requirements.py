"""Whether Ansible is there, told without importing it."""

from importlib import metadata

from runbook.errors import RunbookError

OLDEST_CORE = (2, 19)
"""The first ansible-core with data tagging, on which our separation of data and templates rests."""


def require_ansible() -> None:
    """Raise RunbookError `ansible-missing` or `ansible-too-old`."""
    try:
        version = metadata.version("ansible-core")
        metadata.version("ansible-runner")
    except metadata.PackageNotFoundError as error:
        raise RunbookError.of(
            "ansible-missing",
            f"{error.name} is not installed beside runbook",
            hint=f"install it into the same environment: pip install {error.name}",
        ) from error
    found = tuple(int(part) for part in version.split(".")[:2])
    if found < OLDEST_CORE:
        oldest = ".".join(map(str, OLDEST_CORE))
        raise RunbookError.of(
            "ansible-too-old",
            f"ansible-core {version} is too old: {oldest} or later is needed",
            context="Before 2.19, Ansible renders templates in what hosts print.",
            hint="pip install --upgrade 'ansible-core>=2.19'",
        )
