"""Constraints: sets that parameters must stay in. `minimize` projects the parameters onto the set after every step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.checks import FLOATS, check_flag, check_number, describe
from .projections import BoxProjection, Projection, SimplexProjection

__all__ = ["Box", "Constraint", "Simplex"]


class Constraint(ABC):
    """A closed convex set of coefficients."""

    def project(self, w: NDArray[Any], *, intercept: bool = False) -> NDArray[Any]:
        """Return the point of the set that is nearest to w.

        Parameters
        ----------
        w : NumPy array of shape (n,), float32 or float64
            Any finite point. It is not changed.
        intercept : bool
            Whether the last element is an intercept, as in a `LeastSquares` or `Logistic` that has one. The intercept
            stays as it is, unless the constraint has bounds for it.

        Returns
        -------
        NumPy array of shape (n,), of the dtype of w

        Raises
        ------
        TypeError
            w is not a float32 or float64 NumPy array, or intercept is not a bool.
        ValueError
            w is not one-dimensional, has no coefficient or is not finite, or its shape does not fit the constraint.
        """
        expected = "w must be a float32 or float64 NumPy array of one dimension"
        if not isinstance(w, np.ndarray) or w.dtype not in FLOATS:
            raise TypeError(f"{expected}, got {describe(w)}")
        n_coefficients = w.size - check_flag("intercept", intercept)
        if w.ndim != 1 or n_coefficients < 1:
            raise ValueError(f"{expected}, with a coefficient, got {describe(w)}")
        if not np.isfinite(w).all():
            at = int(np.argmin(np.isfinite(w)))
            raise ValueError(f"w must be finite, got {w[at]} at index {at}")
        return self.bind("w", n_coefficients, w.size, w.dtype).project(w)

    @abstractmethod
    def bind(self, name: str, n_coefficients: int, n_parameters: int, dtype: np.dtype[Any]) -> Projection:
        """Return the projection of parameters whose first n_coefficients are coefficients; errors call them `name`."""


@dataclass(frozen=True, eq=False)
class Box(Constraint):
    """Bounds on the parameters: lower <= w <= upper, element by element.

    Parameters
    ----------
    lower, upper : float or array of shape (n_features,) or (n_parameters,)
        The bounds, in the units of the parameters; -inf or inf for no bound. A number, or an array of n_features
        elements, bounds the coefficients and leaves the intercept free. In an array of n_parameters elements, the last
        element bounds the intercept. Bounds are rounded to the dtype of the parameters.

    Raises
    ------
    TypeError
        A bound is not a real number or an array of real numbers.
    ValueError
        A bound has more than one dimension or holds nan; a lower bound is inf or above the upper bound; an upper bound
        is -inf. When the box is used: a bound does not have the shape of the parameters.

    Notes
    -----
    The projection clips each element to its bounds.

    In a run with a box, `gradient_norm` is the norm of the projected gradient. The projected gradient leaves out every
    coordinate that is at a bound and whose step against the gradient would cross it, so it is 0 at a minimum in the box
    (Bertsekas, "Nonlinear Programming", 1999, section 2.3). With an L1 penalty, the gradient is the subgradient of
    least norm. The soft threshold is then applied before the bounds; together they are the exact proximal step.

    `QuasiNewton` takes a box of bounds 0 and infinity, for nonnegative coefficients.

    Examples
    --------
    The unbounded minimum of this objective is at w = (3, -1). The box moves it to (2, 0).

    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, -1.0]), intercept=False)
    >>> box = st.Box(0.0, 2.0)
    >>> result = st.minimize(objective, optimizer=st.GradientDescent("auto"), constraint=box)
    >>> print(result.w.round(3))
    [2. 0.]
    >>> print(box.project(np.array([0.5, 7.0])))
    [0.5 2. ]
    """

    lower: float | NDArray[np.float64]
    upper: float | NDArray[np.float64]

    def __init__(self, lower: ArrayLike, upper: ArrayLike) -> None:
        low, high = _bound("lower", lower, np.inf), _bound("upper", upper, -np.inf)
        if low.ndim and high.ndim and abs(low.size - high.size) > 1:
            raise ValueError(f"upper must have as many elements as lower, {low.size}, got {high.size}")
        n = min((bound.size for bound in (low, high) if bound.ndim), default=1)
        least, most = (np.broadcast_to(bound[:n] if bound.ndim else bound, n) for bound in (low, high))
        if (least > most).any():
            at = int(np.argmax(least > most))
            where = f" at index {at}" if low.ndim or high.ndim else ""
            raise ValueError(f"lower must be at most upper, got {least[at]:g} and {most[at]:g}{where}")
        object.__setattr__(self, "lower", low if low.ndim else float(low))
        object.__setattr__(self, "upper", high if high.ndim else float(high))

    def bind(self, name: str, n_coefficients: int, n_parameters: int, dtype: np.dtype[Any]) -> BoxProjection:
        """Return the projection onto the box."""
        sizes = n_coefficients, n_parameters
        with np.errstate(over="ignore"):
            lower = _all_bounds("lower", self.lower, -np.inf, name, sizes).astype(dtype)
            upper = _all_bounds("upper", self.upper, np.inf, name, sizes).astype(dtype)
        for side, bound, impossible in (("lower", lower, np.inf), ("upper", upper, -np.inf)):
            if (bound == impossible).any():
                raise ValueError(f"{side} must be within the range of {dtype}, which {name} has, got {impossible:g}")
        return BoxProjection(lower, upper)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Box):
            return NotImplemented
        return np.array_equal(self.lower, other.lower) and np.array_equal(self.upper, other.upper)

    def __hash__(self) -> int:
        return hash(tuple((np.asarray(bound) + 0.0).tobytes() for bound in (self.lower, self.upper)))  # -0.0 is 0.0

    def __repr__(self) -> str:
        lower, upper = (
            repr(bound) if isinstance(bound, float) else np.array2string(bound, threshold=8, separator=", ")
            for bound in (self.lower, self.upper)
        )
        return f"Box(lower={lower}, upper={upper})"


@dataclass(frozen=True)
class Simplex(Constraint):
    """The simplex: w >= 0 and sum(w) = total. The weights of a mixture are an example.

    An intercept is not part of the sum, and stays free.

    Parameters
    ----------
    total : float
        The sum of the coefficients, above 0.

    Raises
    ------
    TypeError
        total is not a real number.
    ValueError
        total is not finite or not above 0. When the simplex is used: the dtype of the parameters cannot hold total.

    Notes
    -----
    The projection P is the one of Duchi, Shalev-Shwartz, Singer and Chandra, "Efficient projections onto the l1-ball
    for learning in high dimensions", 2008.

    In a run with a simplex, `gradient_norm` is the norm of w - P(w - gradient), which is 0 at a minimum in the simplex
    (Bertsekas, "Nonlinear Programming", 1999, section 2.3). The gradient of an intercept enters the norm unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, 2.5]), intercept=False)
    >>> result = st.minimize(objective, optimizer=st.GradientDescent("auto"), constraint=st.Simplex())
    >>> print(result.w.round(3))
    [0.75 0.25]
    >>> print(st.Simplex(2.0).project(np.array([1.0, 2.0, -5.0])))
    [0.5 1.5 0. ]
    """

    total: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", check_number("total", self.total, above=0.0))

    def bind(self, name: str, n_coefficients: int, n_parameters: int, dtype: np.dtype[Any]) -> SimplexProjection:
        """Return the projection onto the simplex."""
        limits = np.finfo(dtype)
        if not float(limits.tiny) * n_coefficients <= self.total <= float(limits.max):
            raise ValueError(f"total must be a normal number of {dtype}, which {name} has, got {self.total:g}")
        return SimplexProjection(self.total, n_coefficients)


def _bound(name: str, value: ArrayLike, impossible: float) -> NDArray[np.float64]:
    """Return a bound as a read-only float64 array with no dimension or one."""
    expected = f"{name} must be a number or an array of one dimension"
    given = np.asarray(value)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{expected}, got {describe(value)}")
    if given.ndim > 1 or given.size == 0:
        raise ValueError(f"{expected}, got {describe(given)}")
    bound = given.astype(np.float64)
    wrong = np.atleast_1d(np.isnan(bound) | (bound == impossible))
    if wrong.any():
        raise ValueError(f"{name} must not hold nan or {impossible:g}, got {np.atleast_1d(bound)[np.argmax(wrong)]:g}")
    bound.flags.writeable = False
    return bound


def _all_bounds(side: str, bound: Any, free: float, name: str, sizes: tuple[int, int]) -> NDArray[np.float64]:
    """Return a bound for each parameter."""
    n_coefficients, n_parameters = sizes
    if np.ndim(bound) and bound.size not in sizes:
        expected = " or ".join(f"({size},)" for size in sorted(set(sizes)))
        raise ValueError(f"{side} must be a number or of shape {expected} for this {name}, got {describe(bound)}")
    whole = np.full(n_parameters, free)
    n_bounded = bound.size if np.ndim(bound) else n_coefficients
    whole[:n_bounded] = bound
    return whole
