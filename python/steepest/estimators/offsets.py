"""Offsets in the estimators: of the rows of a fit, and of scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe

__all__ = ["beside_offsets", "offsets_of_scores", "row_offsets", "scores_beside"]

Array = NDArray[Any]


def beside_offsets(model: Any, rows: Any, held_out: Any, offsets: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the rows of a fit, and those of its validation set or None, with their offsets.

    Raises
    ------
    TypeError, ValueError
        One of the rows and the validation set has offsets and the other has none, or offsets are wrong.
    """
    if (offsets[1] is None) != (offsets[0] is None or held_out is None):
        raise ValueError("offset_val must be given if offset and X_val are, and only then")
    if offsets[0] is None:
        return rows, held_out
    kind, n_scores, _ = model._loss()
    rows = rows.with_offset(offsets[0], "offset", kind.is_of_residuals, n_scores)
    if held_out is not None:
        held_out = held_out.with_offset(offsets[1], "offset_val", kind.is_of_residuals, n_scores)
    return rows, held_out


def scores_beside(scores: Array, offset: Any, needed: bool, of_targets: bool) -> Array:
    """Return scores, of shape (n,) or (n, k), with the offsets of their rows added.

    A model that was fitted with offsets needs them. Several scores are of classes, unless they are ``of_targets``.

    Raises
    ------
    TypeError, ValueError
        The offsets are wrong, or None although they are needed, or there are several targets.
    """
    n_scores = 1 if scores.ndim == 1 else scores.shape[1]
    added = offsets_of_scores(offset, len(scores), scores.dtype, n_scores, needed, of_targets)
    return scores if added is None else np.asarray(scores + added.reshape(scores.shape))


def offsets_of_scores(
    offset: Any, n: int, dtype: np.dtype[Any], n_scores: int, needed: bool, of_targets: bool
) -> Array | None:
    """Return what `scores_beside` adds to the scores of n rows, as `row_offsets` does; None for nothing."""
    if offset is None:
        if needed:
            raise ValueError("offset must be given, as the model was fitted with one; offset=0.0 adds nothing")
        return None
    if n_scores > 1 and of_targets:
        raise ValueError(f"offset must be None for a model of several targets, got {describe(offset)}")
    return row_offsets(offset, n, dtype, n_scores=n_scores)


def row_offsets(offset: Any, n: int, dtype: np.dtype[Any], name: str = "offset", n_scores: int = 1) -> NDArray[Any]:
    """Return the offsets of n rows as a contiguous array of a dtype, of shape (n,), or (n, n_scores) of several scores.

    A number is the offset of all scores.

    Raises
    ------
    TypeError
        The offsets are not real numbers.
    ValueError
        They have another shape, one is not finite, or the dtype cannot hold one.
    """
    shape = (n,) if n_scores == 1 else (n, n_scores)
    each = "each row of X" if n_scores == 1 else "each row of X and each class"
    expected = f"{name} must be finite numbers of shape {shape}, one for {each}, or one number"
    found = np.asarray(offset)
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{expected}, got {describe(offset)}")
    if found.shape not in ((), shape, (n, n_scores)):
        raise ValueError(f"{expected}, got {describe(found)}")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(np.broadcast_to(found if found.ndim == 0 else found.reshape(shape), shape), dtype)
    finite = np.isfinite(found)
    if not finite.all():
        at = tuple(map(int, np.unravel_index(int(np.argmin(finite)), shape)))
        raise ValueError(f"{expected} within {dtype}, got {found[at]} at index {at[0] if len(at) == 1 else at}")
    return found
