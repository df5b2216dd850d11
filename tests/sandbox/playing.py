"""Run one role on the sandbox site with the real ansible-playbook."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.demo import inventory
from runbook.demo.site import Site
from tests.playbooks import ansible_here


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What a play did on one host: whether it failed, how many tasks changed something, its words.

    `output` is of the whole play, all its hosts.
    """

    failed: bool
    changed: int
    output: str


def play(site: Site, role: str, variables: dict[str, Any], *options: str) -> Played:
    """Apply `role` to the site; `options` are ansible-playbook's, such as `--check --diff`."""
    return play_cases(site, role, {"web1": variables}, *options)["web1"]


def play_cases(
    site: Site, role: str, cases: dict[str, dict[str, Any]], *options: str
) -> dict[str, Played]:
    """Apply `role` to the site once per case, each with its own variables, all in one play."""
    known = inventory.host_variables(site.deployment)
    hosts = {"all": {"hosts": {name: {**known, **case} for name, case in cases.items()}}}
    inventory_file = site.folder / "tmp/inventory.yml"
    inventory_file.write_text(yaml.safe_dump(hosts))
    playbook = site.folder / "tmp/play.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [{"role": role}]}])
    )
    output = ansible_here().play("-i", inventory_file, playbook, *options)
    recap = re.findall(r"^(\S+) +: ok=.* changed=(\d+) .* failed=(\d+)", output, re.MULTILINE)
    return {
        name: Played(failed=failed != "0", changed=int(changed), output=output)
        for name, changed, failed in recap
    }
