"""Add a missing location, or headers it lacks, to a site of nginx. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.nginx_site import ARGUMENTS, change
from ansible.module_utils.runbook_support.nginx_text import (
    UNQUOTED,
    Directive,
    added,
    indentation,
    location,
    parse,
    server,
)

DOCUMENTATION = r"""
module: add_nginx_location
short_description: Add a missing location, or headers it lacks, to a site of nginx
description:
  - Adds a location that forwards to a backend if the server has none of that path. To one that is
    there only headers that it does not set are added; nothing that is written is changed.
  - Validates the configuration and reloads nginx; restores the file if nginx objects.
options:
  file:
    description: The file that defines the site.
    type: path
    required: true
  server_name:
    description: The server's name.
    type: str
    required: true
  listen:
    description: An argument of the server's C(listen), where several servers have the name.
    type: str
    default: ""
  location:
    description: The location as it is to be written, with its modifier.
    type: str
    required: true
  proxy_pass:
    description: Where a location that is missing forwards to.
    type: str
    required: true
  headers:
    description: What proxy_set_header sets, header by header; a value is written as nginx has it.
    type: dict
    default: {}
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
- name: Forward the API
  add_nginx_location:
    file: /etc/nginx/sites-available/backend.conf
    server_name: backend.bandarupay.example
    location: /api/
    proxy_pass: http://backend_app
    headers: {Host: $host, X-Real-IP: $remote_addr}
    state_directory: /var/lib/runbook/nginx_location
"""
RETURN = r""" # """

_HEADER = re.compile(r"[A-Za-z0-9-]+")


def _checked(wanted: dict[str, Any]) -> dict[str, str]:
    """Return the headers; raise RefusedError if something would be read as more than a value."""
    headers = {name: str(value) for name, value in wanted["headers"].items()}
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not UNQUOTED.fullmatch(value):
            raise RefusedError(f"header {name}: {value} cannot be written without quotes")
    if not UNQUOTED.fullmatch(wanted["proxy_pass"]):
        raise RefusedError(f"proxy_pass {wanted['proxy_pass']} cannot be written without quotes")
    if not re.fullmatch(r"((=|~|~\*|\^~) )?[^\s;{}\"'\\#]+", wanted["location"]):
        raise RefusedError(f"location {wanted['location']} cannot be written without quotes")
    return headers


def _missing(block: Directive, headers: dict[str, str]) -> list[str]:
    has = {own.args[0].lower() for own in block.all("proxy_set_header") if own.args}
    return [
        f"proxy_set_header {name} {value};"
        for name, value in headers.items()
        if name.lower() not in has
    ]


def extended(text: str, wanted: dict[str, Any]) -> str:
    """Return the text with what is missing; raise RefusedError where it is not for us to add."""
    headers = _checked(wanted)
    block = server(parse(text), wanted["server_name"], wanted["listen"])
    there = location(block, wanted["location"])
    if there is None:
        step = "\t" if "\t" in indentation(text, block) else "    "
        inside = [f"proxy_pass {wanted['proxy_pass']};", *_missing(_EMPTY, headers)]
        lines = [f"location {wanted['location']} {{", *(step + line for line in inside), "}"]
        return str(added(text, block, ["", *lines]))
    if not there.all("proxy_pass"):
        raise RefusedError(f"location {wanted['location']} forwards to nothing: left alone")
    # One header here hides all that were set further out.
    target = there if there.all("proxy_set_header") else block
    if not target.all("proxy_set_header"):
        target = there
    missing = _missing(target, headers)
    return str(added(text, target, missing)) if missing else text


_EMPTY = Directive("location", [], 0, 0, 0, [])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "server_name": {"type": "str", "required": True},
            "listen": {"type": "str", "default": ""},
            "location": {"type": "str", "required": True},
            # Not a secret, whatever its name.
            "proxy_pass": {"type": "str", "required": True, "no_log": False},
            "headers": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    change(module, lambda before: extended(before, module.params))


if __name__ == "__main__":
    main()
