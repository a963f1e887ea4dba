"""The paths of runs on a plane: the forms in which a caller may give them, and the part that a window shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.checks import describe
from .runs import Array, is_search, labelled, text_of

# So many points of a path are evaluated to see where it goes.
SURVEYED = 200


@dataclass(frozen=True, eq=False)
class Path:
    """The path of a run over a plane.

    Attributes
    ----------
    label : str
        The label of the run.
    points : array of shape (n, 2)
        The points of the path, up to the first that is not finite.
    ground : array of shape (m, 2)
        The points that a window should hold: all of them, or those of a sample that are low enough.
    diverges : bool
        Whether the path ends too high, or at a point that is not finite.
    """

    label: str
    points: Array
    ground: Array
    diverges: bool

    def legend(self) -> str:
        """Return the text for the legend."""
        return f"{self.label or 'path'}{' (diverges)' if self.diverges else ''}"

    def until_it_leaves(self, window: Array) -> Array:
        """Return the points of the path; if it diverges, only those up to the first point outside the window."""
        outside = ~within(self.points, window)
        until = int(np.argmax(outside)) + 1 if self.diverges and outside.any() else len(self.points)
        return np.asarray(self.points[:until])

    def ends(self, window: Array) -> list[tuple[str, Array]]:
        """Return "start" and "end" with their points, if the window holds them; a path that diverges has no end."""
        last = [] if self.diverges or len(self.points) == 1 else [("end", self.points[-1])]
        return [(name, point) for name, point in [("start", self.points[0]), *last] if within(point, window)]


def sample(points: Array) -> Array:
    """Return the first points, the last one, and points at equal steps between them."""
    n = len(points)
    chosen = np.unique(np.concatenate([np.arange(min(n, 10)), np.linspace(0, n - 1, SURVEYED).astype(int)]))
    return np.asarray(points[chosen])


def read_paths(paths: Any, n: int) -> dict[str, Array]:
    """Return the parameters of each path, of shape (steps + 1, n), by label."""
    if paths is None:
        return {}
    if isinstance(paths, list | tuple) and len(paths) and all(_is_path(each) for each in paths):
        paths = {f"path {index}": path for index, path in enumerate(paths, 1)}
    if not isinstance(paths, Mapping) and is_search(paths):
        paths = {f"learning rate {text_of(rate)}": run for rate, run in labelled(paths).items()}
    return {text_of(label): _read(path, n) for label, path in labelled(paths).items()}


def _is_path(value: Any) -> bool:
    return hasattr(value, "path") or (isinstance(value, np.ndarray) and value.ndim == 2)


def _read(path: Any, n: int) -> Array:
    expected = f"paths must be a Result with a path, an array of shape (n_points, {n}), or several of these by label"
    if hasattr(path, "path") and path.path is None:
        raise ValueError(f"{expected}, got a Result without one; record it with minimize(..., record_path=True)")
    try:
        points = np.asarray(getattr(path, "path", path))
    except ValueError:  # a ragged list
        raise ValueError(f"{expected}, got {describe(path)}") from None
    if points.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] != n or len(points) == 0:
        raise ValueError(f"{expected}, got {describe(points if points.dtype.kind in 'iuf' else path)}")
    if not np.isfinite(points[0]).all():
        raise ValueError(f"paths must start at a finite point, got {points[0]}")
    return points.astype(float)


def finite_part(points: Array) -> Array:
    """Return the points before the first that is not finite."""
    wrong = ~np.isfinite(points).all(axis=1)
    return points[: int(np.argmax(wrong))] if wrong.any() else points


def clip(points: Array, window: Array) -> Array:
    """Return the parts of a path in a window ((left, bottom), (right, top)), with a row of nan between two parts."""
    if len(points) < 2:
        return points[within(points, window)]
    start, step = points[:-1], np.diff(points, axis=0)
    with np.errstate(all="ignore"):
        to_edges = (window[:, None, :] - start) / step
    still, outside = step == 0, (start < window[0]) | (start > window[1])
    enter = np.where(still, np.where(outside, np.inf, -np.inf), to_edges.min(axis=0)).max(axis=1).clip(0.0, None)
    leave = np.where(still, np.inf, to_edges.max(axis=0)).min(axis=1).clip(None, 1.0)
    shown: list[Array] = []
    for index in np.flatnonzero(enter <= leave):
        first, last = start[index] + np.outer((enter[index], leave[index]), step[index])
        if not shown or not np.array_equal(shown[-1], first):
            shown += [np.full(2, np.nan), first]
        shown.append(points[index + 1] if leave[index] == 1.0 else last)
    return np.array(shown[1:]).reshape(-1, 2)


def within(points: Array, window: Array) -> Array:
    """Return whether the window holds each point."""
    return np.asarray(((points >= window[0]) & (points <= window[1])).all(axis=-1))
