"""The built-in probe types: what each looks at, and the facts it answers with.

The probes themselves run on hosts (`runbook/executor/content/`); the arguments they take stand in
`runbook/spec/schema/probes.schema.json`; tests hold the three to each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_READING_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeType:
    """A kind of probe.

    `default_passes` is the condition of a check that names none, an Ansible conditional in which
    `{0}` stands for the check's id; None where only the author can say what is right. `effect` says
    what looking itself does, None if nothing. `facts` gives each fact's meaning by its name.
    """

    name: str
    default_passes: str | None
    effect: str | None
    summary: str
    facts: Mapping[str, str]


def effect_of(name: str, arguments: Mapping[str, object]) -> str | None:
    """Say what a probe with these arguments does besides looking, None if nothing.

    A `command` is free of effects by its author's word: without that it is no check at all.

    Raises:
        KeyError: there is no such probe type.
    """
    if name == "http":
        method = str(arguments.get("method", "GET"))
        return None if method in _READING_METHODS else f"sends a {method} request"
    return PROBE_TYPES[name].effect


def _probe(
    name: str,
    summary: str,
    default_passes: str | None,
    facts: Mapping[str, str],
    *,
    effect: str | None = None,
) -> ProbeType:
    common = {"truncated": "whether something was cut to keep the answer within its bounds"}
    return ProbeType(
        name=name,
        default_passes=default_passes,
        effect=effect,
        summary=summary,
        facts=MappingProxyType({**facts, **common}),
    )


_NETWORK_ERRORS = "`refused`, `timeout`, `reset`, `dns`, `unreachable`, `forbidden`"
_LOG_FACTS = {
    "exists": "whether there is such a log; without it the other facts are undefined",
}

_TYPES = (
    _probe(
        "http",
        "Send an HTTP request and look at the answer. A refused connection or a time-out is an "
        "answer, too. No proxy of the environment is used.",
        "{0}.answered and {0}.status < 400",
        {
            "answered": "whether a complete HTTP response came back within the time",
            "status": "its status code; null without a response",
            "error": f"why there is no complete response: {_NETWORK_ERRORS}, `tls`, `protocol`; "
            "else null",
            "reason": "the reason phrase of the response, or the error in words",
            "headers": "the response's headers, their names in lower case",
            "body": "the beginning of the response's body",
            "json": "the body's data where it is JSON and complete; else null",
            "url": "the address that answered, after redirects",
            "elapsed_s": "seconds from the first connection to the last byte",
        },
    ),
    _probe(
        "tcp",
        "Open a TCP connection and close it.",
        "{0}.connected",
        {
            "connected": "whether the connection came about",
            "error": f"why it did not: {_NETWORK_ERRORS}; else null",
            "reason": "the error in words",
            "elapsed_s": "seconds it took",
        },
    ),
    _probe(
        "port",
        "Find out who listens on a TCP port, from the kernel's tables.",
        "{0}.listening",
        {
            "listening": "whether a socket listens there; one bound to all addresses counts",
            "addresses": "the addresses it listens on",
            "owner_known": "whether the process behind every such socket could be seen",
            "pid": "the process that listens, of several the oldest; null if not permitted to see",
            "process": "the name of its program",
            "command": "its command line",
            "user": "the user it runs as; known even where the process is not",
            "listeners": "all of them, the oldest process first: `{address, pid, ppid, process, command, "
            "user, started_s_ago}`",
        },
    ),
    _probe(
        "process",
        "Find processes by their command line or program name.",
        "{0}.count > 0",
        {
            "count": "how many there are; whatever looks is not counted",
            "states": "their state letters, each once: R, S, D run or wait; T is stopped, Z a zombie",
            "processes": "the first fifty: `{pid, ppid, user, state, name, command, started_s_ago, "
            "rss_bytes, cpu_percent}`, the last one on average since the start",
        },
    ),
    _probe(
        "service",
        "Ask the manager of a service how it is: systemd, supervisor, docker compose, or (for a "
        "plain process) the process table.",
        "{0}.running",
        {
            "running": "whether it runs, in its manager's judgement",
            "exists": "whether its manager knows it",
            "state": "the manager's own word: `active`, `failed`, `RUNNING`, `BACKOFF`, `FATAL`, "
            "`exited`…; `not-found` and `absent` where there is none; `manager_down` if the manager "
            "itself does not run (processes it had started may live on)",
            "sub_state": "the finer state of systemd, or the health of a container; else null",
            "enabled": "whether it starts with the system; null if not known",
            "pid": "its main process; null if none or not known",
            "exit_code": "the exit status of its last run; null if not known",
            "signal": "the number of the signal that ended its last run; else null",
            "restarts": "how often systemd has restarted it by itself; null if not known",
            "start_limit_hit": "whether its manager has given up starting it",
            "in_state_s": "seconds it has been in this state; null if not known",
            "result": "systemd's result: `success`, `exit-code`, `oom-kill`…; else null",
            "detail": "the state in words",
            "started_anew": "whether it was started while `over_s` passed; null if that is 0",
            "holds_port": "whether it is this service, as it runs now, that listens on `port`: its main "
            "process or what descends from it; false only of what was there before it, or while nothing "
            "of it runs; null if nobody listens or it cannot be told, as of a group or a container that "
            "runs",
            "port_pid": "the process that listens on `port`, of several the oldest; null if none or not "
            "known",
        },
    ),
    _probe(
        "command",
        "Run a command that only reads. Its time-out is not an answer.",
        None,
        {
            "rc": "its exit status; negative for the signal that ended it",
            "stdout": "the beginning of its output, without the last line break",
            "stderr": "the same of its error output",
        },
    ),
    _probe(
        "file",
        "Look at a file, its owner, its age and, if asked, what stands in it.",
        "{0}.exists",
        {
            "path": "the path that was looked at",
            "exists": "whether it exists; if not, what follows is null or empty",
            "type": "`file`, `directory`, `fifo`, `socket`, `character_device`, `block_device`",
            "link_target": "where a symbolic link points to; else null",
            "mode": "its permissions as four octal digits",
            "owner": "the name of its owner",
            "group": "the name of its group",
            "size_bytes": "its size",
            "mtime_s": "when it was last written, in seconds since 1970",
            "age_s": "seconds since then",
            "is_readable": "whether the user who looks may read it",
            "is_writable": "whether the user who looks may write it",
            "content": "the beginning of its text, if asked for",
            "matches": "where `pattern` matches: `{line, text, groups}`, the first hundred",
            "match_count": "how often it matches",
            "sha256": "its checksum, if asked for",
        },
    ),
    _probe(
        "log",
        "Look for patterns in the end of a log file or of a unit's journal, line by line.",
        "{0}.count == 0",
        {
            **_LOG_FACTS,
            "size_bytes": "the size of the file",
            "mtime_s": "when it was last written, in seconds since 1970",
            "count": "how many lines match, over all patterns",
            "counts": "the same for each pattern by its name; `pattern` for a single one",
            "matches": "the last of them: `{pattern, text, groups, at_s}`",
            "last_lines": "the last lines of the log",
        },
    ),
    _probe(
        "python_traceback",
        "Find the last Python traceback in a log file or in a unit's journal, and the file and line "
        "it names.",
        "not {0}.found",
        {
            **_LOG_FACTS,
            "found": "whether there is one; if not, what follows is null or empty",
            "type": "the exception's type as printed",
            "message": "its message",
            "file": "the file of the innermost frame",
            "line": "the line there",
            "function": "the function there",
            "application_file": "the file of the innermost frame outside of installed packages",
            "application_line": "the line there",
            "module": "for an import error the module it names",
            "name": "for an import error the name that the module lacks",
            "text": "the traceback itself",
            "chain": "the exceptions that led to it, the first one first",
            "at_s": "when it was written, in seconds since 1970, if the log says",
            "bytes_from_end": "how much of the log follows its beginning",
        },
    ),
    _probe(
        "nginx_config",
        "Have nginx test its configuration, and read where it forwards to. Like every start of nginx "
        "the test opens its log files, and creates those that are missing.",
        "{0}.valid",
        {
            "valid": "whether nginx accepts the configuration",
            "error": "what it complains of; else null",
            "error_file": "the file it complains of",
            "error_line": "the line there",
            "error_directive": "the directive there",
            "warnings": "what it warns of",
            "files": "the files the configuration consists of",
            "upstreams": "the servers of each upstream by its name: `{address, host, port, down, "
            "backup, file, line}`",
            "servers": "every server: `{names, listens, locations, file, line}`, a location being "
            "`{path, proxy_pass, file, line}`",
            "server_found": "whether a server has the name asked for, or there is one at all",
            "upstream_found": "whether there is the upstream asked for, or one at all",
            "backends": "where the chosen servers (or upstream) forward to in the end: "
            "`{server_names, location, upstream, address, host, port, file, line}`",
            "backend_addresses": "their addresses, each once",
            "backend_ports": "their ports, each once",
        },
    ),
    _probe(
        "disk",
        "Measure the file system that holds a path.",
        "{0}.used_percent < 95 and {0}.inodes_used_percent < 95 and not {0}.read_only",
        {
            "size_bytes": "its size",
            "free_bytes": "what is free for an ordinary user",
            "used_percent": "what is used, of what an ordinary user could use",
            "inodes_total": "how many files it can hold; 0 where there is no limit",
            "inodes_free": "how many more",
            "inodes_used_percent": "how many of them there are; 0 where there is no limit",
            "device": "the device; null if not known",
            "mount_point": "where it is mounted; null if not known",
            "read_only": "whether it is mounted read-only",
        },
    ),
    _probe(
        "memory",
        "Measure the memory of the host, and of the container where there is a limit.",
        "{0}.used_percent < 95",
        {
            "total_bytes": "the memory of the host",
            "available_bytes": "what programs can still get without swapping",
            "used_percent": "the rest, of the whole",
            "swap_total_bytes": "the swap space",
            "swap_free_bytes": "what is free of it",
            "swap_used_percent": "what is used of it; 0 where there is none",
            "limit_bytes": "the limit of the container; null if none",
            "limit_used_bytes": "what counts against that limit; null if not known",
            "oom_kills": "how many processes the kernel has killed for lack of memory since the boot",
        },
    ),
    _probe(
        "load",
        "Measure how busy the processors are.",
        "{0}.load1_per_cpu < 4",
        {
            "load1": "processes that run or wait, on average over a minute",
            "load5": "the same over five minutes",
            "load15": "the same over fifteen minutes",
            "load1_per_cpu": "`load1` for each processor",
            "cpus": "the processors at our disposal",
            "cpu_percent": "how busy all processors were for `sample_s`; null if that is 0",
            "pressure_cpu_percent": "the share of the last ten seconds in which something waited for "
            "a processor; null if the kernel does not say",
            "pressure_memory_percent": "the same for memory",
            "pressure_io_percent": "the same for input and output",
        },
    ),
    _probe(
        "file_descriptors",
        "Count the open files of a process against its limit; without one, of the whole system.",
        "not {0}.found or {0}.used_percent < 90",
        {
            "found": "whether there is such a process; if not, what follows is null",
            "pid": "the process, of several the one nearest to its limit; null for the system",
            "command": "its command line",
            "opened": "how many files it has open",
            "soft_limit": "how many it may have; null if unlimited",
            "hard_limit": "how far it may raise that itself; null if unlimited",
            "used_percent": "the open files of those it may have; 0 if unlimited",
        },
    ),
    _probe(
        "activity",
        "Find out what else goes on on the host: other runs, people, package managers, deploys, a "
        "reboot, maintenance. Before its first fix, every run asks for it by itself.",
        "{0}.quiet",
        {
            "quiet": "whether none of what follows was seen",
            "maintenance": "why the host is in maintenance: the first line of `/etc/nologin`, "
            "`/run/nologin`, `/etc/runbook-maintenance` or `/run/runbook-maintenance`; else null",
            "lease": "the lease of another run: `{run, holder, until_s}`; else null",
            "operators": "who is at a terminal, but not through ours: `{user, line, origin, since_s}`",
            "connections": "other addresses that are connected to the SSH server",
            "package_managers": "those that run or hold their lock: `{pid, name, command}`",
            "packages_changed_s_ago": "seconds since the set of packages changed; null if longer ago",
            "packages_changed": "what changed, as far as dpkg wrote it down",
            "deploys": "checkouts, releases and files changed lately, newest first: `{path, kind, "
            "s_ago}`; looked for in the working folders of services, `/srv`, `/opt`, `/var/www`, "
            "and where systemd, nginx and supervisor are configured",
            "rebooted_s_ago": "seconds since the host came up; null if longer ago",
            "unseen": "what could not be seen: `lease`, `operators`, `connections`",
        },
    ),
    _probe(
        "dns",
        "Resolve a name, as the host's programs do or by asking a given name server.",
        "{0}.resolved and {0}.as_expected",
        {
            "resolved": "whether the name has an address of the type",
            "addresses": "its addresses",
            "as_expected": "whether every address of `expect` is among them",
            "error": "`nxdomain`, `no_address`, `servfail`, `timeout`, `refused`, `unreachable`; "
            "else null",
            "reason": "the error in words",
            "elapsed_s": "seconds it took",
        },
    ),
    _probe(
        "certificate",
        "Look at the certificate that a TLS server shows, or at one in a file.",
        "{0}.found and {0}.valid_now and {0}.matches_name",
        {
            "found": "whether there is a certificate; if not, what follows is null or empty",
            "error": f"why there is none: {_NETWORK_ERRORS}, `tls`; else null",
            "reason": "the error in words",
            "valid_now": "whether it is within its period of validity",
            "not_before_s": "when that begins, in seconds since 1970",
            "not_after_s": "when that ends",
            "days_left": "days until then; negative when past",
            "subject": "whom it is for",
            "issuer": "who issued it",
            "names": "the host names and addresses it is for",
            "matches_name": "whether the name asked for is among them; true if none was",
            "is_self_signed": "whether its issuer is its subject",
            "trusted": "whether the host trusts it for that name; null for a file",
            "trust_error": "why not; else null",
        },
    ),
    _probe(
        "firewall",
        "Read the rules of iptables, nftables and ufw that decide about new connections to a port. "
        "Needs root.",
        "not {0}.blocked",
        {
            "blocked": "whether a rule keeps them out; undefined if the rules ask for something that "
            "cannot be told from outside",
            "action": "what it does: `drop` or `reject`; null if not blocked",
            "by": "the rules (or policies) that do, or could: `{tool, chain, action, rule, certain}`",
            "tools": "the tools whose rules were read",
        },
    ),
    _probe(
        "git",
        "Look at a work tree, without fetching anything.",
        None,
        {
            "branch": "the branch checked out; null if none is",
            "commit": "the commit checked out; null if there is none yet",
            "committed_s": "when that was committed, in seconds since 1970",
            "subject": "the first line of its message",
            "dirty": "whether files differ from the commit; untracked ones count",
            "changed_files": "those files, the first hundred",
            "upstream": "the branch it is compared with; null if none",
            "ahead": "commits it has that the upstream lacks; null without an upstream",
            "behind": "commits the upstream has that it lacks, as of the last fetch; null without",
        },
    ),
    _probe(
        "python_imports",
        "Import modules of a Python application, each as the application would.",
        "{0}.imported",
        {
            "imported": "whether every import succeeded",
            "failures": "those that did not: `{module, type, message, file, line, name, missing}`, "
            "`missing` being the module the error names",
            "stderr": "the end of what was printed meanwhile",
        },
        effect="runs the application's code as far as importing it does",
    ),
    _probe(
        "time",
        "Read the host's clock.",
        "{0}.synchronised",
        {
            "now_s": "the host's time, in seconds since 1970",
            "synchronised": "whether the kernel takes the clock for synchronised; null if not known",
            "max_error_s": "how wrong it may be at most, in the kernel's judgement",
            "utc_offset_s": "the offset of local time",
        },
    ),
    _probe(
        "host",
        "Say what the host is, how long it is up and who is logged in.",
        None,
        {
            "hostname": "its own name for itself",
            "kernel": "the version of the kernel",
            "architecture": "the processor's architecture",
            "os": "the name of the distribution",
            "python": "the version of the Python that looks",
            "uptime_s": "seconds since the boot",
            "boot_s": "when that was, in seconds since 1970",
            "users": "the users logged in; null where no record is kept",
        },
    ),
)

PROBE_TYPES: Mapping[str, ProbeType] = MappingProxyType({each.name: each for each in _TYPES})
"""Every probe type by its name."""
