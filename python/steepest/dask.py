"""Fits over the workers of a Dask cluster: `fit`, and `parts` for objectives. They need the extra `dask`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import numpy as np

from .arrays.checks import check_number, describe
from .distribution.dask_chunks import chunks_of, coded, in_rows, is_frame, kind_of, labels_of
from .distribution.dask_engine import DaskEngine
from .distribution.dask_predictions import predicted
from .extras import require
from .objectives.parts import Parts

__all__ = ["fit", "parts"]

_Model = TypeVar("_Model")
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def parts(client: Any, X: Any, y: Any, sample_weight: Any = None, *, timeout: float = 60.0) -> Parts:
    """Return the rows of Dask collections as data in parts, which objectives take in the place of X.

    Each chunk of rows is a part, in the order of the chunks; chunks without rows are left out. The parts stay on their
    workers until the engine is closed, with ``parts.engine.close()``. If X is lazy, its chunks are computed, and each
    worker gets neighbours. If it is persisted, the parts are where it is, and share its memory.

    Whatever the workers, all results have the same bits, since the answers of parts are added in one order. This holds
    for workers whose processors have the same ISA level. A part that is made again must have the same bits: this is
    checked.

    Parameters
    ----------
    client : distributed.Client
        A synchronous client.
    X : dask.array.Array of shape (n, n_features), or dask.dataframe.DataFrame
        The rows. Blocks are NumPy arrays or scipy.sparse matrices, of the dtypes that objectives take. A data frame has
        columns of numbers; they become float32 if all of them are float32, else float64. Chunks of columns are merged.
    y : array of shape (n,)
        The targets: a Dask array or series with the chunks of X, or an array in this process.
    sample_weight : array of shape (n,), optional
        The weights, of the same kinds. Targets and weights are cast to the dtype of computation.
    timeout : float, default 60
        Seconds without a sign of life after which a wait is an error: of a worker, or of all of them while parts are to
        be made again. Work may take any time.

    Returns
    -------
    Parts

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or the rows of a part. The error names the part.
    TimeoutError
        There is no worker, or one does not respond.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import steepest as st
    >>> from distributed import Client
    >>> from steepest.dask import parts
    >>> rows = np.random.default_rng(0).normal(size=(1000, 3))
    >>> X = da.from_array(rows, chunks=(250, 3))
    >>> with Client(processes=False, n_workers=2, dashboard_address=None) as client:
    ...     data = parts(client, X, X[:, 0] > 0)
    ...     result = st.minimize(st.Logistic(data, alpha=0.1))
    ...     data.engine.close()
    >>> result.converged
    True
    """
    if not hasattr(client, "scheduler") or getattr(client, "asynchronous", True):
        raise TypeError(f"client must be a synchronous distributed.Client, got {describe(client)}")
    timeout = check_number("timeout", timeout, above=0.0)
    chunks = chunks_of(X, y, sample_weight, f"steepest-{secrets.token_hex(8)}")
    return Parts(DaskEngine(client, chunks, timeout))


def fit(client: Any, estimator: _Model, X: Any, y: Any, sample_weight: Any = None, *, timeout: float = 60.0) -> _Model:
    """Fit an estimator to Dask collections, whose rows stay on their workers.

    The default optimizer, `QuasiNewton`, takes few passes, each of which is one message to each worker and one back.
    Mini-batches work too, but each of their steps costs as many messages as a pass.

    Parameters
    ----------
    client : distributed.Client
        A synchronous client.
    estimator : LogisticClassifier or LinearRegressor
        It is fitted in place. ``estimator.fit(X, y)`` does the same with the active client.
    X : dask.array.Array of shape (n, n_features), or dask.dataframe.DataFrame
        The rows, as for `parts`. Arrays of other dtypes than float32 and float64 are cast to float64.
    y : array of shape (n,)
        The targets, as for `parts`. For a classifier they may be text, too.
    sample_weight : array of shape (n,), optional
        The weights, as for `parts`.
    timeout : float, default 60
        Seconds without a sign of life after which a wait is an error.

    Returns
    -------
    estimator
        It can predict arrays, and Dask collections too: ``estimator.predict(X)`` is lazy.

    Raises
    ------
    TypeError, ValueError, TimeoutError
        As for `parts`, and as for the estimator's own `fit`.
    RuntimeError
        The parts of a lost worker cannot be made again. The error names the worker.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from distributed import Client
    >>> from steepest.dask import fit
    >>> from steepest.estimators import LogisticClassifier
    >>> rows = np.random.default_rng(0).normal(size=(1000, 3))
    >>> X = da.from_array(rows, chunks=(250, 3))
    >>> with Client(processes=False, n_workers=2, dashboard_address=None) as client:
    ...     model = fit(client, LogisticClassifier(), X, (X[:, 0] > 0).astype(int))
    ...     print(model.predict(X[:3]).compute() == (rows[:3, 0] > 0))
    [ True  True  True]
    """
    if not isinstance(estimator, import_module("steepest.estimators.base").LinearModel):
        raise TypeError(f"estimator must be a LogisticClassifier or a LinearRegressor, got {describe(estimator)}")
    if isinstance(estimator, import_module("steepest.estimators.cross_validation").CrossValidated):
        found = type(estimator).__name__
        raise TypeError(f"estimator must be one of a given penalty: cross-validation takes arrays, got {found}")
    method = vars(import_module("steepest.estimators.base").LinearModel)["fit"]
    fitted: _Model = _fitted(client, method, estimator, X, y, sample_weight, timeout=timeout)
    return fitted


def called(method: Callable[..., Any], model: Any, X: Any, *rest: Any, **options: Any) -> Any:
    """Do what a method of an estimator does, if its X is a Dask collection."""
    if method.__name__ != "fit":
        given = [each for each in (*rest, *options.values()) if each is not None]
        if given:
            raise NotImplementedError(f"offset must be None for X of Dask, got {describe(given[0])}")
        return predicted(model, method.__name__, X)
    try:
        client = require("distributed", "dask").default_client()
    except ValueError:
        how = "make one with distributed.Client()"
        raise ValueError(f"X of Dask needs an active Dask client, got none; {how}") from None
    return _fitted(client, method, model, X, *rest, **options)


def _fitted(
    client: Any,
    method: Callable[..., Any],
    model: Any,
    X: Any,
    y: Any = None,
    sample_weight: Any = None,
    X_val: Any = None,
    y_val: Any = None,
    *,
    timeout: float = 60.0,
    **saved: Any,
) -> Any:
    """Call the `fit` of a model with data in parts. `saved` are its arguments for a checkpoint."""
    in_rows(X)
    if y is None:
        raise TypeError("y must hold the targets of the rows of X, got None")
    labels = labels_of(y) if require("sklearn.base", "sklearn").is_classifier(model) else None
    made: list[Parts] = []
    try:
        for rows, targets, weight in ((X, y, sample_weight), (X_val, y_val, None)):
            if hasattr(rows, "__dask_graph__"):
                made.append(_parts_of(client, rows, targets, weight, labels, timeout))
        data, *held_out = made
        method(model, data, None, None, *((held_out[0], None) if held_out else (X_val, y_val)), **saved)
    finally:
        for each in made:
            each.engine.close()
    return model


def _parts_of(client: Any, X: Any, y: Any, weight: Any, labels: Any, timeout: float) -> Parts:
    """Return parts for an estimator, with the labels of text, if any."""
    names = None
    if is_frame(X):
        names = tuple(X.columns) if all(isinstance(name, str) for name in X.columns) else None
    elif (dtype := getattr(X, "dtype", _FLOATS[0])) not in _FLOATS:
        if dtype.kind in "cSUmM":
            raise TypeError(f"X must hold numbers, got {dtype}")
        X = X.astype(np.float64)
    made = parts(client, X, y if labels is None else coded(y, labels), weight, timeout=timeout)
    kind = kind_of(y)
    classes = labels.astype(kind) if labels is not None and kind.kind == "U" else labels
    of_columns: dict[str, Any] = {"classes": classes, "feature_names": names}
    if kind.kind in "biuf":
        of_columns["target_dtype"] = kind
    return Parts(made.engine, **of_columns)
