"""`taylor`: a function and its second-order models, with the minima of the models, where Newton steps end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.checks import check_count, describe
from .contours import draw_ground, emptiest_corner
from .landscape import check_limits, frame, grid_over, is_one_scale, levels_of
from .plane import evaluator, plane_for, vector
from .runs import Array, text_of
from .style import DASHES, axes_for, colours, halo, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINT: dict[str, Any] = {"marker": "o", "ls": "", "mec": "white", "mew": 1.0, "ms": 8, "zorder": 5}
NEWTON: dict[str, Any] = {"marker": "D", "ls": "", "mfc": "white", "mew": 1.8, "ms": 6.5, "zorder": 5}
# A minimum of a model does not widen the window if it is farther off than FAR times the extent (or size) of the points.
FAR = 4.0


def taylor(
    objective: Any,
    models: Any,
    *,
    direction: Any = None,
    limits: Any = None,
    resolution: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a function and its second-order models about one point or several.

    A function of 1 parameter is drawn as a curve. A function of 2 parameters is drawn by its level curves; the level
    curves of the models are dashed, at every other level. A function of more parameters, or any function with a
    `direction`, is drawn along a line through the first model's point. A dot marks the point of each model, and a
    diamond its minimum (along the line), if it has one.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The function.
    models : Taylor, list of Taylor, or mapping of str to Taylor
        The models, as `st.taylor` returns them. Any object counts as a model that has `point`, `gradient` and
        `hessian`, and can be called on parameters of shape (..., n_parameters).
    direction : array of shape (n_parameters,), optional
        The direction of the line. For more than 2 parameters, the default leads from the first model's point to the
        last model's. With a single model, it is the Newton step, or the negative gradient if the model has no minimum.
    limits : (left, right), or for level curves ((left, right), (bottom, top)), optional
        The window. The default holds the points and the minima of the models.
    resolution : int, optional
        Number of points of a curve, 401 by default. Level curves are drawn from resolution^2 points, by default 121^2.
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
        An argument has the wrong shape or is out of range, or the objective is nowhere finite in the window.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> cosine = st.Function(lambda w: (-np.cos(w[0]), np.sin(w)), 1, lambda w, v: np.cos(w) * v)
    >>> ax = st.plot.taylor(cosine, {"about 1": st.taylor(cosine, np.array([1.0]))}, resolution=51)
    >>> ax.get_legend_handles_labels()[1]
    ['function', 'about 1', 'point', 'minimum of the model']
    """
    evaluate, n = evaluator(objective), objective.n_parameters
    known = _read(models, n)
    if n == 2 and direction is None:
        count = check_count("resolution", 121 if resolution is None else resolution, 2)
        window, one_scale = _window(known, limits)
        return _draw_levels(axes_for(ax), evaluate, known, window, one_scale, count)
    count = check_count("resolution", 401 if resolution is None else resolution, 2)
    line = _line(known, n, direction)
    left, right = _range(known, line, limits)
    t = np.linspace(left, right, count)
    return _draw_curves(axes_for(ax), evaluate, known, line, t)


def _read(models: Any, n: int) -> dict[str, Any]:
    if isinstance(models, Mapping):
        named = {text_of(label): model for label, model in models.items()}
    else:
        several = list(models) if isinstance(models, list | tuple) else [models]
        named = {f"model {index}" if len(several) > 1 else "model": model for index, model in enumerate(several, 1)}
    if not named:
        raise ValueError("models must hold at least one model, got none")
    for model in named.values():
        if not callable(model) or not all(hasattr(model, name) for name in ("point", "gradient", "hessian")):
            raise TypeError(f"models must be what st.taylor returns, one or several, got {describe(model)}")
        vector("models' point", model.point, n)
    return named


def _newton_step(model: Any) -> Array | None:
    """Return the step from a model's point to its minimum; None if it has no minimum."""
    hessian, gradient = np.asarray(model.hessian, dtype=float), np.asarray(model.gradient, dtype=float)
    eigenvalues = np.linalg.eigvalsh(hessian)
    if not eigenvalues[0] > 1e-12 * np.abs(eigenvalues).max():
        return None
    return np.asarray(-np.linalg.solve(hessian, gradient))


@dataclass(frozen=True, eq=False)
class Line:
    """The points ``origin + t direction``, for a direction of length 1."""

    origin: Array
    direction: Array
    label: str

    def points(self, t: Any) -> Array:
        """Return parameters of shape (..., d)."""
        return np.asarray(self.origin + np.multiply.outer(t, self.direction))

    def position(self, model: Any) -> float | None:
        """Return the position of a model's point on the line; None if it is off the line."""
        point = np.asarray(model.point, dtype=float)
        t = float((point - self.origin) @ self.direction)
        distance = np.abs(self.points(t) - point).max()
        return t if distance <= 1e-6 * max(1.0, np.abs(point).max()) else None

    def minimum(self, model: Any) -> float | None:
        """Return the position of a model's minimum on the line; None if it has no minimum there."""
        hessian, gradient = np.asarray(model.hessian, dtype=float), np.asarray(model.gradient, dtype=float)
        curvature = float(self.direction @ hessian @ self.direction)
        slope = float(self.direction @ (gradient + hessian @ (self.origin - np.asarray(model.point, dtype=float))))
        return -slope / curvature if curvature > 1e-12 * np.abs(hessian).max() else None


def _line(models: dict[str, Any], n: int, direction: Any) -> Line:
    if n == 1:
        if direction is not None:
            raise ValueError(f"direction must be None for an objective of 1 parameter, got {describe(direction)}")
        return Line(np.zeros(1), np.ones(1), "$w$")
    first, *_, last = [*models.values()] * 2
    origin = np.asarray(first.point, dtype=float)
    if direction is not None:
        towards, label = vector("direction", direction, n), "distance along the direction"
    elif len(models) > 1:
        towards, label = np.asarray(last.point, dtype=float) - origin, "distance from the first point to the last"
    elif (step := _newton_step(first)) is not None and np.any(step):
        towards, label = step, "distance along Newton's step"
    else:
        towards, label = -np.asarray(first.gradient, dtype=float), "distance against the gradient"
    if not np.any(towards):
        raise ValueError(
            "direction must not be 0, got 0; give a direction if the gradient is 0 or all models have the same point"
        )
    return Line(origin, towards / np.linalg.norm(towards), label)


def _near(points: Array, minima: Array) -> Array:
    """Return the points, and the minima that are near enough to be shown with them; of shape (n, 1 or 2)."""
    extent = np.ptp(points, axis=0)
    reach = np.where(extent > 0, extent, np.maximum(1.0, np.abs(points).max(axis=0)))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return np.concatenate([points, minima[(np.abs(minima - middle) <= FAR * reach).all(axis=1)]])


def _range(models: dict[str, Any], line: Line, limits: Any) -> tuple[float, float]:
    if limits is not None:
        given = np.asarray(limits)
        if given.shape != (2,) or given.dtype.kind not in "iuf" or not given[0] < given[1]:
            raise ValueError(f"limits must be (left, right), ascending, got {limits!r}")
        return float(given[0]), float(given[1])
    starts = [t for t in map(line.position, models.values()) if t is not None]
    minima = [t for t in map(line.minimum, models.values()) if t is not None]
    shown = _near(np.reshape(starts, (-1, 1)), np.reshape(minima, (-1, 1)))
    extent = float(np.ptp(shown)) or max(1.0, float(np.abs(shown).max()))
    reach = extent * (0.8 if len(models) > 1 else 1.5)
    return (shown.min() + shown.max()) / 2 - reach, (shown.min() + shown.max()) / 2 + reach


def _draw_curves(ax: Any, evaluate: Any, models: dict[str, Any], line: Line, t: Array) -> Axes:
    values = evaluate(line.points(t))
    ax.plot(t, values, color="black", lw=2.2, label="function", zorder=2)
    heights = [values[np.isfinite(values)]]
    for (label, model), colour in zip(models.items(), colours(len(models) + 1)[1:], strict=True):
        ax.plot(t, model(line.points(t)), color=colour, lw=1.8, ls=DASHES, zorder=3, label=label)
        position, minimum = line.position(model), line.minimum(model)
        for place, marks in ((position, POINT), (minimum, NEWTON)):
            if place is not None and t[0] <= place <= t[-1]:
                height = float(model(line.points(place)))
                ax.plot(place, height, color=colour, **marks)
                heights.append(np.array([height]))
    _limit_heights(ax, np.concatenate(heights), values)
    ax.set_xlim(t[0], t[-1])
    ax.set_xlabel(line.label)
    ax.set_ylabel("loss")
    tidy(ax)
    _explain(ax, any(line.minimum(model) is not None for model in models.values()))
    return ax  # type: ignore[no-any-return]


def _limit_heights(ax: Any, heights: Array, values: Array) -> None:
    """Show the function and the marks, without marks farther off than the function's range."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        raise ValueError("objective must be finite somewhere within the limits, got no finite value")
    extent = np.ptp(known) or max(1.0, float(np.abs(known).max()))
    low = max(heights.min(), known.min() - extent)
    high = min(heights.max(), known.max() + extent)
    ax.set_ylim(low - 0.15 * (high - low or extent), high + 0.15 * (high - low or extent))


def _window(models: dict[str, Any], limits: Any) -> tuple[Array, bool]:
    if limits is not None:
        window = check_limits(limits)
        return window, is_one_scale(window[1] - window[0])
    points = np.array([np.asarray(model.point, dtype=float) for model in models.values()])
    steps = [(model, step) for model in models.values() if (step := _newton_step(model)) is not None]
    minima = np.array([model.point + step for model, step in steps]).reshape(-1, 2)
    shown = _near(points, minima)
    reach = 0.5 * np.ptp(shown, axis=0).max()
    return frame(np.concatenate([shown - reach, shown + reach]))


def _draw_levels(ax: Any, evaluate: Any, models: dict[str, Any], window: Array, one_scale: bool, count: int) -> Axes:
    x, y, grid = grid_over(window, count)
    z = evaluate(grid)
    levels = levels_of(z)
    draw_ground(ax, x, y, z, levels, False)
    marks = []
    for (label, model), colour in zip(models.items(), colours(len(models) + 1)[1:], strict=True):
        heights = np.asarray(model(grid), dtype=float)
        shown = levels[1:-1:2]
        shown = shown[(shown > heights.min()) & (shown < heights.max())]
        if shown.size:
            ax.contour(x, y, heights, levels=shown, colors=[colour], linestyles=[DASHES], linewidths=1.3, zorder=2)
        ax.plot([], [], color=colour, ls=DASHES, lw=1.3, label=label)
        point, step = np.asarray(model.point, dtype=float), _newton_step(model)
        ax.plot(*point, color=colour, **POINT)
        marks.append(point)
        if step is not None:
            ax.plot(*np.stack([point, point + step], axis=1), color=colour, lw=1.4, zorder=4, path_effects=halo(3))
            ax.plot(*(point + step), color=colour, **NEWTON)
            marks.append(point + step)
    labels = plane_for(2, None, None, None).labels
    ax.set(xlim=window[:, 0], ylim=window[:, 1], xlabel=labels[0], ylabel=labels[1])
    if one_scale:
        ax.set_aspect("equal")
    _explain(ax, len(marks) > len(models), loc=emptiest_corner([], marks, window))
    return ax  # type: ignore[no-any-return]


def _explain(ax: Any, minima: bool, **options: Any) -> None:
    ax.plot([], [], color="0.3", label="point", **POINT)
    if minima:
        ax.plot([], [], color="0.3", label="minimum of the model", **NEWTON)
    ax.legend(**{"framealpha": 0.9, "edgecolor": "none", "fontsize": 9, **options}).set_zorder(7)
