"""`runbook run fix-502` on a site that is really broken: cause, repair, and what nginx says after.

What only a host of its own can show, `tests/lab/test_matrix.py` plays.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from tests.acceptance.program import Finished, Program


def _fix(inventory: Path, home: Path, *more: str) -> Finished:
    program = Program(home=home, folder=Path.cwd())
    return program("run", "fix-502", "-i", str(inventory), "--json", *more)


# What the evidence of a cause has to name.
EVIDENCE = {
    "import-error": "ScrapeSession",
    "import-error-auth": "app.core.auth",
    "import-error-class": "app.models.user",
    "package-missing": "webmagic_pricing",
    "wrong-address": "127.0.0.2",
    "backend-hanging": '"state": "T"',
    "nginx-config-broken": "proxy_read_timeout",
    "directive-unknown": "proxy_passs",
    "listen-duplicate": "duplicate listen",
    "upstream-missing": "host not found in upstream",
    "login-missing": "/api/v1/accounts/unified-login",
}
# What is broken at the same time, a site each; of one site, two faults, found one after the other.
# Those of a group take about as long.
GROUPS = (
    ("backend-slow", "files-exhausted", "backend-hanging", "upstream-port backend-stopped"),
    ("headers-missing", "location-missing", "upstream-missing", "login-missing"),
    ("nginx-stopped", "nginx-config-broken", "nginx-down-config-broken", "upstream-port"),
    ("backend-stopped", "port-taken", "crash-loop", "package-missing"),
    ("log-directory-missing", "database-stopped", "wrong-port", "wrong-address"),
    ("import-error-auth", "virtualenv-missing", "directory-missing"),
)
# Other shapes of a cause: those are for the whole matrix.
FURTHER = ("import-error", "import-error-class", "directive-unknown", "listen-duplicate")
# One group's first is walked once more afterwards, to see that nothing is left to do; in the lab, all are.
REPEATED = GROUPS[1]
# One is watched after its repair.
WATCHED = "nginx-config-broken"


@pytest.mark.parametrize(
    "group",
    [*GROUPS, pytest.param(FURTHER, marks=pytest.mark.matrix)],
    ids=", ".join,
)
def test_the_faults_are_found_and_repaired_where_they_can_be(
    group: tuple[str, ...], sites: Mapping[str, Site], tmp_path: Path
) -> None:
    """Each site's faults end in their own causes alone; it answers again, or is escalated."""
    broken = {
        host: (site, [FAULTS[name] for name in names.split()])
        for (host, site), names in zip(sites.items(), group, strict=False)
    }
    for site, faults in broken.values():
        for fault in faults:
            fault.inject(site)
    inventory = sites["web1"].folder.parent / "inventory.yml"

    watch = ["--set", "watch_for=10s"] if WATCHED in group else []
    done = _fix(inventory, tmp_path, "--host", ",".join(broken), "--yes", *watch)

    expected = 0
    for host, (site, faults) in broken.items():
        told = done.document["hosts"][host]
        found = {cause["id"]: json.dumps(cause["evidence"]) for cause in told["causes"]}
        assert len(told["causes"]) == len(faults), done.stderr
        assert found.keys() == {fault.cause for fault in faults}, done.stderr
        for fault in faults:
            assert EVIDENCE.get(fault.name, "") in found[fault.cause]
        if all(fault.repairable for fault in faults):
            assert told["verdict"] == "resolved", done.stderr
            assert told["fixes"][-1]["outcome"] == "resolved"
            assert told["fixes"][-1]["verified"]
            # Its own answer, not a fast one: one fault leaves it slow.
            assert site.ask(site.web_port, timeout_s=30.0).healthy
        else:
            assert told["verdict"] == "escalated", done.stderr
            assert told["fixes"] == []
            expected = 3
        if faults[0].name == WATCHED:
            assert {"login", "watch_10s"} <= set(told["path"])
        if faults[0].name == "import-error-auth":
            assert str(_line_of(site, "app.core.auth")) in json.dumps(told["causes"])
    assert done.code == expected, done.stderr
    if group is REPEATED:
        again = _fix(inventory, tmp_path, "--host", "web1", "--yes")
        assert (again.code, again.document["verdict"]) == (0, "healthy")
        assert again.document["hosts"]["web1"]["fixes"] == []


def _line_of(site: Site, words: str) -> int:
    module = site.deployment.backend_directory / "app/api/v1/endpoints/scrapes.py"
    lines = module.read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if words in text)


def test_every_fault_is_injected_and_every_cause_in_an_ordinary_run() -> None:
    """Whatever is left out of an ordinary run has its cause proven by another fault."""
    kept = {name for group in GROUPS for names in group for name in names.split()}

    assert kept | set(FURTHER) == FAULTS.keys()
    assert {FAULTS[name].cause for name in kept} == {fault.cause for fault in FAULTS.values()}


def test_a_healthy_site_costs_one_look_and_no_login(site: Site, tmp_path: Path) -> None:
    """All that a healthy site is asked about is seen in one go; nothing is done, nobody logs in."""
    access_log = site.folder / "log/backend-access.log"
    before = len(access_log.read_text())

    done = _fix(site.folder / "inventory.yml", tmp_path, "--host", "prod")

    assert (done.code, done.document["verdict"]) == (0, "healthy"), done.stderr
    assert done.document["hosts"]["web1"]["fixes"] == []
    assert done.stderr.count("… looking\n") == 1
    assert "login_routed" in done.document["hosts"]["web1"]["path"]
    assert "POST" not in access_log.read_text()[before:]
