"""Hide secrets in text: by literal value where they are known, by shape where they are not.

This is the second line of defence. The first is the executor's, which knows what is `no_log`,
vaulted or declared secret. A shape that is not listed here is not found.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import quote

from runbook.model.definition import Json

MASK = "********"

# A shorter secret would turn every figure in a report into asterisks; it is hidden only where it is
# the whole of a value.
_SHORTEST_ANYWHERE = 4
# A line of a secret of several lines (a key) is hidden by itself too: Ansible splits output.
_SHORTEST_LINE = 8
# What lies deeper cannot be looked through within Python's recursion limit, so it is hidden whole.
_DEEPEST = 100
_LONGEST_REMEMBERED = 200
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """A known form of secret.

    `hints` are lower-case substrings of which one is in every match: looking for them first spares
    the expression on nearly all text. No expression can scan the same characters for many starting
    points: each start is bounded by a look-behind or by a class its own prefix is not in.
    """

    hints: tuple[str, ...]
    expression: str
    replacement: str = MASK


_compiled = cache(re.compile)
"""Compiles an expression when it is first needed: most commands look for no secrets."""


def compile_all() -> None:
    """Compile all expressions, for processes that are forked and will look for secrets."""
    for shape in _SHAPES:
        _compiled(shape.expression)


def _token(hint: str, expression: str) -> _Shape:
    """Build the shape of a token that tells itself by its first characters."""
    return _Shape(hints=(hint,), expression=rf"(?<![A-Za-z0-9_-])(?:{expression})")


_WORDS = (
    r"pass(?:word|wd|phrase)|pwd(?![\"']?[=:]/)|secret(?:[_-]?(?:access[_-]?)?key)?|token"
    r"|(?:api|access|private|auth)[_-]?key|credentials?"
)
_WORD_HINTS = ("pass", "pwd", "secret", "token", "key", "credential")
# What mysql and sshd print about a password is not the password.
_SPEAKS_OF_IT = r"(?!(?:yes|no|true|false|null|none|required|incorrect|invalid|expired)\b)"

_SHAPES = (
    _Shape(
        hints=("private key",),
        # A block that was cut off is hidden to the end of the text.
        expression=(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
    ),
    _Shape(
        hints=("://",),
        expression=r"""(://[^\s/:@"'<>]*:)[^\s/"'<>]+@""",
        replacement=rf"\1{MASK}@",
    ),
    _Shape(
        hints=("authorization", "cookie"),
        expression=(
            r"""(?i)\b((?:authorization|cookie)\\*["']?[ \t]{0,4}[:=][ \t]{0,4}\\*["']?"""
            r"""(?:(?:basic|bearer|digest|negotiate|token)[ ]+)?)[^\r\n"'\\]+"""
        ),
        replacement=rf"\1{MASK}",
    ),
    _Shape(
        hints=("bearer",),
        expression=r"(?i)\b(bearer[ \t]{1,4})[A-Za-z0-9._~+/=-]{16,}",
        replacement=rf"\1{MASK}",
    ),
    _Shape(
        hints=_WORD_HINTS,
        expression=(
            rf"""(?i)((?:{_WORDS})\\{{0,4}}["']?[ \t]{{0,4}}[=:][ \t]{{0,4}}){_SPEAKS_OF_IT}"""
            r"""(?:(\\{0,4}["'])(?:(?!\2)(?:\\.|[^\r\n]))+|[^\s"'&;]+)"""
        ),
        replacement=rf"\1\2{MASK}",
    ),
    _Shape(
        hints=_WORD_HINTS,
        expression=rf"""(?i)(--[a-z0-9-]{{0,40}}(?:{_WORDS})[ ]{{1,4}})(["']?)[^\s"'-][^\s"']*""",
        replacement=rf"\1\2{MASK}",
    ),
    _token("akia", r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _token("asia", r"ASIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _token("gh", r"gh[oprsu]_[A-Za-z0-9]{20,}"),
    _token("github_pat_", r"github_pat_[A-Za-z0-9_]{20,}"),
    _token("glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    _token("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _token("aiza", r"AIza[A-Za-z0-9_-]{35}"),
    _token("sk_live_", r"sk_live_[A-Za-z0-9]{16,}"),
    _token("eyj", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    _Shape(  # password hashes, as in a diff of /etc/shadow
        hints=("$1$", "$2", "$5$", "$6$", "$y$", "$7$"),
        expression=r"\$(?:1|2[abxy]?|5|6|7|y)\$[./A-Za-z0-9=,]+\$[./A-Za-z0-9$]{16,}",
    ),
    _Shape(
        hints=("hooks.slack.com/",),
        expression=r"(?i)(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"'<>]+",
        replacement=rf"\1{MASK}",
    ),
)

_SECRET_KEY = re.compile(rf"(?i)(?:^|[_.-])(?:{_WORDS})s?$|(?i:^(?:set-)?cookie$|authorization$)")


_KEY_EDGE = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def _without_keys(lines: Sequence[Json], masked: list[Json]) -> list[Json]:
    """Hide the lines of private keys that are spread over a list, line by line."""
    within = False
    for number, line in enumerate(lines):
        if not isinstance(line, str):
            continue
        edges = _KEY_EDGE.findall(line)
        if within:
            masked[number] = MASK
        if edges:
            within = edges[-1] == "BEGIN"
    return masked


def _forms(secret: str) -> Iterable[str]:
    """Yield a secret as it may appear in output: as it is, escaped, encoded, line by line."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="", errors="replace")
    yield b64encode(secret.encode(errors="replace")).decode()
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)


class Masker:
    """Hides the secrets it was given, and whatever looks like one.

    A secret shorter than 4 characters is hidden only where it is a whole value. Masking twice
    changes nothing more.
    """

    __slots__ = ("_anywhere", "_keys", "_texts", "_whole")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._whole = frozenset(secret for secret in secrets if secret)
        forms = {
            form
            for secret in self._whole
            if len(secret) >= _SHORTEST_ANYWHERE
            for form in _forms(secret)
        }
        self._anywhere = tuple(sorted(forms - {MASK}, key=lambda form: (-len(form), form)))
        # Thousands of hosts give the same keys and the same words: most work is done already.
        self._texts: dict[str, str] = {}
        self._keys: dict[str, tuple[str, bool]] = {}

    def text(self, text: str) -> str:
        """Return `text` with `MASK` in place of each secret; time is linear in its length."""
        if len(text) > _LONGEST_REMEMBERED:
            return self._masked(text)
        masked = self._texts.get(text)
        if masked is None:
            if len(self._texts) >= _MOST_REMEMBERED:
                self._texts.clear()
            masked = self._texts[text] = self._masked(text)
        return masked

    def _masked(self, text: str) -> str:
        if text in self._whole:
            return MASK
        if self._anywhere:
            text = self._without_literals(text)
        lower = text.lower()
        for shape in _SHAPES:
            # Plain loops: a generator here doubles the cost of a short text.
            for hint in shape.hints:
                if hint in lower:
                    text = _compiled(shape.expression).sub(shape.replacement, text)
                    break
        return text

    def value(self, value: Json) -> Json:
        """Return plain data with its strings masked, and whole what stands under a telling key.

        `{"password": ...}` loses its value whatever that is (but for null and booleans); a number
        is hidden where it is a known secret.
        """
        return self._value(value, 0)

    def _value(self, value: Json, depth: int) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return MASK if self._whole and str(value) in self._whole else value
        if depth >= _DEEPEST:
            return MASK
        if isinstance(value, Mapping):
            masked = {}
            for key, item in value.items():
                name, telling = self._key(str(key))
                hidden = telling and item is not None and not isinstance(item, bool)
                masked[name] = MASK if hidden else self._value(item, depth + 1)
            return masked
        masked_items = [self._value(item, depth + 1) for item in value]
        if any(isinstance(item, str) and "PRIVATE KEY" in item for item in value):
            return _without_keys(value, masked_items)
        return masked_items

    def _key(self, key: str) -> tuple[str, bool]:
        """Return a key masked, and whether what stands under it is a secret by its name."""
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= _MOST_REMEMBERED:
                self._keys.clear()
            known = self._keys[key] = (self.text(key), _SECRET_KEY.search(key) is not None)
        return known

    def _without_literals(self, text: str) -> str:
        spans: list[tuple[int, int]] = []
        for form in self._anywhere:
            start = text.find(form)
            while start >= 0:
                spans.append((start, start + len(form)))
                start = text.find(form, start + 1)
        if not spans:
            return text
        # Secrets that overlap are one hole: hiding the first alone would leave the second's rest.
        spans.sort()
        parts: list[str] = []
        done = 0
        begin, end = spans[0]
        for start, stop in spans[1:]:
            if start < end:
                end = max(end, stop)
                continue
            parts += [text[done:begin], MASK]
            begin, end, done = start, stop, end
        parts += [text[done:begin], MASK, text[end:]]
        return "".join(parts)


@lru_cache(maxsize=16)
def masker_of(secrets: frozenset[str]) -> Masker:
    """Return the masker of all hosts that have these secrets, and what it has masked so far."""
    return Masker(secrets)


_BY_SHAPE = Masker()

mask_text: Callable[[str], str] = _BY_SHAPE.text
"""Hide in a text what looks like a secret."""

mask_value: Callable[[Json], Json] = _BY_SHAPE.value
"""Hide in plain data what looks like a secret."""
