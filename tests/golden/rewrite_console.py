"""Draw the golden pictures anew: `python -m tests.golden.rewrite_console`, then read the diff."""

from tests.unit.views.pictures import PICTURES
from tests.unit.views.test_pictures import GOLDEN


def main() -> None:
    """Write every file."""
    for name, picture in PICTURES.items():
        (GOLDEN / f"{name}.txt").write_text(picture(), "utf-8")


if __name__ == "__main__":
    main()
