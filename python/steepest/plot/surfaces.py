"""`surface`: an objective as a surface in three dimensions, and the paths of runs on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.checks import check_number, describe
from ..extras import require
from .contours import END_MARKS, LINE, MINIMUM, add_end_marks, add_legend, colours_of, frame_axes
from .landscape import Landscape, survey
from .paths import Path, clip
from .runs import Array
from .style import INK, axes_for, ground, halo

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def surface(
    objective: Any,
    paths: Any = None,
    *,
    minimum: Any = None,
    at: Any = None,
    directions: Any = None,
    eigenvectors: Any = None,
    limits: Any = None,
    resolution: int = 101,
    elevation: float = 38.0,
    azimuth: float = -60.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw an objective as a surface, and the paths of runs on it.

    Parameters
    ----------
    objective, paths, minimum, at, directions, limits, resolution
        As in `contour`.
    eigenvectors : Curvature, optional
        The eigenvectors that span the plane of an objective of more than 2 parameters, as in `contour`. They are not
        drawn.
    elevation, azimuth : float
        The direction of view, in degrees.
    ax : mpl_toolkits.mplot3d.Axes3D, optional
        The axes to draw in, made with ``projection="3d"``. By default a new figure is made.

    Returns
    -------
    mpl_toolkits.mplot3d.Axes3D

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    TypeError
        An argument has the wrong type, or `ax` is not three-dimensional.
    ValueError
        As in `contour`.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, -1.0]), intercept=False)
    >>> run = st.minimize(objective, optimizer=st.GradientDescent(0.2), record_path=True, max_epochs=5)
    >>> ax = st.plot.surface(objective, run, resolution=11, elevation=45.0)
    >>> ax.get_zlabel(), ax.elev
    ('loss', 45.0)
    """
    view = check_number("elevation", elevation), check_number("azimuth", azimuth)
    if ax is not None and not hasattr(ax, "plot_surface"):
        raise TypeError(f'ax must be made with projection="3d", got {describe(ax)}')
    land = survey(objective, paths, minimum, at, directions, eigenvectors, limits, resolution)
    drawn: Any = axes_for(ax, projection="3d")
    drawn.computed_zorder = False  # otherwise the surface hides the paths on it
    _draw_surface(drawn, land)
    for path, colour in zip(land.paths, colours_of(land), strict=True):
        _draw_path(drawn, path, colour, land, objective)
    add_end_marks(drawn, land)
    if land.minimum is not None:
        drawn.plot(*land.minimum[:, None], land.values(objective, land.minimum[None]), **MINIMUM)
    _dress(drawn, land, view)
    outside = {"loc": "upper right", "bbox_to_anchor": (0.0, 0.95)}  # the axes are square; a new figure is not
    add_legend(drawn, **(outside if ax is None else {"loc": "upper left"}))
    return drawn  # type: ignore[no-any-return]


def _draw_surface(ax: Any, land: Landscape) -> None:
    bands = np.linspace(0.0, 1.0, len(land.levels))
    shades = ground()(np.interp(land.z, land.levels, bands))
    z = np.where(np.isfinite(land.z), land.z, np.nan)
    x, y = np.meshgrid(land.x, land.y)
    ax.plot_surface(
        x,
        y,
        z,
        facecolors=shades,
        rcount=len(land.y),
        ccount=len(land.x),
        shade=False,
        lw=0,
        antialiased=False,
        zorder=1,
    )
    ax.contour(x, y, z, levels=land.levels[1:-1], colors=LINE, linestyles="solid", linewidths=0.7, zorder=2)


def _draw_path(ax: Any, path: Path, colour: Any, land: Landscape, objective: Any) -> None:
    line = clip(_filled(path.until_it_leaves(land.window), land), land.window)
    height = land.values(objective, line)
    ax.plot(*line.T, height, color=colour, lw=1.8, zorder=4, label=path.legend(), path_effects=halo(3.2))
    for end, point in path.ends(land.window):
        height = land.values(objective, point[None])
        ax.plot(*point[:, None], height, color=INK if end == "start" else colour, zorder=5, **END_MARKS[end])


def _filled(points: Array, land: Landscape) -> Array:
    """Return a path with points inserted, at about the steps of the grid, so that it follows the surface."""
    cell = (land.window[1] - land.window[0]) / len(land.x)
    cells = np.abs(np.diff(points, axis=0) / cell).max(axis=1)
    pieces = np.clip(np.ceil(cells), 1, len(land.x)).astype(int)
    parts = [np.linspace(points[i], points[i + 1], n, endpoint=False) for i, n in enumerate(pieces)]
    return np.concatenate([*parts, points[-1:]])


def _dress(ax: Any, land: Landscape, view: tuple[float, float]) -> None:
    frame_axes(ax, land)
    ax.set_aspect("auto")
    ax.set_zlabel("loss")
    ax.view_init(*view)
    ax.set_box_aspect((1.25, 1.25, 0.85), zoom=0.9)
    ax.zaxis.labelpad = 0
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis.set_major_locator(require("matplotlib.ticker", "plot").MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_tick_params(pad=1)
        axis._axinfo["grid"].update(color="0.9", linewidth=0.6)
