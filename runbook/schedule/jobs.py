"""Who is called for what is queued, where services share a database: the only place that knows of Procrastinate.

A job says "see to request N", and nothing else: what is asked for and how far it has come is in the
queue, so a job that is lost, doubled or too late does no harm. It is deferred in the transaction in
which its request becomes queued, there is one for a request at a time (`queueing_lock`), and those
of one host are worked on one after the other (`lock`).
https://procrastinate.readthedocs.io
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import DeleteJobCondition, Status

from runbook.errors import RunbookError
from runbook.journal.postgres_session import SETTING, SETTINGS, Connection, conninfo
from runbook.schedule.requests import Kept, marked, named

HEARTBEAT_S = 5.0
"""How often a worker shows that it lives."""

STALLED_S = 30.0
"""The jobs of a worker that has shown nothing for so long are nobody's."""

FORGOTTEN_S = 900.0
"""For how long a worker that has shown nothing is still told of."""

_QUEUE = "runbook"
_TASK = "see_to"
_LOOK_S = 0.05
_FETCH_S = 0.25  # What a host's earlier job held up is not announced.
_AGAIN_S = 1.0
_CLOSING_S = 10.0

_logger = logging.getLogger("procrastinate")
_logger.propagate = False
_logger.addHandler(logging.NullHandler())
logging.getLogger("psycopg.pool").propagate = False
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

_app = App(connector=SyncPsycopgConnector())


def defer(connection: Connection, requests: Iterable[Kept]) -> None:
    """Have workers see to requests, with the transaction that is open on the connection."""
    for kept in requests:
        names = named(kept.request)
        job = _app.configure_task(
            _TASK,
            queue=_QUEUE,
            queueing_lock=marked(kept),
            lock=_lock(*names) if len(names) == 1 else None,
            connection=connection,
        )
        try:
            # Somebody who retries jobs by hand may have come before; that must not undo the rest.
            with suppress(AlreadyEnqueued), connection.transaction():
                job.defer(request=kept.id)
        except ConnectorException as error:
            raise error.__cause__ or error from None


def _lock(name: str) -> str:
    # No text of Postgres holds these.
    return "host " + name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


class Crew:
    """Sees to requests that it is called for, in a thread of its own, until it is told to leave.

    `see_to` is given a request's number, again and again until it says that there is nothing left to
    see to; so many are seen to `at_once`. `log` is told where the database is out of reach.
    """

    def __init__(
        self,
        url: str,
        see_to: Callable[[int], bool],
        at_once: int,
        log: Callable[[str, Mapping[str, str]], None],
    ) -> None:
        self._where = conninfo(url)
        self._see_to = see_to
        self._at_once = at_once
        self._log = log
        self._worker: int | None = None
        self._in_hand: set[int | None] = set()
        self._stray: set[int | None] = set()
        self._told: str | None = None
        self._failed: BaseException | None = None
        self._work: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="crew", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended it, where something has."""
        if self._failed is not None:
            raise self._failed

    def leave(self) -> None:
        """Take up nothing more; what goes on is not seen to any longer."""
        with suppress(RuntimeError):  # It may be gone.
            self._loop.call_soon_threadsafe(self._stop)

    def close(self) -> None:
        """Leave, and wait for that."""
        self.leave()
        # A server that says nothing holds nobody up who wants to end.
        self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        try:
            self._loop.set_exception_handler(self._on_stray)
            self._work = self._loop.create_task(self._keep_working())
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._work)
        except BaseException as error:  # noqa: BLE001 -- for the thread that asks
            self._failed = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _stop(self) -> None:
        # Told twice, it would not sign off.
        if self._work is not None and not self._leaving:
            self._work.cancel()
        self._leaving = True

    def _on_stray(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Take note of what no task was waited for; a job that is gone cannot be ended, nor has to be."""
        error = context.get("exception")
        if not isinstance(error, ConnectorException | psycopg.Error | None):
            self._failed = error
            self._stop()

    async def _keep_working(self) -> None:
        """Be a worker, and again after the database was out of reach."""
        connector = PsycopgConnector(
            conninfo=self._where, configure=_configured, min_size=1, max_size=4
        )
        app = App(connector=connector)
        app.task(name=_TASK, queue=_QUEUE, pass_context=True)(self._job)
        while not self._leaving:
            why = "the connection broke"
            try:
                async with app.open_async():
                    await self._clear_up(app)
                    await self._be_a_worker(app)
            except (ConnectorException, psycopg.Error) as error:
                why = " ".join(str(error.__cause__ or error).split())
            if not self._leaving:
                self._log("out of touch", {"reason": why})
                await asyncio.sleep(_AGAIN_S)

    async def _be_a_worker(self, app: App) -> None:
        recovering = asyncio.create_task(self._recover(app))
        try:
            await app.run_worker_async(
                queues=[_QUEUE],
                concurrency=self._at_once,
                fetch_job_polling_interval=_FETCH_S,
                # Runs are seen out by the service; a job without its worker is of no use.
                shutdown_graceful_timeout=0,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=FORGOTTEN_S,
            )
        finally:
            recovering.cancel()
            with suppress(asyncio.CancelledError, ConnectorException, psycopg.Error):
                await recovering

    async def _job(self, context: JobContext, *, request: int) -> None:
        """See to a request for as long as there is something to see to."""
        self._worker = context.job.worker_id
        self._in_hand.add(context.job.id)
        pause = max(_LOOK_S, _LOOK_S * self._at_once / 10)
        try:
            # The end of a process sets no event.
            while await asyncio.to_thread(self._see_to, request):  # noqa: ASYNC110
                await asyncio.sleep(pause)
        except RunbookError as error:
            # It is called for again; a service that cannot go on at all finds that in its turns.
            reason = error.problems[0].message
            self._log("not seen to", {"request": str(request), "reason": reason})
        except Exception as error:  # noqa: BLE001 -- for the thread that asks
            self._failed = error
            self._stop()
        finally:
            self._in_hand.discard(context.job.id)

    async def _clear_up(self, app: App) -> None:
        """Drop what this crew left when it lost touch, so that no host waits for it."""
        if self._worker is not None:
            for job in await app.job_manager.list_jobs_async(
                worker_id=self._worker, status=Status.DOING.value
            ):
                await self._drop(app, job.id)
            await app.job_manager.unregister_worker(self._worker)
            self._worker = None

    async def _recover(self, app: App) -> None:
        """Drop the jobs of workers that died; the requests are called for again (`Service.turn`)."""
        while True:
            with suppress(ConnectorException, psycopg.Error):
                stalled = await app.job_manager.get_stalled_jobs(
                    queue=_QUEUE, seconds_since_heartbeat=STALLED_S
                )
                for job in stalled:
                    await self._drop(app, job.id)
                await self._drop_strays(app)
                await app.job_manager.prune_stalled_workers(FORGOTTEN_S)
            await asyncio.sleep(HEARTBEAT_S)

    async def _drop_strays(self, app: App) -> None:
        """Drop jobs of this worker that it has not in hand: the database went away as they ended.

        What is about to begin, or to end, looks the same for a moment; what does twice is a stray.
        """
        if self._worker is None:
            return
        found = await app.job_manager.list_jobs_async(
            worker_id=self._worker, status=Status.DOING.value
        )
        here = {job.id for job in found} - self._in_hand
        for job in here & self._stray:
            await self._drop(app, job)
        self._stray = here

    async def _drop(self, app: App, job: int | None) -> None:
        assert job is not None  # noqa: S101 -- it is from the database
        with suppress(ConnectorException):  # Somebody else was faster.
            await app.job_manager.finish_job_by_id_async(job, Status.ABORTED, delete_job=True)


async def _configured(connection: psycopg.AsyncConnection[Any]) -> None:
    """Have a connection of the pool like all others."""
    await connection.execute(SETTING, SETTINGS)
    await connection.commit()
