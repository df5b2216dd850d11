"""What a fix earns by having worked, and loses by once not having."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runbook.engine.autonomy import Try, on_group, standing
from runbook.engine.policy import judge
from runbook.model.policy import Permission, Policy, Rule, Window
from tests.unit.policy.test_judge import AUTO, NOON, RESTART

ASKS = Rule(name="earns", permission=Permission.ASK, groups=("web", "api"), autonomy=3)
DONE = Try(
    runbook="fix-502",
    fix="restart_backend",
    cause="backend_stopped",
    host="web1",
    groups=frozenset({"web"}),
    run="r1",
    at=0.0,
    approved=True,
    worked=True,
)

histories = st.lists(
    st.builds(
        lambda approved, worked: replace(DONE, approved=approved, worked=worked),
        st.booleans(),
        st.sampled_from([True, True, True, False, None]),
    ),
    max_size=30,
)


def answer(policy: Policy, newest_first: list[Try]) -> Permission:
    """Return what the policy says after a history."""
    verified = standing(newest_first, enough=3).verified
    return judge(policy, replace(RESTART, verified=verified)).permission


@given(histories)
def test_autonomy_is_what_was_earned_since_the_last_failure(newest_first: list[Try]) -> None:
    """As counted from the oldest on: approved and worked is one more, not worked is none again."""
    verified = 0
    for one in reversed(newest_first):
        verified = 0 if one.worked is False else verified + (one.worked is True and one.approved)

    earned = answer(Policy(name="p", rules=(ASKS,)), newest_first)

    assert earned is (Permission.AUTO if verified >= 3 else Permission.ASK)


@given(histories)
def test_one_failure_always_sends_it_back(newest_first: list[Try]) -> None:
    """However much was earned: after one fix that was not seen to have worked, people are asked."""
    failed = replace(DONE, worked=False)

    assert answer(Policy(name="p", rules=(ASKS,)), [failed, *newest_first]) is Permission.ASK
    assert standing([failed, *newest_first]).failure == failed


@given(
    verified=st.integers(0, 1000),
    rules=st.permutations([ASKS, AUTO, Rule(name="never", permission=Permission.DENY)]),
)
def test_what_a_rule_denies_is_never_earned(verified: int, rules: list[Rule]) -> None:
    """A rule that denies wins over every record, wherever it stands."""
    policy = Policy(name="p", rules=tuple(rules))

    assert judge(policy, replace(RESTART, verified=verified)).permission is Permission.DENY


def test_it_is_earned_where_the_rule_asks_and_says_so() -> None:
    """A rule that asks for good is not moved by any record, nor one that does not fit."""
    proven = replace(RESTART, verified=3)
    by_night = replace(ASKS, windows=(Window(start=0, end=60, zone=NOON.tzinfo),))  # type: ignore[arg-type]  # a ZoneInfo

    earned = judge(Policy(name="p", rules=(ASKS,)), proven)
    assert (earned.permission, earned.rule, earned.earned) == (Permission.AUTO, "earns", True)
    assert earned.counted == ("web",)
    for_good = Policy(name="p", rules=(replace(ASKS, autonomy=None),))
    assert judge(for_good, proven).permission is Permission.ASK
    assert judge(Policy(name="p", rules=(by_night,)), proven).permission is Permission.DENY


def test_each_group_earns_by_itself() -> None:
    """What worked on the web servers says nothing of the others; all hosts together are all."""
    api = replace(DONE, groups=frozenset({"api"}), worked=False)
    both = [api, DONE, DONE]

    assert standing(on_group(both, "web")).verified == 2
    assert standing(on_group(both, "api")).failure == api
    assert standing(on_group(both, "")).verified == 0
