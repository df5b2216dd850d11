"""Apprise: the only place that knows it. It is an extra: `pip install 'runbook[notify]'`."""

import logging
import os
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from runbook.errors import RunbookError
from runbook.model.masking import MASK
from runbook.notify.plan import Target
from runbook.notify.wording import Wording

if TYPE_CHECKING:
    from apprise import Apprise

_LONGEST = 200
_listening: ContextVar["_Heard | None"] = ContextVar("_listening", default=None)


class DeliveryError(Exception):
    """A message did not reach its target; the text says why, without the target's URL."""


def require_apprise() -> None:
    """Raise RunbookError where Apprise is not installed."""
    if find_spec("apprise") is None:
        raise RunbookError.of(
            "no-apprise",
            "notifications need Apprise, which is not installed",
            hint="pip install 'runbook[notify]', or leave the setting `notify` out",
        )


def url_of(target: Target, environ: Mapping[str, str] | None = None) -> str:
    """Return a target's URL; raise RunbookError `no-target-url`, which does not hold it."""
    environ = os.environ if environ is None else environ
    if target.variable is not None:
        url = environ.get(target.variable, "").strip()
        if not url:
            raise _no_url(target, f"the environment variable {target.variable} is not set")
        return url
    path = Path(os.path.expandvars(target.file or "")).expanduser()
    try:
        url = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise _no_url(target, f"cannot read {path}: {why}") from error
    if not url:
        raise _no_url(target, f"{path} is empty")
    return url


def check_target(target: Target, environ: Mapping[str, str] | None = None) -> None:
    """Raise RunbookError where a target has no URL that Apprise understands."""
    _service(target, url_of(target, environ))


def send(target: Target, wording: Wording, environ: Mapping[str, str] | None = None) -> None:
    """Deliver a message now; raise DeliveryError where that fails, for whatever reason."""
    try:
        url = url_of(target, environ)
        service = _service(target, url)
    except RunbookError as error:
        raise DeliveryError(error.problems[0].message) from error
    apprise = _loaded()
    try:
        with _Heard() as heard:
            reached = service.notify(
                title=wording.title, body=wording.body, body_format=apprise.NotifyFormat.TEXT
            )
    except Exception as error:
        raise DeliveryError(_without(url, f"{type(error).__name__}: {error}")) from error
    if not reached:
        raise DeliveryError(_without(url, heard.said or "it was not accepted"))


def _service(target: Target, url: str) -> "Apprise":
    apprise = _loaded()
    # Nothing is kept on disk, and nothing in a message stands for a file or an emoji.
    asset = apprise.AppriseAsset(
        secure_logging=True,
        interpret_escapes=False,
        interpret_emojis=False,
        storage_path=None,
        async_mode=False,
    )
    service: Apprise = apprise.Apprise(asset=asset)
    with _Heard() as heard:
        understood = service.add(url)
    if not understood or len(service) != 1:
        raise RunbookError.of(
            "bad-target-url",
            f'the URL of target "{target.name}" is not one that Apprise understands: '
            + _without(url, heard.said or "it names no single service"),
            hint="See https://github.com/caronc/apprise/wiki for the form of each service's URL.",
        )
    return service


@cache
def _loaded() -> ModuleType:
    """Return Apprise with all its services, of which some import what Python has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise  # noqa: PLC0415 -- 200 ms, and an extra

        apprise.Apprise.instantiate("json://127.0.0.1")
    return apprise


class _Heard(logging.Handler):
    """Keeps the last thing Apprise complained of on our behalf: all it says of a failure.

    Apprise may work in threads of its own, to which it hands on the context of whoever called it.
    """

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.said = ""
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said."""
        if _listening.get() is self:
            self.said = record.getMessage()

    def __enter__(self) -> Self:
        self._logger.propagate = False  # What it says may hold secrets: not for standard error.
        self._logger.addHandler(self)
        self._token = _listening.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self)
        _listening.reset(self._token)


def _no_url(target: Target, why: str) -> RunbookError:
    return RunbookError.of("no-target-url", f'target "{target.name}" has no URL: {why}')


def _without(url: str, text: str) -> str:
    """Return text without a URL, or any part of it long enough to be a secret."""
    parts = {url, url.partition("://")[2], *url.replace("?", "/").replace("@", "/").split("/")}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= 6:
            text = text.replace(part, MASK)
    return " ".join(text.split())[:_LONGEST]
