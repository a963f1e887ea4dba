"""A chunk of rows of any library as the arrays of a part, and the checks of these arrays."""

from __future__ import annotations

import zlib
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import describe
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.sparse import CSRView, csr_view, is_sparse
from ..objectives.given_part import checked_part
from ..objectives.questions import HeldPart

__all__ = ["Block", "block_of", "digest_of", "held_part", "in_part"]

_ARRAYS = ("data", "indices", "indptr")
_SIMPLE = (ValueError, TypeError, MemoryError, OverflowError, FloatingPointError)


class Block(NamedTuple):
    """The arrays of a chunk of rows, none of them checked.

    Attributes
    ----------
    X : array or matrix of shape (n, n_features)
        In C order, or a CSR matrix.
    y, weight : array of shape (n,), or None
        None: they come from elsewhere, or there are none.
    """

    X: Any
    y: Any = None
    weight: Any = None


def block_of(X: Any, y: Any = None, weight: Any = None) -> Block:
    """Return a chunk as arrays, and a data frame or a sparse matrix in another format too."""
    return Block(_matrix(X), _vector(y), _vector(weight))


def _matrix(X: Any) -> Any:
    if hasattr(X, "iloc"):
        return _of_frame(X)
    if is_sparse(X):
        return X.tocsr() if getattr(X, "format", "csr") != "csr" and hasattr(X, "tocsr") else X
    return _in_order(X)


def _in_order(given: Any) -> Any:
    """Return an array in C order and aligned, as native code takes it. What is sent may be neither."""
    return np.require(given, requirements=["C", "ALIGNED"]) if type(given) is np.ndarray else given


def _of_frame(X: Any) -> NDArray[Any]:
    """Return the numbers of a data frame: float32 if all of its columns are float32, else float64."""
    for name, kind in X.dtypes.items():
        if getattr(kind, "kind", "O") not in "biuf":
            raise TypeError(f"X must have columns of numbers, got {kind} in column {name!r}")
    narrow = all(kind == np.float32 for kind in X.dtypes)
    return np.ascontiguousarray(X.to_numpy(dtype=np.float32 if narrow else np.float64, na_value=np.nan))


def _vector(given: Any) -> Any:
    return _in_order(given.to_numpy() if hasattr(given, "to_numpy") else given)


def held_part(index: int, block: Block) -> HeldPart:
    """Check a block as an objective checks arrays, and return it as a part.

    Targets and weights are cast to the dtype of computation. The sum of the weights may be 0.
    """
    X = _in_order(block.X)
    if is_sparse(X):
        X = csr_view(SimpleNamespace(shape=X.shape, **{name: _in_order(getattr(X, name)) for name in _ARRAYS}))
    n, stored = _shape_of(X)
    dtype = arithmetic_dtype(stored)
    y = _cast("y", block.y, dtype, n)
    weight = None if block.weight is None else _cast("sample_weight", block.weight, dtype, n)
    return HeldPart(index, *checked_part(X, y, weight))


def _shape_of(X: Any) -> tuple[int, str]:
    """Return the rows and the dtype of X, those that a check takes where X is no array at all."""
    if not hasattr(X, "dtype") or not hasattr(X, "shape"):
        return 0, "float64"
    name = dtype_name(X.dtype)
    return int(X.shape[0]), name if name in _core.storages else "float64"


def _cast(name: str, given: Any, dtype: np.dtype[Any], n: int) -> NDArray[Any]:
    """Return numbers in a dtype."""
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, got {describe(given)}")
    if given.shape != (n,):
        raise ValueError(f"{name} must have an element for each of the {n} rows of X, got shape {given.shape}")
    with np.errstate(over="ignore"):
        return np.require(given, dtype, ["C", "ALIGNED"])


def digest_of(part: HeldPart) -> int:
    """Return a checksum of a part's arrays, which tells whether a part that is made again is the same."""
    X = part.data.X
    found = 0
    for each in (*((X.data, X.indices, X.indptr) if isinstance(X, CSRView) else (X,)), part.data.targets):
        found = zlib.crc32(each.view(np.uint8).data, found)
    return found if part.data.weights is None else zlib.crc32(part.data.weights.view(np.uint8).data, found)


def in_part(number: int, error: Exception, what: str = "part", where: str = "") -> Exception:
    """Return an error that names the part in which another one was raised."""
    named = f"{what} {number}{where}: "
    if type(error) in _SIMPLE:
        return type(error)(f"{named}{error}")
    return RuntimeError(f"{named}{type(error).__name__}: {error}")
