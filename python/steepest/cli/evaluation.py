"""The measures of a model on another table."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fitting import measure
from .further import rows_of
from .measures import Measures
from .model import is_classifier, parts
from .tables import OptionError, Table
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
    name = target or record.target or table.target
    if name is None:
        raise OptionError("--target: the model does not say which column it predicts")
    weight = None if weight is None else table.column(weight)
    classes = tuple(np.asarray(estimator.classes_).tolist()) if is_classifier(estimator) else None
    encoder.set_params(unknown=unknown)
    rows = rows_of(
        table, encoder, Target(table.column(name), record.loss, classes, ""), weight, record.sparse, record.unused
    )
    base = record.base
    if base is None:
        base = np.full(len(classes), 1 / len(classes)) if classes else float(np.mean(rows.y))
    base = np.asarray(base) if classes else base
    return measure(estimator, rows.X, rows.y, rows.weight, classes, base), rows.left_out
