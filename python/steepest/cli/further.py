"""The rows of a further table, for an encoder that a fit made: to choose the epoch by, or to measure a model on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .assembly import Array, Matrix
from .columns import numbers_of
from .encoding import TableEncoder, check_complete
from .numbered import numbers_for, rows_with_missing
from .tables import NoRowsError, Table, TableError, row_of
from .targets import Target


@dataclass
class Rows:
    """Rows of a table as arrays, and how many others were left out. `weight` is None if the rows have none."""

    X: Matrix
    y: Array
    weight: Array | None
    left_out: int


@dataclass
class Features:
    """The columns of a table that an encoder needs.

    Attributes
    ----------
    frame : pandas.DataFrame
        Those that have names, in the encoder's order. Its index has the numbers of the rows, from 0.
    numbered : CSR matrix or None
        Those that have numbers. It has all rows of the table.
    """

    frame: Any
    numbered: Matrix

    def __len__(self) -> int:
        return len(self.frame)

    def incomplete(self) -> Array:
        """Return which rows have a missing value."""
        found: Array = self.frame.isna().any(axis=1).to_numpy()
        return found if self.numbered is None else found | rows_with_missing(self.numbered)[self.frame.index]

    def encoded(self, encoder: TableEncoder) -> Matrix:
        """Return the rows as features."""
        return encoder.encoded(self.frame, self.numbered)

    def taken(self, rows: Array) -> Features:
        """Return some rows, by a mask."""
        return self if rows.all() else Features(self.frame[rows], self.numbered)


def features_of(
    table: Table, encoder: TableEncoder, sparse: bool, beside: Collection[str] = (), unused: Collection[str] = ()
) -> Features:
    """Return the columns of a table that an encoder needs. The parameters are those of `Table.select`."""
    numbering, strict, numbered = encoder.numbering_, encoder.unknown == "error", None
    if numbering is not None:
        numbered, strict = numbers_for(table, numbering, sparse, beside, strict), False
    frame = table.select(encoder.column_names, sparse, beside, unused, strict)
    table.check_decimals(frame[[column.name for column in encoder.columns_ if column.kind == "number"]])
    return Features(frame, numbered)


def rows_of(
    table: Table,
    encoder: TableEncoder,
    target: Target,
    weight: str | None,
    sparse: bool = False,
    unused: Collection[str] = (),
    is_whole: bool = True,
) -> Rows:
    """Return the rows of a table that have a target and a weight.

    A row without a target or a weight is left out, except after a fit that accepts no missing values. If the fit left
    out rows with missing values, so does this function.

    Parameters
    ----------
    table : Table
        The further table.
    encoder : TableEncoder
        The encoder of the fit.
    target : Target
        Its name is a column of the table.
    weight : str or None
        Column with the weights of the rows.
    sparse, unused
        As for `Table.select`.
    is_whole : bool
        Whether some weight must be above 0. In a chunk of a table, none need be.

    Raises
    ------
    TableError
        A column is absent or unsuitable, or no row is left.
    """
    outside = list(dict.fromkeys([target.name, *([] if weight is None else [weight])]))
    features = features_of(table, encoder, sparse, outside, unused)
    beside = table.with_columns(outside).frame[outside]
    if target.classes is None:
        table.check_decimals(beside)
    if encoder.missing == "error":
        check_complete(beside, outside)
    else:
        gone = beside.isna().any(axis=1)
        usable = ~(gone | features.incomplete() if encoder.missing == "drop" else gone).to_numpy()
        features, beside = features.taken(usable), beside[usable]
    if not len(features):
        raise NoRowsError("no row is left: each has a missing value")
    counts = None if weight is None else weights_of(beside[weight], is_whole)
    y = target.encode(beside[target.name])
    return Rows(features.encoded(encoder), y, counts, len(table.frame) - len(features))


def weights_of(column: Any, is_whole: bool = True) -> Array:
    """Return the weights of rows, or raise TableError naming the row of a negative one."""
    weight = numbers_of(column)
    if (weight < 0).any():
        place = int(np.argmax(weight < 0))
        row = row_of(column, place)
        raise TableError(f"column '{column.name}', row {row}: a weight must be at least 0, got {weight[place]:g}")
    if is_whole and not weight.any():
        raise TableError(f"column '{column.name}' has no weight above 0")
    return weight
