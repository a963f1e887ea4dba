"""Predictions and scores of data in parts or on a CUDA device: each part, or the device, answers where it is held."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.sparse import CSRView
from ..extras import require
from ..objectives.columns import Columns
from ..objectives.parts import Parts
from ..objectives.parts import parts_of as stream_parts
from ..objectives.questions import HeldPart
from ..streams.stream import Stream
from .columns import check_names
from .device_predictions import copied_to_host, is_there, predicted_there
from .frames import encoded

__all__ = ["ScoredInParts", "by_parts", "in_parts", "parts_of"]

Array = NDArray[Any]
_Method = TypeVar("_Method", bound=Callable[..., Any])
# What a model needs for predictions, beside the parameters of its class that they read.
_FITTED = ("coef_", "intercept_", "classes_", "n_features_in_", "_fitted_loss", "loss", "_has_offset")

_base: Any = require("sklearn.base", "sklearn")
check_is_fitted: Any = require("sklearn.utils.validation", "sklearn").check_is_fitted


def in_parts(X: Any) -> bool:
    """Return whether X is data in parts."""
    return isinstance(X, Parts | Stream)


def parts_of(X: Any) -> Parts:
    """Return data in parts as `Parts`."""
    found: Parts = X if isinstance(X, Parts) else stream_parts(X)
    return found


def by_parts(method: _Method) -> _Method:
    """Let a method that takes rows, and returns an array with an element for each, take other rows too.

    These are data in parts, and dense arrays in a CUDA device's memory.
    """

    @functools.wraps(method)
    def found(self: Any, X: Any, offset: Any = None) -> Any:
        if is_there(X):
            return predicted_there(self, method.__name__, X, offset)
        if not in_parts(X):
            return method(self, X, offset)
        if offset is not None:
            raise NotImplementedError(f"offset must be None for X in parts, got {describe(offset)}")
        parts = _checked(self, X)
        return np.concatenate(parts.engine.reduce(_AskPredictions(_predictor(self), method.__name__)))

    return found  # type: ignore[return-value]


class ScoredInParts:
    """Lets `score` take data in parts and on a CUDA device. A model names it before the classes of scikit-learn."""

    intercept_: Any

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> float:
        """Return the accuracy of a classifier, or R^2 of a regressor, on rows with known targets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features), or data in parts
            The rows. Dense ones in a CUDA device's memory are predicted there; the measure is taken on the host.
        y : array-like of shape (n,)
            Their targets, on the host or on a device. Data in parts have their own.
        sample_weight : array-like of shape (n,), optional
            The weights of the rows. Data in parts have their own.
        offset : float or array-like of shape (n,) or (n, n_classes), optional
            The offsets of the rows, which a model needs that was fitted with offsets.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            The model is not fitted to such rows, or y or sample_weight was given beside data in parts.
        """
        if not in_parts(X):
            y, sample_weight = copied_to_host("y", y), copied_to_host("sample_weight", sample_weight)
            if offset is None and not is_there(X):
                return float(super().score(X, y, sample_weight=sample_weight))  # type: ignore[misc]
            predicted = copied_to_host("predictions", self.predict(X, offset))  # type: ignore[attr-defined]
            measures = require("sklearn.metrics", "sklearn")
            measure = measures.accuracy_score if _base.is_classifier(self) else measures.r2_score
            return float(measure(y, predicted, sample_weight=sample_weight))
        for name, each in (("y", y), ("sample_weight", sample_weight), ("offset", offset)):
            if each is not None:
                raise TypeError(f"{name} must be None for X in parts, which have their own, got {describe(each)}")
        parts, predictor = _checked(self, X), _predictor(self)
        parts.check_target()
        if not _base.is_classifier(self) and np.ndim(self.intercept_) == 1:
            raise ValueError(f"model must have one target for the score of parts, got {len(self.intercept_)}")
        if _base.is_classifier(self):
            right, total = parts.engine.reduce(_AskHits(predictor, parts.classes))
            if total == 0.0:
                raise ValueError("the weights of the parts must not all be 0")
            return float(right / total)
        found: _Errors | None = parts.engine.reduce(_AskErrors(predictor))
        if found is None:
            raise ValueError("the weights of the parts must not all be 0")
        return found.explained()


def _checked(model: Any, X: Any) -> Parts:
    """Return the parts, if a fitted model can predict them."""
    check_is_fitted(model, ["coef_", "intercept_"])
    encoded(model, X, reset=False)  # which refuses what is no data frame if the model was fitted to one
    parts = parts_of(X)
    if parts.feature_names is not None:
        check_names(model, list(parts.feature_names))
    return parts


def _predictor(model: Any) -> Any:
    """Return a model that predicts the same, and that other processes can be sent: without what its fit needs."""
    found = copy.copy(model)
    found.__dict__.clear()
    found.__init__()
    found.__dict__.update({name: model.__dict__[name] for name in _FITTED if name in model.__dict__})
    return found


def _rows_of(part: HeldPart) -> Any:
    X = part.data.X
    if not isinstance(X, CSRView):
        return X
    arrays = X.widened, X.indices, X.indptr
    return require("scipy.sparse", "sklearn").csr_array(arrays, shape=X.shape)


@dataclass(frozen=True, eq=False)
class _AskPredictions:
    """Asks for what a method of a model returns."""

    model: Any
    method: str
    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> list[Array]:
        return [getattr(self.model, self.method)(_rows_of(part))]

    def add(self, first: list[Array], second: list[Array]) -> list[Array]:
        return first + second


@dataclass(frozen=True, eq=False)
class _AskHits:
    """Asks for the weight of the rows whose class is predicted, and for that of all rows."""

    model: Any
    classes: Array | None
    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> Array:
        y, weight = part.data.targets, part.data.weights
        right = self.model.predict(_rows_of(part)) == (y if self.classes is None else self.classes[y.astype(np.intp)])
        weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
        return np.array([weight[right].sum(), weight.sum()])

    def add(self, first: Array, second: Array) -> Array:
        return first + second


@dataclass(frozen=True)
class _Errors:
    """The means and the deviations of the errors and of the targets."""

    errors: Columns
    targets: Columns

    def explained(self) -> float:
        """Return R^2. Of targets that are all equal it is 1 or 0, as in scikit-learn."""
        size, deviation = float(np.hypot(self.errors.mean, self.errors.deviation)[0]), float(self.targets.deviation[0])
        if deviation == 0.0:
            return float(size == 0.0)
        return 1.0 - (size / deviation) ** 2


@dataclass(frozen=True, eq=False)
class _AskErrors:
    """Asks for the errors of a regressor."""

    model: Any
    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> _Errors | None:
        y, weight = part.data.targets.astype(np.float64), part.data.weights
        if part.data.weight_sum == 0.0:
            return None
        weight = None if weight is None else weight.astype(np.float64)
        with np.errstate(over="ignore"):
            errors = self.model.predict(_rows_of(part)).astype(np.float64) - y
        return _Errors(Columns.of(errors[:, None], weight), Columns.of(y[:, None], weight))

    def add(self, first: _Errors, second: _Errors) -> _Errors:
        return _Errors(first.errors.with_more(second.errors), first.targets.with_more(second.targets))
