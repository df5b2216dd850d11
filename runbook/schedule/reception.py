"""Answering calls from outside: what each came to, in the log and in the answer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from runbook.errors import RunbookError
from runbook.schedule.alerts import UnreadableError, read_delivery
from runbook.schedule.intake import Answer, FullError, Intake, ReplayedError
from runbook.schedule.listener import Call, Reply
from runbook.schedule.mapping import UnmappableError


def receiving(
    intake: Intake,
    log: Callable[[str, Mapping[str, str]], None],
    clock: Callable[[], datetime],
) -> Callable[[Call], Reply]:
    """Return what answers calls: it writes down what they tell, and says so to `log`."""

    def receive(call: Call) -> Reply:
        now = clock()
        try:
            delivery = read_delivery(call.hook, call.content, now)
            answer = intake.receive(call.hook, delivery, now, signature=call.signature)
        except (UnreadableError, UnmappableError) as error:
            return refused(HTTPStatus.BAD_REQUEST, call, str(error))
        except ReplayedError:
            return refused(HTTPStatus.CONFLICT, call, "this very call was made before")
        except FullError:
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, call, "too many requests wait already")
        except RunbookError as error:
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, call, error.problems[0].message)
        log("told", {"hook": call.hook.name, **_counted(answer)})
        for fingerprint, reason in answer.refused.items():
            log("refused", {"hook": call.hook.name, "alert": fingerprint, "reason": reason})
        status = HTTPStatus.UNPROCESSABLE_ENTITY if answer.useless else HTTPStatus.ACCEPTED
        return Reply(status=status, document=_document(answer))

    def refused(status: HTTPStatus, call: Call, reason: str) -> Reply:
        log("refused", {"hook": call.hook.name, "reason": reason})
        return Reply(status=status, document={"reason": reason})

    return receive


def _counted(answer: Answer) -> dict[str, str]:
    counts = {
        "accepted": len(answer.accepted),
        "joined": len(answer.joined),
        "resolved": len(answer.resolved),
        "refused": len(answer.refused),
        "left out by the sender": answer.truncated,
    }
    return {name: str(count) for name, count in counts.items() if count}


def _document(answer: Answer) -> dict[str, object]:
    return {
        "accepted": answer.accepted,
        "joined": answer.joined,
        "resolved": answer.resolved,
        "refused": answer.refused,
    }
