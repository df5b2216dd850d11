"""`runbook triage` without its command line: what is looked for, the one look, and going on."""

import sys
import time
from contextlib import closing
from dataclasses import replace

from runbook.driver.triage import Candidate, Finding, together, triage
from runbook.errors import RunbookError
from runbook.executor.ansible import AnsibleExecutor
from runbook.executor.process import Forking
from runbook.model.definition import Param
from runbook.model.event import Mode
from runbook.settings import Settings
from runbook.spec.listing import summaries, symptoms_in
from runbook.spec.loading import load
from runbook.views import output
from runbook.views.driving import target_for
from runbook.views.given import parse_settings
from runbook.views.keyboard import Keyboard, find_keyboard
from runbook.views.output import tell
from runbook.views.running import operator_name
from runbook.views.starting import ansible_started
from runbook.views.triage import Triage, choices, triage_document, triage_lines, verdict_of
from runbook.views.wish import Wish


def start(host: str, symptom: str, wish: Wish, settings: Settings) -> int:
    """Look once for all runbooks that match; return the exit code; raise RunbookError.

    At a terminal one of those that fit can be chosen, and is run at once.
    """
    target = target_for(wish.aim, settings)
    with ansible_started(target.config, settings.keep_ansible) as starter:
        found = _looked(host, symptom, wish, settings, starter)
        verdict = verdict_of(found.findings)
        if wish.output.json:
            output.write_json(triage_document(found))
            return verdict
        keyboard = find_keyboard() if found.fitting and sys.stdout.isatty() else None
        output.write("\n".join(triage_lines(found, numbered=keyboard is not None)))
        chosen = _choose(found, keyboard) if keyboard is not None else None
        return verdict if chosen is None else _go_on(found, chosen, wish, settings, starter)


def _looked(host: str, symptom: str, wish: Wish, settings: Settings, starter: Forking) -> Triage:
    """Look at the hosts for all runbooks that match; raise RunbookError."""
    began = time.monotonic()
    candidates, unsound = _candidates(symptom, settings)
    params = _params(candidates)
    given = parse_settings(wish.aim.given, params)
    executor = AnsibleExecutor(
        runbook=together(one.runbook for one in candidates),
        target=replace(target_for(wish.aim, settings), given=given),
        run="triage",
        operator=operator_name(),
        starter=starter,
    )
    hosts, findings = triage(candidates, executor, host)
    return Triage(
        pattern=host,
        symptom=symptom,
        hosts=hosts,
        findings=tuple(findings),
        unsound=unsound,
        took_s=time.monotonic() - began,
        options=wish.aim.options,
    )


def _candidates(symptom: str, settings: Settings) -> tuple[list[Candidate], dict[str, str]]:
    """Return the runbooks to be considered, and why others that match cannot be used."""
    candidates: list[Candidate] = []
    unsound: dict[str, str] = {}
    for one in summaries(settings.library):
        named = symptoms_in(one, symptom) if symptom else ()
        if symptom and not named:
            continue
        try:
            candidates.append(Candidate(runbook=load(one.name, settings.library), symptoms=named))
        except RunbookError as error:
            unsound[one.name] = error.problems[0].message
    if not candidates:
        raise _nothing_matches(symptom, unsound, settings)
    return candidates, unsound


def _nothing_matches(symptom: str, unsound: dict[str, str], settings: Settings) -> RunbookError:
    if unsound:
        return RunbookError.of(
            "unsound-runbook",
            f"no runbook that matches is sound: {', '.join(unsound)}",
            hint="`runbook lint` says what is wrong with them",
        )
    looked = ", ".join(map(str, settings.library)) or "no folder: the setting library is empty"
    if symptom:
        return RunbookError.of(
            "no-such-symptom",
            f'no runbook has the symptom "{symptom}"',
            context=f"Looked in: {looked}.",
            hint="leave the symptom out to look for all runbooks; `runbook list` shows what they say",
        )
    return RunbookError.of("no-runbooks", "there are no runbooks", context=f"Looked in: {looked}.")


def _params(candidates: list[Candidate]) -> dict[str, Param]:
    """Return the params that --set may give: one value counts for every runbook that has it."""
    return {
        name: param for one in reversed(candidates) for name, param in one.runbook.params.items()
    }


def _choose(found: Triage, keyboard: Keyboard) -> Finding | None:
    """Ask which runbook to run; Enter, q and the end of input are none."""
    most = len(found.fitting)
    which = "1" if most == 1 else f"1 to {most}"
    # The best fit may have scrolled away by now.
    output.write("\n".join(choices(found)))
    while True:
        keyboard.forget()
        output.ask(f"Run which, {which} (Enter: none)? ")
        line = keyboard.line()
        if line is None or line.lower() in ("", "q", "quit"):
            return None
        if line.isdecimal() and 1 <= int(line) <= most:
            return found.fitting[int(line) - 1]
        tell(f"Type a number, {which}; or Enter to leave it.")


def _go_on(found: Triage, chosen: Finding, wish: Wish, settings: Settings, starter: Forking) -> int:
    """Run a runbook on the hosts it fits; return the exit code of the run."""
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- only where it is run
    from runbook.views import driving  # noqa: PLC0415

    book = chosen.runbook
    tell(f"\n{found.command(chosen)}")
    given = tuple(pair for pair in wish.aim.given if pair.partition("=")[0] in book.params)
    run = replace(wish, mode=Mode.RUN, aim=replace(wish.aim, given=given))
    with closing(open_journal(settings.journal)) as journal:
        hosts = ",".join(chosen.hosts)
        return driving.start(book.name, hosts, run, settings, journal, starter=starter)
