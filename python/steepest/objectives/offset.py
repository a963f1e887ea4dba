"""Offsets of the rows' scores: how data take them up, so that native losses need no third number of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_column, describe
from ..arrays.interop import DeviceView, as_native, library_of, place
from .protocol import Capability

__all__ = [
    "as_means",
    "as_residuals",
    "coded",
    "has_offsets_of_scores",
    "labels_of",
    "numbered",
    "offset_of_rows",
    "offset_of_scores",
    "offsets_beside",
    "offsets_of",
    "rows_of_numbered",
    "taken_up",
]

Vector = NDArray[np.float64]
_INTEGERS: dict[int, Any] = {4: np.uint32, 8: np.uint64}
_MOST_ROWS = 2139095040  # the bits of infinity as float32: below it, a row number is those of a finite number


def taken_up(objective: Any, data: Any, offset: Any) -> tuple[Any, float]:
    """Return data that have taken up the offsets of their rows, and a constant to add to the mean loss.

    Raises
    ------
    NotImplementedError, TypeError, ValueError
        As for `offset_of_rows`, or the loss takes no offset, or cannot take up one of these.
    """
    there = getattr(data, "with_offset", None)
    if there is not None:
        found: tuple[Any, float] = there(offset, objective._with_offset, objective.is_of_classes)
        return found
    found = objective._with_offset(data, offset_of_rows(offset, data))
    return found


def offset_of_rows(offset: Any, data: Any) -> NDArray[Any]:
    """Return checked offsets of the rows of some data.

    Raises
    ------
    NotImplementedError
        The data are sparse rows on a CUDA device, or in parts.
    TypeError, ValueError
        The offsets have the wrong type, dtype or shape, or are not finite.
    """
    _check_has_rows(offset, data)
    found = as_native("offset", offset)
    check_column("offset", found, data.n_samples, data.storage, library_of(offset))
    checked: NDArray[Any] = found
    return checked


def offset_of_scores(offset: Any, data: Any, n_scores: int) -> NDArray[Any]:
    """Return checked offsets of the scores of the rows of some data, of shape (n_samples, n_scores).

    Raises
    ------
    NotImplementedError
        The data are on a CUDA device or in parts.
    TypeError, ValueError
        The offsets have the wrong type, dtype or shape, or are not finite, or there are too many rows.
    """
    _check_has_rows(offset, data)
    found, dtype, shape = as_native("offset", offset), data.targets.dtype, (data.n_samples, n_scores)
    expected = f"offset must be a {dtype} array of shape {shape}, with a number for each row and class"
    if not isinstance(found, np.ndarray) or found.dtype != dtype:
        raise TypeError(f"{expected}, got {describe(offset if isinstance(found, DeviceView) else found)}")
    if found.shape != shape:
        raise ValueError(f"{expected}, got {describe(found)}")
    if shape[0] > _MOST_ROWS:
        raise ValueError(f"offset must be None for more than {_MOST_ROWS:,} rows, got {describe(found)}")
    finite = np.isfinite(found)
    if not finite.all():
        i, c = np.unravel_index(int(np.argmin(finite)), shape)
        raise ValueError(f"offset must be finite, got {found[i, c]} in row {i}, class {c}")
    return found


def _check_has_rows(offset: Any, data: Any) -> None:
    """Raise a NotImplementedError if the data cannot take up offsets."""
    if data.device is not None:
        raise NotImplementedError(
            f"offset must be None for data in {place(data.device)}, got {describe(offset)}; make the objective from "
            "arrays in the host's memory"
        )
    if not data.supports(Capability.TARGETS):
        raise NotImplementedError(
            f"offset must be None for X in parts, got {describe(offset)}; make the objective from arrays"
        )


def as_residuals(data: Any, offset: NDArray[Any]) -> Any:
    """Return data with the offsets subtracted from the targets, for a loss of residuals.

    Raises
    ------
    ValueError
        A difference overflows.
    """
    with np.errstate(over="ignore"):
        targets = np.subtract(data.targets, offset, dtype=np.float64).astype(data.targets.dtype)
    _check(np.isfinite(targets), data, offset, "y - offset")
    return data.with_targets(targets)


def as_means(data: Any, offset: NDArray[Any]) -> tuple[Any, float]:
    """Return data for the Poisson loss: rates, whose weights are times their exposures e^offset; and a constant.

    The loss e^(z + o) - y (z + o) of a score z and an offset o is e^o (e^z - y e^-o z), less y o. The mean of the last
    is the constant, to be added to the mean loss.

    Raises
    ------
    ValueError
        An exposure, a rate or a weight is not a normal number of the dtype.
    """
    dtype, exact, y = data.targets.dtype, offset.astype(np.float64), data.targets.astype(np.float64)
    weights = np.ones(len(y)) if data.weights is None else data.weights.astype(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        exposed, rates = (weights * np.exp(exact)).astype(dtype), (y * np.exp(-exact)).astype(dtype)
    limits = np.finfo(dtype)
    normal = (exposed >= limits.tiny) & (exposed <= limits.max) & ((rates >= limits.tiny) | (y == 0.0))
    _check((normal & (rates <= limits.max)) | (weights == 0.0), data, offset, "exp(offset) and y exp(-offset)")
    exposed, rates = (np.where(weights > 0.0, each, dtype.type(0)) for each in (exposed, rates))
    terms = np.where(weights > 0.0, weights * y * exact, 0.0)
    constant = -float(terms.sum()) / data.weight_sum
    return data.with_targets(rates).with_weights(exposed, data.weight_sum), constant


def coded(data: Any, offset: NDArray[Any]) -> Any:
    """Return data whose targets are the offsets, with the labels 0 and 1 in their last bits."""
    integer = _INTEGERS[offset.dtype.itemsize]
    bits = (offset.view(integer) & ~integer(1)) | data.targets.astype(integer)
    return data.with_targets(bits.view(offset.dtype))


def labels_of(targets: NDArray[Any]) -> NDArray[Any]:
    """Return the labels of `coded` targets."""
    integer = _INTEGERS[targets.dtype.itemsize]
    found: NDArray[Any] = (targets.view(integer) & integer(1)).astype(targets.dtype)
    return found


def numbered(data: Any, offset: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return data whose targets number the rows, and of each row its offsets, one for each score, and its label.

    A row number is the bits of its target. Rows that are taken from the data keep their numbers.
    """
    targets = data.targets
    table = np.column_stack([offset, targets]).ravel()
    numbers = np.arange(len(targets), dtype=_INTEGERS[targets.dtype.itemsize]).view(targets.dtype)
    return data.with_targets(numbers), table


def rows_of_numbered(targets: NDArray[Any], table: NDArray[Any], n_scores: int) -> NDArray[Any]:
    """Return the rows of the table that `numbered` targets mean: offsets, then the label."""
    numbers = targets.view(_INTEGERS[targets.dtype.itemsize])
    found: NDArray[Any] = table.reshape(-1, n_scores + 1)[numbers]
    return found


def offsets_beside(objective: Any) -> NDArray[Any] | None:
    """Return the offsets that are to be added to scores of an objective's rows; None if its targets have them."""
    found: NDArray[Any] | None = objective.data.targets if objective.terms.loss != objective.loss else None
    return found


def offsets_of(objective: Any, rows: NDArray[np.intp]) -> NDArray[Any] | None:
    """Return the offsets of some rows of an objective of classes, of shape (len(rows), n_scores), or None."""
    targets, terms = objective.data.targets, objective.terms
    if terms.row_offsets is not None:
        return rows_of_numbered(targets[rows], terms.row_offsets, terms.n_scores)[:, :-1]
    beside = offsets_beside(objective)
    return None if beside is None else beside[rows][:, None]


def has_offsets_of_scores(objective: Any) -> bool:
    """Return whether an objective of several scores has offsets, which the native loss adds to the scores."""
    return objective.layout.n_scores > 1 and objective.offset is not None


def _check(right: NDArray[np.bool_], data: Any, offset: NDArray[Any], what: str) -> None:
    if right.all():
        return
    at = int(np.argmin(right))
    raise ValueError(
        f"offset must leave {what} within {data.targets.dtype}, got offset {offset[at]:g} with y {data.targets[at]:g} "
        f"at index {at}"
    )
