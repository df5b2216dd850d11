"""Ansible for a run: started before most of our own modules are imported, as it takes longer.

So this one imports little.
"""

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from runbook.driver.requirements import require_ansible
from runbook.executor.kept import keep_one, kept_starter
from runbook.executor.lent import LentStarter
from runbook.executor.process import Forking
from runbook.executor.runner import Starter


@contextmanager
def importing() -> Iterator[None]:
    """Import many modules: what they are made of stays, so nothing of it is looked for as garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


_lent: list[LentStarter] = []


def lend(starter: LentStarter) -> None:
    """Have all runs of this process, and of those forked from it, use a starter that is there."""
    _lent.append(starter)


@contextmanager
def ansible_started(config: Path | None, keep_min: int = 0) -> Iterator[Forking]:
    """Have Ansible start while other things are done, once for all a run asks of it.

    `config` is Ansible's configuration file. With `keep_min` one is used that stayed ready, or stays
    ready from now on, for so many minutes. Raises RunbookError.
    """
    require_ansible()
    for lent in _lent:
        if lent.config == config and lent.is_running():
            yield lent
            return
    with kept_starter(config) if keep_min else nullcontext() as kept:
        if kept is not None:
            yield kept
            return
    with closing(Starter.start(config)) as starter:
        yield starter
    if keep_min:
        keep_one(config, 60.0 * keep_min)
