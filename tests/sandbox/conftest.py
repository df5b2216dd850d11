"""One real sandbox site for all tests; each test that breaks it gets it as deployed."""

from collections.abc import Iterator

import pytest

from runbook.demo.faults import mend
from runbook.demo.site import Site


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a running site to tests that only look at it."""
    site = Site.create(tmp_path_factory.mktemp("sandbox") / "web1")
    try:
        site.up()
        yield site
    finally:
        site.remove()


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """Give the running site, as deployed, to a test that may break it; mend it afterwards."""
    yield running_site
    mend(running_site)
