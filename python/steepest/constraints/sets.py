"""Constraints: sets that `minimize` keeps the parameters in, by the Euclidean projection after every step."""

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
            Whether the last element is an intercept, as in a `LeastSquares` or `Logistic` that has one. It stays as it
            is, unless the constraint has bounds of its own for it.

        Returns
        -------
        w : array of the shape and dtype of w

        Raises
        ------
        TypeError, ValueError
            An argument of the wrong type, dtype or shape, or not finite.
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
        """Return the projection of the parameters, the coefficients first; `name` is what has so many of them."""


@dataclass(frozen=True, eq=False)
class Box(Constraint):
    """Bounds: lower <= w <= upper, element by element.

    The gradient's norm of a run is then that of the projected gradient: without the coordinates that are at a bound
    which a step against the gradient would cross. It is 0 at a minimum in the box (Bertsekas, Nonlinear Programming,
    1999, section 2.3). With an L1 penalty, the gradient is the smallest subgradient, and the soft threshold comes
    before the bounds: together they are the exact proximal step.

    Parameters
    ----------
    lower, upper : float or array of shape (n_features,) or (n_parameters,)
        The bounds, -inf or inf for none. Each that is a number or has n_features elements leaves the intercept free;
        with n_parameters elements the last one bounds it. They are rounded to the dtype of the parameters.

    Raises
    ------
    TypeError, ValueError
        A bound that is not a real number or a one-dimensional array of them, or is nan; a lower one of inf or above
        the upper, an upper one of -inf; when used, a shape that is not that of the parameters.
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
        """Return the projection of the parameters."""
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
    """The simplex: w >= 0 with the sum `total`, as of the weights of a mixture.

    The gradient's norm of a run is then that of w - P(w - gradient), P being the projection (with an intercept, beside
    it that of the intercept's gradient), which is 0 at a minimum in the simplex (Bertsekas, Nonlinear Programming,
    1999, section 2.3). The projection is that of Duchi, Shalev-Shwartz, Singer and Chandra (2008).

    Parameters
    ----------
    total : float
        The sum of the coefficients, above 0.

    Raises
    ------
    TypeError, ValueError
        A total that is not a finite number above 0; when used, one that the dtype of the parameters cannot hold.
    """

    total: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", check_number("total", self.total, above=0.0))

    def bind(self, name: str, n_coefficients: int, n_parameters: int, dtype: np.dtype[Any]) -> SimplexProjection:
        """Return the projection of the parameters."""
        limits = np.finfo(dtype)
        if not float(limits.tiny) * n_coefficients <= self.total <= float(limits.max):
            raise ValueError(f"total must be a normal number of {dtype}, which {name} has, got {self.total:g}")
        return SimplexProjection(self.total, n_coefficients)


def _bound(name: str, value: ArrayLike, impossible: float) -> NDArray[np.float64]:
    """Return a bound as a read-only float64 array of no dimension or one."""
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
