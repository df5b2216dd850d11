"""Why a target set, or Ansible itself, cannot be used."""

import pytest

from runbook.driver.joining import unusable


@pytest.mark.parametrize(
    ("reason", "phrase"),
    [
        ("OSError: [Errno 28] Auf dem Gerät ist kein Speicherplatz mehr verfügbar", "free some"),
        ("could not write /run/x: No space left on device (exit code 1)", "free some space"),
        ("ERROR! Unable to parse /srv/inventory.yml", "ansible-inventory --list"),
        (None, "ansible-inventory --list"),
    ],
)
def test_what_stops_ansible_is_told_from_a_full_disk(reason: str | None, phrase: str) -> None:
    """Where there is no space, in whatever language, nobody is sent to look at the inventory."""
    [problem] = unusable(reason).problems

    assert problem.reference == "ansible-unusable"
    assert phrase in (problem.hint or "")
    assert problem.context == reason
