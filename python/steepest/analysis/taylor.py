"""The second-order Taylor model of an objective at a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.checks import check_count, check_number, check_vector
from ..objectives.on_host import on_host
from ..objectives.protocol import Objective, check_objective
from .hessian import Hessian, own_copy

__all__ = ["Taylor", "is_quadratic", "taylor"]


class Taylor:
    """The quadratic model m(u) = f(w) + g.(u - w) + (u - w).H(u - w) / 2 of an objective f at a point w.

    The model is an objective too: it has `value_and_gradient` and `hessian_product`, so `minimize` and the plots take
    it. `st.taylor` makes it.

    Attributes
    ----------
    point : array of shape (n_parameters,), float64
        The point w.
    value : float
        f(w), including an L1 penalty. In the model the L1 penalty is a constant.
    gradient : array of shape (n_parameters,), float64
        The gradient g of the smooth part at w.
    hessian : array of shape (n_parameters, n_parameters), float64
        The Hessian H of the smooth part at w.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> model = st.taylor(st.Function(lambda w: (w[0] ** 3, 3 * w**2), 1, lambda w, v: 6 * w * v), np.array([2.0]))
    >>> model([3.0]), 8 + 12 * 1 + 12 * 1**2 / 2
    (26.0, 26.0)
    >>> print(model.stationary_point().round(6))
    [1.]
    >>> print(model.descent(learning_rate=0.05, n_steps=3)[:, 0].round(3))
    [2.    1.4   1.16  1.064]
    """

    constant_curvature = True

    def __init__(
        self, point: NDArray[np.float64], value: float, gradient: NDArray[np.float64], hessian: NDArray[np.float64]
    ) -> None:
        self.point, self.value, self.gradient, self.hessian = point, value, gradient, hessian
        self.n_parameters = point.size
        self.dtype: np.dtype[Any] = np.dtype(np.float64)

    def __call__(self, u: ArrayLike) -> Any:
        """Return the model at u of shape (..., n_parameters): an array of shape (...), or a float at a single point."""
        points = np.asarray(u, dtype=np.float64)
        if points.ndim == 0 or points.shape[-1] != self.n_parameters:
            raise ValueError(f"u must be an array of shape (..., {self.n_parameters}), got shape {points.shape}")
        step = points - self.point
        values = self.value + step @ self.gradient + 0.5 * np.einsum("...i,...i->...", step @ self.hessian, step)
        return float(values) if points.ndim == 1 else values

    def value_and_gradient(self, u: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the value of the model at u, and its gradient g + H(u - w)."""
        check_vector("u", u, self.n_parameters, self.dtype)
        return self(u), self.gradient + self.hessian @ (u - self.point)

    def hessian_product(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return H v; it does not depend on u."""
        check_vector("v", v, self.n_parameters, self.dtype)
        return np.asarray(self.hessian @ v)

    def stationary_point(self) -> NDArray[np.float64]:
        """Return the point nearest to w where the model's gradient is 0, or of least norm if it is 0 nowhere."""
        return np.asarray(self.point - np.linalg.lstsq(self.hessian, self.gradient, rcond=None)[0])

    def descent(self, learning_rate: float, n_steps: int, start: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the path of plain gradient descent on the model, in closed form.

        Along an eigenvector of H with eigenvalue l, t steps multiply the gradient by (1 - learning_rate l)^t.

        Parameters
        ----------
        learning_rate : float
            The learning rate, above 0.
        n_steps : int
            The number of steps, at least 0.
        start : array of shape (n_parameters,), float64, optional
            The first point; w by default.

        Returns
        -------
        array of shape (n_steps + 1, n_parameters), float64

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong type or shape or is out of range.
        """
        rate = check_number("learning_rate", learning_rate, above=0.0)
        counts = np.arange(check_count("n_steps", n_steps, 0) + 1.0)[:, None]
        begin = self.point if start is None else np.array(start, dtype=np.float64)
        check_vector("start", begin, self.n_parameters, self.dtype)
        eigenvalues, vectors = np.linalg.eigh(self.hessian)
        slopes = (self.gradient + self.hessian @ (begin - self.point)) @ vectors
        x = rate * eigenvalues
        small = np.abs(x) < 0.5  # here 1 - (1 - x)^t would lose digits
        with np.errstate(over="ignore", invalid="ignore"):
            # The sum of the geometric series of the steps. Without curvature all steps are equal.
            near_one = -np.expm1(counts * np.log1p(-np.where(small, x, 0.0)))
            shrunk = np.where(small, near_one, 1.0 - (1.0 - x) ** counts)
            sums = np.where(x == 0.0, rate * counts, rate * shrunk / np.where(x == 0.0, 1.0, x))
            return np.asarray(begin - (slopes * sums) @ vectors.T)

    def __repr__(self) -> str:
        return f"Taylor(value={self.value:.6g}, n_parameters={self.n_parameters})"


def is_quadratic(objective: object) -> bool:
    """Return whether an objective says that its curvature is the same everywhere."""
    return bool(getattr(objective, "constant_curvature", False))


def taylor(objective: Objective, w: Any) -> Taylor:
    """Make the second-order Taylor model of an objective at w.

    Parameters
    ----------
    objective : a loss such as LeastSquares, a Function or any other `Objective`
        The objective. If it has no `hessian_product`, the Hessian is made of central differences of its gradient.
    w : array of shape (n_parameters,), or of a Softmax's parameters_shape, the dtype of the objective
        The point, as an array of NumPy or of a library that has DLPack.

    Returns
    -------
    Taylor

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        w has the wrong shape.

    Examples
    --------
    Least squares is quadratic, so its model is exact at every distance.

    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), intercept=False)
    >>> model = st.taylor(objective, np.zeros(1))
    >>> print(model.value, model.gradient, model.hessian)
    5.0 [-7.] [[5.]]
    >>> bool(np.isclose(model([100.0]), objective.value(np.array([100.0]))))
    True
    """
    check_objective(objective)
    w, objective = own_copy(objective, w), on_host(objective)
    value, gradient = objective.value_and_gradient(w)
    return Taylor(
        np.array(w, dtype=np.float64),
        float(value),
        np.array(gradient, dtype=np.float64),
        Hessian(objective, w).matrix(),
    )
