"""The measures of a model on another table."""

from __future__ import annotations

from typing import Any

import numpy as np

from .encoding import check_complete
from .fitting import measure
from .measures import Measures
from .model import is_classifier, parts
from .problem import weights_of
from .tables import OptionError, Table, TableError
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
    name = table.column(name)
    frame = table.select(list(encoder.feature_names_in_), record.sparse).assign(**{name: table.frame[name]})
    if weight is not None:
        frame = frame.assign(**{"(weight)": table.frame[table.column(weight)]})
    rows = len(frame)
    if encoder.missing == "error":
        check_complete(frame[[name]])
    else:
        frame = frame.dropna() if encoder.missing == "drop" else frame[frame[name].notna()]
    if not len(frame):
        raise TableError("no row is left: each has a missing value")
    classes = tuple(np.asarray(estimator.classes_).tolist()) if is_classifier(estimator) else None
    y = Target(name, record.loss, classes, "").encode(frame[name])
    encoder.set_params(unknown=unknown)
    X = encoder.transform(frame)
    counts = None if weight is None else weights_of(frame["(weight)"].rename(weight))
    base = record.base
    if base is None:
        base = np.full(len(classes), 1 / len(classes)) if classes else float(np.mean(y))
    return measure(estimator, X, y, counts, classes, np.asarray(base) if classes else base), rows - len(frame)
