"""Is nginx's configuration valid, and where does it forward to."""

from __future__ import annotations

import os
import re

from . import nginx_syntax as syntax
from .call import CannotLookError, Look
from .commands import run_tool
from .values import whole_number

_MOST_FILES = 300
_MOST_BYTES = 1 << 20
# On standard error, and once more as its log would have it.
_MESSAGE = re.compile(r"^(?:nginx:|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (?:\d+#\d+: )?(.*)$")
_PLACE = re.compile(r"(.*) in (/.*):(\d+)$")
_DIRECTIVE = re.compile(r'directive "([^"]*)"|"([^"]*)" directive|in "([^"]*)" directive')
_read: tuple[dict[str, str], list[syntax.Directive]] | None = None
_NOT_PERMITTED = re.compile(r"\((?:1|13): ")


def nginx_config(
    look: Look,
    *,
    command: list[str] | None = None,
    config: str | None = None,
    upstream: str | None = None,
    server_name: str | None = None,
) -> dict[str, object]:
    """Have nginx test its configuration and dump it, and read the dump.

    Like every start of nginx the test opens its log files, and creates those that are missing.
    """
    program = command or ["nginx"]
    extra = [] if config is None or "-c" in program else ["-c", config]
    done = run_tool(look, [*program, *extra, "-T"])
    valid = done.rc == 0
    error = None if valid else parse_error(done.stderr)
    if error is not None and _NOT_PERMITTED.search(str(error["message"])):
        raise CannotLookError(f"nginx: {error['message']}")
    if valid:
        files = syntax.split_dump(done.stdout)
    else:
        files = {} if config is None else read_files(config)
    tree = _tree_of(files)
    facts: dict[str, object] = {
        "valid": valid,
        "error": None if error is None else error["message"],
        "error_file": None if error is None else error["file"],
        "error_line": None if error is None else error["line"],
        "error_directive": None if error is None else error["directive"],
        "warnings": _messages(done.stderr, "warn"),
        "files": list(files),
    }
    facts.update(_forwarding(tree, upstream, server_name))
    return facts


def _tree_of(files: dict[str, str]) -> list[syntax.Directive]:
    """Return what files say; of what was told once for several probes, what was read for the first."""
    global _read  # noqa: PLW0603 -- of the process, which looks once
    if _read is None or _read[0] != files:
        _read = files, syntax.read_tree(files)
    return _read[1]


def _forwarding(
    tree: list[syntax.Directive], upstream: str | None, server_name: str | None
) -> dict[str, object]:
    upstreams = syntax.upstreams(tree)
    servers = syntax.servers(tree)
    chosen = servers
    if server_name is not None:
        chosen = [server for server in servers if _has_name(server, server_name)]
    backends = syntax.backends(chosen, upstreams)
    if upstream is not None:
        backends = [row for row in backends if row["upstream"] == upstream]
    return {
        "upstreams": upstreams,
        "servers": servers,
        "server_found": bool(chosen),
        "upstream_found": upstream in upstreams if upstream is not None else bool(upstreams),
        "backends": backends,
        "backend_addresses": sorted({str(row["address"]) for row in backends}),
        "backend_ports": sorted({row["port"] for row in backends if isinstance(row["port"], int)}),
    }


def _has_name(server: dict[str, object], wanted: str) -> bool:
    names = server["names"]
    return isinstance(names, list) and any(syntax.name_matches(name, wanted) for name in names)


def _messages(text: str, level: str) -> list[str]:
    matches = (_MESSAGE.match(line) for line in text.splitlines())
    return [match[2] for match in matches if match is not None and match[1] == level]


def parse_error(text: str) -> dict[str, object]:
    """Return what `nginx -t` complains of: message, file, line and directive where it says them."""
    fatal = _messages(text, "emerg")
    last = text.strip().splitlines()[-1:] or [""]
    message = fatal[-1] if fatal else last[0]
    place = _PLACE.match(message)
    directive = _DIRECTIVE.search(message)
    return {
        "message": message if place is None else place[1],
        "file": None if place is None else place[2],
        "line": None if place is None else whole_number(place[3]),
        "directive": next((name for name in directive.groups() if name), None)
        if directive
        else None,
    }


def read_files(config: str) -> dict[str, str]:
    """Return a configuration file and those it includes, as far as they can be read."""
    import glob  # noqa: PLC0415 (only where nginx itself cannot tell)

    folder = os.path.dirname(config)
    files: dict[str, str] = {}
    waiting = [config]
    while waiting and len(files) < _MOST_FILES:
        path = waiting.pop(0)
        if path in files:
            continue
        try:
            with open(path, "rb") as stream:
                files[path] = stream.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        for include in syntax.walk(syntax.parse(files[path], path), "include"):
            for pattern in include.args[:1]:
                waiting += sorted(glob.glob(os.path.join(folder, pattern)))
    return files
