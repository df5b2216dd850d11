r"""Names that Postgres cannot keep as they are: a TEXT holds neither NUL nor half a surrogate pair.

Those are kept as JSON, in quotes; so is, to tell the two apart, a name that begins with a quote.
"""

import json
import re

_UNKEEPABLE = re.compile('^"|[\x00\ud800-\udfff]')


def kept(text: str) -> str:
    """Return the text to keep for a name."""
    return json.dumps(text) if _UNKEEPABLE.search(text) else text


def told(text: str) -> str:
    """Return the name of a text that was kept."""
    return str(json.loads(text)) if text.startswith('"') else text
