"""Ansible for a run: started before most of our own modules are imported, as it takes longer.

So this one imports little.
"""

import atexit
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.errors import RunbookError
from runbook.executor.runner import Starter
from runbook.settings import load_settings
from runbook.spec.places import locate
from runbook.views.no_core import leave_no_core

if TYPE_CHECKING:
    from runbook.executor.lent import LentStarter
    from runbook.executor.process import Forking


_lent: "list[LentStarter]" = []
_ahead: list[Starter] = []


def begin_ahead(name: str | None) -> None:
    """Have Ansible start for a command line that nobody has read yet.

    Not where the runbook `name` is not there: the likeliest mistake is told before anything is
    started. Nor where Ansible may have stayed ready. Whatever else is wrong is found out later; if
    nobody comes for it, it ends with this process.
    """
    with suppress(RunbookError):
        settings = load_settings()
        if settings.keep_ansible:
            return
        if name is not None:
            locate(name, settings.library)
        leave_no_core()
        with _interrupt_held():
            starter = Starter.start(settings.ansible_config)
            atexit.register(starter.close)
            _ahead.append(starter)


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Have Ctrl-C come once what is begun can be ended by whoever it reaches."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _begun_ahead(config: Path | None) -> Starter | None:
    """Return what was begun ahead with this configuration; end what was begun with another one."""
    while _ahead:
        starter = _ahead.pop()
        atexit.unregister(starter.close)
        if starter.config == config and starter.is_running():
            return starter
        starter.close()
    return None


def lend(starter: "LentStarter") -> None:
    """Have all runs of this process, and of those forked from it, use a starter that is there."""
    _lent.append(starter)


@contextmanager
def ansible_started(config: Path | None, keep_min: int = 0) -> "Iterator[Forking]":
    """Have Ansible start while other things are done, once for all a run asks of it.

    `config` is Ansible's configuration file. With `keep_min` one is used that stayed ready, or stays
    ready from now on, for so many minutes. Raises RunbookError.
    """
    for lent in _lent:
        if lent.config == config and lent.is_running():
            yield lent
            return
    from runbook.driver.requirements import require_ansible  # noqa: PLC0415 -- while it starts

    require_ansible()
    if keep_min:
        from runbook.executor.kept import keep_one, kept_starter  # noqa: PLC0415 -- seldom wanted

    with kept_starter(config) if keep_min else nullcontext() as kept:
        if kept is not None:
            yield kept
            return
    with closing(_begun_ahead(config) or Starter.start(config)) as starter:
        yield starter
    if keep_min:
        keep_one(config, 60.0 * keep_min)
