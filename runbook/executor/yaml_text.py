"""Ansible content as YAML, with the tags its authors gave it."""

from typing import Any

import yaml

from runbook.model.yaml_nodes import Tagged


class _Dumper(yaml.SafeDumper):
    """Writes Ansible content with its tags."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists within mappings, as ansible-lint wants it."""
        super().increase_indent(flow, indentless=False)


def _represent_tagged(dumper: yaml.SafeDumper, node: Tagged) -> yaml.Node:
    style = "|" if "\n" in node.value else '"'
    return dumper.represent_scalar(node.tag, node.value, style=style)


_Dumper.add_representer(Tagged, _represent_tagged)


def as_yaml(value: Any) -> str:
    """Return a value as YAML text, `!vault` and `!unsafe` kept."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
