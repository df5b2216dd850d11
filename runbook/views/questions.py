"""What a question of a runbook tells whoever has to answer it. All text is printable."""

from collections.abc import Iterator

from runbook.model.definition import Ask, Manual
from runbook.views.safe_text import printable, printable_lines


def say_question(step: Ask | Manual) -> Iterator[str]:
    """Return all that is told, line by line; the title stands elsewhere."""
    if step.help:
        yield from printable_lines(step.help)
    match step:
        case Ask():
            yield from say_choices(step)
        case Manual():
            yield from printable_lines(step.instruction)
            yield from say_commands(step)


def say_choices(step: Ask) -> Iterator[str]:
    """Return the choices by number, each with its help."""
    for number, choice in enumerate(step.choices, start=1):
        told = f" — {printable(choice.help)}" if choice.help else ""
        yield f"  {number}  {printable(choice.title)}{told}"


def say_commands(step: Manual) -> Iterator[str]:
    """Return the lines of the commands, to be copied."""
    for command in step.commands:
        for part in printable_lines(command):
            yield f"    {part}"
