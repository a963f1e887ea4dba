"""Predictions for Dask collections, which are lazy: each chunk is predicted where it is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dask_chunks import in_rows, is_frame

__all__ = ["predicted"]


def predicted(model: Any, method: str, X: Any) -> Any:
    """Return what a method of a fitted model gives for the rows of a Dask collection.

    Returns
    -------
    Dask array of shape (n,) or (n, k), or Dask series or data frame with the index of X
        It keeps the model as it is now.
    """
    X, model = in_rows(X), copy.copy(model)
    if is_frame(X):
        meta = _of_frame(X._meta_nonempty, model, method, None)
        return X.map_partitions(_of_frame, model, method, meta, meta=meta)
    first = np.asarray(getattr(model, method)(np.zeros((1, int(X.shape[1])), X.dtype)))
    meta = first[:0]
    shape = {"drop_axis": 1} if meta.ndim == 1 else {"chunks": (X.chunks[0], (meta.shape[1],))}
    return X.map_blocks(_of_array, model, method, meta, dtype=meta.dtype, meta=meta, **shape)


def _of_array(block: Any, model: Any, method: str, empty: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(getattr(model, method)(block)) if block.shape[0] else empty


def _of_frame(frame: Any, model: Any, method: str, empty: Any) -> Any:
    """Return predictions with the index of a frame. A pandas frame makes its own kind, so that no pandas is needed."""
    if empty is not None and not len(frame):
        return empty.iloc[:0]
    found = np.asarray(getattr(model, method)(frame))
    table = {k: found[:, k] for k in range(found.shape[1])} if found.ndim == 2 else {0: found}
    made = type(frame)(table, index=frame.index)
    return made if found.ndim == 2 else made[0].rename(None)
