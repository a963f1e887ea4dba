"""Chunks of Dask collections: one task makes the arrays of each, on a worker that is chosen here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..extras import require
from .blocks import block_of

__all__ = ["Chunks", "chunks_of", "coded", "in_rows", "is_frame", "kind_of", "labels_of", "owners"]


class Chunks(NamedTuple):
    """Collections, cut into chunks of rows.

    Attributes
    ----------
    tasks : list of Delayed
        Each makes the `Block` of a chunk.
    y, weight : array of shape (n,), or None
        Targets and weights that are not in the blocks, as they are in this process.
    futures : list of Future, or None
        Those of the chunks of X, if workers have them or make them already.
    """

    tasks: list[Any]
    y: NDArray[Any] | None
    weight: NDArray[Any] | None
    futures: list[Any] | None


def is_frame(given: Any) -> bool:
    """Return whether a Dask collection is a data frame or a series."""
    return hasattr(given, "map_partitions")


def in_rows(X: Any) -> Any:
    """Return a Dask X whose chunks have all columns.

    Raises
    ------
    TypeError
        X is neither a Dask array nor a Dask data frame.
    ValueError
        X does not have two dimensions.
    """
    if not hasattr(X, "__dask_graph__") or not (hasattr(X, "chunks") or is_frame(X)):
        raise TypeError(f"X must be a Dask array or a Dask data frame, got {describe(X)}")
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, got {X.ndim}")
    return X if is_frame(X) or X.numblocks[1] == 1 else X.rechunk({1: -1})


def chunks_of(X: Any, y: Any, weight: Any, name: str) -> Chunks:
    """Return collections as chunks. Their tasks have this name, and a number."""
    X = in_rows(X)
    blocks = list(np.ravel(X.to_delayed()))
    columns, own = [blocks], []
    for label, each in (("y", y), ("sample_weight", weight)):
        lazy = hasattr(each, "__dask_graph__")
        columns.append(_like(label, each, X, len(blocks)) if lazy else [None] * len(blocks))
        own.append(None if lazy or each is None else _in_memory(label, each, X))
    delayed = require("dask", "dask").delayed
    task = delayed(block_of, pure=False)
    made = [task(*row, dask_key_name=f"{name}-{i}") for i, row in enumerate(zip(*columns, strict=True))]
    return Chunks(made, own[0], own[1], _futures(X))


def _like(name: str, given: Any, X: Any, n: int) -> list[Any]:
    """Return the chunks of a Dask vector, which must be those of the rows of X."""
    if given.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got {given.ndim}")
    if hasattr(given, "chunks") and hasattr(X, "chunks"):
        rows, own = X.chunks[0], given.chunks[0]
        if np.isfinite([*rows, *own]).all() and rows != own:
            if sum(rows) != sum(own):
                raise ValueError(f"{name} must have an element for each of the {sum(rows)} rows of X, got {sum(own)}")
            given = given.rechunk((rows,))
    elif is_frame(given) and is_frame(X):
        known = None not in (*X.divisions, *given.divisions)
        if known and X.divisions != given.divisions:
            raise ValueError(f"{name} must have the divisions of X, {X.divisions}, got {given.divisions}")
    chunks = list(np.ravel(given.to_delayed()))
    if len(chunks) != n:
        raise ValueError(f"{name} must have as many chunks as X has chunks of rows, {n}, got {len(chunks)}")
    return chunks


def _in_memory(name: str, given: Any, X: Any) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(given)
    n = X.shape[0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got {describe(array)}")
    if isinstance(n, int) and len(array) != n:
        raise ValueError(f"{name} must have an element for each of the {n} rows of X, got {len(array)}")
    return array


def _futures(X: Any) -> list[Any] | None:
    """Return the futures of the chunks of X, in order, or None if some chunk is yet to be asked for."""
    found = {future.key: future for future in require("distributed", "dask").futures_of(X)}
    keys = list(require("dask.core", "dask").flatten(X.__dask_keys__()))
    return [found[key] for key in keys] if all(key in found for key in keys) else None


def owners(n: int, threads: dict[str, int]) -> list[str]:
    """Return a worker for each of n chunks: neighbours share one, and each has its share by its number of threads.

    A worker with chunks in a row sends few answers, since most of them add up there.
    """
    addresses = sorted(threads)
    shares = np.cumsum([threads[address] for address in addresses])
    places = np.searchsorted(shares / shares[-1], (np.arange(n) + 0.5) / n)
    return [addresses[place] for place in places]


def kind_of(y: Any) -> np.dtype[Any]:
    """Return the dtype of targets, or that of objects for a dtype that NumPy lacks."""
    dtype = getattr(y, "dtype", None)
    if dtype is None:
        dtype = np.asarray(y).dtype
    return dtype if isinstance(dtype, np.dtype) else np.dtype(getattr(dtype, "numpy_dtype", object))


def labels_of(y: Any) -> NDArray[Any] | None:
    """Return the sorted different labels of targets that are no numbers, else None. Dask computes them."""
    if kind_of(y).kind in "biuf":
        return None
    if hasattr(y, "__dask_graph__"):
        delayed, compute = (require("dask", "dask").delayed, require("dask", "dask").compute)
        found = compute(*(delayed(_different)(chunk) for chunk in np.ravel(y.to_delayed())))
        return np.unique(np.concatenate(found))
    return _different(y)


def _different(chunk: Any) -> NDArray[Any]:
    labels = np.asarray(chunk, dtype=object)
    wrong = [each for each in labels if not isinstance(each, str)][:1]
    if wrong:
        raise TypeError(f"y must hold numbers or text, got {describe(wrong[0])}")
    return np.unique(labels.astype(str)).astype(object)


def coded(y: Any, labels: NDArray[Any]) -> Any:
    """Return targets as the places of their labels."""
    if not hasattr(y, "__dask_graph__"):
        return _places(y, labels)
    if is_frame(y):
        return y.map_partitions(_series_of_places, labels, meta=(y.name, np.float64))
    return y.map_blocks(_places, labels, dtype=np.float64, meta=np.empty(0))


def _places(chunk: Any, labels: NDArray[Any]) -> NDArray[np.float64]:
    given = np.asarray(chunk, dtype=object)
    places = np.searchsorted(labels, given).clip(max=len(labels) - 1)
    if (labels[places] != given).any():
        raise ValueError(f"y must hold the labels of the fit only, got {given[labels[places] != given][0]!r}")
    return places.astype(np.float64)


def _series_of_places(chunk: Any, labels: NDArray[Any]) -> Any:
    return type(chunk)(_places(chunk, labels), index=chunk.index, name=chunk.name)
