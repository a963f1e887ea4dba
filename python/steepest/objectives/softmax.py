"""`Softmax`: the objective for more than two classes. Each class has a row of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of, check_count, describe
from ..arrays.device import DeviceArray
from ..arrays.hints import OF_OBJECTIVES, hinting
from ..arrays.interop import DeviceView
from .data import DataObjective, registered
from .loss import RowTerms, constants_beside, probabilities, residuals_of_probabilities
from .offset import numbered, offset_of_scores, rows_of_numbered

__all__ = ["Softmax", "vector_of"]


@registered
class Softmax(DataObjective):
    """Cross-entropy of k classes 0 ... k - 1: loss(z, y) = log(sum_c e^z_c) - z_y, with scores z_c = x . w_c + b_c.

    The parameters are a matrix of shape ``parameters_shape``: (n_classes, n_features), with a last column for the
    intercepts if there are any. Methods and `minimize` accept the matrix or the same numbers as a vector of shape
    (n_parameters,), and answer in the shape they were given. `Result.w` is always the matrix. The rows of `Result.path`
    are vectors. The Hessian has shape (n_parameters, n_parameters).

    The labels in y are whole numbers, in the floating-point dtype that y must have. Without ``n_classes``, the number
    of classes is the largest label plus 1. A class may have no row; with intercepts there is then no minimum. Sparse
    rows on a CUDA device are not implemented. An offset has a number for each row and class, of shape (n_samples,
    n_classes). A run with one takes no working sets.

    Multinomial logistic regression: McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", in Frontiers
    in Econometrics, 1974.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]), np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    >>> objective = st.Softmax(X, y, alpha=0.001)
    >>> objective.parameters_shape
    (3, 2)
    >>> w = st.minimize(objective).w
    >>> (X @ w[:, :-1].T + w[:, -1]).argmax(axis=1)
    array([0, 0, 1, 1, 2, 2])
    """

    _loss = "softmax"
    is_of_classes = True
    largest_curvature = 0.5

    @hinting(**OF_OBJECTIVES)
    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        intercept: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        n_classes: int | None = None,
        centre: Any = None,
        scale: Any = None,
        offset: Any = None,
        penalty_weight: Any = None,
    ) -> None:
        self._n_scores = 0 if n_classes is None else check_count("n_classes", n_classes, 2)
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
    def targets(self) -> Any:
        """The labels, if they are at hand."""
        found = self._data.targets
        if self._row_offsets is None:
            return found
        return np.ascontiguousarray(rows_of_numbered(found, self._row_offsets, self._n_scores)[:, -1])

    def _take_up_offset(self) -> None:
        offset = offset_of_scores(self._offset, self._data, self._n_scores)
        self._data, self._row_offsets = numbered(self._data, offset)

    @classmethod
    def inverse_link(cls, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the probabilities of the classes."""
        return np.asarray(probabilities(scores), scores.dtype)

    def row_slopes(self, scores: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, less 1 for that of the row."""
        slopes = probabilities(scores)
        slopes[np.arange(len(y)), y.astype(np.intp)] -= 1.0
        return slopes

    def row_terms(self, scores: NDArray[np.float64], y: NDArray[np.float64]) -> RowTerms:
        """Return the terms of rows with scores of shape (n_classes, n)."""
        own = y.astype(np.intp), np.arange(len(y))
        apart = scores - scores.max(axis=0)
        odds = np.exp(apart)
        total = odds.sum(axis=0)
        slopes = odds / total
        curvatures = slopes * (1.0 - slopes)
        others = odds.copy()
        others[own] = 0.0
        slopes[own] = -others.sum(axis=0) / total
        return RowTerms(np.log(total) - apart[own], slopes, curvatures)

    def young_residuals(self, terms: RowTerms, y: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """Return the divergence of the distributions of the classes: see `residuals_of_probabilities`."""
        missed = -terms.slopes[y.astype(np.intp), np.arange(len(y))]
        return np.asarray(residuals_of_probabilities(share, missed, terms.values))

    def best_constant(self) -> NDArray[np.float64]:
        """Return the logarithms of the shares of the classes; with offsets, the constants that give these shares."""
        facts = self.data.target_facts
        y, weight = (self.targets, self.weights) if facts is None else (facts.values, facts.totals)
        totals = np.bincount(y.astype(np.intp), weight, minlength=self._n_scores)
        shares = np.maximum(totals / totals.sum(), np.finfo(np.float64).tiny)
        if self._row_offsets is None:
            return np.asarray(np.log(shares))
        rows = rows_of_numbered(self._data.targets, self._row_offsets, self._n_scores)
        return constants_beside(rows[:, :-1].astype(np.float64), shares, weight)

    @property
    def largest_slope(self) -> float:
        """1."""
        return 1.0

    @property
    def typical_curvature(self) -> float:
        """That of a class where all have the same probability."""
        return (1.0 - 1.0 / self._n_scores) / self._n_scores

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return self._n_scores

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """The shape of the parameters: (n_classes, n_features), or (n_classes, n_features + 1) with intercepts."""
        return self._n_scores, self.n_features + self.intercept

    def _check_targets(self, y: Any) -> None:
        if isinstance(y, DeviceView):
            y = y.numpy()
        largest = 0
        for start, part in blocks_of(y):
            _check_labels(part, start, self._n_scores)
            largest = max(largest, int(part.max()))
        if self._n_scores == 0:
            if largest == 0:
                raise ValueError("y must hold two classes or more if n_classes is not given, got only the label 0")
            self._n_scores = largest + 1

    def flat(self, name: str, array: Any) -> Any:
        """Return the parameters as a vector, without a copy."""
        array = super().flat(name, array)
        shapes = self.parameters_shape, (self.n_parameters,)
        if not isinstance(array, np.ndarray | DeviceView):
            return array
        contiguous = array.c_contiguous if isinstance(array, DeviceView) else array.flags.c_contiguous
        if array.shape not in shapes or not contiguous:
            expected = f"{name} must be a contiguous {self.dtype} array of shape {shapes[0]} or {shapes[1]}"
            strides = "" if contiguous else f" with strides {array.strides}"
            raise ValueError(f"{expected}, got {describe(array)}{strides}")
        return array.flat if isinstance(array, DeviceView) else array.reshape(-1)

    def _like(self, result: Any, w: Any) -> Any:
        if isinstance(result, DeviceArray):
            result.shape = tuple(w.shape)
        else:
            result = result.reshape(tuple(w.shape))
        return super()._like(result, w)

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Softmax:
        """Return the same loss, with the same classes but without a penalty, on other data."""
        return Softmax(
            X,
            y,
            sample_weight=sample_weight,
            intercept=self._intercept,
            n_classes=self._n_scores,
            centre=self._centre,
            scale=self._scale,
            offset=offset,
        )


def vector_of(objective: Any, name: str, w: Any) -> Any:
    """Return the parameters of a `Softmax` as a vector; those of another objective, and None, unchanged."""
    return objective.flat(name, w) if isinstance(objective, Softmax) and w is not None else w


def _check_labels(part: NDArray[Any], start: int, n_classes: int) -> None:
    wrong = (part < 0) | (part != np.floor(part))
    expected = "integers from 0"
    if n_classes:
        wrong |= part >= n_classes
        expected = f"integers from 0 to n_classes - 1 = {n_classes - 1}"
    elif not wrong.any():
        most = 2.0 ** np.finfo(part.dtype).nmant
        wrong, expected = part >= most, f"integers from 0 to {most:.0f}, which {part.dtype} can tell apart"
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"y must hold class labels, {expected}, got {part[at]:g} at index {start + at}")
