"""`runbook policy`: whether a policy says what its authors mean."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.views import options
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.model.policy import Expectation, Judgement

EXIT_DIFFERENT = 1


@click.group("policy", context_settings={"help_option_names": ["-h", "--help"]})
def policy_group() -> None:
    r"""Say what may be done without asking, and test it.

    A policy is a file of rules and guards; the setting `policy` has runs obey it.

    \b
    Example:
      runbook policy test policy.yml
    """


@policy_group.command("test")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@options.output
def policy_test_command(path: Path, output: options.Output) -> int:
    r"""Hold a policy to its own table of tests.

    `tests:` in FILE lists situations and what the policy has to say of each: auto, ask or deny.
    Nothing is run. The exit code is 1 if one comes out otherwise, 2 if the file is unsound.

    \b
    Example:
      runbook policy test policy.yml
    """
    from runbook.engine.policy import judge  # noqa: PLC0415 -- which --help needs not
    from runbook.spec.policy_file import load_policy  # noqa: PLC0415

    policy = load_policy(path)
    judged = [(test, judge(policy, test.situation)) for test in policy.tests]
    different = [pair for pair in judged if not _as_expected(*pair)]
    if output.json:
        write_json({"policy": policy.name, "tests": [_document(*pair) for pair in judged]})
    else:
        for pair in judged:
            write(_line(path, *pair))
        write(f"{len(judged)} tested, {len(different)} otherwise than expected.")
    return EXIT_DIFFERENT if different else 0


def _as_expected(test: "Expectation", judged: "Judgement") -> bool:
    return judged.permission is test.permission and test.rule in (None, judged.rule)


def _line(path: Path, test: "Expectation", judged: "Judgement") -> str:
    seen = test.situation
    same = _as_expected(test, judged)
    about = f"{seen.runbook} {seen.fix} on {seen.host}, by {seen.source}"
    why = "no rule fits" if judged.rule is None else f"rule “{judged.rule}”"
    why += f", earned by {seen.verified} verified" if judged.earned else ""
    wanted = (
        ""
        if same
        else f"; expected {test.permission}" + (f" by rule “{test.rule}”" if test.rule else "")
    )
    word = "as expected" if same else "otherwise"
    return printable(f"{word:<13}{path}:{test.line} {about}: {judged.permission} ({why}){wanted}")


def _document(test: "Expectation", judged: "Judgement") -> dict[str, object]:
    return {
        "line": test.line,
        "runbook": test.situation.runbook,
        "fix": test.situation.fix,
        "host": test.situation.host,
        "expected": test.permission.value,
        "answer": judged.permission.value,
        "rule": judged.rule,
        "earned": judged.earned,
        "as_expected": _as_expected(test, judged),
    }
