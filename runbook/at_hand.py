"""What importing comes to, kept from one process to the next: modules, patterns, classes.

Each saves time only: where nothing is kept, or something else, all is as Python does it.
"""

from runbook import module_code, pattern_code

_in_use: list[str] = []


def use(name: str) -> None:
    """Take what is kept for the programs of this name, before they import anything else."""
    module_code.use(name)
    pattern_code.use(name)
    from runbook import class_code  # noqa: PLC0415 -- imports much, which is at hand now

    class_code.use(name)
    _in_use.append(name)


def keep() -> None:
    """Write down what was not at hand, once all is imported; from then on nothing is."""
    while _in_use:
        name = _in_use.pop()
        from runbook import class_code  # noqa: PLC0415 -- as above

        for each in (module_code.use(name), pattern_code.use(name), class_code.use(name)):
            each.keep()
