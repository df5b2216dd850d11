"""`make audit`: what it says of vulnerabilities, and of not being able to look for them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
SOUND = {"name": "a", "version": "1", "vulns": []}
BROKEN = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found there"}


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        ([SOUND, SOUND], 0, "0 of 2 packages are vulnerable\n"),
        (
            [SOUND, BROKEN, UNKNOWN],
            1,
            "b 2: CVE-1, 3 mends\n1 of 2 packages are vulnerable; 1 could",
        ),
        ([UNKNOWN], 0, "audit left out: no data of vulnerabilities could be had: not found there"),
        (None, 0, "audit left out: no data of vulnerabilities could be had: no network"),
    ],
    ids=["sound", "vulnerable", "nothing known", "no answer"],
)
def test_nothing_is_left_out_in_silence(tmp_path: Path, told: object, code: int, said: str) -> None:
    """A vulnerability fails; what could not be looked up is named, all of it with the reason."""
    program = tmp_path / "pip-audit"
    answer = json.dumps({"dependencies": told}) if told is not None else ""
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint({answer!r})\nprint('no network', file=sys.stderr)\n"
    )
    program.chmod(0o700)

    done = subprocess.run(
        [sys.executable, str(AUDIT), str(program)], capture_output=True, text=True, check=False
    )

    assert done.returncode == code
    assert said in done.stdout + done.stderr
