"""Raise the time nginx waits for a backend. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001 - a lone file for Python 3.8

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.nginx_site import ARGUMENTS, change
from ansible.module_utils.runbook_support.nginx_text import (
    Directive,
    added,
    location,
    parse,
    seconds,
    server,
    walk,
)

DOCUMENTATION = r"""
module: raise_nginx_timeouts
short_description: Raise the time nginx waits for a backend
description:
  - Sets proxy_connect_timeout, proxy_read_timeout and proxy_send_timeout of one location, or one
    server, to at least as many seconds as given. A longer time stays, and so does one that is not
    given.
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
    description: The location as written, with its modifier; empty for the server itself.
    type: str
    default: ""
  seconds:
    description: The least time for each of C(connect), C(read) and C(send); 0 leaves it alone.
    type: dict
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
- name: Wait a minute for the backend
  raise_nginx_timeouts:
    file: /etc/nginx/sites-available/backend.conf
    server_name: webmagic.example
    location: /
    seconds: {read: 60}
    state_directory: /var/lib/runbook/nginx_timeouts
"""
RETURN = r""" # """

# nginx documents that it usually cannot wait longer for a connection.
_LONGEST_CONNECT_S = 75


def enclosing(directives: list[Directive], block: Directive) -> list[Directive]:
    """Return the blocks around a block and the block itself, the innermost first."""
    around = [
        outer
        for outer in walk(directives)
        if outer.block is not None and outer.start <= block.start and block.end <= outer.end
    ]
    return sorted(around, key=lambda outer: outer.end - outer.start)


def raised(text: str, wanted: dict[str, object]) -> str:
    """Return the text with the timeouts raised; raise RefusedError where it is not clear which."""
    least = dict(wanted["seconds"])  # type: ignore[call-overload]
    if set(least) - {"connect", "read", "send"}:
        raise RefusedError("seconds are given for connect, read and send")
    if int(least.get("connect", 0)) > _LONGEST_CONNECT_S:
        raise RefusedError(f"nginx connects within {_LONGEST_CONNECT_S} s at most")
    for kind, value in least.items():
        if int(value) > 0:
            text = _raised_one(text, wanted, f"proxy_{kind}_timeout", int(value))
    return text


def _raised_one(text: str, wanted: dict[str, object], name: str, least_s: int) -> str:
    directives = parse(text)
    block = server(directives, str(wanted["server_name"]), str(wanted["listen"]))
    if wanted["location"]:
        inner = location(block, str(wanted["location"]))
        if inner is None:
            raise RefusedError(f"{wanted['server_name']} has no location {wanted['location']}")
        block = inner
    own = block.all(name)
    if own:
        if seconds(own[0].args) >= least_s:
            return text
        return f"{text[: own[0].start]}{name} {least_s}s;{text[own[0].end :]}"
    for outer in enclosing(directives, block)[1:]:
        above = outer.all(name)
        if above:
            inherited = seconds(above[0].args)
            break
    else:
        # Another file may say less, so only what this one says counts as enough.
        inherited = 0.0
    return text if inherited >= least_s else added(text, block, [f"{name} {least_s}s;"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "server_name": {"type": "str", "required": True},
            "listen": {"type": "str", "default": ""},
            "location": {"type": "str", "default": ""},
            "seconds": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    change(module, lambda before: raised(before, module.params))


if __name__ == "__main__":
    main()
