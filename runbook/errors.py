"""The one error type: it says what happened, where, why, and what to do next.

This module imports nothing of the package, so that everything may raise its error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether something stands in the way, or is only worth knowing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Location:
    """A place in a file: `line` and `column` count from 1; `text` is the whole line, if known."""

    path: str
    line: int = 1
    column: int = 1
    text: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, as a person is told of it.

    `reference` is a stable kebab-case name to search for, `message` says what is wrong in one
    sentence, `where` is the place in a file, `context` gives reasons or details, `hint` says what
    to do next. A warning stops nothing.
    """

    reference: str
    message: str
    where: Location | None = None
    context: str | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """Return the problem as text, with the offending line and a caret where they are known."""
        lines = [f"{self.severity}: {self.reference}", ""]
        if self.where is None:
            lines.append(self.message)
        else:
            lines.append(f"{self.where}: {self.message}")
            if self.where.text is not None:
                number = str(self.where.line)
                indent = " " * len(number)
                # A tab stays a tab under the line, or the caret points beside its target.
                lead = "".join(
                    "\t" if character == "\t" else " "
                    for character in self.where.text[: self.where.column - 1]
                )
                lines += ["", f"  {number} | {self.where.text}", f"  {indent} | {lead}^"]
        if self.context:
            lines += ["", self.context]
        if self.hint:
            lines += ["", f"hint: {self.hint}"]
        return "\n".join(lines)


class RunbookError(Exception):
    """Something a person has to know about; carries one or more problems and an exit code.

    `exit_code` is 2 (bad usage, nothing was touched) unless the raiser knows better.
    """

    def __init__(self, *problems: Problem, exit_code: int = 2) -> None:
        if not problems:
            raise ValueError("an error needs at least one problem")
        super().__init__(problems[0].message)
        self.problems: Sequence[Problem] = problems
        self.exit_code = exit_code

    @classmethod
    def of(
        cls,
        reference: str,
        message: str,
        *,
        where: Location | None = None,
        context: str | None = None,
        hint: str | None = None,
        exit_code: int = 2,
    ) -> "RunbookError":
        """Build the error of a single problem."""
        return cls(
            Problem(reference=reference, message=message, where=where, context=context, hint=hint),
            exit_code=exit_code,
        )

    def render(self) -> str:
        """Return all problems as text, a blank line between them."""
        return "\n\n".join(problem.render() for problem in self.problems)

    def __str__(self) -> str:
        return self.render()
