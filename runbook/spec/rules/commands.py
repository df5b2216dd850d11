"""Commands: what a host said is no part of one, and one that looks changes nothing."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from runbook.errors import Problem
from runbook.model.definition import Json, StepKind
from runbook.spec.ansible_words import COMMANDS, module_keys, short
from runbook.spec.document import Path
from runbook.spec.draft import Draft, DraftStep

_SHELLS = frozenset({"raw", "script", "shell", "win_shell"})
"""Of the commands, those whose text a shell reads."""

_CHANGING = frozenset(
    [
        "chgrp",
        "chmod",
        "chown",
        "fallocate",
        "groupadd",
        "killall",
        "ln",
        "mkdir",
        "mkfs",
        "mkswap",
        "mv",
        "pkill",
        "poweroff",
        "reboot",
        "rm",
        "rmdir",
        "shred",
        "shutdown",
        "touch",
        "truncate",
        "umount",
        "useradd",
        "userdel",
        "usermod",
    ]
)
"""Programs that are there to change something."""

_SERVICE_VERBS = frozenset(
    [
        "condrestart",
        "disable",
        "enable",
        "force-reload",
        "kill",
        "mask",
        "reload",
        "reload-or-restart",
        "reset-failed",
        "restart",
        "start",
        "stop",
        "try-restart",
        "unmask",
        "update",
    ]
)
_PACKAGE_VERBS = frozenset(
    [
        "autoremove",
        "dist-upgrade",
        "downgrade",
        "full-upgrade",
        "install",
        "purge",
        "reinstall",
        "remove",
        "uninstall",
        "upgrade",
    ]
)
_CONTAINER_VERBS = frozenset(
    [
        "build",
        "create",
        "down",
        "kill",
        "pause",
        "prune",
        "restart",
        "rm",
        "rmi",
        "start",
        "stop",
        "unpause",
        "up",
        "update",
    ]
)
_CHANGING_VERBS: Mapping[str, frozenset[str]] = {
    "apt": _PACKAGE_VERBS,
    "apt-get": _PACKAGE_VERBS,
    "dnf": _PACKAGE_VERBS,
    "dd": frozenset(["of="]),
    "docker": _CONTAINER_VERBS,
    "find": frozenset(["-delete"]),
    "git": frozenset(
        ["am", "apply", "checkout", "clean", "commit", "merge", "pull", "push", "rebase", "reset"]
    ),
    "iptables": frozenset(
        ["-A", "-D", "-F", "-I", "-P", "-R", "-X", "--append", "--delete", "--flush", "--insert"]
    ),
    "ip6tables": frozenset(
        ["-A", "-D", "-F", "-I", "-P", "-R", "-X", "--append", "--delete", "--flush", "--insert"]
    ),
    "kubectl": frozenset(["apply", "create", "delete", "drain", "patch", "rollout", "scale"]),
    "nft": frozenset(["add", "create", "delete", "destroy", "flush", "insert", "replace", "reset"]),
    "npm": frozenset(["ci", "install", "uninstall", "update"]),
    "pip": frozenset(["install", "uninstall"]),
    "pip3": frozenset(["install", "uninstall"]),
    "podman": _CONTAINER_VERBS,
    "sed": frozenset(["-i", "--in-place"]),
    "service": _SERVICE_VERBS,
    "supervisorctl": _SERVICE_VERBS | {"add", "remove", "shutdown"},
    "systemctl": _SERVICE_VERBS
    | {"daemon-reexec", "daemon-reload", "edit", "isolate", "set-default"},
    "ufw": frozenset(
        ["allow", "default", "delete", "deny", "disable", "enable", "insert", "reject", "reset"]
    ),
    "yum": _PACKAGE_VERBS,
}
"""Programs that change something when they are given one of these words."""

_AROUND = frozenset(
    [
        "command",
        "doas",
        "env",
        "exec",
        "ionice",
        "nice",
        "nohup",
        "sudo",
        "time",
        "timeout",
        "xargs",
    ]
)
"""Programs whose arguments are another program's name and arguments."""

_SHELL_NAMES = frozenset(["bash", "dash", "ksh", "sh", "zsh"])
_WITH_VALUE = frozenset(["-C", "-H", "-c", "-f", "-g", "-u"])
"""Options behind which a word of their own stands."""

_BEFORE_VERBS = frozenset(["compose", "container", "image", "network", "system", "volume"])
_ONLY_TRYING = frozenset(["--dry-run", "--help", "--just-print", "--simulate", "-n", "-s"])

_HARMLESS_TARGETS = frozenset(["/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty"])
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def command_problems(draft: Draft) -> Iterator[Problem]:
    """Yield commands of steps that only look, and say so, which change something."""
    for written in draft.steps:
        if written.kind not in (StepKind.CHECK, StepKind.COLLECT, StepKind.WATCH):
            continue
        for path, words in _commands(written):
            changing = next(filter(None, map(_change, words)), None)
            if changing is not None:
                yield Problem(
                    reference="changing-command",
                    message=f"`{changing}` changes the host, and this step only looks",
                    where=draft.document.word(path, changing.rpartition(" ")[2]),
                    hint="Make it a fix: that is confirmed, verified and written down.",
                )


def is_for_a_shell(module: str) -> bool:
    """Say whether the text of a command module is read by a shell."""
    return short(module) in _SHELLS


def _commands(written: DraftStep) -> Iterator[tuple[Path, list[list[str]]]]:
    """Yield the commands of a step that looks, each as the programs it starts with their words."""
    probe = written.raw.get("probe")
    probes = written.raw.get("probes")
    found: list[tuple[Path, Json]] = [((*written.path, "probe"), probe)]
    if isinstance(probes, Mapping):
        found += [((*written.path, "probes", name), each) for name, each in probes.items()]
    for path, each in found:
        command = each.get("command") if isinstance(each, Mapping) else None
        if isinstance(command, Mapping):
            yield from _texts(command, (*path, "command"), line="shell")
    task = written.raw.get("task")
    for module in module_keys(task) if isinstance(task, Mapping) else ():
        if short(module) in COMMANDS and isinstance(task, Mapping):
            at = (*written.path, "task", module)
            value = task[module]
            if isinstance(value, str):
                yield at, _programs(value)
            elif isinstance(value, Mapping):
                yield from _texts(value, at, line="cmd")


def _texts(
    value: Mapping[str, Json], path: Path, *, line: str
) -> Iterator[tuple[Path, list[list[str]]]]:
    if isinstance(text := value.get(line), str):
        yield (*path, line), _programs(text)
    words = value.get("argv")
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        yield (*path, "argv"), [words]


def _programs(text: str) -> list[list[str]]:
    """Return the words of each program that a shell would start; quoted text stays one word."""
    lexer = shlex.shlex(_TEMPLATE.sub("X", text), posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    programs: list[list[str]] = [[]]
    try:
        for word in lexer:
            if not word.strip(" ;&|()\n"):
                programs.append([])
            else:
                programs[-1].append(word)
    except ValueError:  # An open quotation: the shell would not take it either.
        return []
    return programs


def _change(words: Sequence[str]) -> str | None:
    """Return what of a program's words says that it changes something, as it would be typed."""
    written_to = _written_to(words)
    if written_to is not None:
        return f"> {written_to}"
    rest = list(words)
    while rest and (_is_assignment(rest[0]) or _base(rest[0]) in _AROUND):
        rest = _behind_options(rest[1:]) if _base(rest[0]) in _AROUND else rest[1:]
    if not rest:
        return None
    name, *arguments = (_base(rest[0]), *rest[1:])
    if name in _SHELL_NAMES and "-c" in arguments[:-1]:
        inner = _programs(arguments[arguments.index("-c") + 1])
        return next(filter(None, map(_change, inner)), None)
    if name in _CHANGING:
        return name
    verb = _verb(name, arguments)
    return None if verb is None else f"{name} {verb}"


def _verb(name: str, arguments: Sequence[str]) -> str | None:
    """Return the argument by which a program changes something."""
    verbs = _CHANGING_VERBS.get(name, frozenset())
    if not verbs or not _ONLY_TRYING.isdisjoint(arguments):
        return None
    for word in arguments:
        option = next(
            (verb for verb in verbs if not verb[0].isalpha() and word.startswith(verb)), ""
        )
        if option or (
            name == "dd" and word.startswith("of=") and word[3:] not in _HARMLESS_TARGETS
        ):
            return word
    plain = [
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if not word.startswith("-") and before not in _WITH_VALUE
    ]
    while plain and plain[0] in _BEFORE_VERBS:
        plain = plain[1:]
    said = plain[1:2] if name == "service" else plain[:1]
    return next((word for word in said if word in verbs), None)


def _base(word: str) -> str:
    return word.rpartition("/")[2]


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _behind_options(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and (rest[0].startswith("-") or rest[0][:1].isdigit()):
        rest = rest[2:] if rest[0] in _WITH_VALUE else rest[1:]
    return rest


def _written_to(words: Sequence[str]) -> str | None:
    for word, following in pairwise(words):
        if word in (">", ">>", ">|", "&>", "&>>") and following not in _HARMLESS_TARGETS:
            return following
    return None
