"""The Hessian of an objective at a point, in float64: its products with vectors, its matrix, its largest eigenvalue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_vector
from ..arrays.interop import as_native, library_of
from ..arrays.norm import norm_of
from ..objectives.on_host import on_host
from ..objectives.penalty_weight import check_left_out
from ..objectives.protocol import Capability, device_of_objective, missing, supports
from ..objectives.softmax import vector_of

__all__ = ["Hessian", "own_copy"]

Vector = NDArray[np.float64]

_SHORTER_STEPS = 4


def own_copy(objective: Any, w: Any) -> NDArray[Any]:
    """Return a NumPy copy of parameters, an array of any library, as a vector checked against the objective."""
    if not supports(objective, Capability.CURVATURE):
        raise missing(objective, Capability.CURVATURE, "this", "make the objective from arrays in host memory")
    library, w = library_of(w), vector_of(objective, "w", w)
    w = as_native("w", w) if device_of_objective(objective) is None else objective.native.start(w, "w")
    check_vector("w", w, objective.n_parameters, objective.dtype, library=library)
    check_left_out(objective, w, "w")
    return np.array(w)


class Hessian:
    """The Hessian of the smooth part of an objective at w.

    If the objective has no `hessian_product`, products are central differences of its gradient.

    Parameters
    ----------
    kept : array of int, optional
        The parameters that the rows and columns of the Hessian are of; by default all.

    Attributes
    ----------
    size : int
        The number of these parameters.
    by_differences : bool
        Whether products are central differences.
    tolerance : float
        The error of an eigenvalue, as a share of the largest one.
    """

    def __init__(self, objective: Any, w: NDArray[Any], kept: NDArray[np.intp] | None = None) -> None:
        objective = on_host(objective)
        self._objective, self._w, self._kept = objective, w, kept
        self.size = w.size if kept is None else len(kept)
        self.by_differences = not supports(objective, Capability.HESSIAN_PRODUCT)
        epsilon = float(np.finfo(w.dtype).eps)
        self.tolerance = epsilon ** (2 / 3) * 1e3 if self.by_differences else 64 * epsilon

    def product(self, v: Vector) -> Vector:
        """Return the Hessian times v."""
        if self._kept is None:
            return self._product(v)
        whole = np.zeros(self._w.size)
        whole[self._kept] = v
        return np.asarray(self._product(whole)[self._kept])

    def _product(self, v: Vector) -> Vector:
        if not self.by_differences:
            product = self._objective.hessian_product(self._w.copy(), v.astype(self._w.dtype))
            return np.asarray(product, dtype=np.float64)
        size = float((np.abs(v) / (1.0 + np.abs(self._w))).max())
        if size == 0.0:
            return np.zeros_like(v)
        step = float(np.finfo(self._w.dtype).eps) ** (1 / 3) / size
        for _ in range(_SHORTER_STEPS):
            change = self._gradient(self._w + step * v) - self._gradient(self._w - step * v)
            if np.isfinite(change).all():
                break
            step *= 0.1  # the step may have left the domain of the function
        return np.asarray(change / (2 * step))

    def _gradient(self, w: NDArray[Any]) -> Vector:
        return np.array(self._objective.value_and_gradient(w.astype(self._w.dtype))[1], dtype=np.float64)

    def matrix(self) -> NDArray[np.float64]:
        """Return the whole Hessian, symmetric and of shape (size, size)."""
        own = None if self.by_differences else getattr(self._objective, "hessian", None)
        if own is None:
            found = np.stack([self.product(unit) for unit in np.eye(self.size)], axis=1)
        else:
            found = np.asarray(own(self._w.copy()), dtype=np.float64)
            found = found if self._kept is None else found[np.ix_(self._kept, self._kept)]
        return np.asarray((found + found.T) / 2)

    def largest(self, v: Vector | None = None, iterations: int = 100, tolerance: float = 1e-3) -> tuple[float, Vector]:
        """Return the size of the eigenvalue of largest size, and its eigenvector, by power iteration.

        The estimate of the size is from below.

        Parameters
        ----------
        v : array of shape (n_parameters,), optional
            The first vector; a fixed random vector by default.
        iterations : int
            The greatest number of products.
        tolerance : float
            The iteration stops at this relative change of the estimate.
        """
        v = np.random.default_rng(0).standard_normal(self.size) if v is None else v
        size = 0.0
        for _ in range(iterations):
            v = v / norm_of(v)
            product = self.product(v)
            before, size = size, norm_of(product)
            if not np.isfinite(size) or size == 0.0:
                break
            v = product
            if abs(size - before) <= tolerance * size:
                break
        return size, v / norm_of(v) if np.isfinite(v).all() and v.any() else v

    def trace(self, samples: int = 16) -> float:
        """Estimate the sum of the eigenvalues from products with vectors of random signs.

        Estimator: Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
        splines", 1989.
        """
        if supports(self._objective, Capability.DATA) and self.size <= 64:
            return float(np.trace(self.matrix()))
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (samples, self.size))
        return float(np.mean([v @ self.product(v) for v in signs]))
