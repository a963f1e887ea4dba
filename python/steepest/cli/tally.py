"""Measures of rows that come in parts: sums over the parts take the place of the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..objectives.columns import Columns
from .columns import Array
from .measures import ENOUGH_ROWS, Measures, unit_of

__all__ = ["ClassTally", "NumberTally", "Tally", "tally_of"]


class Tally:
    """What all measures need: the number of rows, and how much better they are predicted than without columns."""

    def __init__(self) -> None:
        self.rows = 0
        self.gains: Columns | None = None

    def add(self, y: Array, predicted: Array, weight: Array | None) -> None:
        """Add rows. Those of weight 0 do not count.

        Parameters
        ----------
        y : array of shape (rows,)
            The places of the classes, or the targets.
        predicted : array of shape (rows, classes) or (rows,)
            The probabilities of the classes, or the predicted targets.
        weight : array of shape (rows,), optional
            The weights of the rows.
        """
        if weight is not None:
            used = weight > 0
            y, predicted, weight = y[used], predicted[used], weight[used].astype(np.float64)
        if len(y):
            self.rows += len(y)
            self._add(y, predicted.astype(np.float64), weight)

    def _add(self, y: Array, predicted: Array, weight: Array | None) -> None:
        raise NotImplementedError

    def _add_gains(self, gains: Array, weight: Array | None) -> None:
        found = Columns.of(gains[:, None], weight)
        self.gains = found if self.gains is None else self.gains.with_more(found)

    @property
    def weight(self) -> float:
        """The sum of the weights."""
        return 0.0 if self.gains is None else float(self.gains.weight)

    def is_better(self) -> bool:
        """Return whether the mean gain is above 0 by more than its standard error, where the rows can show that."""
        if self.gains is None:
            return False
        mean, variance = float(self.gains.mean[0]), float(self.gains.variance[0])
        return mean > (0.0 if self.rows < ENOUGH_ROWS else math.sqrt(variance / self.rows))

    def measures(self) -> Measures:
        """Return the measures, as `measures.of_classes` and `measures.of_numbers` do."""
        raise NotImplementedError


class ClassTally(Tally):
    """The measures of a classifier, but for the AUC, which needs all rows at once.

    Parameters
    ----------
    shares : array of shape (classes,)
        The part of each class in the training rows, which a model without columns would predict.
    names : list of str
        The names of the classes.
    """

    def __init__(self, shares: Array, names: list[str]) -> None:
        super().__init__()
        self._shares, self._names, self._weighted = shares, names, False
        self._confusion = np.zeros((len(names), len(names)))
        self._losses = np.zeros(2)  # of the model, and without columns

    def _add(self, y: Array, predicted: Array, weight: Array | None) -> None:
        k, tiny = len(self._names), np.finfo(np.float64).tiny
        losses = -np.log(np.maximum(predicted[np.arange(len(y)), y], tiny))
        base = -np.log(np.maximum(self._shares[y], tiny))
        weights = np.ones(len(y)) if weight is None else weight
        self._weighted |= weight is not None
        self._confusion += np.bincount(y * k + predicted.argmax(axis=1), weights, k * k).reshape(k, k)
        self._losses += weights @ losses, weights @ base
        self._add_gains(base - losses, weight)

    def measures(self) -> Measures:
        """Return the measures. The AUC is None."""
        total, common, right = self.weight, int(self._shares.argmax()), np.diag(self._confusion)
        confusion = self._confusion if self._weighted else self._confusion.astype(np.int64)
        return {
            "rows": self.rows,
            "base_rate": float(self._confusion[common].sum() / total),
            "base_class": self._names[common],
            "accuracy": float(right.sum() / total),
            "log_loss": float(self._losses[0] / total),
            "base_log_loss": float(self._losses[1] / total),
            "auc": None,
            "precision": self._by_class(right, self._confusion.sum(axis=0)),
            "recall": self._by_class(right, self._confusion.sum(axis=1)),
            "confusion": confusion.tolist(),
            "better_than_base": self.is_better(),
        }

    def _by_class(self, right: Array, total: Array) -> dict[str, float | None]:
        found = (float(part / whole) if whole > 0 else None for part, whole in zip(right, total, strict=True))
        return dict(zip(self._names, found, strict=True))


class NumberTally(Tally):
    """The measures of a regression.

    Parameters
    ----------
    mean : float
        The mean of the training targets, which a model without columns would predict.
    """

    def __init__(self, mean: float) -> None:
        super().__init__()
        self._mean, self._unit = mean, 0.0  # squares are in units in which they neither overflow nor vanish
        self._squares = np.zeros(2)  # of the errors of the model, and of those without columns
        self._errors = 0.0
        self._targets: Columns | None = None
        self._least, self._most = math.inf, -math.inf

    def _add(self, y: Array, predicted: Array, weight: Array | None) -> None:
        y = y.astype(np.float64)
        unit = unit_of(y, predicted, self._mean)
        if unit > self._unit:
            self._rescale(self._unit / unit)
            self._unit = unit
        self._least, self._most = min(self._least, float(y.min())), max(self._most, float(y.max()))
        y, predicted = y / self._unit, predicted / self._unit
        weights = np.ones(len(y)) if weight is None else weight
        squares, base = (y - predicted) ** 2, (y - self._mean / self._unit) ** 2
        self._squares += weights @ squares, weights @ base
        self._errors += float(weights @ np.abs(y - predicted))
        found = Columns.of(y[:, None], weight)
        self._targets = found if self._targets is None else self._targets.with_more(found)
        self._add_gains(base - squares, weight)

    def _rescale(self, factor: float) -> None:
        self._squares *= factor**2
        self._errors *= factor
        if self._targets is not None and self.gains is not None:
            self._targets = _scaled(self._targets, factor)
            self.gains = _scaled(self.gains, factor**2)

    def measures(self) -> Measures:
        """Return the measures."""
        total, unit = self.weight, self._unit
        assert self._targets is not None
        variance = total * float(self._targets.variance[0])
        varies = self.rows > 1 and self._most > self._least and variance > 0
        return {
            "rows": self.rows,
            "r2": 1.0 - float(self._squares[0]) / variance if varies else None,
            "rmse": math.sqrt(self._squares[0] / total) * unit,
            "mae": self._errors / total * unit,
            "base_rmse": math.sqrt(self._squares[1] / total) * unit,
            "base_value": self._mean,
            "better_than_base": self.is_better(),
        }


def _scaled(columns: Columns, factor: float) -> Columns:
    return Columns(columns.weight, columns.mean * factor, columns.deviation * abs(factor))


def tally_of(classes: Any, base: Any) -> Tally:
    """Return an empty tally for classes, or for numbers if they are None. `base` predicts without columns."""
    if classes is None:
        return NumberTally(float(base))
    return ClassTally(np.asarray(base), list(map(str, classes)))
