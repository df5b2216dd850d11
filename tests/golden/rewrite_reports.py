"""Write the golden reports anew: `python -m tests.golden.rewrite_reports`, then read the diff."""

from tests.unit.views.test_history import GOLDEN as HISTORY
from tests.unit.views.test_history import table
from tests.unit.views.test_history_plot import drawn as plotted
from tests.unit.views.test_report import GOLDEN, SCENES, drawn
from tests.unit.views.test_stats import GOLDEN as STATS
from tests.unit.views.test_stats import said


def main() -> None:
    """Write every file."""
    for name, scene in SCENES.items():
        for suffix in ("txt", "md", "html", "json"):
            (GOLDEN / f"{name}.{suffix}").write_text(drawn(scene(), suffix) + "\n", "utf-8")
    for suffix in ("txt", "svg"):
        (GOLDEN / f"history-plot.{suffix}").write_text(plotted(suffix) + "\n", "utf-8")
    STATS.write_text(said() + "\n", "utf-8")
    HISTORY.write_text(table() + "\n", "utf-8")


if __name__ == "__main__":
    main()
