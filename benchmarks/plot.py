"""Draw results: `plot.py results.json results.svg`, by the Python the peers are installed for."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt


def main(source: str, target: str) -> None:
    """Draw each ratio as a bar, and each target as a mark."""
    rows = json.loads(Path(source).read_text())["rows"][::-1]
    places = range(len(rows))
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(rows) + 1.2), layout="constrained")
    colours = {True: "#2a7f62", False: "#b3392f", None: "#7a7a7a"}
    axes.barh(places, [row["ratio"] for row in rows], color=[colours[row["met"]] for row in rows])
    marked = [(row["target"], place) for place, row in enumerate(rows) if row["target"] is not None]
    axes.scatter(
        [at for at, _ in marked],
        [place for _, place in marked],
        marker="|",
        s=220,
        color="black",
        label="at most",
    )
    axes.set_yticks(places, [f"{row['work']}: {row['against']}" for row in rows], fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, linewidth=0.6, color="black")
    axes.set_xlabel("ours by theirs; less is better")
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
