"""Telling people, beside whatever else a process does: one thread reads, one sends to each target."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.journal.following import Follower
from runbook.journal.tally import UNDERTAKER
from runbook.model.event import Delivery, Notified
from runbook.notify.collapse import collapsed
from runbook.notify.incidents import Troubles
from runbook.notify.outbox import Message, Outbox
from runbook.notify.plan import Plan, Target
from runbook.notify.sender import DeliveryError, send
from runbook.notify.signs import Reader
from runbook.notify.wording import Wording, word

TURN_S = 1.0
"""How often the journal is looked at for what is to be told."""

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 600.0
GIVE_UP_S = 86400.0
_ATTEMPT_S = 120.0
_DELIVERIES = {
    "pending": Delivery.FAILED,
    "delivered": Delivery.DELIVERED,
    "given_up": Delivery.GIVEN_UP,
}

Log = Callable[[str, Mapping[str, str]], None]


def retry_after_s(attempts: int) -> float:
    """Return how long to wait after so many failed tries: twice as long each time, to ten minutes."""
    return min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20), LONGEST_RETRY_S)


@dataclass(kw_only=True)
class Notifier:
    """Tells what the journal says. `clean` makes text of others harmless to show."""

    plan: Plan
    journal: Journal
    outbox: Outbox
    log: Log
    clean: Callable[[str], str]
    clock: Callable[[], float] = time.time
    deliver: Callable[[Target, Wording], None] = send
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = Reader(self.journal)
        self._due = {name: threading.Event() for name in self.plan.targets}

    def turn(self) -> None:
        """Take in what is new in the journal, and make messages of it; raise RunbookError."""
        now = self.clock()
        with self.outbox.writing():
            since, read = self.outbox.followed(now)
            follower = Follower(self.journal, since=since, read=read)
            known = self.outbox.troubles()
            troubles = Troubles(self.plan.tiers, known)
            # What several runs say of one host counts in the order in which they said it.
            signs = [sign for news in follower.news() for sign in self._reader.signs(news)]
            signs.sort(key=lambda sign: sign.at)
            notices = [notice for sign in signs for notice in troubles.take(sign)]
            notices += troubles.overdue(now)
            if (follower.since, follower.read) != (since, read):
                self.outbox.follow(follower.since, follower.read)
            if troubles.open != tuple(known):
                self.outbox.keep(troubles.open)
            self.outbox.hold(notices)
            self._post(now)
            self._write_down(now)
            self.outbox.forget(now)

    def send_due(self, target: Target) -> bool:
        """Try the next message to a target that is due; say whether there was one."""
        message = self.outbox.take(target.name, self.clock(), _ATTEMPT_S)
        if message is None:
            return False
        wording = Wording(title=message.title, body=message.body)
        about = {"target": target.name, "title": self.clean(message.title)}
        try:
            self.deliver(target, wording)
        except DeliveryError as error:
            self._failed(message, str(error), about)
        else:
            self.outbox.close_message(message, "delivered", "", self.clock())
            self.log("notified", about)
        with self.outbox.writing():
            self._write_down(self.clock())
        return True

    def start(self) -> None:
        """Begin to tell, in threads that end with `stop` or the process."""
        work: list[tuple[str, Callable[[], None]]] = [("notices", self._read_on)]
        work += [
            (f"notices to {target.name}", lambda target=target: self._send_on(target))  # type: ignore[misc]
            for target in self.plan.targets.values()
        ]
        for name, does in work:
            thread = threading.Thread(target=does, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, within_s: float) -> None:
        """Tell what is new by now, try each message that is due once more, and end."""
        self._stopping.set()
        for due in self._due.values():
            due.set()
        ends = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _post(self, now: float) -> None:
        for tier in self.plan.tiers:
            held = self.outbox.held(tier.name)
            if not held:
                continue
            sent = self.outbox.sent(tier.name, now - tier.collapse_s)
            for bundle in collapsed(tier, held, sent, now):
                wording = word(self.plan, bundle, self.clean)
                self.outbox.post(tier.name, tier.targets, bundle, wording, now)
                for name in tier.targets:
                    self._due[name].set()

    def _write_down(self, now: float) -> None:
        """Write into the journal of each run who was told of it, and who could not be.

        It is noted in the outbox after that: a crash between has it written twice, and not lost.
        """
        for run, message in self.outbox.unwritten():
            event = Notified(
                target=message.target,
                message=str(message.id),
                text=message.body.partition("\n")[0],
                delivery=_DELIVERIES[message.state],
                attempts=message.attempts,
                reason=self.clean(message.told),
            )
            try:
                self.journal.append(run, [event], at=now, who=UNDERTAKER)
            except RunbookError as error:
                # A run whose time was up may have been taken out.
                if error.problems[0].reference != "unknown-run":
                    raise
            self.outbox.written(run, message)

    def _failed(self, message: Message, why: str, about: Mapping[str, str]) -> None:
        now, attempts = self.clock(), message.attempts + 1
        over = now - message.at >= GIVE_UP_S
        wait_s = retry_after_s(attempts)
        state = "given_up" if over else "pending"
        self.outbox.close_message(message, state, why, now + wait_s)
        self.log(
            "not notified",
            {
                **about,
                "reason": self.clean(why),
                "attempt": str(attempts),
                "next": "none: given up" if over else f"in {wait_s:.0f} s",
            },
        )

    def _read_on(self) -> None:
        """Take a turn now and then, the last one after the order to stop."""
        broken = ""
        while True:
            last = self._stopping.is_set()
            try:
                self.turn()
                broken = ""
            except RunbookError as error:
                # It may be mended meanwhile, and is to be said once.
                said = error.problems[0].message
                if said != broken:
                    self.log("notices stand still", {"reason": self.clean(said)})
                broken = said
            if last:
                return
            self._stopping.wait(TURN_S)

    def _send_on(self, target: Target) -> None:
        due = self._due[target.name]
        while True:
            last = self._stopping.is_set() and not self._threads[0].is_alive()
            due.clear()
            try:
                while self.send_due(target):
                    pass
            except RunbookError as error:
                self.log("notices stand still", {"reason": self.clean(error.problems[0].message)})
            if last:
                return
            due.wait(TURN_S if not self._stopping.is_set() else 0.1)
