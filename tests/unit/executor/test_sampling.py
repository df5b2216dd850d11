"""Looking repeatedly, on a clock that only moves when somebody waits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from runbook.executor.plan import Sampling
from runbook.executor.sampling import Held, Round, Seen, figure, progress, sample

SAMPLING = Sampling(
    steps=("cause", "symptom"),
    cause="cause",
    symptom="symptom",
    within_s=5.0,
    hold_s=0.0,
    every_s=1.0,
)


@dataclass
class World:
    """What each look sees, in order (the last for ever); a look takes `look_s`."""

    looks: Sequence[str]
    held: Sequence[str] = ()
    look_s: float = 0.0
    now: float = 100.0
    asked: list[tuple[float, float]] = field(default_factory=list)
    _turns: Iterator[str] | None = None

    def look_once(self) -> Seen:
        """Look."""
        self._turns = self._turns or iter(self.looks)
        self.now += self.look_s
        return seen(next(self._turns, self.looks[-1]))

    def look_through(self, for_s: float, every_s: float) -> list[tuple[float, Seen]]:
        """Look through a period."""
        self.asked.append((for_s, every_s))
        return [(number * every_s, seen(each)) for number, each in enumerate(self.held)]

    def pause(self, seconds: float) -> None:
        """Wait."""
        assert seconds >= 0
        self.now += seconds

    told: list[Held] = field(default_factory=list)

    def sampled(self, sampling: Sampling) -> tuple[list[Round], Seen]:
        """Sample this world."""
        return sample(
            sampling,
            look_once=self.look_once,
            look_through=self.look_through,
            tell=self.told.append,
            clock=lambda: self.now,
            pause=self.pause,
        )


def seen(results: str) -> Seen:
    """Return what is seen: P, F or U for the cause, then for the symptom."""
    words = {"P": "passed", "F": "failed", "U": "unknown"}
    return {
        "cause": {"result": words[results[0]], "facts": {"look": results}},
        "symptom": {"result": words[results[1]], "facts": {"look": results}},
    }


def shown(rounds: Sequence[Round]) -> list[tuple[float, bool, str]]:
    """Return rounds in few words."""
    return [
        (
            item["at_s"],
            item["holding"],
            "".join(item["results"][step][0].upper() for step in ("cause", "symptom")),
        )
        for item in rounds
    ]


def test_it_ends_with_the_first_success() -> None:
    """No look after all have passed, where nothing has to hold."""
    rounds, last = World(looks=["FF", "PF", "PP", "FF"]).sampled(SAMPLING)

    assert shown(rounds) == [(0.0, False, "FF"), (1.0, False, "PF"), (2.0, False, "PP")]
    assert last["symptom"]["result"] == "passed"


def test_it_ends_when_the_time_is_up() -> None:
    """The last look is at the end of the time, neither before nor much after."""
    rounds, last = World(looks=["FF"]).sampled(SAMPLING)

    assert [item["at_s"] for item in rounds] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert last["cause"]["result"] == "failed"


def test_slow_looks_are_not_followed_by_a_pause() -> None:
    """A look that takes longer than the interval is followed by the next one at once."""
    rounds, _ = World(looks=["FF"], look_s=2.0).sampled(SAMPLING)

    assert [item["at_s"] for item in rounds] == [0.0, 2.0, 4.0]


def test_without_time_there_is_one_look() -> None:
    """`within: 0s` means now or never."""
    rounds, _ = World(looks=["FF", "PP"]).sampled(replace(SAMPLING, within_s=0.0))

    assert shown(rounds) == [(0.0, False, "FF")]


def test_success_has_to_hold() -> None:
    """Success is followed by the period; what is seen in it comes with the time since the start."""
    world = World(looks=["FF", "PP"], held=["PP", "PF", "FF", "PP"])

    rounds, telling = world.sampled(replace(SAMPLING, hold_s=3.0))

    assert world.asked == [(3.0, 1.0)]
    assert [item["holding"] for item in rounds] == [False, False, True, True, True, True]
    assert rounds[-1]["at_s"] == 4.0
    assert telling["symptom"]["facts"] == {"look": "PF"}, "the first look that did not pass"


def test_nothing_is_held_without_success() -> None:
    """The period begins with success, so without it there is none."""
    world = World(looks=["FF"], held=["PP"])

    world.sampled(replace(SAMPLING, hold_s=3.0))

    assert world.asked == []


@pytest.mark.parametrize("held", [[], ["PP"]])
def test_the_last_look_counts_where_all_held(held: Sequence[str]) -> None:
    """The observations are those of the last look."""
    world = World(looks=["PP"], held=held)

    rounds, last = world.sampled(replace(SAMPLING, hold_s=3.0))

    assert len(rounds) == 1 + len(held)
    assert last == seen("PP")


def test_a_watch_has_no_cause() -> None:
    """Only the symptom is judged where there is no cause to look at."""
    world = World(looks=["FP"])

    rounds, _ = world.sampled(replace(SAMPLING, cause=None))

    assert rounds[0]["results"] == {"symptom": "passed"}
    assert len(rounds) == 1


def test_a_long_period_is_held_in_parts_and_told_of() -> None:
    """Each part is one round trip, an interval after the last; together they fill the period."""
    world = World(looks=["PP"], held=["PP", "PP"])

    rounds, _ = world.sampled(replace(SAMPLING, hold_s=30.0, every_s=2.0))

    assert world.asked == [(10.0, 2.0), (10.0, 2.0), (6.0, 2.0)]
    assert [(held.at_s, held.of_s, len(held.rounds)) for held in world.told] == [
        (10.0, 30.0, 3),
        (22.0, 30.0, 5),
    ]
    assert len(rounds) == 7


def test_a_short_period_is_one_round_trip_and_nothing_to_tell() -> None:
    """Nobody waits long enough to be told on the way."""
    world = World(looks=["PP"], held=["PP"])

    world.sampled(replace(SAMPLING, hold_s=11.0))

    assert world.asked == [(11.0, 1.0)]
    assert world.told == []


@pytest.mark.parametrize(
    ("expected", "facts", "found"),
    [
        ("up.answered and up.took_s < 2", {"answered": True, "took_s": 0.5}, ("took_s", 0.5)),
        ("memory.host.used_percent < 90", {"host": {"used_percent": 71}}, ("used_percent", 71.0)),
        ("up.answered", {"answered": True}, ("", None)),
        ("up.status == 200", {}, ("", None)),
        (None, {"status": 200}, ("", None)),
    ],
)
def test_the_figure_is_the_first_number_that_the_condition_names(
    expected: str | None, facts: dict[str, object], found: tuple[str, float | None]
) -> None:
    """Truth values are no figures, and what the condition does not name is not drawn."""
    assert figure({"expected": expected, "facts": facts}) == found


def test_progress_is_said_with_bars_over_time() -> None:
    """Elapsed, left, the figures over time, how many looks held, and the last figure."""
    rounds = tuple(
        {"at_s": at, "results": {"up": result}, "figure": value}
        for at, result, value in ((0, "passed", 1.0), (5, "failed", 8.0), (10, "passed", 1.0))
    )
    blank = tuple({**each, "figure": None} for each in rounds)

    measured = progress(Held(at_s=10, of_s=60, rounds=rounds, name="took_s"), "up")
    judged = progress(Held(at_s=10, of_s=60, rounds=blank), "up")

    assert measured == "10 of 60 s, 50 s left: ▁█▁ 2 of 3 held, took_s 1"
    assert judged == "10 of 60 s, 50 s left: ▁█▁ 2 of 3 held"
