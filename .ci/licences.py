"""Print the licence of everything installed; fail on one that does not go with GPL-3.0-or-later.

python .ci/licences.py
"""

import re
import sys
from importlib.metadata import Distribution, distributions

FITTING = re.compile(
    r"\b(0BSD|Apache|BSD|CC0|GPL|LGPL|ISC|MIT|MPL|Python|PSF|Public Domain|Unlicense|Zope|ZPL)",
    re.IGNORECASE,
)


def licence_of(found: Distribution) -> str:
    """Return what a distribution says of its licence, on one line; empty if it says nothing."""
    told = found.metadata.get("License-Expression")
    classified = [
        line.rpartition(" :: ")[2]
        for line in found.metadata.get_all("Classifier", [])
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    said = told or ", ".join(classified) or (found.metadata.get("License") or "").strip()
    return said.splitlines()[0] if said else ""


def main() -> int:
    """List them by name; return the exit code."""
    licences = {found.name: (found.version, licence_of(found)) for found in distributions()}
    unfit = []
    for name, (version, licence) in sorted(licences.items(), key=lambda each: each[0].lower()):
        fits = bool(FITTING.search(licence))
        unfit += [] if fits else [name]
        sys.stdout.write(f"{name:28} {version:14} {licence or 'says nothing'}\n")
    if unfit:
        sys.stderr.write(f"look into the licence of: {', '.join(unfit)}\n")
    return 1 if unfit else 0


if __name__ == "__main__":
    sys.exit(main())
