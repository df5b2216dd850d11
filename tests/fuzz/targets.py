"""What reads what others wrote: each takes any bytes, and refuses them in its own words or not at all."""

import json
import re
import tempfile
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from io import BufferedReader, BytesIO
from pathlib import Path

from runbook.errors import RunbookError
from runbook.executor import Ending, ObserveRequest
from runbook.executor.content.module_utils.runbook_probes import (
    activity,
    http_messages,
    imports,
    iptables,
    logins,
    logs,
    name_servers,
    nftables,
    nginx,
    nginx_syntax,
    packets,
    processes,
    procfs,
    services,
    sock_diag,
    system,
    timestamps,
    tracebacks,
    values,
    work_trees,
    x509,
)
from runbook.executor.content.module_utils.runbook_probes.call import CannotLookError
from runbook.executor.differences import difference
from runbook.executor.plain import TooMuchError, plain, words
from runbook.executor.probing import rounds_of
from runbook.executor.script import answer_in
from runbook.executor.translate import Translator
from runbook.model.codec import from_text, to_text
from runbook.model.event import Noted, RunFinished, RunInterrupted, RunResumed
from runbook.model.masking import mask_text, mask_value
from runbook.model.verdict import Verdict
from runbook.schedule.cron import mistake
from runbook.schedule.reading import load_timetable
from runbook.spec.expressions import condition_uses, template_uses
from runbook.spec.library import check
from runbook.spec.policy_file import load_policy
from runbook.spec.reader import read
from runbook.views.safe_text import printable, printable_lines

TESTS = Path(__file__).parents[1]
NOW = 1_700_000_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Something that reads; `refuses` are the exceptions by which it may say no.

    `share` is how many of a thousand inputs it gets, by how much an input costs.
    """

    name: str
    take: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refuses: tuple[type[Exception], ...] = ()
    share: int = 25


def _http(data: bytes) -> bytes:
    stream: BufferedReader = BufferedReader(BytesIO(data))
    return b"".join(http_messages.Response(stream, "GET").chunks(1000))


def _of_text(take: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: take(data.decode("utf-8", "surrogateescape"))


def _of_json(take: Callable[[object], object]) -> Callable[[bytes], object]:
    def taken(data: bytes) -> object:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return take(value)

    return taken


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="runbook-fuzz-"))


def _as_file(take: Callable[[Path], object]) -> Callable[[bytes], object]:
    def taken(data: bytes) -> object:
        path = _folder() / "all-kinds.yml"
        path.write_bytes(data)
        return take(path)

    return taken


def _lint(path: Path) -> None:
    for problem in check([path], [TESTS / "runbooks"]):
        assert problem.render()
        assert problem.where is None or problem.where.line >= 1


def _role(path: Path) -> None:
    """Have a role's tasks be what is in a file, and lint a runbook that uses it."""
    tasks = path.parent / "roles" / "fuzzed" / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    path.replace(tasks / "main.yml")
    path.write_text(_USES_A_ROLE)
    _lint(path)


def _seeds(*places: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for place in places for path in sorted(TESTS.glob(place)))


def _written(page: str) -> tuple[bytes, ...]:
    """Return the YAML that a page of the documentation shows."""
    text = (TESTS.parent / "docs" / page).read_text("utf-8")
    return tuple(block.encode() for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))


def _drawn(text: str) -> None:
    """Hold what is drawn on a terminal to its promise: nothing in it moves a cursor."""
    assert all(c.isprintable() or c in " \xa0" or ord(c) > 0xFF for c in printable(text)), (
        "unprintable"
    )
    assert "\x1b" not in words(text)
    printable_lines(text)


def _masked_once(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once, "masking twice changes something"


def _recorded(text: str) -> None:
    event = from_text(text)
    assert from_text(to_text(event)) == event, "an event does not survive being written"


def _told(value: object) -> None:
    request = ObserveRequest(id="i", pattern="a", wants={"a": ("one",)})
    translator = Translator(request=request)
    records = value if isinstance(value, list) else [value]
    reports = [
        report
        for record in records
        if isinstance(record, Mapping)
        for report in translator.feed(record)
    ]
    reports += translator.finish(Ending.COMPLETED, None)
    assert len([each for each in reports if type(each).__name__ == "HostObserved"]) == 1


def _answered(text: str) -> None:
    told = answer_in(text)
    if told is not None:
        rounds_of(told, {"told": "told"}, None)


def _plain(value: object) -> None:
    json.dumps(plain(value, max_characters=10_000), allow_nan=False).encode()
    mask_value(value)


def _followed(chains: Mapping[str, packets.Chain]) -> None:
    packets.follow(packets.Packet("tcp", 80, "127.0.0.1", "127.0.0.1", "lo"), dict(chains))


def _by_iptables(text: str) -> None:
    for chains in iptables.parse_rules(text).values():
        _followed(chains)


def _by_nftables(text: str) -> None:
    for table in nftables.parse_ruleset(text):
        nftables.is_of_iptables(table)
        nftables.concerns(table, 4)
        _followed(table.chains)


def _nginx(text: str) -> None:
    tree = nginx_syntax.read_tree(nginx_syntax.split_dump(text))
    rows = nginx_syntax.servers(tree)
    nginx_syntax.backends(rows, nginx_syntax.upstreams(tree))


def _traced(text: str) -> None:
    tracebacks.facts_of(tracebacks.find_last(text.splitlines()))


def _by_systemd(text: str) -> None:
    services.systemd_facts(services.parse_properties(text))


_USES_A_ROLE = """
runbook: finds
title: Uses a role
params: {pin: {type: string, secret: true}}
steps:
  - check: seen
    title: It is seen
    probe: {file: {path: /x}}
    next: {passed: end(healthy), failed: mend}
  - fix: mend
    title: Mend it
    role: {name: fuzzed, vars: {first: "{{ seen.content }}", second: "{{ pin }}"}}
    verify: {symptom: seen}
"""
_PROC_STAT = (
    b"42 (ng inx) S 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 1 0 1234 9 8 7 6 5 4 3 2 1\n"
)
_SOCKETS = bytes.fromhex(
    # A listener at 127.0.0.1 port 8000, and the end.
    "58000000 14000200 00000000 00000000 020a0000 1f400000 7f000001"
    + "00" * 52 + "21000000 49000000 14000000 03000200 00000000 00000000 00000000"
)  # fmt: skip
_LISTENERS = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    b"   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 12345 1\n"
    b"   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1\n"
)
_NGINX = b"""# configuration file /etc/nginx/nginx.conf:
user www-data; events { worker_connections 10; }
http { include /etc/nginx/conf.d/*.conf; upstream app { server 127.0.0.1:8000 weight=2; server unix:/run/a.sock; } }
# configuration file /etc/nginx/conf.d/a.conf:
server { listen [::]:80 default_server; server_name a.example *.b.example ~^x(?<n>.)$;
  location ~ "^/a{2}" { proxy_pass http://app/; } location / { set $x 'y;'; uwsgi_pass 127.0.0.1:3031; } }
"""
_NFT = b"""{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "inet", "name": "f"}},
{"chain": {"family": "inet", "table": "f", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
{"set": {"family": "inet", "table": "f", "name": "s", "elem": [22, {"range": [80, 90]}, {"prefix": {"addr": "192.0.2.0", "len": 24}}]}},
{"rule": {"family": "inet", "table": "f", "chain": "in", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp",
"field": "dport"}}, "right": {"set": [22, "@s"]}}}, {"vmap": {"key": {"meta": {"key": "iifname"}}, "data": {"set": []}}}, {"accept": null}]}}]}"""
_IPTABLES = b"""*filter
:INPUT DROP [0:0]
:app - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m multiport ! --dports 22,80:90 -m comment --comment "a \\"b" -j app
-A app -s 192.0.2.0/24 -m conntrack --ctstate NEW -g INPUT
COMMIT
"""
_TRACEBACK = b"""Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    import nothing
ModuleNotFoundError: No module named 'nothing'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app.py", line 5, in <module>
ImportError: cannot import name 'x' from 'y' (/srv/y.py)
"""
_LOG_TIMES = (
    b"2026-01-02T03:04:05.678+01:00 x", b"2026/01/02 03:04:05 [error]", b"Jan  2 03:04:05 host x",
    b'192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET /"', b"[2026-01-02 03:04:05 +0000] [1] [INFO]", b"1767322800.5 x",
    b"Fri Jan 02 03:04:05.1 2026",
)  # fmt: skip
_EVENTS = (
    b'{"causes":[],"host":"a","reason":"x","type":"host_finished","v":1,"verdict":"healthy"}',
    *(
        to_text(event).encode()
        for event in (
            Noted(hosts=("a",), step="s", text="x", by="ann"),
            RunResumed(operator="ann"),
            RunInterrupted(reason="x"),
            RunFinished(verdict=Verdict.RESOLVED),
        )
    ),
)
_DNS = b"\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
_CERTIFICATE = b64decode(
    "MIIBfjCCATCgAwIBAgIUEursM0f2olNx5k+pZjStyMjR6GcwBQYDK2VwMCAxEjAQBgNVBAMMCWEuZXhhbXBsZTEKMAgGA1UECgwBeDAeFw0yNjExMjIwMzUzMzlaFw0zNjExMTkwMzUzMzlaMCAxEjAQBgNVBAMMCWEuZXhhbXBsZTEKMAgGA1UECgwBeDAqMAUGAytlcAMhABSCv7btwaW4gFwlDejpfRTk7XtNBOq0wESiE7OG1fQqo3wwejAdBgNVHQ4EFgQUQmyQVEpj3Yob+qka5PE0++hqIAcwHwYDVR0jBBgwFoAUQmyQVEpj3Yob+qka5PE0++hqIAcwDwYDVR0TAQH/BAUwAwEB/zAnBgNVHREEIDAegglhLmV4YW1wbGWCCyouYi5leGFtcGxlhwR/AAABMAUGAytlcANBAJW8zKUtXx/peMfs8aAHAdwo6K13BBwY4LM3spxRZIeXCoiuXZIEh9P9b3LkUzKihijaOJpXhioPzX5A5zMloAA="
)
_ANSWER = b'noise\n{"answers": {"told": {"looked": true, "facts": {"a": [1, 2.5, null, "x"]}, "took_s": 0.1}}}\n'
_RECORDS = (
    b'[{"kind": "observed", "host": "a", "observations": {"one": {"result": "passed", "facts": {"x": 1}, "seen_at": 1.5}}, "texts": {"one": {"title": "t", "commands": ["a"]}}}]',
    b'[{"kind": "task", "host": "a", "task": "t", "status": "failed", "message": "m", "diff": "d"}, {"kind": "ours", "host": "a", "task": "runbook_begin"}]',
    b'[{"kind": "hosts", "hosts": ["a"], "params": {"a": {"p": 1}}, "problems": [{"host": "a", "param": "p"}], "groups": {"a": ["g"]}}, {"kind": "began", "host": "a", "task": "x"}]',
)  # fmt: skip
_SECRETS = (
    b"https://app:hunter2@db.example/ password=hunter2 token: 'abc' --api-key abcdef Authorization: Bearer abcdefghijklmnopqrst",
    b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- AKIAIOSFODNN7EXAMPLE ghp_abcdefghijklmnopqrst1234 eyJhbGciOiJI.eyJzdWIi0000.abc",
)  # fmt: skip
_TEMPLATES = (
    b"{{ told.content | default('x') | quote }} {% if a is defined and b in [1, 2] %}x{% endif %}", b"{{ lookup('file', told.a) }}",
    b"told.rc == 0 and (site.status | int) not in [502, 503] or 'a\\nb' ~ x is match('.*')",
)  # fmt: skip

TARGETS: tuple[Target, ...] = (
    Target(name="reader", take=lambda data: read(data, "x.yml", foreign=lambda path: "task" in path), seeds=_seeds("golden/lint/*.yml"), share=20),
    Target(name="parser and lint", take=_as_file(_lint), seeds=_seeds("golden/lint/*.yml", "runbooks/*.yml"), share=5),
    Target(name="roles", take=_as_file(_role), seeds=_seeds("golden/lint/roles/*/tasks/*.yml", "../roles/*/tasks/*.yml"), share=5),
    Target(name="policies", take=_as_file(load_policy), seeds=_written("how-to/policies.md"), refuses=(RunbookError,), share=10),
    Target(name="schedules", take=_as_file(load_timetable), seeds=_written("how-to/schedules.md"), refuses=(RunbookError,), share=10),
    Target(name="cron", take=_of_text(mistake), seeds=(b"*/5 1-3 * jan mon#2", b"30 2 L * *")),
    Target(name="templates", take=_of_text(template_uses), seeds=_TEMPLATES),
    Target(name="conditions", take=_of_text(condition_uses), seeds=_TEMPLATES),
    Target(name="records of results", take=_of_json(_told), seeds=_RECORDS, share=40),
    Target(name="answers of probes", take=_of_text(_answered), seeds=(_ANSWER,), share=40),
    Target(name="data of hosts", take=_of_json(_plain), seeds=(_ANSWER[6:-1], *_RECORDS, _NFT), refuses=(TooMuchError,), share=40),
    Target(name="diffs", take=_of_json(difference), seeds=(b'[{"before": "a\\nb", "after": {"x": 1}, "before_header": "f"}, {"prepared": "x"}]',), share=40),
    Target(name="events of a journal", take=_of_text(_recorded), seeds=_EVENTS, refuses=(RunbookError,), share=40),
    Target(name="words on a terminal", take=_of_text(_drawn), seeds=(b"\x1b[31mred\r\n\t", b"a \xe2\x80\xaegnp.exe", *_SECRETS), share=40),
    Target(name="masking", take=_of_text(_masked_once), seeds=_SECRETS, share=40),
    Target(name="/proc/PID/stat", take=_of_text(procfs.parse_stat), seeds=(_PROC_STAT,), share=40),
    Target(name="/proc/net/tcp", take=_of_text(procfs.parse_listeners), seeds=(_LISTENERS,), share=40),
    Target(name="sock_diag", take=lambda data: sock_diag.parse(data, []), seeds=(_SOCKETS,), refuses=(sock_diag.RefusedError,), share=40),
    Target(name="HTTP", take=_http, seeds=(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n b\r\n\r\nok", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n"), refuses=(http_messages.BrokenOffError, http_messages.NoAnswerError, http_messages.NotHttpError), share=40),
    Target(name="connections", take=_of_text(lambda text: logins.parse_connections(text, 22)), seeds=(_LISTENERS,), share=40),
    Target(name="limits", take=_of_text(processes.parse_open_files_limit), seeds=(b"Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 unlimited            files\n",)),
    Target(name="meminfo", take=_of_text(system.parse_table), seeds=(b"MemTotal:  24 kB\nHugePages_Total: 0\n",)),
    Target(name="mountinfo", take=_of_text(lambda text: system.find_mount("/var/log", text)), seeds=(b"36 35 98:0 / / rw,noatime master:1 - ext4 /dev/root rw\n37 36 0:5 / /var\\040x rw - tmpfs t rw,size=1\n",)),
    Target(name="pressure", take=_of_text(system.parse_pressure), seeds=(b"some avg10=0.12 avg60=0.00 avg300=0.00 total=1\nfull avg10=1\n",)),
    Target(name="utmp", take=lambda data: (system.parse_users(data), logins.parse_utmp(data)), seeds=((7).to_bytes(4, "little") + (42).to_bytes(4, "little") + b"pts/0".ljust(32, b"\0") + b"ts/0" + b"ann".ljust(32, b"\0") + b"192.0.2.1".ljust(256, b"\0") + bytes(52),)),
    Target(name="seats", take=_of_text(logins.parse_seat), seeds=(b"UID=0\nUSER=root\nREMOTE=1\nREMOTE_HOST=192.0.2.1\nLEADER=42\nTTY=pts/0\nREALTIME=1\n",)),
    Target(name="locks", take=_of_text(lambda text: activity.parse_locks(text, {"fd:00:42"})), seeds=(b"1: POSIX  ADVISORY  WRITE 723 fd:00:42 0 EOF\n1: -> FLOCK ADVISORY READ 9 00:1:2 0 EOF\n",)),
    Target(name="dpkg.log", take=_of_text(lambda text: activity.parse_dpkg_log(text, 0.0)), seeds=(b"2026-01-02 03:04:05 upgrade nginx:amd64 1.0 1.1\n2026-01-02 03:04:06 status installed x 1\n",)),
    Target(name="systemctl show", take=_of_text(_by_systemd), seeds=(b"LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=42\nNRestarts=3\nExecMainStatus=1\nResult=exit-code\n",)),
    Target(name="supervisorctl status", take=_of_text(lambda text: services.parse_supervisor_status("app", text)), seeds=(b"app                 RUNNING   pid 42, uptime 1 day, 0:00:05\ng:app FATAL  Exited too quickly\n",)),
    Target(name="supervisord", take=_of_json(lambda value: services.process_facts(value) if isinstance(value, dict) else None), seeds=(b'{"name": "app", "statename": "RUNNING", "pid": 42, "start": 1, "stop": 0, "now": 5, "exitstatus": 0, "spawnerr": ""}',)),
    Target(name="docker compose ps", take=_of_text(lambda text: services.compose_facts(services.parse_compose(text))), seeds=(b'{"Name": "a", "State": "running", "ExitCode": 0, "Health": "healthy"}\n{"Name": "b"}\n', b'[{"Name": "a", "State": "exited", "ExitCode": 1}]')),
    Target(name="nginx -T", take=_of_text(_nginx), seeds=(_NGINX,), share=30),
    Target(name="nginx's errors", take=_of_text(nginx.parse_error), seeds=(b'nginx: [emerg] unknown directive "x" in /etc/nginx/nginx.conf:3\nnginx: configuration file /etc/nginx/nginx.conf test failed\n',)),
    Target(name="addresses", take=_of_text(lambda text: nginx_syntax.read_address(text, 80)), seeds=(b"[::1]:80", b"unix:/run/a.sock", b"127.0.0.1:8000", b"*:80")),
    Target(name="iptables-save", take=_of_text(_by_iptables), seeds=(_IPTABLES,)),
    Target(name="nft -j list ruleset", take=_of_text(_by_nftables), seeds=(_NFT,)),
    Target(name="logs", take=lambda data: logs.split_lines(data, NOW), seeds=(b"\n".join(_LOG_TIMES),)),
    Target(name="times in logs", take=_of_text(lambda text: timestamps.read_moment(text, NOW)), seeds=_LOG_TIMES, share=40),
    Target(name="journalctl", take=_of_text(logs.parse_journal), seeds=(b'{"__REALTIME_TIMESTAMP": "1767322800000000", "MESSAGE": "x"}\n{"MESSAGE": [104, 105]}\n{"MESSAGE": null}\n',)),
    Target(name="tracebacks", take=_of_text(_traced), seeds=(_TRACEBACK,)),
    Target(name="imports", take=imports.parse_failures, seeds=(b'[{"module": "a", "type": "ImportError", "message": "No module named x"}]',), refuses=(CannotLookError,)),
    Target(name="git status", take=_of_text(work_trees.parse_status), seeds=(b"# branch.oid 1234\0# branch.head main\0# branch.ab +1 -2\0001 .M N... 1 1 1 a b f\0? g\0", b"# branch.oid (initial)\n# branch.head (detached)\nu UU N... 1 2 3 4 a b c f\n")),
    Target(name="answers of name servers", take=lambda data: name_servers.parse_reply(data, 7, "A"), seeds=(_DNS,), share=40),
    Target(name="certificates", take=x509.read_certificate, seeds=(_CERTIFICATE,), share=40),
    Target(name="values of facts", take=_of_json(lambda value: values.plain(value, 1000)), seeds=(_ANSWER[6:-1], _NFT)),
)  # fmt: skip
