"""Predictions of dense rows in a CUDA device's memory: kernels make the scores there, and what follows from them."""

from __future__ import annotations

import warnings
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.device import DeviceArray, arithmetic_dtype, backend, numpy_dtype, reused
from ..arrays.device_checks import check_device_matrix
from ..arrays.device_streams import lasts
from ..arrays.interop import DeviceView, as_native, library_of, lies_on_device, like
from ..arrays.remedies import as_contiguous, on_host
from ..arrays.sparse import is_sparse
from ..extras import require
from ..objectives.device_columns import gathered
from ..objectives.rows import widened
from ..warnings import levels_outside
from .features import product
from .frames import encoded
from .offsets import offsets_of_scores

__all__ = ["copied_to_host", "is_there", "predicted_there", "refuse_there"]

Array = NDArray[Any]
_T = TypeVar("_T")
_PIECE = 1 << 20  # numbers of X that are copied to the host at a time
_is_classifier: Any = require("sklearn.base", "sklearn").is_classifier
_check_is_fitted: Any = require("sklearn.utils.validation", "sklearn").check_is_fitted


def is_there(X: Any) -> bool:
    """Return whether rows, dense or sparse, are in the memory of a CUDA device."""
    return lies_on_device(X) or (not isinstance(X, np.ndarray) and is_sparse(X) and lies_on_device(_values(X)))


def _values(X: Any) -> Any:
    return getattr(X, "data", None)


def refuse_there(model: Any, **arrays: Any) -> None:
    """Raise a TypeError if an array is in the memory of a CUDA device: estimators are fitted on the host."""
    for name, array in arrays.items():
        if is_there(array):
            kept = array if lies_on_device(array) else _values(array)
            raise TypeError(
                f"{name} must be in the host's memory, where a {type(model).__name__} is fitted, got "
                f"{_described(name, kept)}; {on_host(name, library_of(kept))}, or use st.minimize, which takes steps "
                "on the device. A fitted model predicts there"
            )


def _described(name: str, array: Any) -> str:
    try:
        return describe(as_native(name, array))
    except (TypeError, ValueError):
        return f"{type(array).__name__} on a CUDA device"


def copied_to_host(name: str, array: _T) -> _T | Array:
    """Return a NumPy copy of an array in the memory of a CUDA device; anything else as it is."""
    if not lies_on_device(array):
        return array
    view = as_native(name, array)
    if not view.c_contiguous:
        raise ValueError(
            f"{name} must be C-contiguous, got strides {view.strides}; {as_contiguous(name, view.library)}"
        )
    found = np.empty(view.size, numpy_dtype(view.dtype))
    if view.size:
        backend().copy_to_host(view.pointer, found.view(np.uint8), view.device, view.stream)
    return found.reshape(view.shape)


def predicted_there(model: Any, method: str, X: Any, offset: Any) -> Any:
    """Return what a method of a fitted model returns for rows on a device.

    Labels are a NumPy array, as ``classes_`` is one. All else is an array on the device, of the library of X.
    """
    scores = _Scores(model, X, offset)
    if not _is_classifier(model):
        return like(_means(model, scores), X)
    if method == "predict":
        return model.classes_[scores.places()]
    if method == "decision_function":
        return like(scores.array, X)
    return like(
        scores.transformed({"predict_proba": "probabilities", "predict_log_proba": "log_probabilities"}[method]), X
    )


def _means(model: Any, scores: _Scores) -> DeviceArray:
    kind = model._kind(getattr(model, "_fitted_loss", model.loss))
    if kind.is_of_residuals:
        return scores.array
    if not kind.is_of_counts:  # whose means are powers
        raise NotImplementedError(f"loss={model.loss!r} has no predictions on a CUDA device; copy X to the host")
    return scores.transformed("means")


class _Scores:
    """The scores of rows on a device, as a model's ``coef_`` and ``intercept_`` give them.

    They are added up in the dtype that the product has on the host: that of X, or of wider coefficients. X in fewer
    bits than float32 counts as float32.
    """

    def __init__(self, model: Any, X: Any, offset: Any) -> None:
        self._X = X = _checked(model, X)
        W, b, dtype = _parameters(model, X)
        n, k = X.shape[0], len(b)
        single = len(model.classes_) == 2 if _is_classifier(model) else np.ndim(model.intercept_) == 0
        if single and k != 1:
            raise ValueError(f"coef_ must have one row of coefficients, got {describe(model.coef_)}")
        offset = copied_to_host("offset", offset)
        added = offsets_of_scores(offset, n, dtype, k, getattr(model, "_has_offset", False), not _is_classifier(model))
        self._k, self._name = k, dtype.name
        self.array = self._empty((n,) if single else (n, k))
        there = None if added is None else DeviceArray.from_numpy(added, X.device)
        is_finite = getattr(backend(), f"scores_{dtype.name}")(
            X.dtype, X.pointer, *X.shape, X.c_contiguous, W, b, 0 if there is None else there.pointer,
            self.array.pointer, X.device, X.stream,
        )  # fmt: skip
        if not is_finite:
            self._mend(W, b, added)

    def _empty(self, shape: tuple[int, ...]) -> DeviceArray:
        """Return memory, used again where its stream lasts."""
        X = self._X
        if lasts(X.stream, X.library):
            return reused(shape, self._name, X.device, X.stream)
        return DeviceArray(shape, self._name, X.device)

    def _predictions(self, kind: str, out: int, places: Any) -> None:
        function = getattr(backend(), f"predictions_{self._name}")
        function(kind, self.array.pointer, self._X.shape[0], self._k, out, places, self._X.device, self._X.stream)

    def places(self) -> NDArray[np.intp]:
        """Return the numbers of the likeliest classes, on the host."""
        found = np.empty(self._X.shape[0], np.intc)
        self._predictions("places", 0, found)
        return found.astype(np.intp)

    def transformed(self, kind: str) -> DeviceArray:
        """Return what is made of the scores, in their place where it has their shape."""
        out = self.array
        if kind != "means" and self._k == 1:
            out = self._empty((self._X.shape[0], 2))
        self._predictions(kind, out.pointer, None)
        return out

    def _mend(self, W: Array, b: Array, added: Array | None) -> None:
        """Make scores that are not finite as the host does, or raise a ValueError for rows that are not."""
        scores = self.array.numpy().reshape(-1, self._k)
        wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        at_once = max(1, _PIECE // self._X.shape[1])
        for first in range(0, len(wrong), at_once):
            rows = wrong[first : first + at_once]
            x = widened(gathered(self._X, rows)).astype(W.dtype)
            if not np.isfinite(x).all():
                row, column = np.argwhere(~np.isfinite(x))[0]
                raise ValueError(
                    f"X must hold finite numbers, got {x[row, column]} in row {rows[row]} of column {column}"
                )
            with np.errstate(over="ignore", invalid="ignore"):
                scores[rows] = product(x, W.T) + b
                if added is not None:
                    scores[rows] += added.reshape(scores.shape)[rows]
        backend().copy_to_device(scores.ravel(), self.array.pointer, self._X.device, self._X.stream)


def _checked(model: Any, X: Any) -> DeviceView:
    """Return the view of dense rows, if a fitted model can predict them."""
    _check_is_fitted(model, ["coef_", "intercept_"])
    if not lies_on_device(X):
        _refuse_sparse(X)
    encoded(model, X, reset=False)  # which refuses what is no data frame if the model was fitted to one
    view: DeviceView = as_native("X", X)
    check_device_matrix(view)
    name, n_features = type(model).__name__, view.shape[1]
    expected = getattr(model, "n_features_in_", n_features)
    if n_features != expected:
        raise ValueError(f"X has {n_features} features, but {name} is expecting {expected} features as input")
    if getattr(model, "feature_names_in_", None) is not None:
        message = f"X does not have valid feature names, but {name} was fitted with feature names"
        warnings.warn(message, UserWarning, stacklevel=levels_outside())
    backend().refuse_capture("a prediction", view.device, view.stream)
    return view


def _refuse_sparse(X: Any) -> NoReturn:
    kept = _values(X)
    raise NotImplementedError(
        f"X must be a dense array to be predicted on a CUDA device, got a sparse matrix ({type(X).__name__}); copy its "
        f"arrays to the host ({on_host('X.data', library_of(kept))}), or make X dense"
    )


def _parameters(model: Any, X: DeviceView) -> tuple[Array, Array, np.dtype[Any]]:
    """Return coefficients of shape (k, d), intercepts of shape (k,), and the dtype of both."""
    coef = model.coef_.toarray() if is_sparse(model.coef_) else np.asarray(model.coef_)
    given = model.intercept_
    of_b = given if isinstance(given, float | int) else np.asarray(given).dtype  # a Python number makes nothing wider
    wide = np.result_type(arithmetic_dtype(X.dtype), coef.dtype, of_b) != np.float32
    dtype = np.dtype(np.float64 if wide else np.float32)
    W = np.ascontiguousarray(np.atleast_2d(coef), dtype)
    b = np.ascontiguousarray(np.ravel(given), dtype)
    if W.shape[1:] != X.shape[1:] or W.ndim != 2 or b.shape not in ((1,), W.shape[:1]):
        raise ValueError(
            f"coef_ and intercept_ must be of shapes (k, {X.shape[1]}) and (k,) for this X, got {coef.shape} and "
            f"{np.shape(given)}"
        )
    return W, np.ascontiguousarray(np.broadcast_to(b, W.shape[:1])), dtype
