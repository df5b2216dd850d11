"""Give a service a folder it can write to. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH101, PTH106, PTH112, PTH120 - for Python 3.8

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import Account, account, run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: writable_directory
short_description: Give a service a folder it can write to
description:
  - Makes a folder with an owner, a group and a mode, and sees that the owner can write to it.
  - What is inside is left alone, and so are the folders above.
options:
  path:
    description: The folder. Folders at the top of the file system are refused.
    type: path
    required: true
  user:
    description: The user of the service, who will own it.
    type: str
    required: true
  group:
    description: Its group; empty for the user's own.
    type: str
    default: ""
  mode:
    description: Its mode, octal.
    type: str
    default: "0750"
  state_directory:
    description: Where the owner and the mode from before are kept.
    type: path
    required: true
  undo:
    description: Bring back what was there; a folder that was made is removed if it is empty.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Let the backend write its log
  writable_directory:
    path: /var/log/bandarupay
    user: www-data
    state_directory: /var/lib/runbook/directory_writable
"""
RETURN = r""" # """


def facts(path: str) -> dict[str, int] | None:
    """Return a folder's owner, group and mode; None if there is nothing; raise RefusedError."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise RefusedError(f"{path} is no folder")
    return {"uid": found.st_uid, "gid": found.st_gid, "mode": stat.S_IMODE(found.st_mode)}


def put(path: str, wanted: dict[str, int]) -> None:
    """Make the folder or change it."""
    if not os.path.isdir(path):
        os.mkdir(path, 0o700)  # noqa: PTH102
    # Owner first: a change of owner takes some bits of the mode away.
    os.chown(path, wanted["uid"], wanted["gid"])
    os.chmod(path, wanted["mode"])


def obstacle(path: str, who: Account) -> str | None:
    """Say what keeps a user from writing to a folder; None if nothing does."""
    above = path
    line = []
    while above != os.path.dirname(above):
        above = os.path.dirname(above)
        line.append(above)
    for folder in reversed(line):
        if run(["test", "-x", folder], who=who, folder="/").rc != 0:
            return f"{who.name} may not enter {folder}"
    if run(["test", "-w", path, "-a", "-x", path], who=who, folder="/").rc != 0:
        return (
            f"{who.name} still cannot write to {path}: a read-only file system, or a stricter rule"
        )
    return None


def shown(path: str, what: dict[str, int] | None) -> str:
    """Return a folder's owner, group and mode as text."""
    if what is None:
        return f"{path}: absent\n"
    return f"{path}: user {what['uid']}, group {what['gid']}, mode {what['mode']:04o}\n"


def result(path: str, before: Any, after: Any) -> dict[str, Any]:
    """Return what the module says of a change."""
    return {
        "changed": before != after,
        "diff": {"before": shown(path, before), "after": shown(path, after)},
    }


def wanted_facts(wanted: dict[str, Any], who: Account) -> dict[str, int]:
    """Return the owner, group and mode asked for; raise RefusedError if there are no such."""
    try:
        gid = grp.getgrnam(wanted["group"]).gr_gid if wanted["group"] else who.gid
        mode = int(wanted["mode"], 8)
    except KeyError:
        raise RefusedError(f"there is no group {wanted['group']} on this host") from None
    except ValueError:
        raise RefusedError(f"mode {wanted['mode']!r} is not octal") from None
    if mode & 0o002 and not mode & 0o1000:
        raise RefusedError(f"mode {mode:04o} would let everybody write")
    return {"uid": who.uid, "gid": gid, "mode": mode}


def apply(module: AnsibleModule, path: str, kept: Kept) -> dict[str, Any]:
    """Bring the folder into its state; raise RefusedError with all as it was."""
    if path.count("/") < 2:
        raise RefusedError(f"{path} is not a folder of one service")
    who = account(module.params["user"])
    before, after = facts(path), wanted_facts(module.params, who)
    if before is None and facts(os.path.dirname(path)) is None:
        raise RefusedError(f"there is no {os.path.dirname(path)} to make it in")
    if module.check_mode:
        return result(path, before, after)
    if before != after:
        kept.add({"before": before, "after": after})
        put(path, after)
    reason = obstacle(path, who)
    if reason:
        if before != after:
            restore(path, before)
            kept.drop()
        raise RefusedError(f"{reason}; {path} is as it was")
    return result(path, before, after)


def restore(path: str, before: dict[str, int] | None) -> None:
    """Bring a folder back; raise RefusedError if one that was made is in use."""
    if before is not None:
        put(path, before)
        return
    try:
        os.rmdir(path)
    except OSError:
        raise RefusedError(in_use(path)) from None


def in_use(path: str) -> str:
    """Say why a folder that was made stays."""
    return f"{path} was made and is not empty now: not removed"


def take_back(module: AnsibleModule, path: str, kept: Kept) -> dict[str, Any]:
    """Bring back what was there; raise RefusedError if somebody changed it since."""
    record = kept.last()
    if record is None:
        if not module.check_mode:
            kept.drop()
        return {"changed": False, "msg": "nothing was kept: nothing to undo"}
    now = facts(path)
    if now != record["after"]:
        raise RefusedError(f"{shown(path, now).strip()}, changed since: not taken back")
    if module.check_mode:
        if record["before"] is None and any(Path(path).iterdir()):
            raise RefusedError(in_use(path))
    else:
        restore(path, record["before"])
        kept.drop()
    return result(path, now, record["before"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "default": ""},
            "mode": {"type": "str", "default": "0750"},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    # A link stays, and what it points to is meant.
    path = os.path.realpath(module.params["path"])
    kept = Kept(module.params["state_directory"], path)
    try:
        outcome = (take_back if module.params["undo"] else apply)(module, path, kept)
    except RefusedError as error:
        if not module.params["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{path}: {error.strerror}")
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
