"""Real sandbox sites for all tests, one or four; a test that breaks them gets them as deployed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runbook.demo import fleet
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


@pytest.fixture(scope="session")
def deployed_fleet(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Mapping[str, Site], dict[str, dict[Path, bytes]]]]:
    """Give four running sites by their names in one inventory, and their files as deployed."""
    place = tmp_path_factory.mktemp("f") / "fleet"
    try:
        sites = fleet.up(place, 4)
        yield sites, {name: _files(site) for name, site in sites.items()}
    finally:
        fleet.remove(place)


@pytest.fixture
def sites(
    deployed_fleet: tuple[Mapping[str, Site], dict[str, dict[Path, bytes]]],
) -> Iterator[Mapping[str, Site]]:
    """Give the four sites, as deployed, to a test that may break them; mend them afterwards."""
    running, files = deployed_fleet
    yield running
    for name, site in running.items():
        _put_back(site, files[name])


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
    _put_back(running_site, deployed)


def _put_back(site: Site, deployed: dict[Path, bytes]) -> None:
    # A test that repaired what it broke need not wait for a new start.
    if not (site.ask(site.web_port).healthy and _files(site) == deployed):
        mend(site)


def _files(site: Site) -> dict[Path, bytes]:
    trees = (site.folder / "etc", site.deployment.backend_directory / "app")
    return {path: path.read_bytes() for tree in trees for path in tree.rglob("*") if path.is_file()}
