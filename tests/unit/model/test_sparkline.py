"""Values over time in one short line."""

import pytest

from runbook.model.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([3.0, 3.0, 3.0], "▁▁▁"),
        ([0.0, 1.0, 0.0], "▁█▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([-5.0, None, 5.0], "▁?█"),
        ([None, None], "??"),
    ],
)
def test_each_value_has_its_bar(values: list[float | None], drawn: str) -> None:
    """From the lowest to the highest; what nobody saw is said to be so."""
    assert sparkline(values) == drawn


def test_many_values_share_bars_and_no_peak_is_lost() -> None:
    """The line stays short, and one slow answer among a thousand stands out."""
    values: list[float | None] = [1.0] * 1000
    values[777] = 9.0

    drawn = sparkline(values)

    assert len(drawn) == 20
    assert drawn.count("█") == 1
    assert drawn.index("█") == 15
