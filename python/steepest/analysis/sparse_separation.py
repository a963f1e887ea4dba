"""Whether a column of sparse rows separates a class from the others, by one look at the entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.source import Entries

__all__ = ["a_sparse_column_separates"]

_ENTRIES = 1 << 19  # at a time
_MOST_FLAGS = 1 << 27  # columns times classes, of one byte each


def a_sparse_column_separates(objective: DataObjective, w: NDArray[Any], far: float) -> bool:
    """Return whether some row has a score at least so far from 0, and a column separates a class from the others.

    It does so where the numbers of a column are above 0 in rows of the class only, and below 0 in rows of the others
    only, or the other way round. An indicator that only one class has is such a column. It is not found if it comes
    twice in a row with both signs, nor if columns are centred without an intercept.
    """
    labels, weight, d = objective.targets.astype(np.intp), objective.weights, objective.n_features
    n_classes = max(2, objective.layout.n_scores)
    shifted = objective.scaling is not None and not objective.intercept and bool(objective.scaling[0].any())
    if shifted or n_classes * d > _MOST_FLAGS:
        return False
    above, below = np.zeros((n_classes, d), bool), np.zeros((n_classes, d), bool)
    is_far = False
    for index, entries in _blocks(objective):
        is_far = is_far or _largest_score(objective, w, entries, len(index)) >= far
        classes = labels[index][entries.rows]
        counts = (
            entries.values != 0.0 if weight is None else (entries.values != 0.0) & (weight[index] > 0)[entries.rows]
        )
        for found, sign in ((above, 1.0), (below, -1.0)):
            some = counts & (sign * entries.values > 0.0)
            found[classes[some], entries.columns[some]] = True
    if not is_far:
        return False
    above_in, below_in = above.sum(axis=0, dtype=np.int32), below.sum(axis=0, dtype=np.int32)
    for label in range(n_classes):
        rest_above, rest_below = above_in > above[label], below_in > below[label]
        up, down = above[label] | rest_below, below[label] | rest_above
        if (up != down).any():
            return True
    return False


def _blocks(objective: DataObjective) -> Iterator[tuple[NDArray[np.intp], Entries]]:
    """Yield the numbers and the entries of the rows, some of them at a time."""
    data: Any = objective.data
    step = max(1, int(_ENTRIES * objective.n_samples / max(data.n_elements, 1)))
    for at in range(0, objective.n_samples, step):
        index = np.arange(at, min(at + step, objective.n_samples))
        yield index, data.entries(index)


def _largest_score(objective: DataObjective, w: NDArray[Any], entries: Entries, n: int) -> float:
    """Return the largest magnitude of a score of some rows, or of the difference of two."""
    d, found = objective.n_features, []
    for own in w.reshape(-1, d + objective.intercept).astype(np.float64):
        slopes, constant = own[:d], own[d] if objective.intercept else 0.0
        if objective.scaling is not None:
            centre, scale = objective.scaling
            slopes = slopes / scale
            constant = constant - np.sum(centre * slopes)
        found.append(constant + np.bincount(entries.rows, entries.values * slopes[entries.columns], minlength=n))
    scores = np.array(found)
    return float(np.abs(scores).max() if len(scores) == 1 else np.ptp(scores, axis=0).max())
