"""The one error that modules turn into a failed task."""

from __future__ import annotations


class RefusedError(Exception):
    """What was asked for is not done, and why; the text is for an operator."""
