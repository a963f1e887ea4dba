"""The second-order Taylor model of an objective: what descent sees of it near a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.checks import check_count, check_number, check_vector
from ..objectives.protocol import Objective, check_objective
from .hessian import Hessian, own_copy

__all__ = ["Taylor", "is_quadratic", "taylor"]


class Taylor:
    """The quadratic m(u) = f(w) + g.(u - w) + (u - w).H(u - w) / 2 around a point w.

    It is an objective of its own (`value_and_gradient`, `hessian_product`), so `minimize` and the plots take it.

    Attributes
    ----------
    point : float64 array of shape (n_parameters,)
        Where the model was made, w.
    value : float
        f(w), with the L1 part of a penalty, which the model keeps as it is at w.
    gradient : float64 array of shape (n_parameters,)
        Gradient of the smooth part at w.
    hessian : float64 array of shape (n_parameters, n_parameters)
        Hessian of the smooth part at w.
    """

    constant_curvature = True

    def __init__(
        self, point: NDArray[np.float64], value: float, gradient: NDArray[np.float64], hessian: NDArray[np.float64]
    ) -> None:
        self.point, self.value, self.gradient, self.hessian = point, value, gradient, hessian
        self.n_parameters = point.size
        self.dtype: np.dtype[Any] = np.dtype(np.float64)

    def __call__(self, u: ArrayLike) -> Any:
        """Return the model at u, of shape (..., n_parameters): a float, or an array of shape (...)."""
        points = np.asarray(u, dtype=np.float64)
        if points.ndim == 0 or points.shape[-1] != self.n_parameters:
            raise ValueError(f"u must be an array of shape (..., {self.n_parameters}), got shape {points.shape}")
        step = points - self.point
        values = self.value + step @ self.gradient + 0.5 * np.einsum("...i,...i->...", step @ self.hessian, step)
        return float(values) if points.ndim == 1 else values

    def value_and_gradient(self, u: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the model at u and its gradient g + H(u - w)."""
        check_vector("u", u, self.n_parameters, self.dtype)
        return self(u), self.gradient + self.hessian @ (u - self.point)

    def hessian_product(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return H v, which is the same at every u."""
        check_vector("v", v, self.n_parameters, self.dtype)
        return np.asarray(self.hessian @ v)

    def stationary_point(self) -> NDArray[np.float64]:
        """Return the point of no gradient that is nearest to w, which a Newton step leads to (least squares)."""
        return np.asarray(self.point - np.linalg.lstsq(self.hessian, self.gradient, rcond=None)[0])

    def descent(self, learning_rate: float, n_steps: int, start: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the path of plain gradient descent on the model, by its closed form.

        Along an eigenvector of H with eigenvalue l, the gradient after t steps is (1 - learning_rate l)^t times what it
        was.

        Parameters
        ----------
        learning_rate : float
            Above 0.
        n_steps : int
            At least 0.
        start : array of shape (n_parameters,), optional
            w if not given.

        Returns
        -------
        float64 array of shape (n_steps + 1, n_parameters)
        """
        rate = check_number("learning_rate", learning_rate, above=0.0)
        counts = np.arange(check_count("n_steps", n_steps, 0) + 1.0)[:, None]
        begin = self.point if start is None else np.array(start, dtype=np.float64)
        check_vector("start", begin, self.n_parameters, self.dtype)
        eigenvalues, vectors = np.linalg.eigh(self.hessian)
        slopes = (self.gradient + self.hessian @ (begin - self.point)) @ vectors
        x = rate * eigenvalues
        small = np.abs(x) < 0.5  # where 1 - (1 - x)^t would lose its digits
        with np.errstate(over="ignore", invalid="ignore"):
            # The geometric series of the steps, of which all are alike where nothing curves.
            near_one = -np.expm1(counts * np.log1p(-np.where(small, x, 0.0)))
            shrunk = np.where(small, near_one, 1.0 - (1.0 - x) ** counts)
            sums = np.where(x == 0.0, rate * counts, rate * shrunk / np.where(x == 0.0, 1.0, x))
            return np.asarray(begin - (slopes * sums) @ vectors.T)

    def __repr__(self) -> str:
        return f"Taylor(value={self.value:.6g}, n_parameters={self.n_parameters})"


def is_quadratic(objective: object) -> bool:
    """Return whether the curvature of an objective is known to be the same everywhere."""
    return bool(getattr(objective, "constant_curvature", False))


def taylor(objective: Objective, w: Any) -> Taylor:
    """Make the second-order Taylor model of an objective at w.

    Parameters
    ----------
    objective : LeastSquares, Logistic, Softmax, Function or any other `Objective`
        Without a `hessian_product`, central differences of the gradient stand for it.
    w : array of shape (n_parameters,), the objective's dtype
        Where.

    Returns
    -------
    Taylor

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype or shape.
    NotImplementedError
        An objective on a CUDA device.
    """
    check_objective(objective)
    w = own_copy(objective, w)
    value, gradient = objective.value_and_gradient(w)
    return Taylor(
        np.array(w, dtype=np.float64),
        float(value),
        np.array(gradient, dtype=np.float64),
        Hessian(objective, w).matrix(),
    )
