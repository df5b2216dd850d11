"""Each fault of the catalogue breaks the real site as it says, and mending undoes it."""

import re
from pathlib import Path

import pytest

from runbook.demo.faults import FAULTS, Fault, mend
from runbook.demo.site import Site
from runbook.errors import RunbookError

# Fault -> (nginx's state, the backend's state); None: it may have changed a moment ago.
STATES: dict[str, tuple[str | None, str | None]] = {
    "import-error": (None, "FATAL"),
    "nginx-down-config-broken": ("FATAL", None),
    "backend-hanging": (None, None),
}
LOGGED = {
    "import-error": "ImportError: cannot import name 'ScrapeSession' from 'app.models'",
    "import-error-auth": "ModuleNotFoundError: No module named 'app.core.auth'",
    "import-error-class": "ImportError: cannot import name 'User' from 'app.models.user'",
}
BROKEN_IMPORTS = [fault for fault in FAULTS.values() if fault.cause == "import_error"]
# The others are injected, and have to show, where they are repaired: in test_fix_502.py.
CHOSEN = [FAULTS[name] for name in STATES]


def test_the_catalogue_is_by_name() -> None:
    """Every fault stands under its own name."""
    assert [fault.name for fault in FAULTS.values()] == list(FAULTS)


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda fault: fault.name)
def test_fault_shows_and_is_mended(running_site: Site, fault: Fault) -> None:
    """The site is healthy, then fails in the way the catalogue says, then is healthy again."""
    site = running_site
    assert site.ask(site.web_port).healthy
    log_before = len(site.deployment.backend_log.read_text())

    try:
        fault.inject(site)
        assert site.ask(site.web_port).status == fault.status
        listing = site.supervisorctl("status").stdout
        for service, state in zip(("nginx", "webmagic-api"), STATES[fault.name], strict=True):
            assert re.search(rf"^{service} +{state or ''}", listing, re.MULTILINE)
        logged = site.deployment.backend_log.read_text()[log_before:]
        assert LOGGED.get(fault.name, "") in logged
    finally:
        mend(site)

    assert site.ask(site.web_port).healthy
    assert site.ask(site.backend_port).healthy


def test_the_other_broken_imports_are_logged(site: Site) -> None:
    """The other broken imports end the backend, too, and its log names what was not found."""
    for fault in BROKEN_IMPORTS[1:]:
        log_before = len(site.deployment.backend_log.read_text())
        site.deployment.write()

        fault.inject(site)

        assert LOGGED[fault.name] in site.deployment.backend_log.read_text()[log_before:]
        assert site.ask(site.web_port).status == 502


def test_two_faults_at_once(site: Site) -> None:
    """A second fault may be added to a broken site; each stays by itself."""
    FAULTS["upstream-port"].inject(site)
    FAULTS["backend-stopped"].inject(site)

    status = site.status()
    assert status.through_nginx.status == 502
    assert status.services["webmagic-api"] == "STOPPED"
    assert f"server 127.0.0.1:{site.spare_port};" in site.deployment.nginx_site_config.read_text()


def test_the_same_fault_twice_is_refused(site: Site) -> None:
    """Breaking what is broken already is an error that names the file and the way back."""
    FAULTS["nginx-config-broken"].inject(site)

    with pytest.raises(RunbookError) as caught:
        FAULTS["nginx-config-broken"].inject(site)

    assert caught.value.problems[0].reference == "fault-has-no-effect"
    assert caught.value.problems[0].hint == "runbook demo mend"


def test_a_site_that_is_down_is_not_broken(folder: Path) -> None:
    """No fault is injected into a site that does not run."""
    site = Site.create(folder / "site")
    before = site.deployment.nginx_site_config.read_text()

    with pytest.raises(RunbookError) as caught:
        FAULTS["nginx-config-broken"].inject(site)

    assert caught.value.problems[0].reference == "site-is-down"
    assert site.deployment.nginx_site_config.read_text() == before
