"""The common style of all plots: figures, colours and axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.2, 4.4)
DASHES = (0, (4, 2))
INK = "0.2"
# The colours of Okabe and Ito, which people with any kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# The colours of a landscape, from low to high. They are pale, so that every colour above contrasts with them.
GROUND = ("#fbfdfe", "#dce7ee", "#b6cad7", "#8eabbe")


def axes_for(ax: Axes | None, projection: str | None = None) -> Any:
    """Return the axes to draw in; for None, those of a new figure."""
    pyplot = require("matplotlib.pyplot", "plot") if ax is None else require("matplotlib", "plot")
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=SIZE, layout="constrained", subplot_kw={"projection": projection})[1]


def colours(n: int) -> list[Any]:
    """Return n colours for things without an order."""
    return list(COLOURS[:n]) if n <= len(COLOURS) else sequence(n)


def sequence(n: int) -> list[Any]:
    """Return n colours for things in ascending order, from dark to light."""
    return list(require("matplotlib", "plot").colormaps["viridis"](np.linspace(0.0, 0.86, max(n, 1))))


def ground() -> Any:
    """Return the colour map of a landscape."""
    return require("matplotlib.colors", "plot").LinearSegmentedColormap.from_list("steepest", GROUND)


def halo(width: float) -> list[Any]:
    """Return a path effect: a white outline that separates a line or a text from its background."""
    return [require("matplotlib.patheffects", "plot").withStroke(linewidth=width, foreground="white", alpha=0.9)]


def tidy(ax: Any) -> None:
    """Style the axes of a diagram of curves: a pale grid and two spines."""
    ax.grid(True, which="major", color="0.9", lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
