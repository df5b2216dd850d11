"""Importing much at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import many modules: what they are made of stays, so nothing of it is looked for as garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
