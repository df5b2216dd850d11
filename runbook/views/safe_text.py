"""Text of others on a terminal or in a report: nothing in it may steer what draws it."""

import codecs
import re
from typing import TextIO

# C0, C1 and DEL; marks that reorder or hide what stands beside them; line and paragraph
# separators; halves of surrogate pairs, which are undecodable bytes; invisible "tag" characters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Our own signs, each by one character, so that what was laid out stays in its columns.
_PLAIN = str.maketrans("✓✗■•»→…—·“”├└│─●↓█░▁▂▃▄▅▆▇", '+x**>>~--""|`|-*v#.1234567')
_ERRORS = "runbook-plain"


def printable(text: str) -> str:
    r"""Return text on one line, with what could steer a terminal or mislead the eye escaped.

    Controls (line breaks too), bidirectional and invisible marks, and what could not be decoded
    are written as `\n`, `\x1b`, `\u202e`. Everything else stays as it is.
    """
    return _UNSAFE.sub(_escape, text)


def printable_lines(text: str) -> list[str]:
    """Return the lines of a text, each printable, tabs widened."""
    text = text.replace("\r\n", "\n").removesuffix("\n")
    return [printable(line.expandtabs(4)) for line in text.split("\n")] if text else []


def tolerate(stream: TextIO) -> None:
    """Make a stream write something plain in place of what its encoding cannot hold.

    A stream that has no encoding of its own (not a file's) is left alone.
    """
    codecs.register_error(_ERRORS, _plainly)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=_ERRORS)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as Python hands it on
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(char if char.isascii() else "?" for char in text), error.end
