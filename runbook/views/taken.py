"""Which ways of a decision tree the hosts of a run took."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runbook.model.definition import Goto, StepKind
from runbook.model.sketch import SketchedStep, SketchedWay
from runbook.views.account import HostAccount, RunAccount
from runbook.views.paths import say_target
from runbook.views.titles import common_title


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """The hosts that came to each step, and that left it on each result for a target, in order.

    `hosts` are all that are looked at.
    """

    hosts: tuple[str, ...] = ()
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: Mapping[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)

    def by(self, step: str, way: SketchedWay) -> tuple[str, ...]:
        """Return the hosts that took a way."""
        found = (self.left.get((step, result, way.target), ()) for result in way.results)
        return tuple(dict.fromkeys(host for hosts in found for host in hosts))


def taken_by(hosts: Iterable[HostAccount]) -> Taken:
    """Return the ways that hosts took."""
    names: list[str] = []
    steps: dict[str, dict[str, None]] = {}
    left: dict[tuple[str, str, str], dict[str, None]] = {}
    for told in hosts:
        names.append(told.host)
        for passed in told.path:
            steps.setdefault(passed.step, {})[told.host] = None
            target = say_target(passed.next)
            left.setdefault((passed.step, passed.result, target), {})[told.host] = None
            if isinstance(passed.next, Goto):
                steps.setdefault(passed.next.step, {})[told.host] = None
    return Taken(
        hosts=tuple(names),
        steps={step: tuple(found) for step, found in steps.items()},
        left={way: tuple(found) for way, found in left.items()},
    )


def titles_for(account: RunAccount) -> dict[str, str]:
    """Return the titles of a run's steps, as they hold of all hosts that came to each."""
    rendered: dict[str, dict[str, None]] = {}
    for told in account.hosts.values():
        for step in dict.fromkeys(passed.step for passed in told.path):
            if told.titles.get(step):
                rendered.setdefault(step, {})[told.titles[step]] = None
    return dict(account.titles) | {
        step: common_title(account.titles.get(step, ""), found) for step, found in rendered.items()
    }


def walked_tree(account: RunAccount) -> tuple[SketchedStep, ...]:
    """Return the decision tree of a run: the one it began with, or what its hosts walked of it.

    Runs of earlier versions did not write down the tree.
    """
    if account.tree:
        return account.tree
    ways: dict[str, dict[tuple[str, str], None]] = {}
    for told in account.hosts.values():
        for passed in told.path:
            target = say_target(passed.next)
            ways.setdefault(passed.step, {})[passed.result, target] = None
            if isinstance(passed.next, Goto):
                ways.setdefault(passed.next.step, {})
    fixes = {repair.step for told in account.hosts.values() for repair in told.repairs}
    return tuple(
        SketchedStep(
            id=step,
            kind=StepKind.FIX if step in fixes else StepKind.CHECK,
            ways=tuple(SketchedWay(results=(result,), target=target) for result, target in found),
        )
        for step, found in ways.items()
    )
