"""The losses that have one score per row, bound to data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_labels, check_not_negative, check_number
from ..arrays.device_checks import check_device_labels, check_device_not_negative
from ..arrays.hints import OF_OBJECTIVES, hinting
from ..arrays.interop import DeviceView
from .data import DataObjective, registered
from .loss import RowTerms, constant_beside, probabilities, residuals_of_probabilities, root_mean_square
from .offset import as_means, coded, labels_of

__all__ = ["Huber", "LeastSquares", "Logistic", "Poisson"]

Rows = NDArray[np.float64]
_LEAST = float(np.finfo(np.float64).tiny)  # of a mean whose logarithm is taken


@registered
class LeastSquares(DataObjective):
    """Mean squared error: loss(z, y) = (z - y)^2, without a factor 1/2.

    Least squares: Gauss, "Theoria motus corporum coelestium", 1809.

    Examples
    --------
    Targets 2 x_1 + x_2 + 1:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]]), np.array([3.0, 6.0, 7.0, 10.0])
    >>> objective = st.LeastSquares(X, y)
    >>> objective.value(np.zeros(3))
    48.5
    >>> st.minimize(objective).w.round(6)
    array([2., 1., 1.])
    """

    _loss = "least_squares"
    constant_curvature = True
    is_of_residuals = True
    largest_curvature = 2.0
    regressor_options = ()

    def row_slopes(self, scores: Rows, y: Rows) -> Rows:
        """Return 2 (z - y)."""
        return 2.0 * (scores - y)

    def best_constant(self) -> Rows:
        """Return the weighted mean of the targets."""
        return np.array([self._mean_of_targets()])

    @property
    def size_of_slopes(self) -> float:
        """Twice the root mean square of the targets."""
        return 2.0 * root_mean_square(*self._some_targets())


@registered
class Logistic(DataObjective):
    """Logistic loss for targets 0 and 1: loss(z, y) = log(1 + e^z) - y z.

    Logistic regression: Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal Statistical Society B
    20, 1958.

    Examples
    --------
    These classes are separable, so only a penalty gives a minimum:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    >>> objective = st.Logistic(X, y, alpha=0.1)
    >>> round(objective.value(np.zeros(2)), 6)
    0.693147
    >>> w = st.minimize(objective).w
    >>> X @ w[:-1] + w[-1] > 0
    array([False, False,  True,  True])
    """

    _loss = "logistic"
    is_of_classes = True
    largest_curvature = 0.25

    @classmethod
    def check_targets(cls, y: Any) -> None:
        """Raise a ValueError for targets other than 0 and 1."""
        if isinstance(y, DeviceView):
            check_device_labels(y)
        else:
            check_labels(y)

    @classmethod
    def inverse_link(cls, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the probabilities of the class 1."""
        return np.asarray(np.exp(-np.logaddexp(0.0, -scores)), scores.dtype)

    def row_slopes(self, scores: Rows, y: Rows) -> Rows:
        """Return the probabilities of the class 1 less the targets."""
        return np.asarray(probabilities(np.stack([np.zeros_like(scores), scores], axis=1))[:, 1] - y)

    def young_residuals(self, terms: RowTerms, y: Rows, share: float) -> Rows:
        """Return the divergence of the distributions of the classes: see `residuals_of_probabilities`."""
        return np.asarray(residuals_of_probabilities(share, np.abs(terms.slopes[0]), terms.values))

    def best_constant(self) -> Rows:
        """Return the logarithm of the odds of the class 1."""
        if self._offset is not None:
            data: Any = self._data
            codes, weight = (data.targets, data.weights) if data.targets is not None else data.copies()
            weight = None if weight is None else weight.astype(np.float64)
            return np.array([constant_beside(codes.astype(np.float64), labels_of(codes).astype(np.float64), weight)])
        share = self._mean_of_targets()
        return np.log(np.maximum([share], _LEAST)) - np.log(np.maximum([1.0 - share], _LEAST))

    @property
    def largest_slope(self) -> float:
        """1."""
        return 1.0

    @property
    def targets(self) -> Any:
        """The labels 0 and 1. On a device those that have taken up an offset stay as they are."""
        found = self._data.targets
        return labels_of(found) if self._offset is not None and isinstance(found, np.ndarray) else found

    @property
    def _native_loss(self) -> str:
        return self._loss if self._offset is None else "offset_logistic"

    def _with_offset(self, data: Any, offset: NDArray[Any]) -> tuple[Any, float]:
        return coded(data, offset), 0.0


@registered
class Huber(DataObjective):
    """Huber's loss: with r = z - y, r^2 where abs(r) is at most delta, and its tangent 2 delta abs(r) - delta^2 beyond.

    A row far from the others pulls with a force of at most 2 delta. ``delta`` is a positive number in the units of y,
    1.35 by default: for errors of standard deviation 1, that costs 5% of the efficiency of least squares. A delta
    larger than all errors gives `LeastSquares`. The loss is twice that of torch's ``HuberLoss``, which has a factor
    1/2. scikit-learn's ``HuberRegressor`` has the same loss, with delta = epsilon times a deviation that it estimates.

    Huber, "Robust Estimation of a Location Parameter", The Annals of Mathematical Statistics 35, 1964. An example with
    targets 2 x + 1, of which one is wrong:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.arange(8.0)[:, None], np.array([1.0, 3.0, 5.0, 7.0, 90.0, 11.0, 13.0, 15.0])
    >>> objective = st.Huber(X, y, delta=0.1)
    >>> objective
    Huber(8 x 1 float64, delta=0.1)
    >>> w = st.minimize(objective).w
    >>> bool(abs(X @ w[:-1] + w[-1] - y)[[0, 1, 2, 3, 5, 6, 7]].max() < 0.1)
    True
    """

    _loss = "huber"
    is_of_residuals = True
    may_be_flat = True
    largest_curvature = 2.0
    regressor_options = ("delta",)

    @hinting(**OF_OBJECTIVES, epsilon="delta=...")
    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        delta: float = 1.35,
        sample_weight: Any = None,
        intercept: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        centre: Any = None,
        scale: Any = None,
        offset: Any = None,
        penalty_weight: Any = None,
    ) -> None:
        self._delta = check_number("delta", delta, above=0.0)
        super().__init__(
            X,
            y,
            sample_weight=sample_weight,
            intercept=intercept,
            alpha=alpha,
            l1_ratio=l1_ratio,
            centre=centre,
            scale=scale,
            offset=offset,
            penalty_weight=penalty_weight,
        )

    @property
    def delta(self) -> float:
        """The error up to which the loss is a square."""
        return self._delta

    @property
    def _loss_parameters(self) -> dict[str, float]:
        return {"delta": self._delta}

    def row_slopes(self, scores: Rows, y: Rows) -> Rows:
        """Return 2 (z - y), within 2 delta of 0."""
        return np.asarray(2.0 * np.clip(scores - y, -self._delta, self._delta))

    def best_constant(self) -> Rows:
        """Return the median of the targets, of the rows with a weight; of some rows where not all are at hand."""
        facts = self.data.target_facts
        y, weight = (self.targets, self.weights) if facts is None else (facts.sample, facts.sample_weights)
        return np.array([np.median(y if weight is None else y[weight > 0])], np.float64)

    @property
    def largest_slope(self) -> float:
        """2 delta."""
        return 2.0 * self._delta

    @property
    def size_of_slopes(self) -> float:
        """Twice the root mean square of the targets, but for those far from the others.

        These have slopes that do not tell their rounding, as slopes are bounded.
        """
        y, weight = self._some_targets()
        sizes = np.abs(y)
        return 2.0 * root_mean_square(np.minimum(sizes, np.median(sizes) + self._delta), weight)

    def _check_targets(self, y: Any) -> None:
        least, most = float(np.finfo(self.dtype).tiny), float(np.finfo(self.dtype).max)
        if not least <= self._delta <= most:
            bounds = f"from {least:.3g} to {most:.3g}"
            raise ValueError(f"delta must be a number of {self.dtype}, {bounds}, got {self._delta:g}")


@registered
class Poisson(DataObjective):
    """Poisson loss for counts, with the mean e^z: loss(z, y) = e^z - y z.

    The targets are numbers of at least 0: counts, or rates with the exposures as ``sample_weight``. The loss is the
    negative log-likelihood without log(y!), which no parameter changes. The minimum is that of scikit-learn's
    ``PoissonRegressor`` with the same alpha. There is no minimum if a column is not constant only in rows whose target
    is 0, or if all targets are 0; `Result.diagnosis` says so.

    The second derivative e^z has no bound. A fixed learning rate must suit the largest means: for means about m, that
    of squares divided by m. Steps that overflow end a run as diverged.

    Nelder, Wedderburn, "Generalized Linear Models", Journal of the Royal Statistical Society A 135, 1972.

    Examples
    --------
    Means that double from one row to the next:

    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.arange(5.0)[:, None], np.array([3.0, 6.0, 12.0, 24.0, 48.0])
    >>> w = st.minimize(st.Poisson(X, y)).w
    >>> np.exp(w).round(6)
    array([2., 3.])
    """

    _loss = "poisson"
    is_of_counts = True
    regressor_options = ()

    @classmethod
    def check_targets(cls, y: Any) -> None:
        """Raise a ValueError for a target below 0."""
        if isinstance(y, DeviceView):
            check_device_not_negative(y)
        else:
            check_not_negative(y)

    @classmethod
    def inverse_link(cls, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the means e^z."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.exp(scores))

    def row_slopes(self, scores: Rows, y: Rows) -> Rows:
        """Return e^z - y."""
        return np.asarray(np.exp(scores) - y)

    def young_residuals(self, terms: RowTerms, y: Rows, share: float) -> Rows:
        """Return p log(p / m) - p + m, with the mean m and p = y + share (m - y)."""
        slopes = terms.slopes[0]
        means, moved = np.maximum(slopes + y, 0.0), np.maximum(y + share * slopes, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(moved > 0.0, moved * np.log(moved / means), 0.0)
        return np.asarray(ratio + (1.0 - share) * slopes)

    def best_constant(self) -> Rows:
        """Return the logarithm of the mean of the targets."""
        return np.log(np.maximum([self._mean_of_targets()], _LEAST))

    @property
    def size_of_slopes(self) -> float:
        """The root mean square of the targets, as the rounding of the scores changes e^z."""
        return root_mean_square(*self._some_targets()) * self._exposure * self._size_of_scores

    @property
    def size_of_losses(self) -> float:
        """The mean of the targets, times the size of scores."""
        return self._mean_of_targets() * self._exposure * self._size_of_scores

    @property
    def saturated_loss(self) -> float:
        """The mean of y - y log(y)."""
        facts = self.data.target_facts
        y, weight = (self.targets, self.weights) if facts is None else (facts.sample, facts.sample_weights)
        total = self.weight_sum if facts is None else float(facts.sample_weights.sum()) / self._exposure
        exact = y.astype(np.float64)
        own = exact - exact * np.log(np.maximum(exact, _LEAST))
        constant: float = getattr(self, "_constant", 0.0)  # of data that have taken up what is beside the scores
        return float(np.sum(own if weight is None else own * weight)) / total + constant

    @property
    def typical_curvature(self) -> float:
        """The mean of the targets, which is that of e^z at the minimum."""
        return self._mean_of_targets() * self._exposure or 1.0

    def _with_offset(self, data: Any, offset: NDArray[Any]) -> tuple[Any, float]:
        return as_means(data, offset)

    @property
    def _exposure(self) -> float:
        """The mean exposure. Its rates have the exposures in their weights."""
        if self._offset is None:
            return 1.0
        facts = self.data.target_facts
        total = self.weights.sum(dtype=np.float64) if facts is None else facts.sums[0]
        return float(total) / self.weight_sum

    @property
    def _size_of_scores(self) -> float:
        return 1.0 + abs(float(self.best_constant()[0]))
