"""`make fuzz`: a million inputs, or as many as are wanted, for all that reads what others wrote.

    python -m tests.fuzz [COUNT] [SEED]

Prints how many each took, and each traceback with the input that led to it; exit code 1 where there
is any. The same seed gives the same inputs.
"""

import random
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fuzz.mutating import mutated
from tests.fuzz.targets import TARGETS, Target

SLOW_S = 5.0
"""No input of a few kilobytes may take as long, however busy the machine is."""

MOST_SHOWN = 5


@dataclass(kw_only=True)
class Outcome:
    """What came of one target's inputs: how many, how many it refused, and what went wrong."""

    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    troubles: list[str] = field(default_factory=list)


def fuzz(target: Target, count: int, seed: int) -> Outcome:
    """Give a target so many inputs."""
    rng = random.Random(f"{seed} {target.name}")
    outcome = Outcome()
    known: set[str] = set()
    for _ in range(count):
        data = mutated(target.seeds, rng)
        begun = time.process_time()
        try:
            target.take(data)
        except target.refuses:
            outcome.refused += 1
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            at = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            if at not in known:
                known.add(at)
                outcome.troubles.append(f"{traceback.format_exc()}input: {data[:2000]!r}")
        took_s = time.process_time() - begun
        outcome.inputs += 1
        outcome.slowest_s = max(outcome.slowest_s, took_s)
        if took_s > SLOW_S:
            outcome.troubles.append(f"took {took_s:.1f} s\ninput: {data[:2000]!r}")
    return outcome


def main(arguments: Sequence[str]) -> int:
    """Fuzz all targets; return the exit code."""
    count = int(arguments[0]) if arguments else 1_000_000
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(2**32)
    shares = sum(target.share for target in TARGETS)
    print(f"{count} inputs for {len(TARGETS)} targets, seed {seed}", flush=True)
    begun = time.monotonic()
    total, troubles = 0, 0
    for number, target in enumerate(TARGETS):
        share = count * target.share // shares
        if number == 0:
            share += count - sum(count * each.share // shares for each in TARGETS)
        outcome = fuzz(target, share, seed)
        total += outcome.inputs
        troubles += len(outcome.troubles)
        print(
            f"{target.name:26} {outcome.inputs:8} inputs {outcome.refused:8} refused, "
            f"slowest {outcome.slowest_s * 1000:6.0f} ms, {len(outcome.troubles)} tracebacks",
            flush=True,
        )
        print("".join(f"\n{trouble}\n" for trouble in outcome.troubles[:MOST_SHOWN]), end="")
    print(f"{total} inputs in {time.monotonic() - begun:.0f} s, seed {seed}: {troubles} tracebacks")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
