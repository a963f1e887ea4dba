"""`contour`: the level curves of an objective, and the paths of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.checks import check_flag
from .landscape import Landscape, survey
from .paths import Path, clip, within
from .plane import eigenpairs
from .runs import Array
from .style import INK, axes_for, colours, ground, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A path of at most so many steps has a dot at each step. A longer one is drawn thinner, and below the others.
DOTTED = 80
# The legend goes where lines cover the fewest cells of a grid of CELLS x CELLS.
CELLS = 25
LINE = "#71879a"
END_MARKS: dict[str, dict[str, Any]] = {
    "start": {"marker": "o", "ls": "", "mfc": "white", "mew": 1.6, "ms": 6.5},
    "end": {"marker": "s", "ls": "", "mec": "white", "mew": 0.8, "ms": 7.5},
}

MINIMUM: dict[str, Any] = {
    "marker": "*",
    "ls": "",
    "color": "black",
    "mec": "white",
    "mew": 0.8,
    "ms": 14,
    "zorder": 6,
    "label": "minimum",
}


def contour(
    objective: Any,
    paths: Any = None,
    *,
    minimum: Any = None,
    at: Any = None,
    directions: Any = None,
    eigenvectors: Any = None,
    limits: Any = None,
    resolution: int = 161,
    colorbar: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the level curves of an objective, and the paths of runs over them.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        An objective of at least 2 parameters.
    paths : Result, array of shape (n_points, n_parameters), a mapping of str to these, a list of these, or GridSearch
        The paths to draw, optional. A Result must have recorded its path: ``minimize(..., record_path=True)``. A circle
        marks the start of each path and a square its end.
    minimum : array of shape (n_parameters,), or an object with such a `w`, optional
        A point to mark with a star.
    at : array of shape (n_parameters,), optional
        A point of the plane to draw, for more than 2 parameters. The default is the minimum, or else the end of the
        last path.
    directions : array of shape (n_parameters, 2), or two indices of parameters, optional
        The two directions that span the plane. Paths are projected onto the plane. If `eigenvectors` is given and there
        are more than 2 parameters, the default is the eigenvectors of the smallest and of the largest eigenvalue.
        Otherwise it is the first two parameters.
    eigenvectors : Curvature, optional
        A Curvature, or an object with `eigenvalues` of shape (k,), ascending, and `eigenvectors` of shape
        (n_parameters, k). The eigenvectors of the smallest and of the largest eigenvalue are drawn as two axes. The
        axes cross at the minimum, or else at `at` or at the end of the last path. Their half lengths are proportional
        to 1 / sqrt(abs(eigenvalue)), like those of the level curves; an axis too small to see is lengthened.
    limits : ((left, right), (bottom, top)), optional
        The window. The default holds the minimum and the paths, without the steps that a diverging run takes uphill.
    resolution : int
        The objective is evaluated at resolution^2 points.
    colorbar : bool, optional
        Whether to draw the scale of the levels. By default it is drawn in a new figure only.
    ax : matplotlib.axes.Axes, optional
        The axes to draw in. By default a new figure is made.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    TypeError
        An argument has the wrong type.
    ValueError
        An argument has the wrong shape or is out of range, or the objective is constant or nowhere finite in the
        window.

    Notes
    -----
    The levels divide the area of the picture, not the range of the values: level k of n encloses the share (k / n)^2 of
    the area. A narrow ravine is then as easy to read as a bowl.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> objective = st.LeastSquares(X, np.array([1.0, 2.0]), intercept=False)
    >>> run = st.minimize(objective, optimizer=st.GradientDescent(0.2), record_path=True, max_epochs=20)
    >>> ax = st.plot.contour(objective, {"descent": run}, minimum=np.array([1.0, 1.0]), resolution=21)
    >>> print(ax.get_xlabel(), ax.get_ylabel())
    $w_{0}$ $w_{1}$
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['descent', 'start', 'end', 'minimum']
    """
    scale = ax is None if colorbar is None else check_flag("colorbar", colorbar)
    land = survey(objective, paths, minimum, at, directions, eigenvectors, limits, resolution)
    ax = axes_for(ax)
    draw_ground(ax, land.x, land.y, land.z, land.levels, scale)
    for path, colour in zip(land.paths, colours_of(land), strict=True):
        _draw_path(ax, path, colour, land.window)
    lines = [path.until_it_leaves(land.window) for path in land.paths]
    if eigenvectors is not None:
        lines += _draw_eigenvectors(ax, land, *eigenpairs(eigenvectors, objective.n_parameters))
    add_end_marks(ax, land)
    if land.minimum is not None:
        ax.plot(*land.minimum, **MINIMUM)
    frame_axes(ax, land)
    marks = [point for path in land.paths for _, point in path.ends(land.window)]
    marks += [] if land.minimum is None else [land.minimum]
    add_legend(ax, loc=emptiest_corner(lines, marks, land.window))
    return ax


def colours_of(land: Landscape) -> list[Any]:
    """Return a colour for each path; a single path gets the one with the most contrast."""
    return colours(2)[1:] if len(land.paths) == 1 else colours(len(land.paths))


def draw_ground(ax: Any, x: Array, y: Array, z: Array, levels: Array, scale: bool) -> None:
    """Draw bands and level curves, and their scale if `scale` is true."""
    z = np.ma.masked_invalid(z)
    shades = ground()(np.linspace(0.0, 1.0, len(levels) - 1))
    bands = ax.contourf(x, y, z, levels=levels, colors=list(shades), zorder=0)
    ax.contour(x, y, z, levels=levels[1:-1], colors=LINE, linestyles="solid", linewidths=0.7, zorder=1)
    if scale:
        bar = ax.figure.colorbar(bands, cax=ax.inset_axes((1.025, 0.0, 0.025, 1.0)), ticks=levels[1:-1:2])
        bar.ax.set_yticklabels([f"{level:.6g}" for level in levels[1:-1:2]])
        bar.ax.set_title("loss", fontsize=9, loc="left", pad=6)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)


def _draw_path(ax: Any, path: Path, colour: Any, window: Array) -> None:
    dotted = len(path.points) - 1 <= DOTTED
    width, order = (1.8, 4.0) if dotted else (1.1, 3.0)
    line = clip(path.until_it_leaves(window), window)
    ax.plot(*line.T, color=colour, lw=width, zorder=order, label=path.legend(), path_effects=halo(width + 1.6))
    if dotted:
        ax.plot(*line[within(line, window)].T, "o", color=colour, ms=3.2, zorder=order)
    for end, point in path.ends(window):
        ax.plot(*point, color=INK if end == "start" else colour, zorder=5, **END_MARKS[end])


def _draw_eigenvectors(ax: Any, land: Landscape, values: Array, vectors: Array) -> list[Array]:
    """Draw the two axes and return them as lines between their tips."""
    middle = land.middle
    if middle is None:
        ends = [path.points[-1] for path in land.paths if not path.diverges]
        middle = ends[-1] if ends else land.window.mean(axis=0)
    axes = land.plane.coordinates(land.plane.origin + vectors[:, [0, -1]].T)
    tips = axes * _half_lengths(axes, values[[0, -1]], middle, land.window)[:, None]
    arrow = {"arrowstyle": "<|-|>", "color": INK, "lw": 1.5, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    for value, tip in zip(values[[0, -1]], tips, strict=True):
        drawn = ax.annotate("", middle + tip, middle - tip, arrowprops={**arrow, "path_effects": halo(3)}, zorder=4.5)
        drawn.arrow_patch.set_clip_path(ax.patch)
        up = tip if tuple(tip[::-1]) > (0.0, 0.0) else -tip
        share = up / (land.window[1] - land.window[0])
        aside = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 9, "color": INK}
        offset = 13 * share / np.abs(share).max() * (1.5, 1.0)
        ax.annotate(rf"$\lambda$ = {value:.3g}", middle + up, offset, zorder=6, path_effects=halo(2.5), **aside)
    return [np.stack([middle - tip, middle + tip]) for tip in tips]


def _half_lengths(axes: Array, values: Array, middle: Array, window: Array) -> Array:
    """Return lengths proportional to 1 / sqrt(abs(value)) that fit the window; none is too small to see."""
    room = np.minimum(middle - window[0], window[1] - middle)
    most = (0.72 * room / np.maximum(np.abs(axes), 1e-300)).min(axis=1)
    least = (0.1 * (window[1] - window[0]) / np.maximum(np.abs(axes), 1e-300)).min(axis=1)
    lengths = 1.0 / np.sqrt(np.maximum(np.abs(values), 1e-12 * np.abs(values).max()))
    lengths *= (np.clip(4.0 * least, least, np.maximum(most, least)) / lengths).min()
    return np.asarray(np.maximum(lengths, least))


def frame_axes(ax: Any, land: Landscape) -> None:
    """Set the limits, the scale and the labels of the axes."""
    ax.set_xlim(*land.window[:, 0])
    ax.set_ylim(*land.window[:, 1])
    if land.one_scale:
        ax.set_aspect("equal")
    ax.set_xlabel(land.plane.labels[0])
    ax.set_ylabel(land.plane.labels[1])


def add_end_marks(ax: Any, land: Landscape) -> None:
    """Add the marks of the ends that the window shows to the legend."""
    for name in dict.fromkeys(name for path in land.paths for name, _ in path.ends(land.window)):
        ax.plot([], [], color=INK, label=name, **END_MARKS[name])


def add_legend(ax: Any, **place: Any) -> None:
    """Add a legend of the lines and marks, if any."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(framealpha=0.9, edgecolor="none", fontsize=9, **place).set_zorder(7)


def emptiest_corner(lines: list[Array], marks: list[Array], window: Array) -> str:
    """Return the corner of a window where a legend hides the fewest marks, and among those the least of the lines."""
    crowd = np.zeros((CELLS, CELLS))
    for points in lines:
        shares = (clip(points, window) - window[0]) / (window[1] - window[0])
        if len(shares) > 1:  # points on the segments as well
            shares = np.concatenate([shares[:-1] + t * np.diff(shares, axis=0) for t in np.linspace(0, 1, CELLS)])
        row, column = _cells(shares)
        crowd[row, column] = 1.0
    row, column = _cells((np.reshape(marks, (-1, 2)) - window[0]) / (window[1] - window[0]))
    crowd[row, column] += CELLS**2
    wide, high = int(0.36 * CELLS), int(0.44 * CELLS)
    corners = {
        "upper right": crowd[-high:, -wide:],
        "upper left": crowd[-high:, :wide],
        "lower left": crowd[:high, :wide],
        "lower right": crowd[:high, -wide:],
    }
    return min(corners, key=lambda corner: float(corners[corner].sum()))


def _cells(shares: Array) -> Array:
    """Return the rows and columns of the cells of points, which are given as shares of the window."""
    inside = shares[((shares >= 0) & (shares <= 1)).all(axis=1)]
    return np.asarray(np.minimum(inside * CELLS, CELLS - 1).astype(int).T[::-1])
