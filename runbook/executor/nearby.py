"""Asking the probes on the controller itself, as the user who runs us, without Ansible in between.

They look from a process that is forked from this one: another Python would take longer to start than
most of them to look, for each host anew.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from runbook.executor.probing import SLACK_S
from runbook.executor.workspace import CONTENT
from runbook.model.definition import Json

_READ_SIZE = 1 << 16


def get_ready(kinds: Iterable[str]) -> None:
    """Import some types of probes before processes are forked that ask them."""
    from runbook.executor.content.module_utils.runbook_probes import batch  # noqa: PLC0415 -- used by few

    for kind in kinds:
        batch.get_ready(kind)


def get_all_ready() -> None:
    """Import all types of probes, where nobody waits for that."""
    from runbook.executor.content.module_utils.runbook_probes import registry  # noqa: PLC0415 -- as above

    get_ready(registry.AREAS)


def ask_controller(request: Mapping[str, Json]) -> Callable[[], Mapping[str, Any]]:
    """Answer a request of the probe module here.

    It has begun when this returns; what this returns waits for the answer. Where nothing can be asked,
    as of no address, that is the answer, and nobody is asked.
    """
    refused = _refused(request)
    if refused is not None:
        return lambda: refused
    told_fd = -1
    try:
        told_fd, tell_fd = os.pipe()
        pid = os.fork()
    except OSError as error:
        trouble = {"could_not": f"the controller's probe cannot be started: {error}"}
        if told_fd >= 0:
            os.close(told_fd)
            os.close(tell_fd)
        return lambda: trouble
    if pid == 0:
        _answer(request, tell_fd)
    os.close(tell_fd)

    def answer() -> Mapping[str, Any]:
        try:
            found = json.loads(_told(told_fd, float(request["deadline"]) + SLACK_S))
        except (OSError, ValueError) as error:
            return {"could_not": f"the controller's probe did not answer: {error}"}
        finally:
            os.close(told_fd)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return found if isinstance(found, dict) else {"could_not": "the answer is not an object"}

    return answer


def _refused(request: Mapping[str, Json]) -> dict[str, Any] | None:
    """Return the answer to a request of which no probe can look, None where one may."""
    if request["sample"] or any(probe["as"] for probe in request["probes"]):
        return None
    answers = {}
    for probe in request["probes"]:
        reason = _refusal(probe["type"], probe["args"])
        if reason is None:
            return None
        answers[probe["id"]] = {"looked": False, "reason": reason, "took_s": 0.0}
    return {"changed": False, "answers": answers}


def _refusal(kind: str, given: dict[str, Any]) -> str | None:
    """Say why a probe cannot look with these arguments, as far as they tell."""
    from runbook.executor.content.module_utils.runbook_probes import call, registry, web  # noqa: PLC0415 -- as above

    try:
        arguments = call.bind(registry.find(kind), given)
        if kind == "http":
            web.expect_address(str(arguments["url"]))
    except call.CannotLookError as error:
        return str(error)
    return None


def _told(fd: int, within_s: float) -> bytes:
    """Read to the end; raise OSError or TimeoutError, which is one."""
    ends = time.monotonic() + within_s
    chunks = [b""]
    while True:
        if not select.select([fd], [], [], max(ends - time.monotonic(), 0))[0]:
            raise TimeoutError(f"nothing came within {within_s:g} s")
        chunks.append(os.read(fd, _READ_SIZE))
        if not chunks[-1]:
            return b"".join(chunks)


def _answer(request: Mapping[str, Json], tell_fd: int) -> NoReturn:
    """Answer in a process of our own, which holds nothing open that somebody waits for."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.closerange(3, tell_fd)
        os.closerange(tell_fd + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir(CONTENT)
        from runbook.executor.content.module_utils.runbook_probes.batch import (  # noqa: PLC0415 -- as above
            answer,
        )

        data = json.dumps(answer(dict(request))).encode()
        while data:
            data = data[os.write(tell_fd, data) :]
        os._exit(0)
    finally:
        os._exit(1)
