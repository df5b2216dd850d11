"""What the probe module told, read without trusting any of it."""

from runbook.executor.probing import most_rounds, rounds_of

PERIOD = {"for": 2.0, "every": 0.5}
UP = {"looked": True, "facts": {"up": True}}


def test_a_period_needs_samples() -> None:
    """One answer where a hold was asked for shows nothing of it: nobody could look."""
    for told in (
        {"answers": {"one": UP}},
        {"answers": {"one": UP}, "samples": []},
        {"answers": {"one": UP}, "samples": "many"},
        {"answers": {"one": UP}, "samples": [1, 2]},
    ):
        [(_, answers)] = rounds_of(told, {"one": "one"}, PERIOD)
        assert (answers["one"].facts, answers["one"].reason) == (
            None,
            "the host's answer holds no samples",
        )

    [(_, answers)] = rounds_of({"answers": {"one": UP}}, {"one": "one"})
    assert answers["one"].facts == {"up": True}


def test_samples_are_no_more_than_there_can_be() -> None:
    """What a host tells beyond the period it was asked about is left out."""
    told = {"samples": [{"at_s": at, "answers": {"one": UP}} for at in range(1000)]}

    rounds = rounds_of(told, {"one": "one", "twin": "one"}, PERIOD)

    assert len(rounds) == most_rounds(PERIOD) == 6
    assert all(answers["twin"].facts == {"up": True} for _, answers in rounds)
