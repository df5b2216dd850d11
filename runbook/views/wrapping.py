"""Text beside a lead, broken between words where a terminal would break within them."""


def wrapped(lead: str, text: str, columns: int | None) -> list[str]:
    """Return a lead and a text in lines of at most `columns` characters; None is one line."""
    if columns is None or len(lead) >= columns // 2 or len(lead) + len(text) <= columns:
        return [lead + text]
    from textwrap import wrap  # noqa: PLC0415 -- where it is needed at all

    return wrap(
        text,
        columns,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
