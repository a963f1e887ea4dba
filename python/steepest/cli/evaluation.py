"""The measures of a model on another table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .chunks import Chunks, naming_rows
from .fitting import measure
from .further import Rows, rows_of
from .measures import Measures
from .model import is_classifier, parts
from .tables import NoRowsError, OptionError, Table
from .tally import tally_of
from .targets import Target


def evaluated(model: Any, table: Table, target: str | None, weight: str | None, unknown: str) -> tuple[Measures, int]:
    """Return the measures of a model on a table, and the number of rows that were left out.

    A row without a target is left out, and if the model was fitted with ``--missing drop``, one with a missing value.

    Raises
    ------
    TableError, OptionError
        A column is absent or unsuitable, or the target is not known.
    """
    encoder, estimator, record = parts(model)
    encoder.set_params(unknown=unknown)
    rows, classes = _rows(model, table, target, weight)
    base = record.base
    if base is None:
        base = np.full(len(classes), 1 / len(classes)) if classes else float(np.mean(rows.y))
    base = np.asarray(base) if classes else base
    return measure(estimator, rows.X, rows.y, rows.weight, classes, base), rows.left_out


def evaluated_in_chunks(
    model: Any, chunks: Chunks, target: str | None, weight: str | None, unknown: str
) -> tuple[Measures, int]:
    """Return what `evaluated` does, from a pass over chunks; of classes, the AUC is None.

    A regressor that the command line did not fit takes one pass more, for the mean of the target.
    """
    encoder, estimator, record = parts(model)
    encoder.set_params(unknown=unknown)
    classes = tuple(np.asarray(estimator.classes_).tolist()) if is_classifier(estimator) else None
    base = record.base
    if base is None and classes:
        base = np.full(len(classes), 1 / len(classes))
    elif base is None:
        base = _mean(rows.y for rows, _ in _row_chunks(model, chunks, target, weight) if rows is not None)
    tally, left_out = tally_of(classes, base), 0
    for rows, n_rows in _row_chunks(model, chunks, target, weight):
        left_out += n_rows if rows is None else rows.left_out
        if rows is not None:
            predicted = estimator.predict(rows.X) if classes is None else estimator.predict_proba(rows.X)
            tally.add(rows.y, predicted, rows.weight)
    if not tally.rows:
        raise NoRowsError("no row is left: each has a missing value, or the weight 0")
    return tally.measures(), left_out


def _mean(chunks: Iterator[Any]) -> float:
    sums = [(float(y.sum()), len(y)) for y in chunks]
    return sum(total for total, _ in sums) / max(sum(n for _, n in sums), 1)


def _row_chunks(
    model: Any, chunks: Chunks, target: str | None, weight: str | None
) -> Iterator[tuple[Rows | None, int]]:
    """Yield the rows of each chunk, None if all are left out, and how many it has."""
    for table in chunks.tables():
        try:
            with naming_rows(table):
                rows, _ = _rows(model, table, target, weight, is_whole=False)
            yield rows, len(table.frame)
        except NoRowsError:
            yield None, len(table.frame)


def _rows(
    model: Any, table: Table, target: str | None, weight: str | None, is_whole: bool = True
) -> tuple[Rows, tuple[Any, ...] | None]:
    """Return the rows of a table as arrays, and the classes of the model."""
    encoder, estimator, record = parts(model)
    name = target or record.target or table.target
    if name is None:
        raise OptionError("--target: the model does not say which column it predicts")
    weight = None if weight is None else table.column(weight)
    classes = tuple(np.asarray(estimator.classes_).tolist()) if is_classifier(estimator) else None
    wanted = Target(table.column(name), record.loss, classes, "")
    return rows_of(table, encoder, wanted, weight, record.sparse, record.unused, is_whole), classes
