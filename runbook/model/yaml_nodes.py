"""Scalars of Ansible content whose YAML tag carries meaning that plain data would lose."""

from dataclasses import dataclass

VAULT = "!vault"
UNSAFE = "!unsafe"
TAGS = (VAULT, UNSAFE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """A string under one of Ansible's own tags, `!vault` (encrypted) or `!unsafe` (no template).

    Whoever hands Ansible content on must write the tag back, or a secret stops being one and data
    becomes a template.
    """

    tag: str
    value: str
