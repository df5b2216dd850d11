"""Labs for tests: up once for the tests of a worker, or for one test alone."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.lab.host import HostPlan
from tests.lab.lab import Lab
from tests.lab.site import Manager, Site

# The applications on the hosts have a test_*.py of their own.
collect_ignore = ["layers"]

_NUMBERS = itertools.count(1)
_NICE = os.getpriority(os.PRIO_PROCESS, 0)

AHEAD = 5
"""By how much they are less nice: real hosts have processors of their own, and a look that has
none in its time says, rightly, that it does not know."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Have tests of the lab, and the hosts they bring up, go before all others."""
    with suppress(PermissionError):  # Root, but without the right to it.
        os.setpriority(os.PRIO_PROCESS, 0, _NICE - AHEAD)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Have what this worker does after them be as any other."""
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)


@pytest.fixture(scope="session")
def create_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Lab]]:
    """Give a function that creates an empty lab; it is gone when the tests are over."""
    with ExitStack() as labs:

        def create() -> Lab:
            name = f"test-{os.getpid()}-{next(_NUMBERS)}"
            lab = Lab.create(name, tmp_path_factory.mktemp(name))
            labs.callback(lab.close)
            return lab

        yield create


@pytest.fixture(scope="session")
def lab(create_lab: Callable[[], Lab]) -> Lab:
    """Give the lab that tests share: a host with each manager, `web1`, `web2` and `web3`.

    A test leaves these three as they were. It may bring up others.
    """
    shared = create_lab()
    shared.up(
        HostPlan(name="web1", site=Site(manager=Manager.SYSTEMD)),
        HostPlan(name="web2", site=Site(manager=Manager.SUPERVISOR, redis=True, celery=True)),
        HostPlan(name="web3", site=Site(manager=Manager.PROCESS)),
    )
    return shared


@pytest.fixture(scope="session")
def bare() -> Site:
    """Give the site that is up soonest: the backend under systemd, and no other server."""
    return Site(manager=Manager.SYSTEMD, postgresql=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Give the folder of this project."""
    return Path(__file__).resolve().parents[2]
