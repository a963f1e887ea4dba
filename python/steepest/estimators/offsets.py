"""Offsets in the estimators: of the rows of a fit, and of scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe

__all__ = ["beside_offsets", "row_offsets", "scores_beside"]

Array = NDArray[Any]


def beside_offsets(model: Any, rows: Any, held_out: Any, offsets: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the rows of a fit, and those of its validation set or None, with their offsets.

    Raises
    ------
    NotImplementedError
        The model has several scores.
    TypeError, ValueError
        One of the rows and the validation set has offsets and the other has none, or offsets are wrong.
    """
    if (offsets[1] is None) != (offsets[0] is None or held_out is None):
        raise ValueError("offset_val must be given if offset and X_val are, and only then")
    if offsets[0] is None:
        return rows, held_out
    kind, n_scores, _ = model._loss()
    if n_scores > 1:
        raise NotImplementedError(f"offset must be None for more than two classes, got one for {n_scores} classes")
    rows = rows.with_offset(offsets[0], "offset", kind.is_of_residuals)
    if held_out is not None:
        held_out = held_out.with_offset(offsets[1], "offset_val", kind.is_of_residuals)
    return rows, held_out


def scores_beside(scores: Array, offset: Any, needed: bool) -> Array:
    """Return scores, of shape (n,) or (n, k), with the offsets of their rows added.

    Raises
    ------
    TypeError, ValueError
        The offsets are wrong, or None although they are needed, or there are several scores.
    """
    if offset is None:
        if needed:
            raise ValueError("offset must be given, as the model was fitted with one; offset=0.0 adds nothing")
        return scores
    if scores.ndim == 2 and scores.shape[1] > 1:
        what = "several targets or more than two classes"
        raise ValueError(f"offset must be None for a model of {what}, got {describe(offset)}")
    found = row_offsets(offset, len(scores), scores.dtype)
    return np.asarray(scores + (found if scores.ndim == 1 else found[:, None]))


def row_offsets(offset: Any, n: int, dtype: np.dtype[Any], name: str = "offset") -> NDArray[Any]:
    """Return the offsets of n rows as a contiguous array of a dtype. A number is the offset of all rows.

    Raises
    ------
    TypeError
        The offsets are not real numbers.
    ValueError
        There are not n of them, one is not finite, or the dtype cannot hold one.
    """
    expected = f"{name} must be finite numbers of shape ({n},), one for each row of X, or one number"
    found = np.asarray(offset)
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{expected}, got {describe(offset)}")
    if found.shape not in ((), (n,), (n, 1)):
        raise ValueError(f"{expected}, got {describe(found)}")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(np.broadcast_to(found.reshape(-1), n), dtype=dtype)
    finite = np.isfinite(found)
    if not finite.all():
        at = int(np.argmin(finite))
        raise ValueError(f"{expected} within {dtype}, got {found[at]} at index {at}")
    return found
