"""The projections of a run: constraints bound to parameters of a known number and dtype."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import norm_of

__all__ = ["BoxProjection", "Projection", "SimplexProjection"]

_ROUNDING = 8  # a start may miss the set by so many units in the last place


class Projection(ABC):
    """A constraint bound to parameters of a known number and dtype."""

    @property
    @abstractmethod
    def native(self) -> Any:
        """The constraint in the form that the native descent takes."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """The least magnitude that the rounding of a parameter is measured against."""

    @abstractmethod
    def project(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the nearest point of the set; elements that are not finite may come back as nan."""

    @abstractmethod
    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return a norm of the gradient at w; it is 0 at a minimum in the set."""

    @abstractmethod
    def spread(self, near: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        """Return a random point of the set.

        A parameter with two bounds is uniform between them. One with a single bound is within about 1 of the bound, and
        one with none within about 1 of `near`.
        """

    def outside(self, w: NDArray[Any]) -> int | None:
        """Return the index of the element of w farthest outside the set; None if w is in the set up to rounding."""
        nearest = self.project(w).astype(np.float64)
        scale = np.maximum(np.abs(nearest), self.scale)
        excess = np.abs(nearest - w) - _ROUNDING * float(np.finfo(w.dtype).eps) * scale
        at = int(np.argmax(excess))
        return at if excess[at] > 0.0 else None


@dataclass(frozen=True, eq=False)
class BoxProjection(Projection):
    """The bounds of all parameters, in the dtype of the parameters."""

    lower: NDArray[Any]
    upper: NDArray[Any]

    @property
    def native(self) -> Any:
        return self.lower, self.upper

    @property
    def scale(self) -> float:
        return 0.0

    def project(self, w: NDArray[Any]) -> NDArray[Any]:
        return _clipped(w, self.lower, self.upper).astype(w.dtype)

    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        leaves = ((w <= self.lower) & (gradient > 0)) | ((w >= self.upper) & (gradient < 0))
        return norm_of(np.where(leaves, 0.0, gradient.astype(np.float64)))

    def spread(self, near: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        lower, upper = self.lower.astype(np.float64), self.upper.astype(np.float64)
        within, away = random.random(near.size), random.standard_normal(near.size)
        has_lower, has_upper = np.isfinite(lower), np.isfinite(upper)
        with np.errstate(invalid="ignore"):
            cases = [has_lower & has_upper, has_lower, has_upper]
            values = [lower + within * (upper - lower), lower + np.abs(away), upper - np.abs(away)]
            return self.project(np.select(cases, values, near + away).astype(near.dtype))


@dataclass(frozen=True, eq=False)
class SimplexProjection(Projection):
    """The simplex of the coefficients, which are the first parameters."""

    total: float
    n_coefficients: int

    @property
    def native(self) -> Any:
        return self.total

    @property
    def scale(self) -> float:
        return self.total

    def _nearest(self, w: NDArray[Any]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            nearest = _on_simplex(w[: self.n_coefficients], self.total)
        return np.append(nearest, w[self.n_coefficients :].astype(np.float64))

    def project(self, w: NDArray[Any]) -> NDArray[Any]:
        return self._nearest(w).astype(w.dtype)

    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        exact = w.astype(np.float64)
        return norm_of(exact - self._nearest(exact - gradient))

    def spread(self, near: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        coefficients = self.total * random.dirichlet(np.ones(self.n_coefficients))
        rest = near[self.n_coefficients :] + random.standard_normal(near.size - self.n_coefficients)
        return self.project(np.append(coefficients, rest).astype(near.dtype))


def _clipped(w: NDArray[Any], lower: NDArray[Any], upper: NDArray[Any]) -> NDArray[np.float64]:
    """Return the nearest point between two bounds; a nan stays nan."""
    exact, least, most = (np.asarray(each, dtype=np.float64) for each in (w, lower, upper))
    return np.asarray(np.minimum(np.maximum(exact, least), most))


def _on_simplex(w: NDArray[Any], total: float) -> NDArray[np.float64]:
    """Return the nearest point of the simplex; all elements are nan if one of w is not finite.

    Algorithm: Duchi, Shalev-Shwartz, Singer and Chandra, "Efficient projections onto the l1-ball for learning in high
    dimensions", 2008, figure 1.
    """
    v = np.asarray(w, dtype=np.float64)
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)
    v = v - v.max()  # the threshold moves along; large numbers keep their digits
    descending = np.sort(v)[::-1]
    threshold = (np.cumsum(descending) - total) / np.arange(1, v.size + 1)
    k = np.flatnonzero(descending > threshold)[-1]
    return np.asarray(np.maximum(v - threshold[k], 0.0))
