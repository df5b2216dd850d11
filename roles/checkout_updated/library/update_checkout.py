"""Bring a checkout to a commit whose application imports. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH101, PTH110, PTH112, PTH118 - a lone file for Python 3.8

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import Done, account, owner_of, run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.imports import Application, failure
from ansible.module_utils.runbook_support.kept import Kept

DOCUMENTATION = r"""
module: update_checkout
short_description: Bring a checkout to a commit whose application imports
description:
  - Fetches, and imports the application of the upstream commit in a temporary work tree.
  - Moves forward (fast-forward only) if it imports; stays if only the present commit does; else
    goes back to the last commit that does.
  - Git runs as the owner of the checkout, the application's code as the user of its service.
  - Refuses a checkout with changes of its own, without an upstream, or that went another way.
options:
  path:
    description: A folder of the checkout.
    type: path
    required: true
  directory:
    description: The application's working directory, relative to the checkout.
    type: str
    default: "."
  python:
    description: The Python the application runs under.
    type: path
    default: ""
  user:
    description: The user the service runs as.
    type: str
    default: ""
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
  requirements:
    description: The requirements file, relative to C(directory); empty if there is none.
    type: str
    default: requirements.txt
  pip_options:
    description: More options of C(pip install).
    type: list
    elements: str
    default: []
  linked:
    description: Files that are not in the repository and that the application needs to be imported.
    type: list
    elements: str
    default: [.env]
  depth:
    description: How many commits to go back at most.
    type: int
    default: 10
  state_directory:
    description: Where the commit from before is kept.
    type: path
    required: true
  undo:
    description: Go back to the commit from before.
    type: bool
    default: false
  failed:
    description: Note that the application of the role failed, so that a later undo does nothing.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Update the checkout if it imports
  update_checkout:
    path: /var/www/webmagic
    directory: backend
    python: /var/www/webmagic/backend/.venv/bin/python
    user: www-data
    module: app.main
    state_directory: /var/lib/runbook/checkout_updated
"""
RETURN = r"""
before:
  description: The commit it was at.
  type: str
  returned: always
after:
  description: The commit it is at.
  type: str
  returned: outside of check mode
requirements_changed:
  description: Whether the two commits want other requirements.
  type: bool
  returned: outside of check mode
tried:
  description: The commits whose application does not import, with the error.
  type: list
  returned: outside of check mode, unless undoing
"""

_PIP_TIMEOUT_S = 600
_NO_QUESTIONS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
}


class Checkout:
    """A git work tree, acted on as its owner."""

    def __init__(self, path: str) -> None:
        if not os.path.isdir(path):
            raise RefusedError(f"there is no folder {path}")
        self.path = path
        self.owner = owner_of(path)
        self.path = self.read("rev-parse", "--show-toplevel")
        self.owner = owner_of(self.path)

    def git(self, *arguments: str, timeout_s: float = 120.0) -> Done:
        """Run git, and return how it ended."""
        return run(
            ["git", "-C", self.path, *arguments],
            who=self.owner,
            folder="/",
            environment=_NO_QUESTIONS,
            timeout_s=timeout_s,
        )

    def read(self, *arguments: str) -> str:
        """Return what git prints; raise RefusedError if it fails."""
        done = self.git(*arguments)
        if done.rc != 0:
            raise RefusedError(f"git {' '.join(arguments)} in {self.path} fails: {done.why}")
        return str(done.out).strip()

    def has(self, *arguments: str) -> bool:
        """Tell whether git says yes."""
        return bool(self.git(*arguments).rc == 0)

    def head(self) -> str:
        """Return the commit it is at."""
        return self.read("rev-parse", "HEAD")

    def named(self, commit: str) -> str:
        """Return a commit as a person reads it."""
        done = self.git("log", "-1", "--format=%h %s", commit)
        return str(done.out).strip() if done.rc == 0 else commit[:10]

    def show(self, commit: str, file: str) -> str | None:
        """Return a file as of a commit; None if that has none."""
        done = self.git("show", f"{commit}:{file}")
        return str(done.out) if done.rc == 0 else None

    def refuse_own_changes(self) -> None:
        """Raise RefusedError if somebody changed files, naming them."""
        # Not stripped: the first column may be blank.
        done = self.git("status", "--porcelain", "--untracked-files=no")
        if done.rc != 0:
            raise RefusedError(f"git status in {self.path} fails: {done.why}")
        changed = [line[3:] for line in done.out.splitlines() if line]
        if changed:
            more = f" and {len(changed) - 10} more" if len(changed) > 10 else ""
            raise RefusedError(
                f"{self.path} has changes that no commit holds: {', '.join(changed[:10])}{more}"
            )

    def upstream(self) -> tuple[str, str]:
        """Return the remote and the branch there; raise RefusedError if there is none."""
        branch = self.git("symbolic-ref", "--short", "--quiet", "HEAD").out.strip()
        if not branch:
            raise RefusedError(f"{self.path} is at no branch: which one to follow is not to guess")
        remote = self.git("config", f"branch.{branch}.remote").out.strip()
        merge = self.git("config", f"branch.{branch}.merge").out.strip()
        if not remote or not merge:
            raise RefusedError(f"branch {branch} of {self.path} has no upstream")
        return remote, merge

    def move(self, commit: str, *, forward: bool) -> None:
        """Bring branch and files to a commit; raise RefusedError if a file is in the way."""
        if forward:
            self.read("merge", "--ff-only", "--quiet", commit)
        else:
            # Unlike --hard this stops where a file of somebody else would be lost.
            self.read("reset", "--keep", "--quiet", commit)


class Trial:
    """Import the application as of some commit, in a temporary work tree."""

    def __init__(self, checkout: Checkout, wanted: dict[str, Any]) -> None:
        if not wanted["python"] or not wanted["user"]:
            raise RefusedError("python and user are needed to import the application")
        self.checkout = checkout
        self.wanted = wanted
        self.installed = checkout.head()
        self.application = Application(
            wanted["module"],
            wanted["script"],
            account(wanted["user"]),
            {name: str(value) for name, value in wanted["environment"].items()},
            wanted["timeout_s"],
        )

    def failure(self, commit: str) -> str | None:
        """Return why the application of a commit does not import; None if it does."""
        checkout, who = self.checkout, self.application.who
        base = tempfile.mkdtemp(prefix="runbook-", dir="/var/tmp")
        tree = os.path.join(base, "tree")
        try:
            # The code may be private: its owner writes it, the service's group reads it.
            os.chown(base, checkout.owner.uid, who.gid)
            os.chmod(base, 0o750)  # noqa: S103
            checkout.read(
                "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach",
                tree, commit,
            )  # fmt: skip
            folder = os.path.normpath(os.path.join(tree, self.wanted["directory"]))
            if not os.path.isdir(folder):
                return f"there is no folder {self.wanted['directory']}"
            self._link(folder)
            python = self.wanted["python"]
            if requirements_differ(checkout, self.wanted, self.installed, commit):
                environment = os.path.join(base, "environment")
                os.mkdir(environment, 0o700)  # noqa: PTH102
                os.chown(environment, who.uid, who.gid)
                reason = self._install(environment, folder)
                if reason:
                    return reason
                python = os.path.join(environment, "bin/python")
            found = failure(self.application, python, folder)
            return found.replace(tree + "/", "") if found else None
        finally:
            checkout.git("worktree", "remove", "--force", tree)
            shutil.rmtree(base, ignore_errors=True)
            checkout.git("worktree", "prune")

    def _link(self, folder: str) -> None:
        deployed = os.path.join(self.checkout.path, self.wanted["directory"])
        for name in self.wanted["linked"]:
            there = os.path.normpath(os.path.join(deployed, name))
            link = os.path.join(folder, name)
            if os.path.exists(there) and not os.path.lexists(link):
                run(["ln", "-s", there, link], who=self.checkout.owner, folder="/")

    def _install(self, environment: str, folder: str) -> str | None:
        """Build an environment with the requirements of a commit; return why that fails."""
        ask = "import os, sys; print(open(os.path.join(sys.prefix, 'pyvenv.cfg')).read().lower())"
        settings = run([self.wanted["python"], "-c", ask], who=self.application.who, folder="/")
        shared = "include-system-site-packages = true" in settings.out
        options = ["--system-site-packages"] if shared else []
        pip = [os.path.join(environment, "bin/python"), "-m", "pip", "install", "--quiet"]
        for argv in (
            [self.wanted["python"], "-m", "venv", *options, environment],
            [*pip, *self.wanted["pip_options"], "-r", self.wanted["requirements"]],
        ):
            done = run(
                argv,
                who=self.application.who,
                folder=folder,
                environment={"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                timeout_s=_PIP_TIMEOUT_S,
            )
            if done.rc != 0:
                return f"its requirements cannot be installed: {done.why}"
        return None


def requirements_differ(checkout: Checkout, wanted: dict[str, Any], one: str, other: str) -> bool:
    """Tell whether two commits want other requirements; a removed file wants nothing."""
    if not wanted["requirements"]:
        return False
    file = os.path.normpath(os.path.join(wanted["directory"], wanted["requirements"]))
    there = checkout.show(other, file)
    return there is not None and there != checkout.show(one, file)


def preview(checkout: Checkout, depth: int) -> dict[str, Any]:
    """Say what would be done, without fetching and without executing the application's code."""
    head, (remote, merge) = checkout.head(), checkout.upstream()
    offered = checkout.read("ls-remote", remote, merge).split()
    if not offered:
        raise RefusedError(f"{remote} has no {merge}")
    back = f"else the last of {depth} commits before it whose application does"
    return {
        "changed": offered[0] != head,
        "before": head,
        "msg": f"would fetch, and import the application of {checkout.named(offered[0])}",
        "diff": {
            "before": f"{checkout.named(head)}\n",
            "after": f"{checkout.named(offered[0])}\n  if its application can be imported, {back}\n",
        },
    }


def candidates(checkout: Checkout, head: str, depth: int) -> list[str]:
    """Fetch, and return the commits to try: upstream's, the present one, those before it."""
    remote, _ = checkout.upstream()
    done = checkout.git("fetch", "--quiet", remote, timeout_s=300.0)
    if done.rc != 0:
        raise RefusedError(f"git fetch {remote} fails: {done.why}")
    target = checkout.read("rev-parse", "@{upstream}")
    is_ahead = checkout.has("merge-base", "--is-ancestor", target, head)
    if not is_ahead and not checkout.has("merge-base", "--is-ancestor", head, target):
        raise RefusedError(
            f"{checkout.path} and its upstream went different ways: "
            f"{checkout.named(head)} is not part of {checkout.named(target)}"
        )
    past = checkout.read("rev-list", "--first-parent", f"--max-count={depth + 1}", head).split()
    return past if is_ahead else [target, *past]


def update(checkout: Checkout, wanted: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """Bring the checkout to the first commit that imports; raise RefusedError if none does."""
    head = checkout.head()
    trial = Trial(checkout, wanted)
    tried: list[str] = []
    for commit in candidates(checkout, head, wanted["depth"]):
        reason = trial.failure(commit)
        if reason is None:
            break
        tried.append(f"{checkout.named(commit)}: {reason}")
    else:
        raise RefusedError("nothing is changed, since no commit imports:\n" + "\n".join(tried))
    if commit != head:
        kept.add({"before": head, "after": commit})
        try:
            is_forward = checkout.has("merge-base", "--is-ancestor", head, commit)
            checkout.move(commit, forward=is_forward)
        except RefusedError:
            kept.drop()
            raise
    return {**_moved(checkout, wanted, head, commit), "tried": tried}


def go_back(
    checkout: Checkout, wanted: dict[str, Any], kept: Kept, *, preview_only: bool
) -> dict[str, Any]:
    """Bring the checkout back to the commit that was kept."""
    record = kept.last()
    head = checkout.head()
    if record is None:
        if not preview_only:
            kept.drop()
        return {"changed": False, "before": head, "after": head, "requirements_changed": False}
    if head != record["after"]:
        raise RefusedError(
            f"{checkout.path} is at {checkout.named(head)}, "
            f"not at {checkout.named(record['after'])} where it was left: not taken back"
        )
    if not preview_only:
        is_forward = checkout.has("merge-base", "--is-ancestor", head, record["before"])
        checkout.move(record["before"], forward=is_forward)
        kept.drop()
    return _moved(checkout, wanted, head, record["before"])


def _moved(checkout: Checkout, wanted: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    differ = [
        requirements_differ(checkout, wanted, *pair) for pair in ((before, after), (after, before))
    ]
    return {
        "changed": before != after,
        "before": before,
        "after": after,
        "requirements_changed": before != after and any(differ),
        "diff": {
            "before": f"{checkout.named(before)}\n",
            "after": f"{checkout.named(after)}\n",
        },
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "directory": {"type": "str", "default": "."},
            "python": {"type": "path", "default": ""},
            "user": {"type": "str", "default": ""},
            "module": {"type": "str", "default": ""},
            "script": {"type": "str", "default": "test_imports.py"},
            "environment": {"type": "dict", "default": {}},
            "timeout_s": {"type": "int", "default": 60},
            "requirements": {"type": "str", "default": "requirements.txt"},
            "pip_options": {"type": "list", "elements": "str", "default": []},
            "linked": {"type": "list", "elements": "str", "default": [".env"]},
            "depth": {"type": "int", "default": 10},
            "state_directory": {"type": "path", "required": True},
            "undo": {"type": "bool", "default": False},
            "failed": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    os.umask(0o022)
    kept = None
    try:
        checkout = Checkout(wanted["path"])
        kept = Kept(wanted["state_directory"], checkout.path)
        checkout.refuse_own_changes()
        if wanted["undo"]:
            outcome = go_back(checkout, wanted, kept, preview_only=module.check_mode)
        elif module.check_mode:
            outcome = preview(checkout, wanted["depth"])
        else:
            outcome = update(checkout, wanted, kept)
        if wanted["failed"] and not module.check_mode:
            kept.failed()
    except RefusedError as error:
        if kept and not wanted["undo"] and not module.check_mode:
            kept.failed()
        module.fail_json(msg=str(error))
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
