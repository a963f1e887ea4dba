"""An objective over a window of a plane: the window, the values in it, and the levels to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.checks import check_count
from .paths import Path, finite_part, read_paths, sample
from .plane import Plane, eigenpairs, evaluator, plane_for, vector
from .runs import Array

# A point of a path does not widen the window if its height is above STRAYED times the height of the start. A height is
# the loss minus the lowest loss.
STRAYED = 3.0
PADDING = 0.12
# Around the point where the eigenvectors cross, the window has this share of the paths' extent on each side.
ROOM = 0.25
# A window whose sides differ by at most the factor ONE_SCALE is drawn to one scale; its ratio of width to height is
# brought into the range SHAPES.
ONE_SCALE = 5.0
SHAPES = (1.0, 1.6)


@dataclass(frozen=True, eq=False)
class Landscape:
    """The data that `contour` and `surface` draw. All positions are coordinates on the plane."""

    plane: Plane
    paths: list[Path]
    minimum: Array | None
    middle: Array | None
    window: Array
    x: Array
    y: Array
    z: Array
    levels: Array
    one_scale: bool

    def values(self, objective: Any, points: Array) -> Array:
        """Return the values of the objective at points of the plane."""
        return evaluator(objective)(self.plane.points(points))


def survey(
    objective: Any, paths: Any, minimum: Any, at: Any, directions: Any, eigenvectors: Any, limits: Any, resolution: int
) -> Landscape:
    """Return the landscape for the arguments of `contour`."""
    evaluate = evaluator(objective)
    n, resolution = objective.n_parameters, check_count("resolution", resolution, 2)
    if n < 2:
        raise ValueError(
            "objective must have at least 2 parameters, got one with 1; st.plot.taylor draws it as a curve"
        )
    ways = read_paths(paths, n)
    best = None if minimum is None else vector("minimum", minimum, n)
    middle = None if at is None else vector("at", at, n)
    if middle is None and n > 2:
        middle = _middle(n, ways, best)
    if eigenvectors is not None:
        eigenpairs(eigenvectors, n)
        if n > 2 and directions is not None:
            raise ValueError(
                "directions must be None if eigenvectors span the plane, got both; leave out one of the two"
            )
    plane = plane_for(n, middle, directions, eigenvectors)
    mark, centre = (None if point is None else plane.coordinates(point) for point in (best, middle))
    marks = np.array([point for point in (mark, centre) if point is not None]).reshape(-1, 2)
    routes = _routes(plane, ways, marks, evaluate)
    middles = marks[-1:] if eigenvectors is not None else marks[:0]
    window, one_scale = _window(limits, routes, marks, middles)
    x, y, grid = grid_over(window, resolution)
    z = evaluate(plane.points(grid))
    return Landscape(plane, routes, mark, mark if centre is None else centre, window, x, y, z, levels_of(z), one_scale)


def _middle(n: int, ways: dict[str, Array], minimum: Array | None) -> Array:
    if minimum is not None:
        return minimum
    ends = [way[-1] for way in ways.values() if np.isfinite(way[-1]).all()]
    if not ends:
        expected = f"at must be an array of shape ({n},), a point of the plane to draw,"
        raise ValueError(f"{expected} if there is neither a minimum nor the end of a path, got None")
    return np.asarray(ends[-1])


def _routes(plane: Plane, ways: dict[str, Array], marks: Array, evaluate: Any) -> list[Path]:
    """Return the paths on the plane, each with the points that a window should hold: all but those far uphill."""
    routes = {label: finite_part(plane.coordinates(finite_part(way))) for label, way in ways.items()}
    surveyed = [sample(points) for points in routes.values()]
    heights = [evaluate(plane.points(points)) for points in surveyed]
    ceiling = _ceiling(heights, evaluate(plane.points(marks)))
    found = []
    for (label, points), few, height in zip(routes.items(), surveyed, heights, strict=True):
        low = height <= ceiling
        diverges = len(points) < len(ways[label]) or not low[-1]
        ground = points if low.all() else np.concatenate([points[:1], few[low]])
        found.append(Path(label, points, ground, bool(diverges)))
    return found


def _ceiling(heights: list[Array], marks: Array) -> float:
    known = np.concatenate([*heights, marks])
    known = known[np.isfinite(known)]
    if not heights or known.size == 0:
        return np.inf
    lowest = known.min()
    return float(lowest + STRAYED * max(_usual_height(height - lowest) for height in heights))


def _usual_height(above: Array) -> float:
    """Return the height of a path's start, or its greatest height if it starts at the bottom and does not run off."""
    above = above[np.isfinite(above)]
    if above.size == 0:
        return 0.0
    usual = float(np.median(above))
    return float(above.max() if above[0] < 0.01 * usual and above.max() < 30.0 * usual else above[0])


def _window(limits: Any, routes: list[Path], marks: Array, middles: Array) -> tuple[Array, bool]:
    if limits is not None:
        window = check_limits(limits)
        return window, is_one_scale(window[1] - window[0])
    shown = np.concatenate([marks, *(route.ground for route in routes)])
    if len(shown) == 0:
        expected = "limits must be given as ((left, right), (bottom, top)) if there are no paths and no minimum to show"
        raise ValueError(f"{expected}, got None")
    reach = ROOM * np.ptp(shown, axis=0)  # for the eigenvectors
    return frame(np.concatenate([shown, middles - reach, middles + reach]))


def is_one_scale(sides: Array) -> bool:
    """Return whether the sides of a window are similar enough to draw them to one scale."""
    return bool(1 / ONE_SCALE <= sides[0] / sides[1] <= ONE_SCALE)


def check_limits(limits: Any) -> Array:
    """Return ((left, right), (bottom, top)) as ((left, bottom), (right, top))."""
    given = np.asarray(limits)
    expected = "limits must be ((left, right), (bottom, top)), finite and ascending"
    if given.shape != (2, 2) or given.dtype.kind not in "iuf":
        raise ValueError(f"{expected}, got {limits!r}")
    if not np.isfinite(given).all() or not (given[:, 0] < given[:, 1]).all():
        raise ValueError(f"{expected}, got {given.tolist()}")
    return np.asarray(given.T, dtype=float)


def frame(points: Array) -> tuple[Array, bool]:
    """Return a padded window around points, and whether it is drawn to one scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, sides = (low + high) / 2, high - low
    floor = 1e-9 * np.abs(points).max()
    if sides.max() <= floor:
        sides = np.full(2, 2.0 * max(1.0, float(np.abs(middle).max())))
    sides = np.where(sides <= floor, sides.max(), sides) * (1 + 2 * PADDING)
    one_scale = is_one_scale(sides)
    if one_scale:
        shape = min(max(sides[0] / sides[1], SHAPES[0]), SHAPES[1])
        sides = np.array([max(sides[0], shape * sides[1]), max(sides[1], sides[0] / shape)])
    return np.stack([middle - sides / 2, middle + sides / 2]), one_scale


def grid_over(window: Array, resolution: int) -> tuple[Array, Array, Array]:
    """Return the x of a grid's columns, the y of its rows, and its points, of shape (resolution, resolution, 2)."""
    (left, bottom), (right, top) = window
    x, y = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    return x, y, np.stack(np.meshgrid(x, y), axis=-1)


def levels_of(z: Array, n: int = 12) -> Array:
    """Return levels that cut a grid of values into bands, from its lowest value to its highest.

    The area below level k is the share (k / n)^2 of the whole. Around the minimum of a quadratic function, the level
    curves are then at equal distances. An increasing transform of the values does not move them, so a ravine between
    walls a thousand times as high looks like a bowl.
    """
    known = z[np.isfinite(z)]
    if known.size == 0:
        raise ValueError("objective must be finite somewhere within the limits, got no finite value")
    low, high = float(known.min()), float(known.max())
    inner = np.quantile(known, (np.arange(1, n) / n) ** 2)
    inner = inner[(inner > low) & (inner < high)]
    levels = np.unique(np.concatenate([[low], [_rounded(level, inner) for level in inner], [high]]))
    levels = levels[(levels >= low) & (levels <= high)]
    if len(levels) < 2 or high - low <= 1e-13 * abs(high):
        raise ValueError(f"objective must vary within the limits, got {low:g} everywhere")
    return levels


def _rounded(level: float, levels: Array) -> float:
    """Return a level rounded to the fewest digits that keep it apart from the others."""
    gaps = np.abs(levels - level)
    gap = gaps[gaps > 0].min(initial=np.inf)
    return float(round(level, 1 - int(np.floor(np.log10(gap))))) if np.isfinite(gap) else level
