"""Having the doctor look at everything, in the order in which it is told."""

from functools import partial

from runbook.doctor import Finding, Look, content, hosts, looked, machine, state
from runbook.settings import Settings
from runbook.views.driving import target_for
from runbook.views.options import Aim


def examine(settings: Settings, aim: Aim) -> list[Finding]:
    """Look at this machine; whatever hinders a look is what it found."""
    target = target_for(aim, settings)
    looks: dict[tuple[str, str], Look] = {
        ("python", "Python"): machine.python,
        ("ansible", "Ansible"): machine.ansible,
        ("ssh", "SSH client"): machine.ssh,
        ("ansible-config", "ansible.cfg"): partial(machine.ansible_config, settings.ansible_config),
        ("clock", "Clock"): machine.clock,
        ("inventory", "Inventory"): partial(content.inventory, target),
        ("runbooks", "Runbooks"): partial(content.runbooks, settings.library),
        ("vault", "Vault password"): partial(content.vault, target, settings.library),
        ("journal", "Journal"): partial(state.journal, settings.journal),
        ("permissions", "State's permissions"): partial(state.permissions, settings.home),
        ("disk", "Disks"): partial(state.disks, settings.home),
        ("working-folders", "Working folders"): state.working_folders,
        ("unpacked-modules", "Unpacked modules"): state.unpacked_modules,
    }
    return [
        finding for (check, title), look in looks.items() for finding in looked(check, title, look)
    ]


def examine_hosts(pattern: str, settings: Settings, aim: Aim) -> list[Finding]:
    """Look at the hosts of a pattern; raise RunbookError where it names none."""
    return hosts.hosts(pattern, target_for(aim, settings))
