"""Rehearsal files: finding them, and reading them with every problem said with its place."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from runbook.errors import Problem, RunbookError
from runbook.executor.scripted import ScriptedFix
from runbook.model.definition import (
    Ask,
    Branch,
    Check,
    CheckResult,
    Collect,
    Fix,
    FixResult,
    Json,
    Manual,
    Runbook,
    Step,
    Watch,
)
from runbook.model.event import Acted, Mode
from runbook.model.observation import Observation, Verification
from runbook.model.verdict import Verdict
from runbook.rehearsal.cases import Actor, Case, Outcome, Rehearsal
from runbook.spec.document import Document
from runbook.spec.document import Path as Place
from runbook.spec.library import load
from runbook.spec.reader import content_of, read
from runbook.spec.validation import did_you_mean

SUFFIX = ".rehearsal.yml"
ONE_HOST = "host.example"
"""What the host of a case is called that names none."""

_LOOKING = (Check, Branch, Watch, Collect)
_WITHOUT_LOOKING = {"failed": Acted.FAILED, "unknown": Acted.UNKNOWN, "withheld": Acted.WITHHELD}


def find(names: Sequence[str], search_path: Sequence[Path]) -> list[Path]:
    """Return the rehearsal files of runbooks by name or path, of the whole library without names.

    Raises RunbookError `no-rehearsal` where there is none.
    """
    if not names:
        found = [path for folder in search_path for path in sorted(folder.glob(f"*{SUFFIX}"))]
        if not found:
            raise _nothing("the library has no rehearsals", search_path)
        return found
    return [_find(name, search_path) for name in names]


def _find(name: str, search_path: Sequence[Path]) -> Path:
    if name.endswith(SUFFIX):
        return Path(name)
    if name.endswith((".yml", ".yaml")) or "/" in name:
        return Path(name).with_suffix("").with_suffix(SUFFIX)
    for folder in search_path:
        if (folder / f"{name}{SUFFIX}").is_file():
            return folder / f"{name}{SUFFIX}"
    raise _nothing(f'there is no rehearsal of "{name}"', search_path)


def _nothing(message: str, search_path: Sequence[Path]) -> RunbookError:
    looked = ", ".join(map(str, search_path)) or "nowhere"
    return RunbookError.of(
        "no-rehearsal",
        message,
        context=f"Looked in: {looked}.",
        hint=f"A rehearsal is a file NAME{SUFFIX} beside the runbook NAME.yml.",
    )


def read_rehearsal(path: Path, search_path: Sequence[Path]) -> Rehearsal:
    """Return the rehearsal in a file; raise RunbookError with all problems, or its runbook's."""
    try:
        content = content_of(path)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise RunbookError.of("unreadable-file", message) from error
    document = read(content, str(path), foreign=lambda _: False)
    problems = list(document.problems) or list(_shape_problems(document))
    if problems:
        raise RunbookError(*problems)
    data: Mapping[str, Any] = document.data
    name = path.name.removesuffix(SUFFIX)
    if data["rehearsal"] != name:
        raise RunbookError.of(
            "name-differs",
            f'the rehearsal is of "{data["rehearsal"]}", its file is called "{path.name}"',
            where=document.value(("rehearsal",)),
            hint=f"A rehearsal stands in NAME{SUFFIX}.",
        )
    runbook = load(name, [path.parent, *search_path])
    problems = list(_Meaning(document, runbook).problems())
    if problems:
        raise RunbookError(*problems)
    return Rehearsal(runbook=runbook, path=path, cases=tuple(map(_case(runbook), data["cases"])))


# Shape


@cache
def _schema() -> dict[str, Any]:
    text = resources.files("runbook.rehearsal").joinpath("rehearsal.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _shape_problems(document: Document) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- 100 ms the command line saves
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    for error in Draft202012Validator(_schema()).iter_errors(document.data):
        # Of alternatives, the one that came nearest says what is wrong.
        nearest = best_match([error]) or error
        yield from _said(document, nearest)


def _said(document: Document, error: Any) -> Iterator[Problem]:
    place: Place = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in error.instance:
            if key not in known:
                yield Problem(
                    reference="unknown-key",
                    message=f'unknown key "{key}"',
                    where=document.key((*place, key)),
                    hint=did_you_mean(str(key), known) or f"Known here: {', '.join(known)}.",
                )
        return
    match error.validator:
        case "required":
            lacking = [key for key in error.validator_value if key not in error.instance]
            message = f"this lacks the key {lacking[0]}"
        case "oneOf":
            message = "a case has either hosts, or expect and what else belongs to its one host"
        case "enum":
            message = f"{error.instance} is not one of {', '.join(map(str, error.validator_value))}"
        case "pattern":
            message = f"{error.instance} is not {error.schema['title']}"
        case _:
            message = str(error.message)[:200]
    yield Problem(reference="wrong-rehearsal", message=message, where=document.value(place))


# Meaning


class _Meaning:
    """Whether what a rehearsal names is there in the runbook."""

    def __init__(self, document: Document, runbook: Runbook) -> None:
        self._document = document
        self._runbook = runbook

    def problems(self) -> Iterator[Problem]:
        for number, raw in enumerate(self._document.data["cases"]):
            case: Place = ("cases", number)
            approve = raw.get("approve")
            if isinstance(approve, list):
                yield from self._steps((*case, "approve"), enumerate(approve), (Fix,))
            answers = raw.get("answers", {})
            yield from self._steps((*case, "answers"), _keys(answers), (Ask, Manual))
            yield from self._answers((*case, "answers"), answers)
            hosts = raw.get("hosts")
            if hosts is None:
                yield from self._actor(case, raw)
            else:
                for host, actor in hosts.items():
                    yield from self._actor((*case, "hosts", host), actor)

    def _actor(self, place: Place, raw: Mapping[str, Any]) -> Iterator[Problem]:
        looks, fixes, expect = raw.get("looks", {}), raw.get("fixes", {}), raw["expect"]
        yield from self._steps((*place, "looks"), _keys(looks), _LOOKING)
        yield from self._steps((*place, "fixes"), _keys(fixes), (Fix,))
        yield from self._results((*place, "looks"), looks)
        at: Place = (*place, "expect")
        yield from self._steps((*at, "path"), enumerate(expect.get("path", ())), (object,))
        for number, cause in enumerate(expect.get("causes", ())):
            if cause not in self._runbook.causes:
                where = (*at, "causes", number)
                yield self._unknown("cause", cause, where, self._runbook.causes)
        for number, tried in enumerate(expect.get("fixes", ())):
            yield from self._steps((*at, "fixes", number), _keys(tried), (Fix,))

    def _steps(
        self, place: Place, named: Iterable[tuple[str | int, str]], kinds: tuple[type, ...]
    ) -> Iterator[Problem]:
        known = [id_ for id_, step in self._runbook.steps.items() if isinstance(step, kinds)]
        for key, id_ in named:
            if id_ not in known:
                words = " or ".join(kind.__name__.lower() for kind in kinds)
                kind = "step" if kinds == (object,) else words
                yield self._unknown(kind, id_, (*place, key), known)

    def _unknown(self, kind: str, name: str, place: Place, known: Iterable[str]) -> Problem:
        return Problem(
            reference="unknown-step" if kind != "cause" else "unknown-cause",
            message=f'{self._runbook.name} has no {kind} "{name}"',
            where=self._document.key(place),
            hint=did_you_mean(name, known),
        )

    def _results(self, place: Place, looks: Mapping[str, Json]) -> Iterator[Problem]:
        for id_, written in looks.items():
            step = self._runbook.steps.get(id_)
            for look in _several(written):
                result = look if isinstance(look, str) else look["result"]
                if isinstance(step, _LOOKING) and result not in _results_of(step):
                    yield Problem(
                        reference="wrong-rehearsal",
                        message=f'"{id_}" cannot come to {result}',
                        where=self._document.value((*place, id_)),
                        hint=f"It comes to {', '.join(_results_of(step))}.",
                    )

    def _answers(self, place: Place, answers: Mapping[str, str]) -> Iterator[Problem]:
        for id_, answer in answers.items():
            step = self._runbook.steps.get(id_)
            known = ["done", "not_done"]
            if isinstance(step, Ask):
                known = [choice.id for choice in step.choices]
            if isinstance(step, Ask | Manual) and answer not in known:
                yield Problem(
                    reference="wrong-rehearsal",
                    message=f'"{id_}" cannot be answered with {answer}',
                    where=self._document.value((*place, id_)),
                    hint=f"It takes {', '.join(known)}.",
                )


def _keys(named: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    return ((key, key) for key in named)


def _several(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _results_of(step: Step) -> list[str]:
    if isinstance(step, Branch):
        return [
            *(f"case {number + 1}" for number in range(len(step.cases))),
            "otherwise",
            "unknown",
        ]
    if isinstance(step, Collect):
        return ["passed", "unknown"]
    return ["passed", "failed", "unknown"]


# Cases


def _case(runbook: Runbook) -> Callable[[Mapping[str, Any]], Case]:
    def build(raw: Mapping[str, Any]) -> Case:
        approve = raw.get("approve", True)
        named = approve if isinstance(approve, list) else []
        hosts = raw.get("hosts") or {ONE_HOST: raw}
        return Case(
            title=raw["case"],
            hosts={host: _actor(runbook, actor) for host, actor in hosts.items()},
            mode=Mode(raw.get("mode", "run")),
            approved=None if approve is True else frozenset(named),
            answers=raw.get("answers", {}),
        )

    return build


def _actor(runbook: Runbook, raw: Mapping[str, Any]) -> Actor:
    expect = raw["expect"]
    fixes = expect.get("fixes")
    return Actor(
        expected=Outcome(
            verdict=Verdict(expect["verdict"]),
            causes=tuple(expect["causes"]) if "causes" in expect else None,
            path=tuple(expect["path"]) if "path" in expect else None,
            fixes=None if fixes is None else tuple(next(iter(each.items())) for each in fixes),
        ),
        looks={
            id_: tuple(_look(runbook.steps[id_], each) for each in _several(written))
            for id_, written in raw.get("looks", {}).items()
        },
        fixes={
            id_: tuple(_try(each) for each in _several(written))
            for id_, written in raw.get("fixes", {}).items()
        },
        unlisted=CheckResult(raw.get("unlisted", "unknown")),
        unreachable=raw.get("unreachable"),
    )


def _look(step: Step, raw: Json) -> Observation:
    written: Mapping[str, Any] = {"result": raw} if isinstance(raw, str) else raw
    result, facts = written["result"], written.get("facts", {})
    if isinstance(step, Branch):
        return Observation(
            result=CheckResult.PASSED,
            facts={"cases": _cases(result, len(step.cases))},
            reason=written.get("reason"),
        )
    return Observation(result=CheckResult(result), facts=facts, reason=written.get("reason"))


def _cases(result: str, count: int) -> list[str]:
    """Return the truth of each condition of a branch that comes to a result."""
    if result == "unknown":
        return ["unknown"] * count
    number = int(result.removeprefix("case ")) if result.startswith("case ") else 0
    return ["true" if number == index + 1 else "false" for index in range(count)]


def _try(raw: Json) -> ScriptedFix:
    written: Mapping[str, Any] = {"result": raw} if isinstance(raw, str) else raw
    result, reason = written["result"], written.get("reason")
    acted = _WITHOUT_LOOKING.get(result)
    if acted is not None:
        return ScriptedFix(
            acted=acted,
            verification=Verification(result=FixResult.UNKNOWN),
            reason=reason or f"rehearsed: {result}",
        )
    verification = Verification(result=FixResult(result), reason=reason)
    return ScriptedFix(acted=Acted.CHANGED, verification=verification)
