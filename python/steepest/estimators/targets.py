"""The number of targets of a row: one, or several for a regressor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays.sparse import is_sparse

__all__ = ["check_width", "width_of_targets"]


def width_of_targets(y: Any) -> int | None:
    """Return the number of columns of a table of targets; None for a vector, and for what is neither.

    Raises
    ------
    TypeError
        The targets are a sparse matrix.
    """
    if is_sparse(y):
        raise TypeError("y must be a dense array, got a sparse matrix; convert it with y.toarray()")
    shape: Any = getattr(y, "shape", None)
    if shape is None:
        if not isinstance(y, list | tuple) or not len(y) or not isinstance(y[0], list | tuple | np.ndarray):
            return None
        try:
            shape = np.shape(y)
        except ValueError:  # rows of different lengths, which scikit-learn refuses
            return None
    return int(shape[1]) if len(shape) == 2 else None


def check_width(model: Any, width: int, several: bool) -> None:
    """Check that a model takes a table of so many targets."""
    if several or width == 1:  # scikit-learn warns of a single column where a vector is meant
        return
    name = type(model).__name__
    if hasattr(model, "predict_proba"):
        remedy = f"fit a {name} for each, for example with sklearn.multioutput.MultiOutputClassifier"
    else:
        remedy = "only fit takes several targets"
    raise ValueError(f"y must hold one target for each row here, got {width} columns; {remedy}")
