"""Answer one request of probes: JSON from standard input to standard output."""

from __future__ import annotations

import json
import sys

from .batch import answer

if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
    sys.stdout.write("\n")
