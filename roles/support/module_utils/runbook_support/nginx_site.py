"""Change one file of nginx's configuration: validated, reloaded, and restored if nginx objects."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import digest, read_text, write_text
from ansible.module_utils.runbook_support.kept import Kept

# What every module that changes such a file takes.
ARGUMENTS: dict[str, Any] = {
    "file": {"type": "path", "required": True},
    "command": {"type": "list", "elements": "str", "default": ["nginx"]},
    "state_directory": {"type": "path", "required": True},
}


class Site:
    """One configuration file, and the nginx that reads it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        # A link in sites-enabled stays one.
        self.path = os.path.realpath(module.params["file"])
        self.kept = Kept(module.params["state_directory"], self.path)

    def text(self) -> str:
        """Return the file's text; raise RefusedError."""
        return str(read_text(self.path))

    def nginx(self, *arguments: str) -> None:
        """Run nginx; raise RefusedError with its words if it fails."""
        done = run([*self.module.params["command"], *arguments])
        if done.rc != 0:
            raise RefusedError(done.why)

    def put(self, before: str, after: str, *, reload: bool = False) -> dict[str, Any]:
        """Put a text in place and load it; return the module's result.

        With `reload` it is loaded even where it was there already: nginx may run with an older one.
        Raises RefusedError, with the file as it was, if nginx rejects it or does not run.
        """
        differs = before != after
        result = {"changed": differs or reload, "diff": self._diff(before, after)}
        if not result["changed"] or self.module.check_mode:
            return result
        self.kept.add({"before": before, "after": digest(after)} if differs else {})
        if differs:
            write_text(self.module, self.path, after)
        try:
            self._load()
        except RefusedError as error:
            if differs:
                write_text(self.module, self.path, before)
            self.kept.drop()
            raise RefusedError(f"{self.path} is as it was: {error}") from None
        return result

    def take_back(self) -> dict[str, Any]:
        """Put the text from before in place and load it; return the module's result.

        Raises RefusedError, with the file as it was, if somebody changed it since, or nginx
        objects.
        """
        record = self.kept.last()
        if record is None:
            if not self.module.check_mode:
                self.kept.drop()
            return {"changed": False, "msg": "nothing was kept: nothing to undo"}
        now = self.text()
        if digest(now) != record["after"]:
            raise RefusedError(f"{self.path} was changed since: not taken back")
        before = str(record["before"])
        if not self.module.check_mode:
            write_text(self.module, self.path, before)
            try:
                self._load()
            except RefusedError as error:
                write_text(self.module, self.path, now)
                raise RefusedError(f"{self.path} is as it was: {error}") from None
            self.kept.drop()
        return {"changed": True, "diff": self._diff(now, before)}

    def _load(self) -> None:
        self.nginx("-t")
        self.nginx("-s", "reload")

    def _diff(self, before: str, after: str) -> dict[str, str]:
        return {
            "before": before,
            "after": after,
            "before_header": self.path,
            "after_header": self.path,
        }


def change(module: Any, changed: Callable[[str], str], *, reload: bool = False) -> None:
    """Run a module that makes another text of a site's file; see `Site.put`. Ends the process."""
    site = Site(module)
    try:
        before = site.text()
        result = site.put(before, changed(before), reload=reload)
    except RefusedError as error:
        if not module.check_mode:
            site.kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**result)
