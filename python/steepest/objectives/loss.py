"""`Loss`: what differs by loss. Methods ask for these facts, and never for the class of a loss."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .offset import as_residuals

__all__ = [
    "Loss",
    "RowTerms",
    "constant_beside",
    "constants_beside",
    "probabilities",
    "residuals_of_probabilities",
    "root_mean_square",
]

_TARGETS = 4096  # that are looked at
_LEAST = float(np.finfo(np.float64).tiny)  # of a share whose logarithm is taken
_MOST_STEPS, _SETTLED = 100, 1e-12  # of the search for a constant


class RowTerms(NamedTuple):
    """The losses of rows at their scores, not weighted, with slopes and curvatures along each score.

    The values have the shape (n,), slopes and curvatures (n_scores, n). The slopes are float64.
    """

    values: NDArray[np.float64]
    slopes: NDArray[np.float64]
    curvatures: NDArray[np.float64]


class Loss:
    """The facts of a loss of convex rows. A loss overrides what is otherwise than here.

    The scores of rows are arrays of shape (n,), or (n, n_scores) where a row has several.
    """

    _loss: ClassVar[str]
    constant_curvature: ClassVar[bool] = False
    """Whether the curvature is the same at every w."""
    is_of_residuals: ClassVar[bool] = False
    """Whether the loss depends on z - y alone. Targets and scores may then be shifted together."""
    is_of_classes: ClassVar[bool] = False
    """Whether the targets are classes."""
    is_of_counts: ClassVar[bool] = False
    """Whether the loss of a target of 0 falls for ever with the score, and that of any other has a minimum."""
    may_be_flat: ClassVar[bool] = False
    """Whether the second derivative of a row's loss may be 0. It is then a loss of residuals, and at most 2 (z - y)."""
    largest_curvature: ClassVar[float] = math.inf
    """The largest second derivative of a row's loss along its scores."""
    regressor_options: ClassVar[tuple[str, ...] | None] = None
    """The parameters of `LinearRegressor` that the loss takes: numbers above 0 in the units of y. None: not offered."""
    targets: Any
    weights: Any
    data: Any
    native: Any
    _n_scores: int

    @classmethod
    def check_targets(cls, y: Any) -> None:
        """Raise a ValueError for targets, in host memory or on a device, that the loss does not take."""

    @classmethod
    def inverse_link(cls, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the predicted means of the targets: by default the scores themselves."""
        return scores

    def row_slopes(self, scores: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives of the rows' losses by their scores, of the shape of these."""
        raise NotImplementedError

    def row_terms(self, scores: NDArray[np.float64], y: NDArray[np.float64]) -> RowTerms:
        """Return the losses of rows, without their weights, with the slopes and curvatures.

        Parameters
        ----------
        scores : array of shape (n_scores, n), float64
            The scores of the rows, offsets included.
        y : array of shape (n,), float64
            Their targets.
        """
        value, slope, curvature = _core.row_losses(self.native, scores[0], y)
        return RowTerms(value, slope[None], curvature[None])

    def young_residuals(self, terms: RowTerms, y: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """Return loss(z) + loss*(u) - u z of each row, where u is a share, from 0 to 1, of the slope at z.

        loss* is the conjugate (Rockafellar, Convex Analysis, 1970, section 12). By the inequality of Fenchel and Young
        it is at least 0. For r^2 and its tangents it is (1 - share) (loss - share slope^2 / 4).
        """
        return np.asarray((1.0 - share) * (terms.values - 0.25 * share * terms.slopes[0] ** 2))

    def _with_offset(self, data: Any, offset: NDArray[Any]) -> tuple[Any, float]:
        """Return data that have taken up the offsets of their rows, and a constant to add to the mean loss."""
        if self.is_of_residuals:
            return as_residuals(data, offset), 0.0
        raise NotImplementedError(
            f"offset must be None for {type(self).__name__}, got numbers; LeastSquares, Huber, Poisson, Logistic and "
            "Softmax take one"
        )

    def best_constant(self) -> NDArray[np.float64]:
        """Return the scores, of shape (n_scores,), of the best model without coefficients, or of a good one."""
        raise NotImplementedError

    @property
    def largest_slope(self) -> float:
        """The largest derivative of a row's loss by a score."""
        return math.inf

    @property
    def size_of_slopes(self) -> float:
        """The size of the numbers whose difference a row's slope is. Their rounding is that of the slope."""
        return self.largest_slope

    @property
    def size_of_losses(self) -> float:
        """The size of the numbers whose difference a row's loss is, if these may be larger than the loss."""
        return 0.0

    @property
    def saturated_loss(self) -> float:
        """The mean loss if every row had the score that is best for it: about this for targets not at hand."""
        return 0.0

    @property
    def typical_curvature(self) -> float:
        """The second derivative of a row's loss by a score, at zeros or at the best constant."""
        return self.largest_curvature

    def _some_targets(self) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
        """Return the targets of some of many rows, and their weights."""
        facts = self.data.target_facts
        if facts is not None:
            return facts.sample, facts.sample_weights
        y, weight = self.targets, self.weights
        some = slice(None, None, max(1, len(y) // _TARGETS))
        return y[some].astype(np.float64), None if weight is None else weight[some]

    def _mean_of_targets(self) -> float:
        facts = self.data.target_facts
        if facts is not None:
            return float(facts.mean)
        y, weight = self.targets, self.weights
        return float(np.average(y.astype(np.float64), weights=None if weight is None else weight.astype(np.float64)))


def root_mean_square(values: NDArray[np.float64], weight: NDArray[Any] | None) -> float:
    """Return the root of the weighted mean of squares. Rows of weight 0 may hold numbers whose squares overflow."""
    if weight is not None and weight.any():
        values = np.where(weight > 0, values, 0.0)
        return math.sqrt(float(np.average(values**2, weights=weight.astype(np.float64))))
    return math.sqrt(float(np.mean(values**2)))


def constant_beside(offset: NDArray[np.float64], labels: NDArray[np.float64], weight: Any) -> float:
    """Return the constant c with the least mean logistic loss of the scores offset + c, for labels 0 and 1.

    Newton's method, in an interval that bisection shrinks where a step leaves it.
    """
    shares = np.full(len(labels), 1.0 / len(labels)) if weight is None else weight / weight.sum()
    present = shares > 0.0
    offset, labels, shares = offset[present], labels[present], shares[present]
    share = float((shares * labels).sum())
    odds = math.log(max(share, _LEAST)) - math.log(max(1.0 - share, _LEAST))
    low, high = odds - float(offset.max()), odds - float(offset.min())
    c = min(max(odds - float((shares * offset).sum()), low), high)
    for _ in range(_MOST_STEPS):
        p = probabilities(np.stack([np.zeros_like(offset), offset + c], axis=1))[:, 1]
        slope, curvature = float((shares * (p - labels)).sum()), float((shares * p * (1.0 - p)).sum())
        low, high = (c, high) if slope < 0.0 else (low, c)
        step = c - slope / curvature if curvature > 0.0 else math.inf
        found = step if low <= step <= high else 0.5 * (low + high)
        if abs(found - c) <= _SETTLED * (1.0 + abs(c)):
            return found
        c = found
    return c


def constants_beside(offset: NDArray[np.float64], shares: NDArray[np.float64], weight: Any) -> NDArray[np.float64]:
    """Return constants, one for each class, with which scores of shape (n, k) give the classes these mean shares.

    Newton's method. A step that is too long for it is one of iterative scaling, which never raises the loss: Darroch,
    Ratcliff, "Generalized Iterative Scaling for Log-Linear Models", The Annals of Mathematical Statistics 43, 1972.
    """
    rows = np.full(len(offset), 1.0 / len(offset)) if weight is None else weight / weight.sum(dtype=np.float64)
    wanted = np.log(shares)
    found = wanted - (rows[:, None] * offset).sum(axis=0)
    for _ in range(_MOST_STEPS):
        p = probabilities(offset + found)
        mean = (rows[:, None] * p).sum(axis=0)
        missing = shares - mean
        if np.abs(missing).max() <= _SETTLED:
            break
        curvature = np.diag(mean) - np.einsum("i,ij,ik->jk", rows, p, p)
        step = np.linalg.lstsq(curvature, missing, rcond=None)[0]
        found = found + (step if np.abs(step).max() <= 1.0 else wanted - np.log(np.maximum(mean, _LEAST)))
    return np.asarray(found)


def probabilities(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probabilities of the classes from scores of shape (n, k)."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def residuals_of_probabilities(share: float, missed: NDArray[np.float64], values: NDArray[np.float64]) -> Any:
    """Return loss + loss* - u z of log-losses, of rows whose probability of another class than their own is `missed`.

    It is the Kullback-Leibler divergence of two distributions: of the model's, and of one in which `missed` is `share`
    times as large.
    """
    kept = share * missed
    first = kept * math.log(share) if share > 0.0 else np.zeros_like(kept)
    rest = 1.0 - kept
    with np.errstate(divide="ignore", invalid="ignore"):
        return first + np.where(rest > 0.0, rest * (np.log1p(-kept) + values), 0.0)
