"""Classes of weight 0. The fit leaves them out, and they get the parameters of their limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of
from ..descent.diagnosis import Diagnosis
from ..descent.result import Result
from ..objectives.softmax import Softmax
from ..optimizers.runner import StopReason
from .training import Parameters, Rows

__all__ = ["Present", "classes_with_weight", "off_the_limit", "run_of_one"]

Array = NDArray[Any]
# -1e9 stands for an intercept of minus infinity, because users of scores refuse infinity. exp(-1e9) is 0 too.
_LIMIT = 1e9


def classes_with_weight(numbers: Array, weight: Array | None, n_classes: int) -> NDArray[np.intp]:
    """Return the indices of the classes that have a row with a weight above 0."""
    if weight is None:  # every class has a row
        return np.arange(n_classes)
    found = np.zeros(n_classes, bool)
    for start, part in blocks_of(numbers):
        found[part[weight[start : start + len(part)] > 0].astype(np.intp)] = True
        if found.all():
            break
    return np.flatnonzero(found)


@dataclass(frozen=True)
class Present:
    """The classes of a fit that have a weight, if others have none.

    The loss falls as the intercept of a class of weight 0 falls. In the limit, the probability of this class is 0, the
    penalty takes its coefficients to 0, and the other classes get the parameters of a fit without it.

    Attributes
    ----------
    places : array of int
        The indices of the classes with a weight among all classes.
    classes : array
        All classes.
    """

    places: NDArray[np.intp]
    classes: Array

    def loss(self) -> tuple[type[Softmax], int, dict[str, Any]]:
        """Return the loss of the classes that have a weight, in the form of `LinearModel._loss`.

        Two classes are a Softmax too, because the penalty applies to the coefficients of both.
        """
        return Softmax, len(self.places), {"n_classes": len(self.places)}

    def rows(self, rows: Rows) -> Rows:
        """Return the rows with the class numbers of this loss. Rows of absent classes get weight 0."""
        numbers = np.full(len(self.classes), -1.0)
        numbers[self.places] = np.arange(len(self.places))
        y = numbers.astype(rows.y.dtype)[rows.y.astype(np.intp)]
        weight = np.where(y < 0, 0, 1 if rows.sample_weight is None else rows.sample_weight).astype(y.dtype)
        loss_weight = weight if rows.loss_weight is None else rows.loss_weight
        offset = rows.offset
        if offset is not None:  # two classes have one score, and no offset is needed for one class
            offset = np.ascontiguousarray(offset[:, self.places]) if offset.ndim == 2 else None
        return Rows(rows.X, np.maximum(y, 0), weight, loss_weight, offset)

    def validation_rows(self, rows: Rows) -> Rows:
        """Return the rows of a validation set with the class numbers of this loss.

        Raises
        ------
        ValueError
            A row with a weight belongs to a class that has none in the fit. Its loss would be infinite.
        """
        wrong = ~np.isin(rows.y, self.places)
        if rows.loss_weight is not None:
            wrong &= rows.loss_weight > 0
        if wrong.any():
            label = self.classes[int(rows.y[int(np.argmax(wrong))])]
            raise ValueError(
                f"y_val must hold only classes that have a weight in the fit, got {label!r}, which has none"
            )
        return self.rows(rows)

    def start(self, start: Parameters | None) -> Parameters | None:
        """Return the start for the classes that have a weight."""
        return None if start is None else Parameters(start.coefficients[self.places], start.intercepts[self.places])

    def parameters(self, found: Parameters) -> Parameters:
        """Return the parameters of all classes."""
        k, d = len(self.classes), found.coefficients.shape[1]
        coefficients, intercepts = np.zeros((k, d)), np.full(k, -_LIMIT)
        coefficients[self.places], intercepts[self.places] = found.coefficients, found.intercepts
        return Parameters(coefficients, intercepts)

    def parameters_of_one(self, n_features: int) -> Parameters:
        """Return the parameters of all classes if one class has all the weight. Its probability is 1."""
        if len(self.classes) == 2:
            return Parameters(np.zeros((1, n_features)), np.array([_LIMIT if self.places[0] == 1 else -_LIMIT]))
        return self.parameters(Parameters(np.zeros((1, n_features)), np.zeros(1)))


def run_of_one(held_out: bool) -> Result:
    """Return the result of a fit to rows of one class: no step, and the limit's loss and gradient, which are 0."""
    history = {"epoch": np.zeros(1, np.int64)} | {
        name: np.zeros(1)
        for name in ("loss", "gradient_norm", "learning_rate", "seconds", *["validation_loss"] * held_out)
    }
    return Result(np.zeros(0), 0.0, True, str(StopReason.GRADIENT_NORM), 0, 0, history, diagnosis=Diagnosis())


def off_the_limit(start: Parameters) -> Parameters:
    """Return a start without limits: classes that had weight 0 so far get the lowest intercept of the others."""
    at_limit = np.abs(start.intercepts) >= _LIMIT
    if not at_limit.any():
        return start
    lowest = np.min(start.intercepts[~at_limit], initial=0.0)
    return Parameters(start.coefficients, np.where(at_limit, lowest, start.intercepts))
