"""The plane of parameters under a landscape, and the values of an objective on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.checks import describe
from ..objectives.protocol import check_objective
from .runs import Array


@dataclass(frozen=True, eq=False)
class Plane:
    """The points ``origin + coordinates @ basis.T``, for coordinates of shape (..., 2)."""

    origin: Array
    basis: Array
    labels: tuple[str, str]

    def points(self, coordinates: Array) -> Array:
        """Return the parameters, of shape (..., d)."""
        return np.asarray(self.origin + coordinates @ self.basis.T)

    def coordinates(self, points: Array) -> Array:
        """Return the coordinates of parameters of shape (..., d), projected onto the plane."""
        return np.asarray((points - self.origin) @ np.linalg.pinv(self.basis).T)


def evaluator(objective: Any) -> Callable[[Array], Array]:
    """Return a function that maps parameters of shape (..., d) to the objective's values, of shape (...)."""
    check_objective(objective)
    value = objective.value if callable(getattr(objective, "value", None)) else None

    def evaluate(points: Array) -> Array:
        with np.errstate(all="ignore"):  # an objective may overflow far out
            rows = np.ascontiguousarray(points.reshape(-1, points.shape[-1]), dtype=objective.dtype)
            found = [value(w) if value is not None else objective.value_and_gradient(w)[0] for w in rows]
        return np.array(found, dtype=float).reshape(points.shape[:-1])

    return evaluate


def vector(name: str, value: Any, n: int) -> Array:
    """Return an array, or the w of a Result, as finite floats of shape (n,)."""
    given = np.asarray(getattr(value, "w", value))
    if given.dtype.kind not in "iuf" or given.shape != (n,):
        raise ValueError(f"{name} must be an array of shape ({n},) or something with such a w, got {describe(given)}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} must be finite, got {given}")
    return given.astype(float)


def eigenpairs(curvature: Any, n: int) -> tuple[Array, Array]:
    """Return the eigenvalues, of shape (k,), and the eigenvectors, of shape (n, k), of a Curvature."""
    if not hasattr(curvature, "eigenvalues") or not hasattr(curvature, "eigenvectors"):
        raise TypeError(f"eigenvectors must be a Curvature, as st.curvature returns it, got {describe(curvature)}")
    values, vectors = np.asarray(curvature.eigenvalues, dtype=float), np.asarray(curvature.eigenvectors, dtype=float)
    if values.ndim != 1 or len(values) < 2 or vectors.shape != (n, len(values)):
        expected = f"eigenvectors must have eigenvalues of shape (k,), k at least 2, and eigenvectors of shape ({n}, k)"
        raise ValueError(f"{expected}, got shapes {values.shape} and {vectors.shape}")
    return values, vectors


def plane_for(n: int, at: Array | None, directions: Any, eigenvectors: Any) -> Plane:
    """Return the plane through `at` for the arguments of `contour`."""
    at = np.zeros(n) if at is None else at
    if directions is None and eigenvectors is not None and n > 2:
        values, vectors = eigenpairs(eigenvectors, n)
        labels = [f"along the eigenvector of {name} = {value:.3g}" for name, value in _extremes(values)]
        return Plane(at, vectors[:, [0, -1]], (labels[0], labels[1]))
    given = np.asarray((0, 1) if directions is None else directions)
    if given.shape == (2,) and given.dtype.kind in "iu":
        return _along_coordinates(at, given)
    if given.shape != (n, 2) or given.dtype.kind not in "iuf":
        expected = f"directions must be an array of shape ({n}, 2) or the indices of two parameters"
        raise ValueError(f"{expected}, got {describe(given)}")
    if not np.isfinite(given).all() or np.linalg.matrix_rank(given) < 2:
        raise ValueError(f"directions must be two finite columns that span a plane, got\n{given}")
    return Plane(at, given.astype(float), ("along directions[:, 0]", "along directions[:, 1]"))


def _extremes(values: Array) -> tuple[tuple[str, float], tuple[str, float]]:
    return (r"$\lambda_\min$", float(values[0])), (r"$\lambda_\max$", float(values[-1]))


def _along_coordinates(at: Array, pair: Array) -> Plane:
    n = len(at)
    if pair[0] == pair[1] or pair.min() < 0 or pair.max() >= n:
        raise ValueError(f"directions must be two different indices from 0 to {n - 1}, got {pair.tolist()}")
    origin = at.copy()
    origin[pair] = 0.0
    return Plane(origin, np.eye(n)[:, pair], (f"$w_{{{pair[0]}}}$", f"$w_{{{pair[1]}}}$"))
