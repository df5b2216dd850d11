"""A document of headings, items and quoted lines as HTML; see `outline`.

It is well-formed XML too. Whatever comes from a host is text: escaped, and in `code` or `pre`.
"""

from collections.abc import Iterable, Iterator
from html import escape

from runbook.views.outline import Block, Facts, Heading, Item, Part, Quote, Words
from runbook.views.safe_text import printable, printable_lines


def as_html(parts: Iterable[Part]) -> str:
    """Draw a document; items lie in lists by their depth."""
    return "\n".join(_lines(parts))


def escaped(text: str) -> str:
    """Return text that is only text in HTML, between tags and in attributes."""
    return escape(printable(text))


def marked(words: Words) -> str:
    """Return a line in parts, those that are a `Quote` as code."""
    return "".join(
        f"<code>{escaped(word)}</code>" if isinstance(word, Quote) else escaped(word)
        for word in words
    )


def _lines(parts: Iterable[Part]) -> Iterator[str]:
    depth = 0
    for part in parts:
        wanted = part.depth + 1 if isinstance(part, Item | Block) else 0
        # A block belongs to the item above it, which is still open.
        yield from _to_depth(depth, wanted, within=isinstance(part, Block))
        depth = wanted
        match part:
            case Heading():
                yield f"<h{part.level}>{marked(part.words)}</h{part.level}>"
            case Facts():
                yield "<dl>"
                for name, words in part.pairs:
                    yield f"<dt>{escaped(name)}</dt><dd>{marked(words)}</dd>"
                yield "</dl>"
            case Item():
                yield f"<li>{marked(part.words)}"
            case Block():
                yield _block(part)
    yield from _to_depth(depth, 0, within=False)


def _to_depth(now: int, wanted: int, *, within: bool) -> Iterator[str]:
    """Open and close lists; every list has an open item at the end of its own."""
    while now > wanted:
        yield "</li></ul>"
        now -= 1
    if now == wanted and now and not within:
        yield "</li>"
    while now < wanted:
        now += 1
        yield "<ul>" if now == wanted and not within else "<ul><li>"


def _block(block: Block) -> str:
    lines = []
    for line in printable_lines(block.text):
        text = escape(line)
        kind = {"+": "added", "-": "removed"}.get(line[:1]) if block.language == "diff" else None
        lines.append(f'<span class="{kind}">{text}</span>' if kind else text)
    return f"<pre>{chr(10).join(lines)}</pre>"
