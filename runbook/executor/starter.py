"""ansible-playbook, started before it is known what for: `-m runbook.executor.starter FIFO WORDS…`.

It imports what Ansible needs in any case, while the runbook is still being read, then waits for a
byte from the FIFO. The end of the FIFO without one means that it is not needed.
"""

import atexit
import gc
import os
import sys
from contextlib import suppress
from importlib import import_module

NEEDED_SOON = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.plugins.become.sudo",
    "ansible.plugins.connection.local",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.inventory.auto",
    "ansible.plugins.inventory.host_list",
    "ansible.plugins.inventory.ini",
    "ansible.plugins.inventory.script",
    "ansible.plugins.inventory.toml",
    "ansible.plugins.inventory.yaml",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.free",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.vars.host_group_vars",
    "runbook.executor.ansible_core",
    "runbook.executor.compile",
    "runbook.executor.differences",
    "runbook.executor.looking",
    "runbook.executor.params",
    "runbook.executor.probing",
    "runbook.executor.sampling",
    "runbook.executor.script",
)
"""What Ansible imports by itself later; its plugins too it takes from where they were imported."""


def main() -> None:
    """Wait, then be ansible-playbook."""
    code = 1

    def leave() -> None:
        """End without taking the interpreter apart, which takes as long as some imports."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)  # The first that is registered is the last that is called.
    fifo, *sys.argv = sys.argv[1:]
    # Opened at once, and waiting for nobody: who started us may be gone by the time we have it all.
    go = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(go, True)
    # What is imported stays: looking through it for garbage, again and again, would find none.
    gc.disable()
    for name in NEEDED_SOON:
        with suppress(ImportError):  # Another ansible-core has another layout: it finds its own.
            import_module(name)
    gc.freeze()
    gc.enable()
    if not os.read(go, 1):
        return
    os.close(go)
    try:
        import_module("ansible.cli.playbook").main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1


if __name__ == "__main__":
    main()
