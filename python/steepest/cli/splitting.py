"""The split of rows into those that a fit uses, those that choose its epoch, and those that only test it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .columns import Array
from .tables import TableError

ENOUGH_ROWS = 50  # with fewer rows none is held out unless asked for
DEFAULT_FRACTION = 0.2


def default_fraction(n: int) -> float:
    """Return the part of n rows to hold out if nothing was asked for."""
    return DEFAULT_FRACTION if n >= ENOUGH_ROWS else 0.0


def split_rows(rows: Array, fraction: float, random: np.random.Generator, classes: Array | None) -> tuple[Array, Array]:
    """Split rows at random. Return the sorted rows to keep and the sorted rows to hold out.

    Parameters
    ----------
    rows : array of int
        The rows to split.
    fraction : float
        Part of the rows to hold out, in [0, 1). A part above 0 is at least one row.
    random : Generator
        What draws the rows.
    classes : array, optional
        The class of every row of the table. The same part of each class is held out, and never a class as a whole.

    Raises
    ------
    TableError
        No row would be left.
    """
    if fraction == 0:
        return rows, rows[:0]
    labels: Any = np.zeros(len(rows)) if classes is None else classes[rows]
    members = [random.permutation(rows[labels == label]) for label in np.unique(labels)]
    members.sort(key=len, reverse=True)
    sizes = [min(round(fraction * len(each)), len(each) - 1) for each in members]
    sizes[0] = max(sizes[0], 1)
    if sizes[0] >= len(members[0]):
        raise TableError(f"{len(rows)} rows are too few to hold out {fraction:g} of them")
    held = np.concatenate([each[:size] for each, size in zip(members, sizes, strict=True)])
    return np.setdiff1d(rows, held), np.sort(held)
