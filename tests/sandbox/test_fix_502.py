"""`runbook run fix-502` on a site that is really broken: cause, repair, and what nginx says after.

What only a host of its own can show, `tests/lab/test_matrix.py` plays.
"""

import json
from pathlib import Path

import pytest

from runbook.demo.faults import FAULTS
from runbook.demo.site import Site
from tests.acceptance.program import Finished, Program


def _fix(site: Site, home: Path, *more: str) -> Finished:
    inventory = str(site.folder / "inventory.yml")
    program = Program(home=home, folder=Path.cwd())
    return program("run", "fix-502", "-i", inventory, "--host", "prod", "--json", *more)


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
# Other shapes of a cause: those are for the whole matrix.
FURTHER = {"import-error", "import-error-class", "directive-unknown", "listen-duplicate"}
# One is walked once more afterwards, to see that nothing is left to do; in the lab, all are.
AGAIN = "headers-missing"
# One is watched after its repair.
WATCHED = "nginx-config-broken"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.matrix] * (name in FURTHER)) for name in FAULTS],
)
def test_the_fault_is_found_and_repaired_where_it_can_be(
    name: str, site: Site, tmp_path: Path
) -> None:
    """Each fault of the sandbox ends in its own cause alone; the site answers, or is escalated."""
    fault = FAULTS[name]
    fault.inject(site)

    watch = ["--set", "watch_for=10s"] if name == WATCHED else []
    done = _fix(site, tmp_path, "--yes", *watch)

    host = done.document["hosts"]["web1"]
    assert [cause["id"] for cause in host["causes"]] == [fault.cause], done.stderr
    assert EVIDENCE.get(name, "") in json.dumps(host["causes"][0]["evidence"])
    if fault.repairable:
        assert (done.code, host["verdict"]) == (0, "resolved"), done.stderr
        assert host["fixes"][-1]["outcome"] == "resolved"
        assert host["fixes"][-1]["verified"]
        # Its own answer, not a fast one: one fault leaves it slow.
        assert site.ask(site.web_port, timeout_s=30.0).healthy
    else:
        assert (done.code, host["verdict"]) == (3, "escalated"), done.stderr
        assert host["fixes"] == []
    if name == WATCHED:
        assert {"login", "watch_10s"} <= set(host["path"])
    if name == "import-error-auth":
        assert str(_line_of(site, "app.core.auth")) in json.dumps(host["causes"])
    if name == AGAIN:
        again = _fix(site, tmp_path, "--yes")
        assert (again.code, again.document["verdict"]) == (0, "healthy")
        assert again.document["hosts"]["web1"]["fixes"] == []


def _line_of(site: Site, words: str) -> int:
    module = site.deployment.backend_directory / "app/api/v1/endpoints/scrapes.py"
    lines = module.read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if words in text)


def test_every_cause_that_can_be_had_here_is_injected() -> None:
    """Whatever is left out of an ordinary run has its cause proven by another fault."""
    kept = {fault.cause for name, fault in FAULTS.items() if name not in FURTHER}

    assert {fault.cause for fault in FAULTS.values()} == kept


def test_a_healthy_site_costs_one_look_and_no_login(site: Site, tmp_path: Path) -> None:
    """All that a healthy site is asked about is seen in one go; nothing is done, nobody logs in."""
    access_log = site.folder / "log/backend-access.log"
    before = len(access_log.read_text())

    done = _fix(site, tmp_path)

    assert (done.code, done.document["verdict"]) == (0, "healthy"), done.stderr
    assert done.document["hosts"]["web1"]["fixes"] == []
    assert done.stderr.count("… looking\n") == 1
    assert "login_routed" in done.document["hosts"]["web1"]["path"]
    assert "POST" not in access_log.read_text()[before:]


def test_two_faults_at_once_are_repaired_in_one_run(site: Site, tmp_path: Path) -> None:
    """The backend is stopped and nginx forwards to the wrong port: one after the other, one run."""
    FAULTS["upstream-port"].inject(site)
    FAULTS["backend-stopped"].inject(site)

    done = _fix(site, tmp_path, "--yes")

    host = done.document["hosts"]["web1"]
    assert (done.code, host["verdict"]) == (0, "resolved"), done.stderr
    assert {cause["id"] for cause in host["causes"]} == {"backend_stopped", "upstream_wrong"}
    assert site.ask(site.web_port).healthy
