#!/usr/bin/python
"""Look at a host: many probes at the same time, nothing changed.

See docs/reference/probes.md for the probe types; `runbook_probes.batch.answer` says what goes in
and what comes out.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_probes.batch import (
    DEFAULT_DEADLINE_S,
    DEFAULT_MAX_BYTES,
    answer,
)


def main() -> None:
    """Answer the request in the module's arguments."""
    module = AnsibleModule(
        argument_spec={
            "probes": {"type": "list", "elements": "dict", "required": True},
            "sample": {"type": "dict"},
            "deadline": {"type": "float", "default": DEFAULT_DEADLINE_S},
            "max_bytes": {"type": "int", "default": DEFAULT_MAX_BYTES},
        },
        supports_check_mode=True,
        # Arguments hold what a probe sends, for example a token: not for the host's system log.
        no_log=True,
    )
    # Said here, or Ansible would send the whole request back.
    module.exit_json(invocation={}, **answer(module.params))


if __name__ == "__main__":
    main()
