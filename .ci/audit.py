"""Look for known vulnerabilities in what is locked; say so where their data cannot be had.

python .ci/audit.py PIP_AUDIT [REQUIREMENTS]

Exit code 1 where something is vulnerable. What could not be looked up is named, and none of it is
taken for sound.
"""

import json
import subprocess
import sys
from typing import Any

PATIENCE_S = 600
MOST_NAMED = 5


def audited(program: str, requirements: str) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit tells of each package, and why if it tells nothing."""
    command = [program, "--requirement", requirements, "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return json.loads(done.stdout)["dependencies"], ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], str(error)
    except (ValueError, KeyError):
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return [], said[-1] if said else f"pip-audit told nothing (exit code {done.returncode})"


def main(program: str, requirements: str = "requirements-dev.lock") -> int:
    """Tell what was found; return the exit code."""
    found, why = audited(program, requirements)
    known = [each for each in found if "skip_reason" not in each]
    unknown = [each for each in found if "skip_reason" in each]
    for each in known:
        for problem in each["vulns"]:
            mended = ", ".join(problem["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{each['name']} {each['version']}: {problem['id']}, {mended} mends\n")
    if not known:
        reason = why or (unknown[0]["skip_reason"] if unknown else "nothing is locked")
        sys.stderr.write(f"audit left out: no data of vulnerabilities could be had: {reason}\n")
        return 0
    names = ", ".join(each["name"] for each in unknown[:MOST_NAMED])
    left = f"; {len(unknown)} could not be looked up: {names}" if unknown else ""
    vulnerable = sum(bool(each["vulns"]) for each in known)
    sys.stdout.write(f"{vulnerable} of {len(known)} packages are vulnerable{left}\n")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
