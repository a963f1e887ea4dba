"""`Softmax`: the objective of more than two classes, with a row of parameters for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of, check_count, describe
from ..arrays.interop import DeviceView
from .data import DataObjective, documented

__all__ = ["Softmax", "vector_of"]


@documented
class Softmax(DataObjective):
    """Cross-entropy of k classes 0 ... k - 1: loss(z, y) = log(sum_c e^z_c) - z_y, of scores z_c = x . w_c + b_c.

    The parameters are a matrix of shape (n_classes, n_features), with a last column of intercepts where there are any:
    ``parameters_shape``. Methods and `minimize` take it, or the same numbers flat, of shape (n_parameters,), and answer
    in the shape that they were given; `Result.w` has the shape of the matrix, the `Result.path` flat rows. The Hessian
    is of shape (n_parameters, n_parameters). ``n_classes`` is the largest label and 1 if not given; classes without a
    row are allowed. The labels are stored as numbers of the dtype of the parameters. Data on a CUDA device are not
    implemented.
    """

    _loss = "softmax"

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        intercept: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        n_classes: int | None = None,
        centre: Any = None,
        scale: Any = None,
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
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self._n_scores

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """(n_classes, n_features), with a column for the intercepts."""
        return self._n_scores, self.n_features + self.intercept

    def _check_targets(self, y: Any) -> None:
        if isinstance(y, DeviceView):
            raise NotImplementedError(
                "Softmax is not implemented for data on a CUDA device; make the objective of arrays in the host's "
                "memory"
            )
        largest = 0
        for start, part in blocks_of(y):
            _check_labels(part, start, self._n_scores)
            largest = max(largest, int(part.max()))
        if self._n_scores == 0:
            if largest == 0:
                raise ValueError("y must hold two classes or more where n_classes is not given, got the label 0 only")
            self._n_scores = largest + 1

    def flat(self, name: str, array: Any) -> Any:
        """Return parameters as a vector, not copied."""
        array = super().flat(name, array)
        shapes = self.parameters_shape, (self.n_parameters,)
        if isinstance(array, np.ndarray) and (array.shape not in shapes or not array.flags.c_contiguous):
            expected = f"{name} must be a contiguous {self.dtype} array of shape {shapes[0]} or {shapes[1]}"
            strides = "" if array.flags.c_contiguous else f" with strides {array.strides}"
            raise ValueError(f"{expected}, got {describe(array)}{strides}")
        return array.reshape(-1) if isinstance(array, np.ndarray) else array

    def _like(self, result: Any, w: Any) -> Any:
        return super()._like(result.reshape(tuple(w.shape)), w)

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None) -> Softmax:
        """Return the same loss of the same classes, without a penalty, on other data."""
        return Softmax(
            X,
            y,
            sample_weight=sample_weight,
            intercept=self._intercept,
            n_classes=self._n_scores,
            centre=self._centre,
            scale=self._scale,
        )


def vector_of(objective: Any, name: str, w: Any) -> Any:
    """Return parameters that may be the matrix of a `Softmax` as a vector; others, and None, as they are."""
    return objective.flat(name, w) if isinstance(objective, Softmax) and w is not None else w


def _check_labels(part: NDArray[Any], start: int, n_classes: int) -> None:
    wrong = (part < 0) | (part != np.floor(part))
    expected = "integers from 0"
    if n_classes:
        wrong |= part >= n_classes
        expected = f"integers from 0 to n_classes - 1 = {n_classes - 1}"
    elif not wrong.any():
        most = 2.0 ** np.finfo(part.dtype).nmant
        wrong, expected = part >= most, f"integers from 0 to {most:.0f}, which {part.dtype} tells apart"
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"y must hold the labels of the classes, {expected}, got {part[at]:g} at index {start + at}")
