"""Ansible's own words, as far as a runbook's soundness depends on them; Ansible is not imported.

Sources: the playbook keywords and special variables pages of Ansible's documentation, and
`ansible.vars.reserved.get_reserved_names()` of ansible-core 2.19.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from runbook.model.definition import Json

MAGIC_VARIABLES = frozenset(
    [
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "play_hosts",
        "playbook_dir",
        "role_name",
        "role_names",
        "role_path",
        "vars",
    ]
)
JINJA_GLOBALS = frozenset(
    [
        "cycler",
        "dict",
        "joiner",
        "lipsum",
        "lookup",
        "namespace",
        "now",
        "q",
        "query",
        "range",
        "undef",
    ]
)
TASK_KEYWORDS = frozenset(
    [
        "action",
        "always",
        "any_errors_fatal",
        "args",
        "async",
        "become",
        "become_exe",
        "become_flags",
        "become_method",
        "become_user",
        "block",
        "changed_when",
        "check_mode",
        "collections",
        "connection",
        "debugger",
        "delay",
        "delegate_facts",
        "delegate_to",
        "diff",
        "environment",
        "failed_when",
        "ignore_errors",
        "ignore_unreachable",
        "local_action",
        "loop",
        "loop_control",
        "module_defaults",
        "name",
        "no_log",
        "notify",
        "poll",
        "port",
        "register",
        "remote_user",
        "rescue",
        "retries",
        "run_once",
        "tags",
        "throttle",
        "timeout",
        "until",
        "vars",
        "when",
    ]
)
_PLAY_KEYWORDS = frozenset(
    [
        "fact_path",
        "force_handlers",
        "gather_facts",
        "gather_timeout",
        "handlers",
        "hosts",
        "max_fail_percentage",
        "order",
        "post_tasks",
        "pre_tasks",
        "roles",
        "serial",
        "strategy",
        "tasks",
        "vars_files",
        "vars_prompt",
    ]
)
_JINJA_WORDS = frozenset(["and", "else", "false", "if", "in", "is", "none", "not", "or", "true"])
RESERVED = MAGIC_VARIABLES | JINJA_GLOBALS | TASK_KEYWORDS | _PLAY_KEYWORDS | _JINJA_WORDS
"""Names that a variable of ours must not have."""

COMMANDS = frozenset({"command", "raw", "script", "shell", "win_command", "win_shell"})
"""Modules that do whatever they are told, so that only their author knows whether it changes."""

NOT_IN_CHECKS = frozenset(
    [
        "add_host",
        "group_by",
        "import_playbook",
        "import_role",
        "import_tasks",
        "include_role",
        "include_tasks",
        "include_vars",
        "meta",
        "pause",
        "set_fact",
    ]
)
"""Actions that are no tasks on a host, or whose effect is not the host's and outlives the task."""

READING_LOOKUPS = frozenset(
    [
        "config",
        "csvfile",
        "dict",
        "env",
        "file",
        "fileglob",
        "first_found",
        "flattened",
        "indexed_items",
        "ini",
        "inventory_hostnames",
        "items",
        "list",
        "nested",
        "sequence",
        "subelements",
        "template",
        "together",
        "unvault",
        "varnames",
        "vars",
    ]
)
"""Lookups that only read on the controller; all others run something, write, or go elsewhere."""

OPENS_NAMES = frozenset(
    {"import_role", "include_role", "include_tasks", "import_tasks", "include_vars"}
)
"""Actions that bring variables nobody can name from the outside."""


def short(name: str) -> str:
    """Return the last part of a module's or plugin's name."""
    return name.rpartition(".")[2]


def module_keys(task: Mapping[Any, Json]) -> list[str]:
    """Return the keys of a task that name its module; a sound task has one."""
    return [
        key
        for key in task
        if isinstance(key, str) and key not in TASK_KEYWORDS and not key.startswith("with_")
    ]


def flat_tasks(tasks: Json) -> Iterator[tuple[tuple[str | int, ...], Mapping[Any, Json]]]:
    """Yield all tasks of a list with their paths below it; a block before what is in it."""
    if not isinstance(tasks, list | tuple):
        return
    for index, task in enumerate(tasks):
        if isinstance(task, Mapping):
            yield (index,), task
            for part in ("block", "rescue", "always"):
                for path, inner in flat_tasks(task.get(part)):
                    yield (index, part, *path), inner
