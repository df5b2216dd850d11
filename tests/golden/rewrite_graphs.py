"""Write the golden drawings anew: `python -m tests.golden.rewrite_graphs`, then read the diff."""

from tests.unit.views.test_drawing import DRAWN, GOLDEN, RUNBOOKS, followed


def main() -> None:
    """Write every file."""
    for name, draw in DRAWN.items():
        (GOLDEN / name).write_text(draw(RUNBOOKS[1], followed(RUNBOOKS[1])) + "\n", "utf-8")


if __name__ == "__main__":
    main()
