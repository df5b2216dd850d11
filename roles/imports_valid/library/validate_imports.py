"""See that an application can be imported. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import account
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.imports import Application, failure

DOCUMENTATION = r"""
module: validate_imports
short_description: See that an application can be imported
description:
  - Runs the application's own import script where it has one, else imports its module.
  - This executes the application's code, so it runs as the user of its service; in check mode
    nothing is executed.
  - Fails with the error, its file and its line.
options:
  directory:
    description: The application's working directory.
    type: path
    required: true
  python:
    description: The Python the application runs under.
    type: path
    required: true
  user:
    description: The user the service runs as.
    type: str
    required: true
  module:
    description: What is imported where there is no import script.
    type: str
    default: ""
  script:
    description: The application's import script, relative to C(directory).
    type: str
    default: test_imports.py
  environment:
    description: Variables that the service has in its environment.
    type: dict
    default: {}
  timeout_s:
    description: Seconds an import may take.
    type: int
    default: 60
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: See that the backend can be imported
  validate_imports:
    directory: /var/www/webmagic/backend
    python: /var/www/webmagic/backend/.venv/bin/python
    user: www-data
    module: app.main
"""
RETURN = r"""
failure:
  description: What fails; null if everything can be imported.
  type: str
  returned: outside of check mode
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "module": {"type": "str", "default": ""},
            "script": {"type": "str", "default": "test_imports.py"},
            "environment": {"type": "dict", "default": {}},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    what = f"the application in {wanted['directory']}, as {wanted['user']}"
    if module.check_mode:
        module.exit_json(changed=False, msg=f"would import {what}")
    try:
        found = failure(
            Application(
                wanted["module"],
                wanted["script"],
                account(wanted["user"]),
                {name: str(value) for name, value in wanted["environment"].items()},
                wanted["timeout_s"],
            ),
            wanted["python"],
            wanted["directory"],
        )
    except RefusedError as error:
        module.fail_json(msg=str(error))
    if found:
        module.fail_json(msg=f"cannot import {what}: {found}", failure=found)
    module.exit_json(changed=False, failure=None)


if __name__ == "__main__":
    main()
