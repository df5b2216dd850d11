"""One real sandbox site for all tests; each test that breaks it gets it as deployed."""

from collections.abc import Iterator
from pathlib import Path

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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty folder whose path is short enough for a site's socket, also under xdist."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="session")
def deployed(running_site: Site) -> dict[Path, bytes]:
    """Give the site's files as they were deployed."""
    return _files(running_site)


@pytest.fixture
def site(running_site: Site, deployed: dict[Path, bytes]) -> Iterator[Site]:
    """Give the running site, as deployed, to a test that may break it; mend it afterwards."""
    yield running_site
    # A test that repaired what it broke need not wait for a new start.
    repaired = running_site.ask(running_site.web_port).healthy and _files(running_site) == deployed
    if not repaired:
        mend(running_site)


def _files(site: Site) -> dict[Path, bytes]:
    trees = (site.folder / "etc", site.deployment.backend_directory / "app")
    return {path: path.read_bytes() for tree in trees for path in tree.rglob("*") if path.is_file()}
