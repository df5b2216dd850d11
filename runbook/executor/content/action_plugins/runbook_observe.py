# GPL-3.0-or-later. Runs on the controller, inside ansible-playbook.
"""Look at a host and judge what was seen, in one go: the only place where conditions are evaluated.

`phase: look` runs the probes of one origin; where nothing else is wanted it judges at once.
`phase: judge` judges after the task checks of the play. `phase: sample` looks repeatedly.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from runbook.executor import nearby, probing, script
from runbook.executor.ansible_core import (
    TOO_LONG,
    AnsibleTemplating,
    interpreter_of,
    is_posix,
    plain_reason,
    secrets_given,
    secrets_of,
)
from runbook.executor.around import ACTIVITY, activity_request, activity_told
from runbook.executor.compile import LOOKED
from runbook.executor.guard import (
    MAX_GROWTH_BYTES,
    OverMemoryError,
    bounded_memory,
    longest_answer_bytes,
)
from runbook.executor.looking import (
    Answer,
    CouldNotRenderError,
    Names,
    judge,
    judge_task,
    look,
    request_of,
    texts_of,
)
from runbook.executor.plan import PlannedStep, Sampling, plan_in
from runbook.executor.sampling import Held, progress, sample
from runbook.executor.staging import HERE
from runbook.executor.workspace import RESULTS_FILE
from runbook.model.masking import masker_of


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action of the task `runbook_observe`."""

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `runbook`: the host's observations and texts, all masked, as JSON."""
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._host = str(self._vars["inventory_hostname"])
        arguments = self._task.args
        self._plan = plan_in(str(arguments["plan"]))
        self._unreachable: str | None = None
        self._longest = 0
        self._activity: dict[str, Any] | None = None
        self._riding: list[Mapping[str, Any]] = []
        self._templating = AnsibleTemplating(self._templar)
        self._names = Names(plan=self._plan, templating=self._templating, host=self._vars)
        for step, facts in self._plan.known.get(self._host, {}).items():
            self._names.recall(step, facts)
        match str(arguments["phase"]):
            case "look":
                return self._look(str(arguments["origin"]), frozenset(arguments["steps"]))
            case "judge":
                return self._finish(self._looked())
            case _:
                return self._sample()

    def _wanted(self) -> list[PlannedStep]:
        return [self._plan.steps[step] for step in self._plan.wanted(self._host)]

    def _looked(self) -> dict[str, Answer]:
        """Return what earlier tasks of the play registered as looked at."""
        registered = self._vars.get(LOOKED) or {}
        self._activity = registered.get("activity")
        earlier = registered.get("looked") or {}
        answers = {
            str(key): Answer(facts=raw["facts"], reason=raw["reason"], took_s=raw["took_s"])
            for key, raw in earlier.items()
        }
        for step in self._wanted():
            if len(step.probes) == 1 and not step.bundle:
                facts = answers[step.id].facts if step.id in answers else None
                if facts is not None:
                    self._names.learn(step.id, facts)
        return answers

    def _look(self, origin: str, steps: frozenset[str]) -> dict[str, Any]:
        wanted = self._wanted()
        answers = self._looked()
        for step in wanted:
            if step.register in self._vars:
                judge_task(self._names, step, self._vars[step.register])
        here = [step for step in wanted if step.id in steps]
        if self._plan.activity and self._activity is None and origin == HERE:
            self._riding = [activity_request(self._plan, self._vars, self._templating)]
        answers.update(look(self._names, here, self._run_probes))
        if self._riding and not self._unreachable:
            self._run_probes([])
            self._unreachable = None  # Nothing that was wanted needed the host.
        if origin != HERE:
            self._unreachable = None  # That was the other host's.
        if self._unreachable or all(step.cases or step.id in steps for step in wanted):
            return {**self._finish(answers), "wants": []}
        return {
            "changed": False,
            "wants": [step.id for step in wanted],
            "activity": self._activity,
            "looked": {
                key: {"facts": answer.facts, "reason": answer.reason, "took_s": answer.took_s}
                for key, answer in answers.items()
            },
            "given": {scope: self._names.given(scope) for scope in ("", *self._plan.scopes)},
        }

    def _finish(self, answers: Mapping[str, Answer]) -> dict[str, Any]:
        unlooked = Answer(facts=None, reason=self._unreachable or "it was not looked at")
        complete = {
            probe.key: answers.get(probe.key, unlooked)
            for step in self._wanted()
            for probe in step.probes
        }
        return self._result(
            observations={step.id: self._judge(step, complete) for step in self._wanted()},
            activity=activity_told(self._activity, self._vars, self._templating)
            if self._plan.activity and not self._unreachable
            else None,
        )

    def _judge(self, step: PlannedStep, answers: Mapping[str, Answer]) -> dict[str, Any]:
        if step.register is None:
            return {"seen_at": time.time(), **judge(self._names, step, answers)}
        registered = self._vars.get(step.register)
        if registered is None and self._unreachable:
            registered = {"unreachable": True, "msg": self._unreachable}
        return {"seen_at": time.time(), **judge_task(self._names, step, registered)}

    def _sample(self) -> dict[str, Any]:
        sampling = self._plan.sampling
        if sampling is None:
            raise ValueError("the plan says nothing of sampling")
        rounds, last = sample(
            sampling,
            look_once=lambda: self._round(sampling),
            look_through=lambda for_s, every_s: self._rounds_through(sampling, for_s, every_s),
            tell=lambda held: self._tell_progress(sampling, held),
        )
        return self._result(observations=last, rounds=rounds)

    def _tell_progress(self, sampling: Sampling, held: Held) -> None:
        """Say how far it has come, beside the results: for the eye, and made of our own words."""
        text = progress(held, sampling.symptom)
        line = json.dumps({"kind": "sampled", "host": self._host, "text": text}) + "\n"
        path = Path(str(self._task.args["plan"])).with_name(RESULTS_FILE)
        with suppress(OSError), path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def _sampled_steps(self, sampling: Sampling) -> list[PlannedStep]:
        return [self._plan.steps[step] for step in sampling.steps]

    def _round(self, sampling: Sampling) -> dict[str, dict[str, Any]]:
        self._unreachable = None
        steps = self._sampled_steps(sampling)
        answers = look(self._names, [step for step in steps if step.probes], self._run_probes)
        return {step.id: self._judge(step, answers) for step in steps}

    def _rounds_through(
        self, sampling: Sampling, for_s: float, every_s: float
    ) -> list[tuple[float, dict[str, dict[str, Any]]]]:
        """Sample by the probe module itself, in one round trip, and judge each sample here."""
        steps = [step for step in self._sampled_steps(sampling) if step.probes]
        requests: list[Mapping[str, Any]] = []
        unrendered: dict[str, Answer] = {}
        for step in steps:
            try:
                requests.append(request_of(step.probes[0], self._names, step.scope))
            except CouldNotRenderError as error:
                unrendered[step.id] = Answer(facts=None, reason=str(error))
        rounds = []
        repeat = {"for": for_s, "every": every_s}
        for at_s, answers in self._sampled(requests, repeat):
            complete = {**unrendered, **answers}
            rounds.append((at_s, {step.id: self._judge(step, complete) for step in steps}))
        return rounds

    def _run_probes(self, requests: Sequence[Mapping[str, Any]]) -> dict[str, Answer]:
        return self._sampled(requests, None)[0][1]

    def _sampled(
        self, requests: Sequence[Mapping[str, Any]], repeat: Mapping[str, float] | None
    ) -> list[tuple[float, dict[str, Answer]]]:
        origins = {
            probe.key: probe.origin for step in self._plan.steps.values() for probe in step.probes
        }
        at_controller = [item for item in requests if origins[item["id"]] == "controller"]
        at_host = [item for item in requests if origins[item["id"]] != "controller"]
        rounds: list[tuple[float, dict[str, Answer]]] = [(0.0, {})]
        asked_here, answered_here = probing.without_twins(at_controller)
        answer_here = (
            nearby.ask_controller(probing.module_request(asked_here, repeat))
            if at_controller
            else None
        )
        if at_host or (self._riding and not requests):
            asked, answered_by = probing.without_twins([*at_host, *self._riding])
            told = self._ask_host(
                probing.module_request(asked, repeat), probing.most_rounds(repeat)
            )
            rounds = probing.rounds_of(told, answered_by, repeat)
            if self._riding:
                self._take_off(rounds[0][1])
        if answer_here is not None:
            others = probing.rounds_of(answer_here(), answered_here, repeat)
            rounds = probing.merged(rounds, others) if at_host else others
        return rounds

    def _take_off(self, answers: dict[str, Answer]) -> None:
        """Keep what came of the question that rode along with the first probes."""
        self._riding = []
        answer = answers.pop(ACTIVITY, None)
        if answer is not None:
            facts = None if answer.facts is None else dict(answer.facts)
            self._activity = {"facts": facts, "reason": answer.reason}

    def _ask_host(self, request: Mapping[str, Any], rounds: int) -> Mapping[str, Any]:
        self._longest = longest_answer_bytes(len(request["probes"]), rounds)
        try:
            with bounded_memory(MAX_GROWTH_BYTES + 2 * self._longest):
                result = self._answer_to(request)
        except AnsibleConnectionFailure as error:
            self._unreachable = f"unreachable: {plain_reason(error)}"
            return {"could_not": self._unreachable}
        except OverMemoryError:
            return {"could_not": TOO_LONG}
        except AnsibleError as error:  # As where sudo takes no password, or a wrong one.
            return {"could_not": f"Ansible could not ask the host: {plain_reason(error)}"}
        except Exception as error:
            return {"could_not": f"the probe module's answer cannot be read: {plain_reason(error)}"}
        if isinstance(result.get("answers"), Mapping):
            return result
        told = result.get("msg") or result.get("module_stderr") or "no answer"
        return {"could_not": f"the probe module did not answer: {str(told)[:500]}"}

    def _answer_to(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have the host's Python run the probes.

        As a module of Ansible, which takes several times as long, only where there is no other way.
        """
        if not self._is_pipelining_enabled("new") or not is_posix(self._connection):
            result: Mapping[str, Any] = self._execute_module(
                module_name="runbook_probe", module_args=dict(request), task_vars=self._vars
            )
            return result
        start = script.command(*interpreter_of(self._variables_there(), self._templating))
        told = self._low_level_execute_command(
            f"{self._compute_environment_string()} {start}".strip(),
            in_data=script.program(request),
        )
        answer = script.answer_in(told["stdout"])
        if answer is None:
            said = (told["stderr"].strip() or told["stdout"].strip()).splitlines()[-3:]
            return {"msg": f"{' '.join(said)} (exit code {told['rc']})"}
        return answer

    def _variables_there(self) -> Mapping[str, Any]:
        """Return the variables of the host that is looked at."""
        if not self._task.delegate_to:
            return self._vars
        there: Mapping[str, Any] = self._vars["ansible_delegated_vars"][self._task.delegate_to]
        return there

    def _low_level_execute_command(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Do as Ansible does, but refuse an answer before it is parsed, at many times its size."""
        told: dict[str, Any] = super()._low_level_execute_command(*arguments, **options)
        if len(told["stdout"]) > self._longest:
            raise OverMemoryError
        return told

    def _result(self, **told: Any) -> dict[str, Any]:
        given = {scope: self._names.given(scope) for scope in self._plan.scopes}
        secrets = secrets_of(self._plan, self._vars, self._templating)
        mask = masker_of(secrets | secrets_given(self._plan, given))
        masked = mask.value({**told, "texts": texts_of(self._names)})
        # As one text, or Ansible would copy and look through all of it, several times.
        return {"changed": False, "runbook": json.dumps(masked, default=str)}
