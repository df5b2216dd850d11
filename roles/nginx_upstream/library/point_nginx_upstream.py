"""Point an nginx upstream to a backend. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.nginx_site import ARGUMENTS, change
from ansible.module_utils.runbook_support.nginx_text import UNQUOTED, parse, walk

DOCUMENTATION = r"""
module: point_nginx_upstream
short_description: Point an nginx upstream to a backend
description:
  - Replaces the address of the one server of an upstream. An upstream of several servers is refused.
  - Validates the configuration and reloads nginx, even if the file was right already, as nginx may
    run with an older one; restores the file if nginx objects.
options:
  file:
    description: The file that defines the upstream.
    type: path
    required: true
  name:
    description: The upstream's name.
    type: str
    required: true
  address:
    description: Where the backend listens, as nginx writes it.
    type: str
    required: true
  command:
    description: Arguments that run nginx.
    type: list
    elements: str
    default: [nginx]
  state_directory:
    description: Where the file from before is kept.
    type: path
    required: true
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Forward to the backend
  point_nginx_upstream:
    file: /etc/nginx/sites-available/backend.conf
    name: backend_app
    address: 127.0.0.1:8000
    state_directory: /var/lib/runbook/nginx_upstream
"""
RETURN = r""" # """


def pointed(text: str, wanted: dict[str, Any]) -> str:
    """Return the text with the address; raise RefusedError where it is not clear whose."""
    if not UNQUOTED.fullmatch(wanted["address"]):
        raise RefusedError(f"address {wanted['address']} cannot be written without quotes")
    servers = [
        server
        for block in walk(parse(text))
        if block.name == "upstream" and block.args == [wanted["name"]]
        for server in block.all("server")
    ]
    if len(servers) != 1:
        raise RefusedError(
            f"upstream {wanted['name']} has {len(servers)} servers in {wanted['file']},"
            " expected exactly one"
        )
    [server] = servers
    written = text[server.start : server.end]
    pointing = re.sub(r"\A(server\s+)[^\s;]+", lambda found: found[1] + wanted["address"], written)
    return text[: server.start] + pointing + text[server.end :]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    change(module, lambda before: pointed(before, module.params), reload=True)


if __name__ == "__main__":
    main()
