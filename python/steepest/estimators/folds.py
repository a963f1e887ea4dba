"""The folds of cross-validation, as weights of the rows, and the losses of the rows that a fold holds out."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_count, describe
from ..extras import require
from ..objectives.data import DataObjective
from ..objectives.offset import offsets_beside
from ..objectives.source import Data
from ..paths.result import Path
from .features import product
from .rows import Rows

__all__ = ["Fold", "folds_of", "held_out_losses"]

Array = NDArray[Any]
Vector = NDArray[np.float64]
_FOLDS = 5
_BLOCK = 1 << 18  # numbers of X that are read at a time, for all alphas


class Fold(NamedTuple):
    """Rows to train on, and rows held out.

    Attributes
    ----------
    training : array of shape (n,), the dtype of the targets
        The weights of the rows to train on, and 0 for all others.
    held : array of int
        The rows held out that have a weight, in order.
    weight : float
        The sum of their weights.
    """

    training: Array
    held: NDArray[np.intp]
    weight: float


def folds_of(cv: Any, rows: Rows, n_classes: int) -> list[Fold]:
    """Return the folds of a number, a splitter of scikit-learn or an iterable of splits; None means 5, or fewer.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As scikit-learn's ``cv``.
    rows : Rows
        All rows.
    n_classes : int
        The number of classes, whose shares a number of folds keeps about equal; 0 for a regressor.

    Raises
    ------
    TypeError, ValueError
        cv is none of these, or a fold leaves no row with a weight, or not all classes, to train on or to hold out.
    """
    weight = np.ones_like(rows.y) if rows.loss_weight is None else rows.loss_weight
    cv = _default(rows.y[weight > 0], n_classes > 0) if cv is None else cv
    splits = _splits(cv, rows.y, n_classes > 0)
    return [_fold(at, train, test, rows.y, weight, n_classes) for at, (train, test) in enumerate(splits)]


def _default(y: Array, stratify: bool) -> int:
    """Return the number of folds: fewer where there are so few rows, or rows of a class."""
    rows = int(np.unique(y, return_counts=True)[1].min()) if stratify else len(y)
    return min(_FOLDS, max(2, rows))


def _splits(cv: Any, y: Array, stratify: bool) -> list[Any]:
    selection = require("sklearn.model_selection", "sklearn")
    if isinstance(cv, Integral | str | float):
        cv = check_count("cv", cv, 2)
    try:
        splitter = selection.check_cv(cv, y, classifier=stratify)
    except ValueError as error:
        raise TypeError(f"cv must be an integer, a splitter or an iterable of splits, got {describe(cv)}") from error
    splits = list(splitter.split(np.zeros((len(y), 1)), y))
    if not splits:
        raise ValueError("cv must give at least one split, got none")
    return splits


def _fold(number: int, train: Any, test: Any, y: Array, weight: Array, n_classes: int) -> Fold:
    training = np.zeros_like(weight)
    training[train] = weight[train]
    held = np.zeros(len(y), bool)
    held[test] = True
    rows = np.flatnonzero(held & (weight > 0))
    for what, some in (("to train on", bool(training.any())), ("held out", len(rows) > 0)):
        if not some:
            raise ValueError(f"cv must leave rows with a weight in each fold, got none {what} in fold {number}")
    if n_classes:
        found = len(np.unique(y[training > 0]))
        if found < n_classes:
            raise ValueError(
                f"cv must leave rows of all {n_classes} classes to train on in each fold, got {found} class(es) in "
                f"fold {number}; take fewer folds, or shuffled ones: cv=StratifiedKFold(..., shuffle=True)"
            )
    return Fold(training, rows, float(weight[rows].sum(dtype=np.float64)))


def held_out_losses(
    objective: DataObjective, data: Data, fold: Fold, path: Path, by_accuracy: bool
) -> tuple[Vector, Vector]:
    """Return the mean losses of a fold's held-out rows at all alphas, and the shares of wrong classes if asked for.

    The rows are read once, block by block, for all alphas. The losses are without the constant of the objective.

    Parameters
    ----------
    objective : DataObjective
        The objective of the path, whose columns may be standardised.
    data : Data
        All rows, with their weights.
    fold : Fold
        The fold.
    path : Path
        The minima over the rows to train on.
    by_accuracy : bool
        Whether to return the shares of wrong classes in the place of the second array, which else has the losses again.
    """
    plain = objective.with_penalty(0.0, 0.0)
    parameters = [np.ascontiguousarray(path.parameters(index)) for index in range(len(path))]
    losses, wrong = np.zeros(len(path)), np.zeros(len(path))
    step = max(1, _BLOCK // data.n_features)
    for first in range(0, len(fold.held), step):
        some = data.taken(fold.held[first : first + step])
        block = plain.with_data(some)
        values = np.array([block.native.value(w.ravel()) for w in parameters])
        losses += some.weight_sum * (values - plain.terms.constant)
        if by_accuracy:
            wrong += _wrong(block, parameters)
    losses /= fold.weight
    return losses, wrong / fold.weight if by_accuracy else losses.copy()


def _wrong(block: DataObjective, parameters: list[Array]) -> Vector:
    """Return the weights of the rows, added up, whose class is not the most probable one."""
    y, weight = block.targets, block.weights
    weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
    found = []
    for w in parameters:
        table = np.atleast_2d(w)
        scores = _scores(block, table)
        offset = offsets_beside(block)
        if offset is not None:
            scores += offset.astype(np.float64)[:, None]
        places = scores[:, 0] > 0 if len(table) == 1 else scores.argmax(axis=1)
        found.append(float(weight[places != y].sum()))
    return np.array(found)


def _scores(block: DataObjective, table: Array) -> Array:
    intercept = table[:, -1] if block.intercept else 0.0
    coefficients = table[:, : block.n_features].astype(np.float64)
    if block.scaling is not None:
        centre, scale = block.scaling
        coefficients = coefficients / scale
        intercept = intercept - coefficients @ centre
    X = block.data.X
    return product(X if isinstance(X, np.ndarray) else _as_scipy(X), coefficients.T) + intercept


def _as_scipy(X: Any) -> Any:
    if not hasattr(X, "indptr"):
        return X
    return require("scipy.sparse", "sklearn").csr_array((X.data, X.indices, X.indptr), shape=X.shape)
