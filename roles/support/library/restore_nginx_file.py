"""Take a change to a file of nginx's configuration back. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.nginx_site import ARGUMENTS, Site

DOCUMENTATION = r"""
module: restore_nginx_file
short_description: Take a change to a file of nginx's configuration back
description:
  - Puts the file in place that a role kept, validates it and reloads nginx.
  - Refuses if somebody changed the file since.
options:
  file:
    description: The file.
    type: path
    required: true
  command:
    description: Arguments that run nginx.
    type: list
    elements: str
    default: [nginx]
  state_directory:
    description: Where the role kept the file.
    type: path
    required: true
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Take the change of the timeouts back
  restore_nginx_file:
    file: /etc/nginx/sites-available/backend.conf
    state_directory: /var/lib/runbook/nginx_timeouts
"""
RETURN = r""" # """


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = Site(module).take_back()
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
