"""The boundary to ansible-core, for what its process does before a request, and before its plays.

What is the same for all requests is done in the process that they are forked from. Facts about the
interfaces are from ansible-core 2.19; see `ansible_core` for what plugins use.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from multiprocessing.connection import wait
from types import SimpleNamespace
from typing import Any

from ansible import constants
from ansible.cli.playbook import PlaybookCLI
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins import strategy as strategy_plugins
from ansible.plugins.loader import (
    PluginLoader,
    action_loader,
    become_loader,
    cache_loader,
    callback_loader,
    connection_loader,
    init_plugin_loader,
    inventory_loader,
    shell_loader,
    strategy_loader,
    vars_loader,
)
from ansible.plugins.strategy import StrategyBase
from ansible.plugins.vars import host_group_vars
from ansible.template import Templar, trust_as_template
from ansible.vars.clean import clean_facts

from runbook.executor.ansible_core import AnsibleTemplating
from runbook.model.masking import compile_all

LOOK = "runbook_observe"
"""The action that looks, which is what is asked first."""

POLL_S = 0.005
"""How often Ansible's main process looks for results; its own 0.001 takes 3 % of a processor."""

RESULTS_S = 0.1
"""How long it waits for a result, where it waits for all, before it looks whether a worker has died."""

WORKERS_S = 10.0
"""How long it waits for one of its workers to end before it looks itself; that end wakes it."""

USUAL_FILTERS = (
    *("basename", "bool", "default", "difference", "dirname", "first", "flatten", "int"),
    *("intersect", "join", "length", "list", "lower", "map", "regex_escape", "regex_replace"),
    *("regex_search", "reject", "rejectattr", "select", "selectattr", "sort", "split", "sum"),
)
USUAL_TESTS = ("defined", "equalto", "in", "match", "none", "search", "string")
"""What runbooks use most of what they may."""


def prepare() -> None:
    """Load what every playbook loads, with its documentation, in which Ansible finds its options."""
    constants.DEFAULT_INTERNAL_POLL_INTERVAL = max(POLL_S, constants.DEFAULT_INTERNAL_POLL_INTERVAL)
    _wait_for_workers()
    _wait_for_results()
    _read_options_once()
    _copy_what_is_kept_only()
    _build_parser_once()
    init_plugin_loader()
    import_module("ansible_collections.ansible.builtin")
    # Of these kinds Ansible loads whatever there is, of the others what it uses; not those of
    # variables, all of which it loads if none were looked for before.
    for loader in (become_loader, callback_loader, connection_loader, shell_loader):
        list(loader.all(class_only=True))
    for name in ("auto", "host_list", "ini", "script", "toml", "yaml"):
        inventory_loader.get(name, class_only=True)
    for name in ("free", "linear"):
        strategy_loader.get(name, class_only=True)
    cache_loader.get("memory", class_only=True)
    # Its options only: had it been looked for, Ansible would look for no others.
    vars_loader._load_config_defs(  # noqa: SLF001 -- no public name
        "host_group_vars", host_group_vars, host_group_vars.__file__
    )
    clean_facts({})
    compile_all()
    Templar(loader=DataLoader()).template(trust_as_template("{{ [] | default([]) is defined }}"))
    environment = AnsibleTemplating(Templar(loader=DataLoader())).environment
    for name in USUAL_FILTERS:
        environment.filters.get(name)
    for name in USUAL_TESTS:
        environment.tests.get(name)


def _read_options_once() -> None:
    """Have Ansible read a plugin's documentation once, also where it says nothing of options.

    It would read that again each time it loads the plugin, as with half of those of inventories.
    """
    read = PluginLoader._load_config_defs  # noqa: SLF001 -- no public name
    known: set[tuple[str, str, str]] = set()

    @wraps(read)
    def read_once(loader: Any, name: str, module: Any, path: str) -> None:
        key = (str(loader.class_name), name, path)
        if key not in known:
            read(loader, name, module, path)
            known.add(key)

    PluginLoader._load_config_defs = read_once  # noqa: SLF001 -- no public name


def _copy_what_is_kept_only() -> None:
    """Have Ansible copy what it read from a file only where it keeps that for the next who asks.

    Of inventories it keeps nothing, and to copy one takes as long as to make it of its text.
    """
    load = DataLoader.load_from_file

    @wraps(load)
    def load_from_file(
        loader: Any, file_name: str, cache: str = "all", unsafe: bool = False, **options: Any
    ) -> Any:
        return load(loader, file_name, cache, unsafe or cache == "none", **options)

    DataLoader.load_from_file = load_from_file


def _build_parser_once() -> None:
    """Have the parser of ansible-playbook's command line, of some 40 options, at hand."""
    first = PlaybookCLI(["ansible-playbook"])
    first.init_parser()

    def take_parser(command_line: Any) -> None:
        command_line.parser = first.parser

    PlaybookCLI.init_parser = take_parser


def _wait_for_workers() -> None:
    """Have Ansible's main process wait for a worker's end where all are at work.

    It looks whether one has ended after every 0.1 ms: with more hosts than forks that took half of a
    processor for as long as the hosts took.
    """
    queue = StrategyBase._queue_task  # noqa: SLF001 -- no public name

    @wraps(queue)
    def queue_once_free(strategy: Any, *arguments: Any, **options: Any) -> Any:
        workers = getattr(strategy, "_workers", [])
        if workers and all(worker is not None and worker.is_alive() for worker in workers):
            wait([worker.sentinel for worker in workers], WORKERS_S)
        return queue(strategy, *arguments, **options)

    StrategyBase._queue_task = queue_once_free  # noqa: SLF001 -- no public name


def _wait_for_results() -> None:
    """Have Ansible's main process wait for a worker's result, instead of looking again and again.

    To look, and whether a worker has died, took it a fiftieth of a processor, and half the time between
    two looks went by after each result.
    """
    come = threading.Event()

    class Results(deque[Any]):
        """What the thread that reads results adds them to."""

        def append(self, result: Any) -> None:
            super().append(result)
            come.set()

    begin = StrategyBase.__init__

    @wraps(begin)
    def begin_with_results(strategy: Any, *arguments: Any, **options: Any) -> None:
        begin(strategy, *arguments, **options)
        strategy._results = Results(strategy._results)  # noqa: SLF001 -- no public name

    def sleep(seconds: float) -> None:
        if seconds < POLL_S:
            time.sleep(seconds)
        elif come.wait(RESULTS_S):
            come.clear()

    StrategyBase.__init__ = begin_with_results
    strategy_plugins.time = SimpleNamespace(sleep=sleep)


def before_playbooks(first: str, call: Callable[[], None]) -> None:
    """Have Ansible call this when it has done all that it can before it reads a playbook.

    That reads the playbook `first` as well, and forgets it: what reading takes is at hand then.
    """
    run, load = PlaybookExecutor.run, Playbook.load

    @wraps(run)
    def run_with_callbacks(executor: Any) -> Any:
        # It would load them with the playbook.
        executor._tqm.load_callbacks()  # noqa: SLF001 -- no public name
        return run(executor)

    @wraps(load)
    def call_and_load(name: str, **options: Any) -> Any:
        with suppress(Exception):  # What is wrong is told where the playbook is read.
            load(first, **options)
            action_loader.get(LOOK, class_only=True)
        call()
        return load(name, **options)

    PlaybookExecutor.run = run_with_callbacks
    Playbook.load = staticmethod(call_and_load)
