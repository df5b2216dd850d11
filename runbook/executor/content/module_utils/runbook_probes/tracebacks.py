"""Find Python tracebacks in the lines of a log, and what they say."""

from __future__ import annotations

import re

from .records import Record

_HEADER = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\):")
_FRAME = re.compile(r'^\s*File "(.*?)", line (\d+)(?:, in (.*))?$')
_ENDING = re.compile(r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (.*)|:)?$")
_CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_NO_MODULE = re.compile(r"^No module named '([^']+)'")
_NO_NAME = re.compile(
    r"^cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'"
)
# What uvicorn prints instead of a traceback.
_ASGI = re.compile(
    r"Error loading ASGI app\. "
    r"(?:Could not import module \"([^\"]*)\"|Attribute \"([^\"]*)\" not found in module \"([^\"]*)\")"
)
# Frames, source lines and carets of one traceback; recursion errors are abridged by Python itself.
_MOST_LINES = 2000
_TEXT_LINES = 60
_NOT_OURS = ("/site-packages/", "/dist-packages/", "/lib/python3")


class Frame(Record):
    """Where a frame of a traceback stands."""

    file: str
    line: int
    function: str | None


class Traceback(Record):
    """A traceback; `start` and `end` are the numbers of its first line and the line after it."""

    type: str
    message: str
    frames: list[Frame]
    lines: list[str]
    start: int
    end: int
    chain: list[str]


def find_last(lines: list[str]) -> Traceback | None:
    """Return the last traceback that the lines hold whole, None if there is none."""
    for start in range(len(lines) - 1, -1, -1):
        found = _read(lines, start)
        if found is not None:
            return found._replace(chain=_causes(lines, found))
        match = _ASGI.search(lines[start])
        if match is not None:
            return Traceback(
                "ImportFromStringError", match.group(), [], [lines[start]], start, start + 1, []
            )
    return None


def _read(lines: list[str], start: int) -> Traceback | None:
    header = _HEADER.search(lines[start])
    if header is None:
        return None
    # Whatever stands before the header stands before every line: a container's name, a bar.
    indent = header.start()
    frames: list[Frame] = []
    for number in range(start + 1, min(start + _MOST_LINES, len(lines))):
        line = lines[number][indent:]
        match = _FRAME.match(line)
        if match is not None:
            frames.append(Frame(match[1], int(match[2]), match[3]))
        elif line and not line[0].isspace():
            match = _ENDING.match(line)
            if match is None:
                return None
            text = [each[indent:] for each in lines[start : number + 1]]
            return Traceback(match[1], match[2] or "", frames, text, start, number + 1, [])
    return None


def _causes(lines: list[str], found: Traceback) -> list[str]:
    """Return the exceptions that led to this one, the first one first."""
    causes: list[str] = []
    end = found.start
    while True:
        before = end - 1
        while before >= 0 and not lines[before].strip():
            before -= 1
        if before < 0 or not any(text in lines[before] for text in _CHAINED):
            return causes[::-1]
        earlier = None
        for start in range(before - 1, max(before - _MOST_LINES, -1), -1):
            if _HEADER.search(lines[start]):
                earlier = _read(lines, start)
                break
        if earlier is None:
            return causes[::-1]
        causes.append(f"{earlier.type}: {earlier.message}")
        end = earlier.start


def facts_of(found: Traceback | None) -> dict[str, object]:
    """Return what a traceback says: the error, and the place that raised it.

    `file`, `line` and `function` are the innermost frame that is a file; `application_file` and
    `application_line` the innermost one outside of installed packages.
    """
    facts: dict[str, object] = dict.fromkeys(
        (
            "type", "message", "file", "line", "function", "application_file", "application_line",
            "module", "name",
        )
    )  # fmt: skip
    facts.update(text="", chain=[])
    if found is None:
        return facts
    facts.update(type=found.type, message=found.message, chain=found.chain)
    facts.update(imported(found.message))
    facts["text"] = "\n".join(_shortened(found.lines))
    # Frozen modules are the import machinery, which is never at fault.
    frames = [frame for frame in found.frames if not frame.file.startswith("<")]
    if frames:
        last = frames[-1]
        facts.update(file=last.file, line=last.line, function=last.function)
    own = [frame for frame in frames if not any(part in frame.file for part in _NOT_OURS)]
    if own:
        facts.update(application_file=own[-1].file, application_line=own[-1].line)
    return facts


def imported(message: str) -> dict[str, str]:
    """Return the module, and the name in it, that an import error's message says are missing."""
    match = _NO_MODULE.match(message)
    if match is not None:
        return {"module": match[1]}
    match = _NO_NAME.match(message)
    if match is not None:
        return {"name": match[1], "module": match[2]}
    match = _ASGI.search(message)
    if match is not None:
        return {"module": match[1]} if match[1] else {"name": match[2], "module": match[3]}
    return {}


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _TEXT_LINES:
        return lines
    half = _TEXT_LINES // 2
    return [*lines[:half], f"  [{len(lines) - 2 * half} lines left out]", *lines[-half:]]
