"""What a runbook's listing is good for: finding it by what is wrong."""

from pathlib import Path

import pytest

from runbook.spec.listing import Summary, symptoms_in


@pytest.mark.parametrize(
    ("text", "symptoms"),
    [
        ("502", ("502",)),
        ("HTTP 502 from nginx", ("502",)),
        ("gateway BAD", ("bad gateway",)),
        ("gateway", ("bad gateway",)),
        ("15023", ()),
        ("gate", ()),
        (
            "connect() failed (111: Connection refused), and a bad gateway",
            ("bad gateway", "connect() failed"),
        ),
    ],
)
def test_symptoms_are_named_by_words(text: str, symptoms: tuple[str, ...]) -> None:
    """Whole words, whatever their case and order, or the symptom within an error message."""
    one = Summary(
        name="x", title="", symptoms=("502", "bad gateway", "connect() failed"), path=Path("x.yml")
    )

    assert symptoms_in(one, text) == symptoms
