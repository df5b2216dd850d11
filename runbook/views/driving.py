"""`run`, `diagnose` and `resume` without their command line: who watches, who answers, what is said."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.driver.launch import new_run_id, stopped_here
from runbook.driver.operator import (
    AbsentOperator,
    ApprovingOperator,
    Bench,
    Operator,
    UnwatchedOperator,
)
from runbook.driver.whole import end_if_over, slice_of, slices_of, whole_run
from runbook.errors import RunbookError
from runbook.executor.process import Forking
from runbook.executor.target import Target
from runbook.journal import Journal, RunSummary
from runbook.model.definition import Runbook
from runbook.model.event import Mode
from runbook.model.policy import Ramp, Source
from runbook.model.verdict import EXIT_INTERRUPTED, Verdict, exit_code, worst
from runbook.settings import Settings
from runbook.spec.loading import load
from runbook.views import output
from runbook.views.configured import state_place
from runbook.views.console import View, is_live, observer_for
from runbook.views.given import parse_settings
from runbook.views.keyboard import find_keyboard
from runbook.views.options import Aim, options_again
from runbook.views.report_document import run_document
from runbook.views.running import (
    Order,
    Result,
    carry_out,
    go_on,
    operator_name,
    recorded_start,
    take_back,
    target_of,
)
from runbook.views.slicing import put_slices
from runbook.views.summary import Finish, summary, summary_text
from runbook.views.tracing import tell_trace
from runbook.views.wish import Wish
from runbook.views.words import say_observation

if TYPE_CHECKING:
    from runbook.driver.policing import PolicedOperator

_LONGEST_EVIDENCE = 200


def start(
    name: str, host: str, wish: Wish, settings: Settings, journal: Journal, *, starter: Forking
) -> int:
    """Run a runbook on hosts; return the exit code; raise RunbookError."""
    runbook = load(name, settings.library)
    order = Order(
        runbook=runbook,
        mode=wish.mode,
        pattern=host,
        target=replace(
            target_for(wish.aim, settings), given=parse_settings(wish.aim.given, runbook.params)
        ),
        home=settings.home,
        run=wish.run or new_run_id(time.time()),
        stepping=wish.step,
        wait_s=wish.wait.total_seconds(),
        blocking=settings.collisions_block,
        paused=_paused(wish, settings),
        ramp=_ramp(wish, settings),
        source=Source(wish.source),
        severity=wish.severity,
        at_most=wish.slice_hosts,
        slice=slice_of(wish.run, journal),
    )
    with _view(runbook, wish) as view:
        order, operator = _answered(order, wish, view, settings, journal)
        result = carry_out(order, starter, journal, operator, view)
        starter.dismiss()  # It ends while it is said what came of the run.
    if result.slices:
        return put_slices(result.run, result.slices, settings, journal)
    code = _say(result, order, journal, wish, wish.aim.options)
    _trace(result, journal)
    return code


def resume(stopped: RunSummary, wish: Wish, settings: Settings, journal: Journal) -> int:
    """Go on with a run that stopped; return the exit code; raise RunbookError."""
    if journal.slices(stopped.id):
        return resume_slices(stopped, wish, settings, journal)
    result, order, options = _gone_on(stopped, wish, settings, journal)
    if result.slices:
        return put_slices(result.run, result.slices, settings, journal)
    code = _say(result, order, journal, wish, options)
    _trace(result, journal)
    return code


def resume_slices(whole: RunSummary, wish: Wish, settings: Settings, journal: Journal) -> int:
    """Go on with those slices of a run that have begun and stopped, one after the other.

    Those that stopped in a fix come first: the others wait for what came of it.
    """
    stopped = [one for one in slices_of(whole, journal) if one.verdict in (None, Verdict.WAITING)]
    acting = {claim.run for claim in journal.claims() if claim.acting}
    stopped.sort(key=lambda one: one.id not in acting)
    if not stopped:
        raise RunbookError.of(
            "nothing-to-resume",
            f"every slice of run {whole.id} that has begun has come to its end",
            hint="`runbook queue` lists those that wait for their turn, which the service starts",
        )
    verdicts = []
    for one in stopped:
        result, order, options = _gone_on(one, wish, settings, journal)
        verdicts.append(result.verdict)
        if not wish.output.json:
            _say(result, order, journal, wish, options)
        _trace(result, journal)
        if result.verdict is None:
            break
    end_if_over(whole.id, journal, at=time.time())
    if wish.output.json:
        told = whole_run(journal.find(whole.id), journal)
        output.write_json(run_document(told.summary, told.entries))
    known = [verdict for verdict in verdicts if verdict is not None]
    return exit_code(worst(known)) if len(known) == len(verdicts) else EXIT_INTERRUPTED


def _gone_on(
    stopped: RunSummary, wish: Wish, settings: Settings, journal: Journal
) -> tuple[Result, Order, tuple[str, ...]]:
    """Go on with a run; return what came of it, with what it was, and how it was aimed."""
    if wish.unattended:
        wish = _as_it_was_started(stopped, wish, journal)
    try:
        order = _recorded_order(stopped, wish, settings, journal)
    except RunbookError as error:
        # Its runbook may be gone or unsound by now: closing the run is left.
        raise RunbookError(*error.problems, stopped_here(stopped.id)) from error
    if not wish.unattended and stopped.verdict is Verdict.WAITING:
        _withdraw(stopped.id, settings)
    with _view(order.runbook, wish) as view:
        order, operator = _answered(order, wish, view, settings, journal)
        result = go_on(order, stopped, journal, operator, view)
    target = order.target
    options = options_again(target.inventories, target.vault_ids, target.vault_password_files)
    return result, order, options


def _as_it_was_started(stopped: RunSummary, wish: Wish, journal: Journal) -> Wish:
    """Return the wish of whatever started a run; raise RunbookError where that was a person."""
    settings = recorded_start(journal, stopped).settings
    source = settings.get("started_by", Source.PERSON.value)
    if source == Source.PERSON:
        raise RunbookError.of(
            "run-attended",
            f"run {stopped.id} was started by a person, who has to go on with it",
            hint=f"runbook resume {stopped.id}",
        )
    return replace(wish, source=source, severity=settings["severity"])


def undo(past: RunSummary, wish: Wish, settings: Settings, journal: Journal) -> int:
    """Take back what a run did; return the exit code; raise RunbookError.

    The code is 0 where all of it is undone, 1 where an undo failed, 3 where one was declined, 130
    where it was interrupted.
    """
    from runbook.views.undoing import (  # noqa: PLC0415 -- for this command only
        undo_document,
        undo_exit_code,
        undo_text,
    )

    slices = list(journal.slices(past.id))
    if slices:
        raise RunbookError.of(
            "run-sliced",
            f"run {past.id} was cut into {len(slices)} slices, which are undone one by one",
            hint=f"runbook undo {slices[-1]} (`runbook history -v` lists them)",
        )
    order = _recorded_order(past, wish, settings, journal)
    with _view(order.runbook, wish) as view:
        undoing = take_back(order, past, journal, _answering(order.runbook, wish, view), view)
    if wish.output.json:
        output.write_json(undo_document(undoing))
    else:
        output.write(undo_text(undoing))
    return undo_exit_code(undoing)


def target_for(aim: Aim, settings: Settings) -> Target:
    """Return what is aimed at, but for the values of --set, which a runbook tells how to read."""
    return Target(
        inventories=settings.inventories,
        extra_vars=tuple(_absolute_file(value) for value in aim.extra_vars),
        vault_ids=tuple(_absolute_vault(value) for value in aim.vault_ids),
        vault_password_files=tuple(
            str(Path(value).absolute()) for value in aim.vault_password_files
        ),
        roles=settings.roles,
        config=settings.ansible_config,
        forks=settings.forks,
    )


def _recorded_order(summary: RunSummary, wish: Wish, settings: Settings, journal: Journal) -> Order:
    """Return the order a run was given, as the journal has it."""
    started = recorded_start(journal, summary)
    runbook = load(started.settings["source"], settings.library)
    given = parse_settings(wish.aim.given, runbook.params)
    return Order(
        runbook=runbook,
        mode=started.mode,
        pattern=started.pattern,
        target=target_of(started, given, target_for(wish.aim, settings).extra_vars),
        home=settings.home,
        run=summary.id,
        blocking=settings.collisions_block,
        paused=_paused(wish, settings),
        ramp=_ramp(wish, settings),
        at_most=wish.slice_hosts,
        slice=slice_of(summary.id, journal),
    )


def _is_attended(wish: Wish) -> bool:
    """Say whether a person decides fix by fix."""
    return wish.source == Source.PERSON and not wish.yes


def _ramp(wish: Wish, settings: Settings) -> Ramp | None:
    """Return in what waves the policy has a fix begin; a person sees how many hosts it is for."""
    if settings.policy is None or wish.mode is Mode.DIAGNOSE or _is_attended(wish):
        return None
    from runbook.spec.policy_file import load_policy  # noqa: PLC0415 -- where there is one

    return load_policy(settings.policy).guards.ramp


def _paused(wish: Wish, settings: Settings) -> Callable[[], str | None]:
    """Return the look at the switch that holds what nobody watches; it lets a person pass."""
    if _is_attended(wish):
        return lambda: None
    from runbook.schedule.pause import paused_in  # noqa: PLC0415 -- where nobody is asked

    return paused_in(state_place(settings))


def _view(runbook: Runbook, wish: Wish) -> View:
    return observer_for(
        runbook,
        sys.stderr,
        plain=wish.output.plain,
        colour=wish.output.colour,
        verbose=wish.output.verbosity > 0,
    )


def _answered(
    order: Order, wish: Wish, view: View, settings: Settings, journal: Journal
) -> tuple[Order, Operator]:
    """Return who answers, after the policy where there is one, and the order with its limits.

    Raise RunbookError where the policy is unsound.
    """
    policed = _policed(order, wish, view, settings, journal)
    operator: Operator = policed or _answering(order.runbook, wish, view)
    if policed is not None:
        order = replace(order, guarding=policed.tripped)
    if Source(wish.source) is not Source.PERSON:
        operator = UnwatchedOperator(operator=operator, bench=_bench(order, settings))
    return order, operator


def _policed(
    order: Order, wish: Wish, view: View, settings: Settings, journal: Journal
) -> "PolicedOperator | None":
    """Return who asks the policy first about fixes, None where there is none."""
    runbook = order.runbook
    if settings.policy is None or wish.mode is Mode.DIAGNOSE:
        return None
    from runbook.driver.policing import PolicedOperator  # noqa: PLC0415 -- where there is one
    from runbook.spec.policy_file import load_policy  # noqa: PLC0415

    policy = load_policy(settings.policy)
    source = Source(wish.source)
    unwatched = source is not Source.PERSON
    return PolicedOperator(
        operator=ApprovingOperator(name=wish.source, because=f"policy {policy.name} allows it")
        if unwatched
        else _answering(runbook, wish, view),
        policy=policy,
        runbook=runbook,
        journal=journal,
        source=source,
        severity=wish.severity,
        attended=not (unwatched or wish.yes),
        clock=time.time,
        bench=_bench(order, settings) if unwatched else None,
        size=0 if order.slice is None else order.slice.size,
    )


def _bench(order: Order, settings: Settings) -> Bench:
    """Return the people who are asked while nobody watches."""
    from runbook.schedule.bench import StateBench  # noqa: PLC0415 -- where nobody watches

    return StateBench(
        place=state_place(settings),
        run=order.run,
        runbook=order.runbook.name,
        say=lambda seen: say_observation(seen, limit=_LONGEST_EVIDENCE),
        clock=time.time,
    )


def _withdraw(run: str, settings: Settings) -> None:
    """Want no answers out of band any more: a person who goes on with a run is asked there."""
    from runbook.schedule.approvals import Approvals  # noqa: PLC0415 -- as a run may have them
    from runbook.schedule.state import is_there, opened  # noqa: PLC0415

    place = state_place(settings)
    if is_there(place):
        with opened(place) as state:
            why = f"{operator_name()} goes on with the run"
            Approvals(state).withdraw(run, why, datetime.now(tz=UTC))


def _answering(runbook: Runbook, wish: Wish, view: View) -> Operator:
    """Return who answers: `--yes`, the person at the terminal, or nobody."""
    name = operator_name()
    if wish.source != Source.PERSON:
        return AbsentOperator(
            name=wish.source, because="nobody watches, and there is no policy that allows it"
        )
    if wish.yes:
        return ApprovingOperator(name=name)
    keyboard = find_keyboard()
    if keyboard is None:
        return AbsentOperator(name=name)
    from runbook.views.prompting import TerminalOperator  # noqa: PLC0415 -- only for a terminal
    from runbook.views.terminal import console_on  # noqa: PLC0415

    return TerminalOperator(
        name=name,
        runbook=runbook,
        console=console_on(sys.stderr, colour=wish.output.colour, plain=wish.output.plain),
        view=view,
        keyboard=keyboard,
    )


def _trace(result: Result, journal: Journal) -> None:
    """Tell of a run that is over; who waits for an answer is not at an end."""
    if result.verdict not in (None, Verdict.WAITING):
        tell_trace(result.run, journal)


def _say(
    result: Result, order: Order, journal: Journal, wish: Wish, options: tuple[str, ...]
) -> int:
    told = journal.find(result.run)
    if wish.output.json:
        output.write_json(run_document(told, journal.entries(result.run)))
    else:
        _write_summary(
            Finish(
                runbook=order.runbook,
                run=result.run,
                mode=order.mode,
                pattern=order.pattern,
                states=result.states,
                took_s=time.time() - told.started_at,
                interrupted=result.interrupted,
                options=options,
            ),
            wish,
        )
    if result.verdict is None:
        if wish.output.json:
            output.tell(f"Interrupted. Go on with: runbook resume {result.run}")
        return EXIT_INTERRUPTED
    if result.verdict is Verdict.WAITING:
        # What other hosts came to may be worse than waiting.
        return exit_code(worst(one.verdict or Verdict.UNKNOWN for one in result.states.values()))
    return exit_code(result.verdict)


def _write_summary(finish: Finish, wish: Wish) -> None:
    if wish.output.plain or not is_live(sys.stdout):
        output.write(summary_text(finish))
        return
    from runbook.views.terminal import console_on  # noqa: PLC0415 -- only for a terminal

    console_on(sys.stdout, colour=wish.output.colour).print(summary(finish), crop=False)


def _absolute_file(value: str) -> str:
    return f"@{Path(value[1:]).absolute()}" if value.startswith("@") else value


def _absolute_vault(value: str) -> str:
    label, at, source = value.rpartition("@")
    if source in ("prompt", "prompt_ask_vault_pass"):
        raise RunbookError.of(
            "vault-prompt",
            "runbook cannot pass a vault password that is typed on to Ansible",
            hint="use --vault-password-file, with a script that asks for it if need be",
        )
    return f"{label}{at}{Path(source).absolute()}"
