"""The Hessian of an objective at a point, in float64: its products with vectors, its matrix, its largest eigenvalue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_vector
from ..arrays.interop import as_native, library_of
from ..arrays.norm import norm_of
from ..objectives.protocol import Capability, missing, supports
from ..objectives.softmax import vector_of

__all__ = ["Hessian", "own_copy"]

Vector = NDArray[np.float64]

_SHORTER_STEPS = 4


def own_copy(objective: Any, w: Any) -> NDArray[Any]:
    """Return a NumPy copy of parameters of any library as a vector, checked against the objective."""
    if not supports(objective, Capability.CURVATURE):
        raise missing(objective, Capability.CURVATURE, "this", "make the objective of arrays in the host's memory")
    library, w = library_of(w), as_native("w", vector_of(objective, "w", w))
    check_vector("w", w, objective.n_parameters, objective.dtype, library=library)
    return np.array(w)


class Hessian:
    """The Hessian of the smooth part of an objective at w.

    Where the objective has no `hessian_product`, products are central differences of its gradient.

    Attributes
    ----------
    by_differences : bool
        Whether they are.
    tolerance : float
        What an eigenvalue is known to, as a share of the largest one.
    """

    def __init__(self, objective: Any, w: NDArray[Any]) -> None:
        self._objective, self._w = objective, w
        self.by_differences = not supports(objective, Capability.HESSIAN)
        epsilon = float(np.finfo(w.dtype).eps)
        self.tolerance = epsilon ** (2 / 3) * 1e3 if self.by_differences else 64 * epsilon

    def product(self, v: Vector) -> Vector:
        """Return the Hessian times v."""
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
            step *= 0.1  # it may have led out of where the function is defined
        return np.asarray(change / (2 * step))

    def _gradient(self, w: NDArray[Any]) -> Vector:
        return np.array(self._objective.value_and_gradient(w.astype(self._w.dtype))[1], dtype=np.float64)

    def matrix(self) -> NDArray[np.float64]:
        """Return the whole Hessian, of shape (n_parameters, n_parameters) and symmetric."""
        own = None if self.by_differences else getattr(self._objective, "hessian", None)
        if own is not None:
            found = np.asarray(own(self._w.copy()), dtype=np.float64)
        else:
            found = np.stack([self.product(unit) for unit in np.eye(self._w.size)], axis=1)
        return np.asarray((found + found.T) / 2)

    def largest(self, v: Vector | None = None, iterations: int = 100, tolerance: float = 1e-3) -> tuple[float, Vector]:
        """Estimate the eigenvalue of the largest size by power iteration: that size (from below), and its vector.

        Parameters
        ----------
        v : array of shape (n_parameters,), optional
            Where to begin; a fixed random vector if not given.
        iterations : int
            Products at most.
        tolerance : float
            Relative change of the estimate at which to stop.
        """
        v = np.random.default_rng(0).standard_normal(self._w.size) if v is None else v
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
        """Estimate the sum of the eigenvalues from products with vectors of random signs (Hutchinson 1989)."""
        if supports(self._objective, Capability.DATA) and self._w.size <= 64:
            return float(np.trace(self.matrix()))
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (samples, self._w.size))
        return float(np.mean([v @ self.product(v) for v in signs]))
